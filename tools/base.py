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

import dataclasses
import functools
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, overload

from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.tools import ToolException as LangChainToolException
from pydantic import BaseModel, Field, ValidationError

from tools.errors import Refused as Refused
from tools.errors import ToolError as ToolError  # what a tool raises, beside what it is made with

FORMATS = {
    "", "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri",
}  # fmt: skip
"""Those of JSON schema that llguidance knows."""
LANGCHAINS = {"args", "kwargs", "callbacks", "config", "run_manager"}
"""Names of parameters that LangChain renames or fills in itself."""
Effect = Literal["reads", "writes", "runs long", "untrusted"]
"""With "untrusted" the result is what strangers wrote."""
READING: frozenset[Effect] = frozenset(("reads", "untrusted"))
"""Those of tools that change nothing."""
Approval = Literal["never", "ask"]
Choices = Sequence[str] | Mapping[str, str]
"""Live values of a parameter, or the values and what the model is told of each."""
Report = Callable[[int, int, str], None]

_report: ContextVar[Report | None] = ContextVar("report", default=None)


@dataclass(frozen=True)
class Origin:
    """Where in which conversation something was asked for."""

    session: int = 0
    """Its number; 0: in none, on the command line."""
    message: int = 0
    """The user's n-th message in it, from 1."""


_origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039  frozen


class ToolMistake(Exception):
    """A tool that cannot be offered: no description, an untyped parameter, a recursive type."""


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
class ToolSpec:
    """What an engine needs to know of a tool at this moment: live choices are enums here."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON schema of the arguments, an object, without `$ref` and `title`."""
    examples: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    knows: Callable[[str], float] | None = None


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


def spec(tool: BaseTool) -> ToolSpec | None:
    """`tool` as it is now. None: a live choice has no values, so the tool cannot be called.

    Raises ToolMistake for a recursive type.
    """
    parameters = _plain(_schema(tool), tool.name)
    for parameter, values in getattr(tool, "choices", {}).items():
        live = values()
        if not live:
            return None
        place = parameters["properties"][parameter]
        _restrict(place, list(live))
        if isinstance(live, Mapping) and any(live.values()):
            each = "; ".join(f"{name}: {what}" for name, what in live.items() if what)
            place["description"] = f"{place.get('description', parameter)} ({each})"
    examples = tuple(getattr(tool, "examples", ()))
    description = tool.description.split("\n\nArgs:")[0].strip()
    knows = getattr(tool, "knows", None)
    return ToolSpec(tool.name, description, parameters, examples, _subjects(tool), knows)


def _subjects(tool: BaseTool) -> tuple[str, ...]:
    given = getattr(tool, "subjects", None)
    if given is None:
        return ()
    names = given()
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ToolMistake(f"tool {tool.name!r}: subjects gives {names!r}, not a list of names")
    there = tuple(names)
    if wrong := [name for name in there if not isinstance(name, str) or not name.strip()]:
        raise ToolMistake(f"tool {tool.name!r}: subjects gives {wrong[0]!r}, which is no name")
    return there


def _restrict(place: dict[str, Any], live: Sequence[str]) -> None:
    """Make `live` the only legal values: of a string, of a list's items, of either in a union."""
    if "anyOf" in place:
        for branch in place["anyOf"]:
            if branch.get("type") in ("string", "array"):
                _restrict(branch, live)
    elif place.get("type") == "array":
        place["items"]["enum"] = live
    else:
        place["enum"] = live


def invoke(tool: BaseTool, arguments: Mapping[str, Any]) -> str:
    """Run `tool` and give its result as text. Raises ToolError for what the model can mend.

    Whatever else the tool raises is a bug in it and passes through.
    """
    try:
        result = tool.invoke(dict(arguments))
    except ValidationError as error:
        if error.title != _model_name(tool):
            raise  # raised inside the tool, not by its arguments
        where = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ToolError(f"wrong arguments: {where}") from error
    except LangChainToolException as error:
        raise ToolError(str(error)) from error
    return as_text(result)


def progress(done: int, total: int, what: str) -> None:
    """For a tool that works long: tell how many of its `what` are done, of how many."""
    report = _report.get()
    if report is not None:
        report(done, total, what)


def origin() -> Origin:
    """For a tool: where the call that runs it comes from."""
    return _origin.get()


def hear(report: Report, asked: Origin) -> None:
    """In a thread that runs a tool: who is told of its progress, and where the call comes from."""
    _report.set(report)
    _origin.set(asked)


def as_text(result: Any) -> str:
    """A tool's result for the model: text as it is, everything else as JSON."""
    if isinstance(result, str):
        return result
    return json.dumps(result, ensure_ascii=False, default=_jsonable)


def effects_of(tool: BaseTool) -> frozenset[Effect]:
    """A LangChain tool says nothing of its effects and is taken to write."""
    return getattr(tool, "effects", frozenset({"reads", "writes"}))


def approval_of(tool: BaseTool) -> Approval:
    """A LangChain tool was put there by the user and runs unasked, as everywhere else."""
    return getattr(tool, "approval", "never")


def timeout_of(tool: BaseTool) -> float | None:
    return getattr(tool, "timeout", None)


def writes_to_of(tool: BaseTool) -> str:
    return getattr(tool, "writes_to", "")


def preview(tool: BaseTool, arguments: Mapping[str, Any]) -> str:
    """What the user should see before allowing the call; "" when the arguments say it all."""
    show = getattr(tool, "preview", None)
    return show(**arguments) if show else ""


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
    parameters = set(_schema(built).get("properties", {}))
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


def _schema(tool: BaseTool) -> dict[str, Any]:
    model = tool.tool_call_schema
    if isinstance(model, dict):
        return model
    return model.model_json_schema() if issubclass(model, BaseModel) else model.schema()


def _model_name(tool: BaseTool) -> str:
    model = tool.args_schema
    return model.__name__ if isinstance(model, type) else ""


def _plain(schema: Mapping[str, Any], tool: str) -> dict[str, Any]:
    """`schema` with every `$ref` replaced by what it means and without titles."""
    definitions = schema.get("$defs", {})

    def inline(node: Any, path: tuple[str, ...], named: bool) -> Any:
        """`named`: the keys of `node` are the user's names, not the schema's words."""
        if isinstance(node, list):
            return [inline(part, path, False) for part in node]
        if not isinstance(node, Mapping):
            return node
        if not named and "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            if name in path:
                raise ToolMistake(f"tool {tool!r}: type {name!r} contains itself")
            rest = {key: value for key, value in node.items() if key != "$ref"}
            return inline({**definitions[name], **rest}, (*path, name), False)
        plain = {
            key: inline(value, path, key == "properties" and not named)
            for key, value in node.items()
            if named or key not in ("title", "$defs")
        }
        if not named and plain.get("format", "") not in FORMATS:
            del plain["format"]  # a grammar cannot hold to it, so the tool's own type checks it
        if not named and plain.get("type") == "object" and "properties" in plain:
            plain.setdefault("additionalProperties", False)
        return plain

    plain: dict[str, Any] = inline(dict(schema), (), False)
    plain.pop("description", None)  # the tool's own says it
    plain.setdefault("properties", {})
    plain.setdefault("additionalProperties", False)
    return plain


def _jsonable(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, set | frozenset | tuple | Iterator):
        return list(value)
    return str(value)
