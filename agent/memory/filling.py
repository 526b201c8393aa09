"""What fills the window: tokens of each kind, as the engine counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from agent.memory import window
from agent.memory.recall import TOLD
from agent.memory.window import ATTACHED, MEANT

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from agent.engines.base import Engine
    from tools.spec import ToolSpec

KINDS = ("system", "tools", "facts", "summary", "attachments", "conversation", "results")
MARKS = {"offer": "tools", TOLD: "facts", ATTACHED: "attachments", MEANT: "attachments"}
"""What a message has that is told to the model beside what people say."""


def filling(
    engine: Engine,
    system: BaseMessage,
    tools: Sequence[ToolSpec],
    messages: Sequence[BaseMessage],
) -> Mapping[str, int]:
    """Tokens of each of `KINDS`. `tools`: those of the prefix; `messages`: the session's.

    The prompt is counted anew wherever another kind begins, so that what the template puts between
    messages is counted too and the sum is that of the prompt.
    """
    found: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    found["system"] = engine.count_tokens([system])
    total = engine.count_tokens([system], tools)
    found["tools"] = total - found["system"]
    prompt = [system, *window.view(messages)]
    summarised = window.cut_of(messages).summarised > 0
    kinds = ["system", *(_kind(at, one, summarised) for at, one in enumerate(prompt[1:]))]
    for at, kind in enumerate(kinds):
        if at and (at + 1 == len(kinds) or kinds[at + 1] != kind):
            now = engine.count_tokens(prompt[: at + 1], tools)
            found[kind] += now - total
            total = now
    return found


def _kind(at: int, message: BaseMessage, summarised: bool) -> str:
    if summarised and at == 0:
        return "summary"
    if message.type == "tool":
        return "results"
    for mark, kind in MARKS.items():
        if message.additional_kwargs.get(mark):
            return kind
    return "conversation"
