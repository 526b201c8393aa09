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

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import Field

from tools.errors import Refused as Refused
from tools.errors import ToolError as ToolError  # what a tool raises, beside what it is made with
from tools.running import origin as origin
from tools.running import progress as progress  # what it may ask and tell while it runs
from tools.spec import Approval, Choices, Effect, ToolMistake, schema_of, spec

LANGCHAINS = {"args", "kwargs", "callbacks", "config", "run_manager"}
"""Names of parameters that LangChain renames or fills in itself."""


class Tool(StructuredTool):
    """A LangChain tool that also says what it does to the world."""

    effects: frozenset[Effect] = frozenset({"reads"})
    """Only tools that read alone may run side by side."""
    approval: Approval = "never"
    """"ask": the user is asked before each call."""
    timeout: float | None = None
    """Seconds. None: the loop's limit."""
    examples: tuple[str, ...] = ()
    """Utterances that should select this tool; `tinsmith tools test` tries them."""
    choices: Mapping[str, Callable[[], Choices]] = Field(default_factory=dict)
    """For a parameter's name, a function giving its live values."""
    subjects: Callable[[], Sequence[str]] | None = None
    """Gives the names of what there is for this tool now, such as the files: a request that names
    one of them is likely to want it. The model is not told them."""
    knows: Callable[[str], float] | None = None
    """How near what this tool would find comes to a request, as a cosine: what stands in the user's
    documents is asked for without a word of documents. Asked before each turn, so it is quick."""
    preview: Callable[..., str] | None = None
    """Given the arguments, what the user should see before allowing the call: a diff, say."""
    writes_to: str = ""
    """The parameter that names the one file it writes, and it writes nothing else: "always" then
    holds for all calls on the files of that folder, whatever else they say. Else it holds for the
    same arguments."""


@dataclass(frozen=True)
class _Declared:
    """What `@tool` was told about a method, until there is an instance to bind it to."""

    function: Callable[..., Any]
    options: Mapping[str, Any]

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        return _build(self.function.__get__(instance, owner), self.options)


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...


@overload
def tool(
    *,
    name: str | None = None,
    effects: set[Effect] | None = None,
    approval: Approval = "never",
    timeout: float | None = None,
    examples: Sequence[str] = (),
    choices: Mapping[str, Callable[..., Choices]] | None = None,
    subjects: Callable[..., Sequence[str]] | None = None,
    knows: Callable[..., float] | None = None,
    preview: Callable[..., str] | None = None,
    writes_to: str = "",
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a typed function a tool; on a method, each instance gives a tool of its own.

    On a method these functions may take `self` first. Raises ToolMistake.
    """

    def declare(function: Callable[..., Any]) -> Any:
        first = next(iter(inspect.signature(function).parameters), None)
        if first == "self":
            return _Declared(function, options)
        return _build(function, options)

    return declare if function is None else declare(function)


def tools_of(box: object) -> list[BaseTool]:
    """The tools of a toolbox: an instance of a class some of whose methods are `@tool`s."""
    names = [
        name
        for owner in reversed(type(box).__mro__)
        for name, value in vars(owner).items()
        if isinstance(value, _Declared)
    ]
    return [getattr(box, name) for name in dict.fromkeys(names)]


def _build(function: Callable[..., Any], options: Mapping[str, Any]) -> Tool:
    name = options.get("name") or function.__name__
    if not re.fullmatch(r"[A-Za-z_][\w.-]{0,63}", name, re.ASCII):
        raise ToolMistake(f"{name!r} is not a name for a tool; take letters, digits, _ - and .")
    taken = set(inspect.signature(function).parameters) & LANGCHAINS
    if taken:
        raise ToolMistake(f"tool {name!r}: LangChain keeps the parameter {min(taken)!r} for itself")
    if not inspect.getdoc(function):
        raise ToolMistake(f"tool {name!r} has no docstring; the model chooses by it")
    untyped = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.annotation is inspect.Parameter.empty
    ]
    if untyped:
        raise ToolMistake(f"tool {name!r}: parameter {untyped[0]!r} has no type")
    extra: dict[str, Any] = {
        key: options[key] for key in ("approval", "timeout", "writes_to") if options.get(key)
    }
    for key in ("preview", "subjects", "knows"):
        if (given := options.get(key)) is not None:
            if not callable(given):
                raise ToolMistake(f"tool {name!r}: {key} is {given!r}, and must be a function")
            extra[key] = _bound(given, function)
    choices = {
        key: _bound(values, function) for key, values in (options.get("choices") or {}).items()
    }
    built: Tool = Tool.from_function(  # type: ignore[assignment]  # typed as StructuredTool
        function,
        name=name,
        parse_docstring=True,
        effects=frozenset(options.get("effects") or {"reads"}),
        examples=tuple(options.get("examples") or ()),
        choices=choices,
        **extra,
    )
    parameters = set(schema_of(built).get("properties", {}))
    if built.writes_to and built.writes_to not in parameters:
        raise ToolMistake(f"tool {name!r}: writes_to is {built.writes_to!r}, no such parameter")
    unknown = set(choices) - parameters
    if unknown:
        raise ToolMistake(f"tool {name!r}: choices for {sorted(unknown)[0]!r}, no such parameter")
    spec(built)  # a schema that cannot be offered is a mistake now, not in the middle of a talk
    return built


def _bound(given: Callable[..., Any], method: Callable[..., Any]) -> Callable[..., Any]:
    """A function that takes `self` gets the instance that `method` belongs to."""
    owner = getattr(method, "__self__", None)
    if owner is not None and next(iter(inspect.signature(given).parameters), None) == "self":
        return functools.partial(given, owner)
    return given
