"""The line below the prompt: what the last turn cost and how full the window is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.events import Event, TurnEnded, Usage

if TYPE_CHECKING:
    from agent.loop import Agent


class Status:
    """Noted by the main thread, read by any."""

    def __init__(self) -> None:
        self._model = ""
        self._context = 0
        self._used = 0
        """Tokens of the window, in the last reply."""
        self._usage = Usage()
        """Of the last turn."""

    def note(self, event: Event, agent: Agent) -> None:
        """What a turn has yielded."""
        if not isinstance(event, TurnEnded):
            return
        last = agent.engine.usage
        self._model, self._context = agent.engine.name, agent.engine.context
        self._used = last.cached + last.prefilled + last.generated
        self._usage = event.usage

    def line(self, training: str) -> str:
        """`training`: what runs beside."""
        parts = [self._model]
        if self._context:
            parts.append(f"window {self._used / self._context:.0%} of {self._context}")
        parts.append(f"{_memory() / 1e9:.1f} GB")
        parts.append(training)
        return " · ".join(part for part in parts if part)


def _memory() -> int:
    """Bytes that this program holds."""
    import psutil

    return int(psutil.Process().memory_info().rss)
