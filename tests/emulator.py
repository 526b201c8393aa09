"""The program in a pseudo-terminal, and what a user sees there."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pexpect
import pyte

ROOT = Path(__file__).parent.parent
PATIENCE = 60.0
"""Seconds until what is waited for is missing; a test that passes does not wait so long."""


class Emulator:
    """A terminal of a given size; `text` is what it shows, with all that has scrolled away."""

    def __init__(
        self,
        *words: str,
        columns: int = 80,
        rows: int = 24,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        deaf: bool = True,
        into: Path | None = None,
        module: str = "agent",
    ) -> None:
        """`words`: as one would type them behind `tinsmith`, which `module` is another name of.

        `deaf`: to Ctrl-C, as a shell starts what it puts in the background. `into`: the file that
        standard output goes to.
        """
        program = [sys.executable, "-m", module, *words]
        if into is not None:
            program = ["/bin/sh", "-c", 'into=$1; shift; exec "$@" >"$into"', "sh", str(into),
                       *program]  # fmt: skip
        self.columns, self.rows = columns, rows
        self.raw = ""
        """All that was written."""
        self._screen = pyte.HistoryScreen(columns, rows, history=100_000, ratio=0.001)
        self._stream = pyte.Stream(self._screen)
        self.child = pexpect.spawn(
            program[0], program[1:], cwd=cwd, encoding="utf-8",
            codec_errors="replace", dimensions=(rows, columns),
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **(env or {})},
            preexec_fn=_deaf if deaf else hearing,
        )  # fmt: skip
        self.child.delaybeforesend = None

    @property
    def text(self) -> str:
        gone = ["".join(line[at].data for at in range(self.columns))
                for line in self._screen.history.top]  # fmt: skip
        return "\n".join(line.rstrip() for line in [*gone, *self._screen.display]).rstrip()

    @property
    def screen(self) -> str:
        """What is on the screen itself."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def send(self, keys: str) -> None:
        self.child.send(keys)

    def see(self, pattern: str, after: str = "", seconds: float = PATIENCE) -> str:
        """Wait until `pattern`, a regular expression, is shown; behind the last `after`."""
        end = time.monotonic() + seconds
        while True:
            text = self.text
            begin = text.rfind(after) + len(after) if after and after in text else 0
            if (not after or after in text) and (found := re.search(pattern, text[begin:])):
                return found.group()
            if not self.read(end - time.monotonic()):
                raise AssertionError(f"no {pattern!r} on the screen:\n{self.text}")

    def gone(self, pattern: str) -> None:
        """Wait until `pattern` is no longer on the screen."""
        end = time.monotonic() + PATIENCE
        while re.search(pattern, self.screen):
            if not self.read(end - time.monotonic()):
                raise AssertionError(f"{pattern!r} is still on the screen:\n{self.screen}")

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def ends(self) -> int:
        """Wait until the program has ended; its exit code, or minus the signal that ended it."""
        end = time.monotonic() + PATIENCE
        while self.read(end - time.monotonic()):
            pass
        if time.monotonic() >= end:
            raise AssertionError(f"it did not end:\n{self.text}")
        self.child.wait()
        code = self.child.exitstatus
        return code if code is not None else -int(self.child.signalstatus or 0)

    def leave(self) -> int:
        self.send("\x04")
        return self.ends()

    def kill(self, number: signal.Signals) -> None:
        self.child.kill(number)

    def read(self, seconds: float) -> str:
        """What is written next; empty when nothing is so long, or the program has ended."""
        try:
            got = str(self.child.read_nonblocking(65536, timeout=max(0.0, seconds)))
        except (pexpect.EOF, pexpect.TIMEOUT):
            return ""
        self.raw += got
        self._stream.feed(got)
        return got


def hearing() -> None:
    """In a process that is begun: it hears Ctrl-C and the end of its terminal, whoever began the
    tests, or ran before in this process, and switched them off."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _deaf() -> None:
    hearing()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
