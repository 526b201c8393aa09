"""Drawing events. What is finished is written once; only the block that grows is drawn again."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from agent.events import (
    Event,
    Notice,
    TextDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    TurnEnded,
    Usage,
)

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.live import Live
    from rich.text import Text

LOOKS = 8
"""How often a second the growing block is drawn."""
PATIENCE = 0.3
"""Seconds until a wait is worth a line."""
ENDED = {
    "interrupted": "interrupted", "failed": "failed", "seconds": "stopped: max_seconds",
    "steps": "stopped: max_steps", "tokens": "cut off: max_tokens", "repeats": "stopped: repeats",
}  # fmt: skip
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a model or a tool could steer the terminal with."""


class Screen:
    def __init__(self) -> None:
        self.ended = ""
        """Why the last turn ended."""
        self.terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        """False: text is written as it comes, all else goes to stderr."""
        self._live: Live | None = None
        self._answer = ""
        """What is not written for good yet."""
        self._blocks = 0
        """Blocks of this answer that are."""
        self._thought = ""
        self._running: dict[str, tuple[ToolStarted, float]] = {}
        self._progress: dict[str, ToolProgress] = {}
        self._stage: Callable[[], str] = lambda: "reading"
        self._since = 0.0
        self._column_open = False
        self._made: Console | None = None
        self._lock = threading.RLock()
        """Held while anything is drawn, so that no frame shows a block twice or not at all."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Draws what grows; at the end, what was said is there whatever happened."""
        self.ended = ""
        self._answer, self._blocks, self._thought = "", 0, ""
        self._running.clear()
        self._stage = lambda: "thinking"
        self._since = time.monotonic()
        self._resume()
        try:
            yield
        finally:
            self._finish_text()
            self._pause()

    @contextmanager
    def waiting(self, stage: Callable[[], str]) -> Iterator[None]:
        """A line that says what is waited for, gone afterwards."""
        self._answer, self._thought = "", ""
        self._running.clear()
        self._stage = stage
        self._since = time.monotonic()
        self._resume()
        try:
            yield
        finally:
            self._pause()

    def draw(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            self._text(event)
        elif isinstance(event, ToolStarted):
            self._finish_text()
            self._running[event.id] = (event, time.monotonic())
        elif isinstance(event, ToolProgress):
            self._progress[event.id] = event
        elif isinstance(event, ToolFinished):
            started, _ = self._running.pop(event.id)
            self._tool(started, event)
            self._since = time.monotonic()
        elif isinstance(event, Notice):
            self._finish_text()
            self.notice(event.text)
        elif isinstance(event, TurnEnded):
            self._finish_text()
            self._pause()
            self.ended = event.reason
            reason = f"({ENDED[event.reason]}) " if event.reason in ENDED else ""
            self.dim(reason + _cost(event.usage))

    def recall(self, messages: Sequence[BaseMessage]) -> None:
        """The last request and what was answered, of a conversation that goes on."""
        asked = [at for at, message in enumerate(messages) if message.type == "human"]
        if not asked:
            return
        for message in messages[asked[-1] :]:
            text = clean(str(message.text)).strip()
            if text and message.type in ("human", "ai"):
                self.dim(f"> {text}" if message.type == "human" else text)
            elif message.type == "tool" and getattr(message, "status", "") == "error":
                self.dim(f"✗ {message.name} → {one_line(text)}")
        last = next(message for message in reversed(messages) if message.type != "system")
        if last.type != "ai":
            self.dim("(ended before there was an answer)")
        elif last.response_metadata.get("finish") == "interrupted":
            self.dim("(the answer breaks off there)")

    def plain(self, text: str) -> None:
        self._say(text, "", sys.stdout)

    def show(self, shown: RenderableType) -> None:
        """A table, a picture, Markdown: whatever rich can draw. Plain text in a pipe."""
        self._end_line()
        with self._lock:
            self._console.print(shown)

    def dim(self, text: str) -> None:
        self._say(text, "dim", sys.stderr)

    def notice(self, text: str) -> None:
        self._say(text if self.terminal else f"tinsmith: {text}", "yellow", sys.stderr)

    @contextmanager
    def approval(self, name: str, arguments: Mapping[str, Any], preview: str) -> Iterator[None]:
        """Shows what is to be allowed and keeps still while the user is asked."""
        self._pause()
        self.plain(written(name, arguments))
        for line in preview.splitlines():
            style = "green" if line.startswith("+") else "red" if line.startswith("-") else ""
            self._say(line, style, sys.stdout)
        try:
            yield
        finally:
            self._since = time.monotonic()
            self._resume()

    def _text(self, event: TextDelta) -> None:
        if event.kind == "reasoning":
            if not self._thought:
                self._since = time.monotonic()
            self._thought += event.text
            return
        self._finish_thought()
        if not self.terminal:
            print(event.text, end="", flush=True)
            self._column_open = not event.text.endswith("\n")
            return
        self._answer = (self._answer + clean(event.text)).lstrip("\n")
        if "\n" in event.text:
            from agent.repl.markdown import finished

            self._block(finished(self._answer))

    def _finish_text(self) -> None:
        self._finish_thought()
        self._block(len(self._answer))
        self._blocks = 0
        self._end_line()

    def _finish_thought(self) -> None:
        thought, self._thought = self._thought, ""
        if thought and self.terminal:
            seconds = time.monotonic() - self._since
            self.dim(f"thought for {seconds:.0f} s, {len(thought.split())} words")

    def _block(self, characters: int) -> None:
        """Write that much of the answer for good."""
        with self._lock:
            text, self._answer = self._answer[:characters], self._answer[characters:]
            if not text.strip():
                return
            from agent.repl.markdown import Answer

            if self._blocks:
                self._console.print()
            self._console.print(Answer(text))
            self._blocks += 1

    def _tool(self, started: ToolStarted, event: ToolFinished) -> None:
        call = one_line(written(started.name, started.arguments))
        result = one_line(event.result)
        seconds = f" ({event.seconds:.1f} s)" if event.seconds >= 1 else ""
        mark = "✓" if event.ok else "✗"
        if not self.terminal:
            print(f"{mark} {call} → {result[:200]}{seconds}", file=sys.stderr, flush=True)
            return
        from rich.text import Text

        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{mark} ", "green" if event.ok else "red")
        width = max(8, self._console.width - 6 - len(seconds))
        shown = Text(call, "dim")
        shown.truncate(max(width // 2, width - Text(result).cell_len), overflow="ellipsis")
        answer = Text(f" → {result}", "dim" if event.ok else "red")
        answer.truncate(width + 3 - shown.cell_len, overflow="ellipsis")
        with self._lock:
            self._console.print(text.append_text(shown).append_text(answer).append(seconds, "dim"))

    def _say(self, text: str, style: str, otherwise: TextIO) -> None:
        """A line on the terminal, or to `otherwise`."""
        self._end_line()
        if not self.terminal:
            print(text, file=otherwise, flush=True)
            return
        with self._lock:
            self._console.print(clean(text), style=style, markup=False, emoji=False)

    @property
    def _console(self) -> Console:
        if self._made is None:
            from rich.console import Console

            self._made = Console(highlight=False)
        return self._made

    def _resume(self) -> None:
        if not self.terminal or self._live is not None:
            return
        from rich.live import Live

        self._live = Live(
            _Now(self._growing),
            console=self._console,
            auto_refresh=False,
            transient=True,
            vertical_overflow="visible",
        )
        self._live.start()
        threading.Thread(target=self._redraw, args=(self._live,), daemon=True).start()

    def _redraw(self, live: Live) -> None:
        while self._live is live:
            time.sleep(1 / LOOKS)
            with self._lock:
                if self._live is live:
                    live.refresh()

    def _pause(self) -> None:
        with self._lock:
            live, self._live = self._live, None
            if live is not None:
                live.stop()

    def _growing(self) -> RenderableType:
        """What is drawn below the finished lines at this moment; another thread asks."""
        from rich.console import Group
        from rich.text import Text

        answer, thought = self._answer, self._thought
        if answer:
            from agent.repl.markdown import Answer

            shown = Answer(answer)
            return _LastLines(Group("", shown) if self._blocks else shown)
        if thought:
            return self._line(f"thinking {self._waited()}  {one_line(thought)[-200:]}", end=True)
        if running := list(self._running.values()):
            now = time.monotonic()
            return Group(
                *(
                    self._line(
                        f"· {self._far(one.id)}{written(one.name, one.arguments)} "
                        f"{_seconds(now - begun)}"
                    )
                    for one, begun in running
                )
            )
        if time.monotonic() - self._since < PATIENCE:
            return Text("")
        return self._line(f"{self._stage()} {self._waited()}")

    def _far(self, id: str) -> str:
        """How far a tool is that tells."""
        now = self._progress.get(id)
        return f"{now.done} of {now.total} {now.what}: " if now else ""

    def _line(self, text: str, end: bool = False) -> Text:
        """One dim line; `end`: its end is what counts."""
        from rich.cells import cell_len
        from rich.text import Text

        line = one_line(text)
        width = self._console.width - 1
        if end and cell_len(line) > width:
            head, _, tail = line.partition("  ")
            while tail and cell_len(head) + 3 + cell_len(tail) > width:
                tail = tail[1:]
            line = f"{head} …{tail}"
        return Text(line, "dim", no_wrap=True, overflow="ellipsis")

    def _waited(self) -> str:
        return _seconds(time.monotonic() - self._since)

    def _end_line(self) -> None:
        """Begin a new line when the last is not finished."""
        if self._column_open:
            print(flush=True)
            self._column_open = False


class _Now:
    """Whatever `make` gives at the moment of drawing."""

    def __init__(self, make: Callable[[], RenderableType]) -> None:
        self._make = make

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._make()


class _LastLines:
    """As much of the end of `shown` as fits on the screen; the rest is written when finished."""

    def __init__(self, shown: RenderableType) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        lines = console.render_lines(self._shown, options, pad=False)[-max(1, console.height - 2) :]
        for number, line in enumerate(lines):
            if number:
                yield Segment.line()
            yield from line


def written(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as it is shown: `calculate(expression="1 + 2")`."""
    import json

    values = (f"{key}={json.dumps(one, ensure_ascii=False)}" for key, one in arguments.items())
    return f"{name}({', '.join(values)})"


def clean(text: str) -> str:
    """Without what could steer the terminal."""
    return CONTROL.sub("", text)


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s"


def _cost(usage: Usage) -> str:
    rate = usage.generated / usage.decode_seconds if usage.decode_seconds else 0.0
    speed = f", {rate:.0f} tok/s" if rate else ""
    return f"{usage.cached} tokens cached, {usage.prefilled} new, {usage.generated} written{speed}"
