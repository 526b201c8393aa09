"""What of the facts that last is told to the model before a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.prompts import render

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage, SystemMessage

    from tools.knowledge.facts import Facts

MOST = 4
"""Facts before one request."""
LEAST = 0.3
"""Cosine of a fact and the request, at least."""
TOLD = "facts"
NEAR = "nearness"
"""Marks, with the cosine of the nearest one, a message that tells facts."""


def remind(facts: Facts, sent: Sequence[BaseMessage], request: str) -> list[SystemMessage]:
    """What is to be said before `request`. `sent`: what the model reads already.

    The facts stand behind all that was said before, so that nothing of it is computed again.
    """
    from langchain_core.messages import SystemMessage

    known = {number for one in sent for number in one.additional_kwargs.get(TOLD, ())}
    found = facts.relevant(request, MOST, LEAST)
    new = sorted((one for one in found if one.number not in known), key=lambda one: one.number)
    if not new:
        return []
    return [
        SystemMessage(
            render("facts", facts=[one.text for one in new]),
            additional_kwargs={TOLD: [one.number for one in new], NEAR: max(found.values())},
        )
    ]
