"""Long work on the command line: what is being done and for how long, on stderr."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 2.0
"""Seconds until the wait is worth a line that stays."""
REMINDER = 30.0
"""Seconds between two such lines."""
GLANCE = 0.25
"""Seconds between two looks."""


class Wait:
    def __init__(self, what: str, far: Callable[[], str]) -> None:
        self._stage = ""
        self._far = far
        self._what = what
        self._began = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._said = ("", 0.0)
        """Stage and time of the last line that stayed."""
        self._over = threading.Event()
        self._lock = threading.Lock()

    def say(self, stage: str) -> None:
        """What is being done from now on."""
        self._stage = stage

    def tell(self, text: str) -> None:
        """A line that stays, above the one that counts."""
        with self._lock:
            print(("\r\x1b[K" if self._terminal else "") + text, file=sys.stderr, flush=True)

    def pause(self) -> None:
        """Clear the line that counts, for what is printed to standard output."""
        with self._lock:
            if self._terminal:
                print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def keep_saying(self) -> None:
        while True:
            with self._lock:
                if self._over.is_set():
                    return
                self._say()
            self._over.wait(GLANCE)

    def end(self) -> None:
        self._over.set()
        self.pause()

    def _say(self) -> None:
        now = time.monotonic()
        seconds = now - self._began
        stage = self._stage
        line = self._what + (f" ({stage})" if stage else "") + f" {seconds:.0f} s{self._far()}"
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{line[:width]}", end="", file=sys.stderr, flush=True)
            return
        last, at = self._said
        if seconds >= PATIENCE and (not at or stage != last or now - at >= REMINDER):
            self._said = stage, now
            print(line, file=sys.stderr, flush=True)


@contextmanager
def waiting(what: str, far: Callable[[], str] = str) -> Iterator[Wait]:
    """On a terminal a line that counts the seconds and goes when the work is done; `far` is asked
    for what stands at its end.

    Elsewhere a line after two seconds, one for each further stage, and one every half minute.
    """
    wait = Wait(what, far)
    threading.Thread(target=wait.keep_saying, name="waiting", daemon=True).start()
    try:
        yield wait
    finally:
        wait.end()


@contextmanager
def waiting_unless_quiet(what: str, quiet: bool) -> Iterator[Callable[[str], None]]:
    """`waiting`, of which one only wants to tell a line that stays; `quiet`: nothing is shown."""
    if quiet:
        yield nothing
        return
    with waiting(what) as wait:
        yield wait.tell


def nothing(text: str) -> None:
    """Says nothing."""
