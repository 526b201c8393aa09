"""What is known of an answer before it is given, from the schema under which it is decoded.

Only plain schemas are read: of one that refers to another, gives a choice, or is open, nothing is
said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent.tasks.checks import equal

SCALARS = ("string", "integer", "number", "boolean", "null")
"""Types of what has no parts."""
Part = str | int
"""A key, or the number of an item."""
_VARIED = ("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "patternProperties",
           "prefixItems")  # fmt: skip
"""Keys of a schema that is not as simple as its others say."""
_PLAIN = re.compile(r"\$(?:\.[A-Za-z_]\w*|\[\d+\]|\['[^'\\]*'\])*")
_PART = re.compile(r"\.(?P<name>\w+)|\[(?P<item>\d+)\]|\['(?P<key>[^']*)'\]")
_OF = re.compile(
    r"\s*\{\{\s*(?:steps\.(?P<step>\w+)\.)?answer(?P<rest>(?:\.[A-Za-z_]\w*)*)\s*\}\}\s*"
)


class NotThere(Exception):
    """A schema is closed, and what is asked for is not in it."""

    def __init__(self, part: str, known: Iterable[str]) -> None:
        super().__init__(part)
        self.part = part
        self.known = tuple(known)


class Answers:
    """The schemas of the steps of a task, whose bare values these are."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        steps = data.get("steps")
        listed = steps if isinstance(steps, list) else []
        self._steps = [one for one in listed if isinstance(one, Mapping)]
        self._only = data.get("schema")

    def of(self, id: str) -> Any:
        """That of a step; None: it is not known."""
        step = next((one for one in self._steps if one.get("id") == id), None)
        if step is None or "prompt" not in step:
            return None
        schema = step.get("schema")
        return {"type": "array", "items": schema} if schema and "each" in step else schema

    def last(self) -> Any:
        """Of the task's answer, which is that of the last step that was done."""
        if not self._steps:
            return self._only
        last = self._steps[-1]
        return None if "if" in last and len(self._steps) > 1 else self.of(str(last.get("id")))

    def looked_at(self, of: Any) -> Any:
        """Of what a check looks at that has this `of`."""
        if of is None:
            return self.last()
        found = _OF.fullmatch(of) if isinstance(of, str) else None
        if found is None:
            return None
        schema = self.of(found["step"]) if found["step"] else self.last()
        try:
            return at(schema, found["rest"].split(".")[1:])
        except NotThere:  # which is told of the template itself
            return None


def at(schema: Any, parts: Sequence[Part]) -> Any:
    """The schema of what stands there; None: it is not known. Raises NotThere."""
    for part in parts:
        if not isinstance(schema, Mapping) or any(key in schema for key in _VARIED):
            return None
        if schema.get("type") in SCALARS:
            raise NotThere(str(part), ())
        properties = schema.get("properties")
        if isinstance(part, int):
            schema = schema.get("items") if schema.get("type") == "array" else None
        elif schema.get("type") != "object" or not isinstance(properties, Mapping):
            return None
        elif part in properties:
            schema = properties[part]
        elif schema.get("additionalProperties") is False:
            raise NotThere(part, properties)
        else:
            return None
    return schema


def refuse_value(schema: Any, value: Any) -> None:
    """Raises NotThere where `schema` has a list of values, and none of them equals `value`."""
    if not isinstance(schema, Mapping) or any(key in schema for key in _VARIED):
        return
    values = schema.get("enum")
    if isinstance(values, list) and not any(equal(value, one) for one in values):
        raise NotThere(str(value), map(str, values))


def parts_of_path(path: str) -> list[Part] | None:
    """Of a JSON path that leads to one place; None: of another."""
    if not _PLAIN.fullmatch(path):
        return None
    return [
        int(one["item"]) if one["item"] else one["name"] or one["key"] or ""
        for one in _PART.finditer(path)
    ]


def parts_of_use(parts: Sequence[str]) -> list[Part]:
    """Of what a template takes of an answer, as far as it is no method."""
    found: list[Part] = []
    for part in parts:
        if hasattr(dict, part):
            break
        found.append(int(part) if part.isdecimal() else part)
    return found
