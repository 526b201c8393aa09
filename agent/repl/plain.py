"""Lines without a terminal that can draw: from a pipe, at a dumb terminal, for a screen reader."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import NamedTuple, TextIO

from agent.errors import UsageError
from agent.repl.clean import clean


class Line(NamedTuple):
    """What is sent."""

    text: str
    typed: str
    """What of it was typed: only there an @ attaches a file. What was pasted, or comes through a
    pipe, is data, and its @ nobody's wish."""


class Plain:
    """What `Terminal` does, line by line."""

    def __init__(self, typed: bool) -> None:
        """`typed`: somebody types the lines, and can be asked."""
        self.typed = typed
        self._proposed = ""
        """What Enter sends."""
        self.is_over = False
        self.unsent: tuple[str, ...] = ()

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def next_line(self) -> Line:
        """Raises EOFError."""
        if self.typed:
            if self._proposed:
                print(f"Enter sends: {self._proposed}", file=_shown())
            line = _input("> ") or self._proposed
            self._proposed = ""
            return Line(line, line)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return Line(line, "")

    def ask(
        self,
        question: str,
        keys: Mapping[str, str] | None = None,
        default: str = "",
        confirmed: Collection[str] = (),
    ) -> str:
        """What a typed line answers: with `keys` one of them, or the whole answer that it begins.

        Raises EOFError where nobody can be asked.
        """
        if not self.typed:
            raise EOFError
        while True:
            said = _input(f"{clean(question)} ", answers=True).strip()
            if keys is None:
                return said or default
            for key, answer in keys.items():
                if said.lower() in (key, answer):
                    return answer
            print(f"one of: {', '.join(keys)}", file=_shown())

    def propose(self, text: str) -> None:
        self._proposed = text

    def begin(self, text: str) -> None:
        raise UsageError("there is no line to change here; it takes a terminal that can draw")


def _shown() -> TextIO:
    """Where the user reads: standard output may go into a file."""
    return sys.stdout if sys.stdout.isatty() else sys.stderr


def _input(prompt: str, answers: bool = False) -> str:
    """A line. `answers`: what was typed before the prompt could be read is none, and dropped."""
    if answers and sys.platform != "win32":
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    print(prompt, end="", flush=True, file=_shown())
    return input()
