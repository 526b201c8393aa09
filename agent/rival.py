"""What the chat model does with a specialist's task: whether the small model is worth it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.engines.base import Choice, Engine, Sampling
from agent.prompts import render

if TYPE_CHECKING:
    from tools.specialists.data import Example


@dataclass(frozen=True)
class Rival:
    name: str
    right: int
    rows: int
    seconds: float
    """For all rows."""

    def __str__(self) -> str:
        return (
            f"{self.name} asked the same: {self.right / self.rows:.3f} of {self.rows} rows right, "
            f"{self.seconds / self.rows:.2f} s a row"
        )


def ask(
    engine: Engine,
    labels: Sequence[str],
    rows: Sequence[Example],
    report: Callable[[int, int], None],
) -> Rival:
    """Have `engine` choose a label for each row; it can write nothing but one of `labels`."""
    from langchain_core.messages import HumanMessage

    from tools.spec import ToolSpec

    label = {"type": "string", "enum": list(labels), "description": "the label that fits"}
    schema = {
        "type": "object",
        "properties": {"label": label},
        "required": ["label"],
        "additionalProperties": False,
    }
    tool = ToolSpec("choose_label", "Give a text the label that fits best.", schema)
    right, began = 0, time.monotonic()
    for done, row in enumerate(rows, 1):
        question = HumanMessage(render("label", text=row.text))
        reply = engine.reply([question], [tool], Sampling(), Choice("call"))
        while True:
            try:
                next(reply)
            except StopIteration as end:
                calls = end.value.tool_calls
                break
        right += bool(calls) and calls[0]["args"].get("label") in row.labels
        report(done, len(rows))
    return Rival(engine.name, right, len(rows), time.monotonic() - began)
