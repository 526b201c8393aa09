"""What Ctrl-C does while the model answers."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

LEAVE_SECONDS = 2.0
"""A second Ctrl-C within this time leaves."""


class Pressed:
    """When Ctrl-C was pressed, while a turn went on."""

    def __init__(self) -> None:
        self._last = 0.0
        self.once = False
        self.twice = False
        """Within two seconds: the user wants to leave, and not only to end the turn."""

    def note(self) -> None:
        """In a signal handler, so it takes no lock."""
        now = time.monotonic()
        self.twice = self.once and now - self._last < LEAVE_SECONDS
        self.once, self._last = True, now


@contextlib.contextmanager
def interrupts(stop: Callable[[], None]) -> Iterator[Pressed]:
    """Ctrl-C calls `stop` and nothing is broken off in the middle; a second one breaks in."""
    pressed = Pressed()

    def again(number: int, frame: FrameType | None) -> None:
        pressed.note()
        signal.default_int_handler(number, frame)

    def first(number: int, frame: object) -> None:
        pressed.note()
        signal.signal(signal.SIGINT, again)
        # in a thread: this one may be holding the lock that `stop` wants
        threading.Thread(target=stop, daemon=True).start()

    before = signal.signal(signal.SIGINT, first)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
