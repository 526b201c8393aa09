"""Drawing events. Text is written once and never redrawn."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from agent.events import Event, Notice, TextDelta, ToolFinished, ToolStarted, TurnEnded, Usage

SHORT = 100
"""Characters of a call or a result on its line."""


class Screen:
    def __init__(self) -> None:
        self.ended = ""
        """Why the last turn ended."""
        self._styled = (
            sys.stdout.isatty()
            and "NO_COLOR" not in os.environ
            and os.environ.get("TERM") != "dumb"
        )
        self._column_open = False

    def draw(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            self._write(event.text, "2" if event.kind == "reasoning" else "")
            self._column_open = not event.text.endswith("\n")
        elif isinstance(event, ToolStarted):
            self.dim(f"· {event.name} {_short(_arguments(event.arguments))}")
        elif isinstance(event, ToolFinished):
            mark = "✓" if event.ok else "✗"
            self.dim(f"{mark} {event.name} {event.seconds:.1f} s  {_short(event.result)}")
        elif isinstance(event, Notice):
            self.notice(event.text)
        elif isinstance(event, TurnEnded):
            self.ended = event.reason
            self.end()
            if event.reason != "answered":
                self.dim(f"({event.reason})")
            self.dim(_cost(event.usage))

    def end(self) -> None:
        """Begin a new line when the last is not finished."""
        if self._column_open:
            self._write("\n")
            self._column_open = False

    def plain(self, text: str) -> None:
        self.end()
        self._write(text + "\n")

    def dim(self, text: str) -> None:
        self.end()
        self._write(text, "2")
        self._write("\n")

    def notice(self, text: str) -> None:
        self.end()
        print(f"tinsmith: {text}", file=sys.stderr, flush=True)

    def approval(self, name: str, arguments: Mapping[str, Any], preview: str) -> None:
        self.plain(f"{name} {_short(_arguments(arguments))}")
        for line in preview.splitlines():
            color = "32" if line.startswith("+") else "31" if line.startswith("-") else ""
            self._write(line, color)
            self._write("\n")

    def _write(self, text: str, style: str = "") -> None:
        styled = f"\x1b[{style}m{text}\x1b[0m" if style and self._styled else text
        print(styled, end="", flush=True)


def _arguments(arguments: Mapping[str, Any]) -> str:
    return json.dumps(arguments, ensure_ascii=False)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHORT else line[: SHORT - 1] + "…"


def _cost(usage: Usage) -> str:
    rate = usage.generated / usage.decode_seconds if usage.decode_seconds else 0.0
    return (
        f"{usage.cached} tokens cached, {usage.prefilled} processed, "
        f"{usage.generated} written, {rate:.0f} tok/s"
    )
