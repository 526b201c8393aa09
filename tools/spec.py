"""What the loop and the engines need to know of a tool: of ours, and of any of LangChain's.

Imports no LangChain, which takes longer than a run that is replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

FORMATS = {
    "", "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri",
}  # fmt: skip
"""Those of JSON schema that llguidance knows."""
Effect = Literal["reads", "writes", "runs long", "untrusted"]
"""With "untrusted" the result is what strangers wrote."""
READING: frozenset[Effect] = frozenset(("reads", "untrusted"))
"""Those of tools that change nothing."""
Approval = Literal["never", "ask"]
Choices = Sequence[str] | Mapping[str, str]
"""Live values of a parameter, or the values and what the model is told of each."""


class ToolMistake(Exception):
    """A tool that cannot be offered: no description, an untyped parameter, a recursive type."""


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


def spec(tool: BaseTool) -> ToolSpec | None:
    """`tool` as it is now. None: a live choice has no values, so the tool cannot be called.

    Raises ToolMistake for a recursive type.
    """
    parameters = _plain(schema_of(tool), tool.name)
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


def schema_of(tool: BaseTool) -> dict[str, Any]:
    model = tool.tool_call_schema
    if isinstance(model, dict):
        return model
    return model.model_json_schema() if issubclass(model, BaseModel) else model.schema()


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
