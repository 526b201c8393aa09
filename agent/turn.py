"""The state of one turn of the loop."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent import calls
from agent.deadline import Deadline
from agent.events import Reason, Usage

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, ToolCall, ToolMessage

    from agent import citations
    from agent.engines.base import Sampling
    from agent.loop import Limits
    from agent.skills.format import Skill


class Turn:
    """What it has done so far, and what is left of its limits."""

    def __init__(
        self, limits: Limits, deadline: Deadline, schema: Mapping[str, Any] | None = None
    ) -> None:
        self.deadline = deadline
        self.schema = schema
        """Of the answer."""
        self.steps = 0
        self.usage = Usage()
        self.answer = ""
        self.partial = ""
        """Text that was streamed and is not in the session yet."""
        self.reason: Reason = "answered"
        self.called: list[str] = []
        """Names of the tools called, in order, without the call that may be mended."""
        self.mend = ""
        """The tool whose call was refused by the tool itself and is to be made once more."""
        self.skill: Skill | None = None
        """By which the request is done."""
        self.repeats = 0
        self.wrote = False
        """A tool that changes something has done so."""
        self.untrusted = False
        """The model reads what strangers wrote, of this turn or an earlier one."""
        self.sources: list[citations.Source] = []
        """Of the passages that were found."""
        self._mended = False
        """Once a turn: a small model does not learn more from a second refusal."""
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self._made: set[tuple[str, str]] = set()
        self._tokens = limits.tokens

    @property
    def left(self) -> int | None:
        """Tokens that may still be written; None: any number."""
        return None if self._tokens is None else max(0, self._tokens - self.usage.generated)

    def within(self, sampling: Sampling) -> Sampling:
        """With what is left."""
        if (left := self.left) is None:
            return sampling
        most = sampling.max_tokens
        return replace(sampling, max_tokens=left if most is None else min(most, left))

    def count(self, call: ToolCall, result: ToolMessage) -> int:
        """How often this call has given this result."""
        if result.additional_kwargs.get(calls.MENDABLE) and not self._mended:
            self._mended = True
            self.mend = call["name"]
        else:
            self.called.append(call["name"])
        made = _key(call)
        self._made.add(made)
        key = (*made, str(result.text))
        self._seen[key] += 1
        self.repeats = max(self.repeats, self._seen[key])
        return self._seen[key]

    def has_made(self, calls: Sequence[ToolCall]) -> bool:
        """Whether there are calls, and each has been made in this turn."""
        return bool(calls) and all(_key(call) in self._made for call in calls)

    def ended_by(self, message: AIMessage, stopped: bool) -> Reason:
        finish = message.response_metadata.get("finish")
        if finish == "length":
            return "tokens"
        if finish == "interrupted" and self.deadline.is_past and not stopped:
            return "seconds"
        return "interrupted" if finish == "interrupted" else "answered"


def _key(call: ToolCall) -> tuple[str, str]:
    return call["name"], json.dumps(call["args"], sort_keys=True)
