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
"""Marks, with what is told, a message that tells facts."""
NEAR = "nearness"
"""In the same message, the cosine of the nearest one."""


def remind(facts: Facts, sent: Sequence[BaseMessage], request: str) -> list[SystemMessage]:
    """What is to be said before `request`. `sent`: what the model reads already.

    The facts stand behind all that was said before, so that nothing of it is computed again.
    """
    from langchain_core.messages import SystemMessage

    from tools.memory import told

    known = {line for one in sent for line in one.additional_kwargs.get(TOLD, ())}
    found = facts.relevant(request, MOST, LEAST)
    lines = [told(fact) for fact in sorted(found, key=lambda fact: fact.number)]
    new = [line for line in lines if line not in known]
    if not new:
        return []
    return [
        SystemMessage(
            render("facts", facts=new),
            additional_kwargs={TOLD: new, NEAR: max(found.values())},
        )
    ]
