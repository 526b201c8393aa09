"""The line below the prompt: what the last turn cost and how full the window is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent import machine
from agent.events import Event, TurnEnded, Usage

if TYPE_CHECKING:
    from agent.loop import Agent


FRESH = 5.0
"""Seconds for which the memory that was found holds: to look costs some milliseconds."""


class Status:
    """Noted by the thread that loads the model and then by the main one, read by any."""

    def __init__(self) -> None:
        self._model = ""
        self._context = 0
        self._used = 0
        """Tokens of the window that the conversation takes."""
        self._counted = (0, 0)
        """Of which session, and how many messages of it."""
        self._usage = Usage()
        """Of the last turn."""
        self._memory = 0
        self._looked = -FRESH

    def meet(self, agent: Agent) -> None:
        """Its model, which is there now and has been asked nothing yet."""
        engine = agent.engine
        self._model, self._context, self._usage = engine.name, engine.context, Usage()
        self._used, self._counted = 0, (0, 0)
        self.count(agent)

    def note(self, event: Event) -> None:
        """What a turn has yielded."""
        if isinstance(event, TurnEnded):
            self._usage = event.usage

    def count(self, agent: Agent) -> None:
        """How full the window is, where the conversation has changed since that was counted."""
        now = (agent.session.id, len(agent.session.messages))
        if now != self._counted:
            used = agent.filled() if agent.session.messages else 0
            self._used, self._counted = used, now

    def line(self, training: str) -> str:
        """`training`: what runs beside."""
        parts = [self._model]
        if self._context:
            parts.append(f"window {self._used / self._context:.0%} of {self._context}")
        if self._usage.generated:
            parts.append(cost(self._usage))
        if time.monotonic() - self._looked >= FRESH:
            self._memory, self._looked = machine.held_memory(), time.monotonic()
        parts += [f"{self._memory / 1e9:.1f} GB", training]
        return " · ".join(part for part in parts if part)


def cost(usage: Usage) -> str:
    rate = usage.generated / usage.decode_seconds if usage.decode_seconds else 0.0
    speed = f", {rate:.0f} tok/s" if rate else ""
    return f"{usage.cached} tokens cached, {usage.prefilled} new, {usage.generated} written{speed}"
