"""The end of a turn's time. It stands still while the user is asked: thinking is not the turn's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Deadline:
    """Runs from the start, until it is cancelled. Pauses do not nest."""

    def __init__(
        self, seconds: float, passed: Callable[[], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        """`passed` is called, in another thread, when the time is up."""
        self._now = now
        self._passed = passed
        self._left = seconds
        """At the start of the stretch that runs; while it stands still, of what comes after."""
        self._since: float | None = None
        self._start()

    @property
    def is_past(self) -> bool:
        spent = 0.0 if self._since is None else self._now() - self._since
        return spent > self._left

    @contextmanager
    def paused(self) -> Iterator[None]:
        self._stop()
        try:
            yield
        finally:
            self._start()

    def cancel(self) -> None:
        """Whatever comes now, `passed` is not called."""
        self._timer.cancel()

    def _start(self) -> None:
        self._since = self._now()
        self._timer = threading.Timer(max(0.0, self._left), self._passed)
        self._timer.daemon = True
        self._timer.start()

    def _stop(self) -> None:
        self._timer.cancel()
        assert self._since is not None
        self._left -= self._now() - self._since
        self._since = None
