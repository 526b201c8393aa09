"""Results of tools that are too long to be shown whole: kept in the history, read in parts.

The tool for that is offered as soon as there is such a result, which says how to call it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage, ToolMessage
    from langchain_core.tools import BaseTool

    from agent.memory.sessions import Session

READ = "read_result"
"""The tool's name."""
LONG = "long"
"""Marks, with its name, a result that was cut."""
WHOLE = "whole"
"""All of its parts."""
NOTE = 130
"""Characters that what is said of a part takes at most, beside the result's name."""


def cut(result: ToolMessage, history: Sequence[BaseMessage], most: int) -> None:
    """Shorten a result of more than `most` characters to its first part; the rest is kept in it."""
    text = str(result.text)
    if len(text) <= most:
        return
    name = f"{result.name}-{1 + len(_long(history))}"
    size = max(1, most - NOTE - len(name))
    parts = [text[begin : begin + size] for begin in range(0, len(text), size)]
    result.additional_kwargs |= {LONG: name, WHOLE: parts}
    result.content = _told(name, parts, 1)


def has_long(history: Sequence[BaseMessage]) -> bool:
    return any(LONG in message.additional_kwargs for message in history)


def read_result(session: Callable[[], Session]) -> BaseTool:
    """The tool, over the results of the session of now."""
    from tools.base import ToolError, tool

    def names() -> list[str]:
        return [str(one.additional_kwargs[LONG]) for one in _long(session().messages)]

    # of a result that strangers wrote, the parts are theirs too
    @tool(name=READ, effects={"reads", "untrusted"}, choices={"result": names})
    def read(result: str, part: int) -> str:
        """Read another part of a result that was too long to be shown whole.

        Args:
            result: which one
            part: the number of the part
        """
        found = next(x for x in _long(session().messages) if x.additional_kwargs[LONG] == result)
        parts = found.additional_kwargs[WHOLE]
        if not 1 <= part <= len(parts):
            raise ToolError(f"{result} has {len(parts)} parts; part {part} is not there")
        return _told(result, parts, part)

    return read


def _long(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    return [one for one in messages if LONG in one.additional_kwargs]


def _told(name: str, parts: Sequence[str], part: int) -> str:
    """A part, with how to read the next one."""
    told = f"(part {part} of {len(parts)}"
    if part < len(parts):
        call = {"name": READ, "arguments": {"result": name, "part": part + 1}}
        told += f"; the next one: {json.dumps(call)}"
    return f"{parts[part - 1]}\n{told})"
