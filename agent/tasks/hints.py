"""What in a right task file is likely not meant so. It runs all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent.tasks import brought, misspelt, uses
from agent.tasks.lines import Place
from agent.tasks.task import Task, facts_of


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
    said = facts_of(task)
    named = uses.named([*uses.of_work(said), *uses.of_checks(said)])
    if named is None:
        return []
    kinds = task.form.inputs.items()
    return [name for name, one in kinds if one.type not in brought.KINDS and name not in named]


def _schemas(task: Task) -> Iterator[tuple[Place, Any]]:
    said = facts_of(task)
    yield ("schema",), said.get("schema")
    for kind in ("steps", "checks"):
        for at, one in enumerate(said.get(kind, ())):
            yield (kind, at, "schema"), one.get("schema")
