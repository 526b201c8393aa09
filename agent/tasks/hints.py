"""What in a right task file is likely not meant so. It runs all the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agent.tasks import misspelt, templates
from agent.tasks.lines import Place
from agent.tasks.task import Task, facts_of

EXPRESSIONS = ("if", "each")
"""Keys of a step that are not filled in but worked out."""


def hints(task: Task) -> list[str]:
    """Each with its line, in the order of the file."""
    found = [
        *((("inputs", name), f"the input {name!r} is used nowhere") for name in unused(task)),
        *(one for place, schema in _schemas(task) for one in misspelt.doubts(schema, place)),
    ]
    found.sort(key=lambda one: task.number(one[0]))
    return [f"{task.where(place)}: {said}" for place, said in found]


def unused(task: Task) -> list[str]:
    """The inputs that no template of it names."""
    taken: set[str] = set()
    whole = 0
    for text, is_expression in _texts(task):
        for use in templates.uses(text, is_expression):
            first, *rest = use.parts
            if first == "inputs":
                whole += (not rest) - (len(rest) == 1)  # each `inputs.x` is a use of `inputs`, too
                taken.update(rest[:1])
            elif not rest:
                taken.add(first)
    if whole:
        return []
    return [
        name
        for name, one in task.form.inputs.items()
        if one.type not in ("functions", "checks") and name not in taken
    ]


def _texts(task: Task) -> Iterator[tuple[str, bool]]:
    """All that may be a template, and whether it is an expression."""
    said = facts_of(task)
    for step in said.get("steps", ()):
        yield from ((step[key], True) for key in EXPRESSIONS if isinstance(step.get(key), str))
        yield from _below(step.get("prompt"))
        yield from _below(step.get("arguments"))
    yield from _below(said.get("prompt"))
    yield from _below([*said.get("outputs", {}).items()])
    for check in said.get("checks", ()):
        yield from _below({key: one for key, one in check.items() if key not in ("name", "schema")})


def _below(value: Any) -> Iterator[tuple[str, bool]]:
    if isinstance(value, str):
        yield value, False
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _below(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _below(one)


def _schemas(task: Task) -> Iterator[tuple[Place, Any]]:
    said = facts_of(task)
    yield ("schema",), said.get("schema")
    for kind in ("steps", "checks"):
        for at, one in enumerate(said.get(kind, ())):
            yield (kind, at, "schema"), one.get("schema")
