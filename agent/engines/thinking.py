"""Telling what a model thinks from what it says, in text that comes in pieces."""

from __future__ import annotations

from collections.abc import Iterator

from agent.events import TextDelta

OPEN, CLOSE = "<think>", "</think>"


class ThinkSplitter:
    """Splits a stream with one block of <think>…</think> at its beginning, tags in any pieces."""

    def __init__(self) -> None:
        self._held = ""
        self._place = "before"

    def feed(self, text: str) -> Iterator[TextDelta]:
        """What is sure by now. A text that may still become a tag is held back."""
        self._held += text
        if self._place == "before":
            start = self._held.lstrip()
            if OPEN.startswith(start):  # "" too
                return
            if start.startswith(OPEN):
                self._place, self._held = "inside", start.removeprefix(OPEN)
            else:
                self._place = "after"
        if self._place == "inside":
            thought, tag, rest = self._held.partition(CLOSE)
            if not tag:
                kept = _overlap(thought)
                thought, self._held = thought[: len(thought) - kept], thought[len(thought) - kept :]
            else:
                self._place, self._held = "gap", rest
            if thought:
                yield TextDelta(thought, "reasoning")
        if self._place == "gap":
            self._held = self._held.lstrip()
            if self._held:
                self._place = "after"
        if self._place == "after" and self._held:
            yield TextDelta(self._held)
            self._held = ""

    def end(self) -> Iterator[TextDelta]:
        """What was held back when the stream ends."""
        if self._held:
            yield TextDelta(self._held, "reasoning" if self._place == "inside" else "answer")
        self._held = ""


def _overlap(text: str) -> int:
    """How many characters at the end of `text` may begin a closing tag."""
    most = min(len(text), len(CLOSE) - 1)
    return next((size for size in range(most, 0, -1) if CLOSE.startswith(text[-size:])), 0)
