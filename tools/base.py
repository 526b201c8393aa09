"""A tool is a typed function whose docstring is written for the model.

    @tool(effects={"reads"}, examples=["what is in notes.txt?"])
    def read_file(path: str, first_line: int = 1) -> str:
        \"\"\"Read a text file.

        Args:
            path: the file, relative to the working folder
            first_line: where to start
        \"\"\"

Tools are LangChain's (`langchain_core.tools.BaseTool`); any of theirs can be offered as it is.
`Tool` adds what LangChain has no word for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import Field

Effect = Literal["reads", "writes", "runs long"]


class ToolError(Exception):
    """Something the model should hear and can act on: a wrong path, a bad expression."""


class Tool(StructuredTool):
    """A LangChain tool that also says what it does to the world."""

    effects: frozenset[Effect] = frozenset({"reads"})
    """Only tools that read alone may run side by side."""
    approval: Literal["never", "ask"] = "never"
    """"ask": the user is asked before each call."""
    timeout: float | None = None
    """Seconds. None: the loop's limit."""
    examples: tuple[str, ...] = ()
    """Utterances that should select this tool; `tinsmith tools test` tries them."""
    choices: Mapping[str, Callable[[], Sequence[str]]] = Field(default_factory=dict)
    """For a parameter's name, a function giving its live values."""


@dataclass(frozen=True)
class ToolSpec:
    """What an engine needs to know of a tool at this moment: live choices are enums here."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON schema of the arguments, an object, without `$ref` and `title`."""
    examples: tuple[str, ...] = ()
