"""Facts that last, for the model: kept when the user says so, looked up, forgotten."""

from __future__ import annotations

import time

from tools.base import origin, tool
from tools.errors import FactError
from tools.knowledge.facts import Fact, Facts

FOUND = 5
"""Facts that the model is given."""
KEEP = (
    "remember that", "remember this", "remember it", "please remember", "keep in mind",
    "keep this in mind", "keep that in mind", "keep it in mind", "don't forget", "do not forget",
    "for the future",
)  # fmt: skip
"""What a request says that wants something remembered."""
DROP = ("forget that", "forget this", "forget my", "forget what", "forget about")
LIKELY = 0.3
"""Cosine that a fact has at least with what it is looked up or forgotten by."""


def _nearest(self: Memory, fact: str) -> Fact:
    found = self._facts.relevant(fact, 1, LIKELY)
    if not found:
        raise FactError(f"nothing like {fact!r} is remembered")
    return next(iter(found))


def _shown(self: Memory, fact: str) -> str:
    return f"{told(_nearest(self, fact))}\nis forgotten, and what it replaced"


class Memory:
    """The tools over the facts."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    @tool(
        effects={"reads", "writes"},
        # about nothing: else whatever is asked of the same thing would look like one of them
        examples=[
            "remember this about me",
            "please keep that in mind for later",
            "don't forget what I am telling you now",
            "from now on, know this",
        ],
        subjects=lambda: KEEP,
    )
    def remember(self, fact: str) -> str:
        """Keep a fact about the user or their work for all later conversations.

        Args:
            fact: one short sentence that can be understood alone, such as "The user's dog is called
                Rex."
        """
        done = self._facts.remember(fact, origin())
        if not done.is_new:
            return f"that is known already: {done.fact.text}"
        said = f"remembered: {done.fact.text}"
        if done.replaced:
            said += f" (in place of: {' '.join(one.text for one in done.replaced)})"
        return said

    @tool(
        examples=[
            "what do you remember about me?",
            "look in your memory for what I told you",
            "what have I told you in earlier conversations?",
        ],
    )
    def recall(self, question: str) -> str:
        """Look up what the user told in earlier conversations.

        Args:
            question: what is wanted, such as "the user's address"
        """
        found = self._facts.relevant(question, FOUND, 0.0)
        return "\n".join(map(told, found)) or "nothing is remembered yet"

    @tool(
        effects={"reads", "writes"},
        approval="ask",
        examples=["forget what I told you about it", "delete that from your memory"],
        subjects=lambda: DROP,
        preview=_shown,
    )
    def forget(self, fact: str) -> str:
        """Delete a fact that was remembered, because the user wants it gone.

        Args:
            fact: what it says
        """
        number = _nearest(self, fact).number
        return f"forgotten: {' '.join(one.text for one in self._facts.forget(number))}"


def told(fact: Fact) -> str:
    """Such as "The user's dog is called Rex. (2026-05-31)"."""
    return f"{fact.text} ({time.strftime('%Y-%m-%d', time.localtime(fact.written))})"
