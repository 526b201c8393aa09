"""How far a model is with what nobody sees: reading a prompt, which on a CPU may take most of a
turn, and writing a call."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.engines.base import Engine

MEASURED = 2.0
"""Seconds of reading after which the rest can be told."""


class Reading:
    """Asked again and again while a turn goes on, for a line that says what is waited for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._begun: tuple[int, int, float] | None = None
        """Tokens read and to be read, and when, as this prompt was seen first."""

    def __call__(self) -> str:
        """As in ", 1,024 of 3,100 tokens read, 21 s left"; "" when there is nothing to tell."""
        now = time.monotonic()
        seen = self._engine.reading
        if seen is None:
            self._begun = None
            count = self._engine.calling
            return f", {count:,} tokens of a call written" if count else ""
        done, total = seen
        if self._begun is None or self._begun[1] != total or done < self._begun[0]:
            self._begun = done, total, now
        first, _, since = self._begun
        text = f", {done:,} of {total:,} tokens read"
        if now - since >= MEASURED and done > first:
            left = (total - done) * (now - since) / (done - first)
            text += f", {left:.0f} s left" if left >= 1 else ""
        return text
