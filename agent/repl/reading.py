"""How far a model is with reading a prompt: on a CPU that may take most of a turn."""

from __future__ import annotations

import time
from collections.abc import Callable

MEASURED = 2.0
"""Seconds of reading after which the rest can be told."""


class Reading:
    """Asked again and again while a turn goes on, for a line that says what is waited for."""

    def __init__(self, ask: Callable[[], tuple[int, int] | None]) -> None:
        """`ask`: `Engine.reading`."""
        self._ask = ask
        self._begun: tuple[int, int, float] | None = None
        """Tokens read and to be read, and when, as this prompt was seen first."""

    def __call__(self) -> str:
        """ ", 1,024 of 3,100 tokens read, 21 s left"; "" when nothing is being read."""
        now = time.monotonic()
        seen = self._ask()
        if seen is None:
            self._begun = None
            return ""
        done, total = seen
        if self._begun is None or self._begun[1] != total or done < self._begun[0]:
            self._begun = done, total, now
        first, _, since = self._begun
        text = f", {done:,} of {total:,} tokens read"
        if now - since >= MEASURED and done > first:
            text += f", {(total - done) * (now - since) / (done - first):.0f} s left"
        return text
