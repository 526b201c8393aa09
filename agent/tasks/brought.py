"""What a run is brought as an input: functions that are offered without being run, more checks.

So each row of a data set can have its own, and they reach wherever inputs reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from agent import answers, patterns
from agent.tasks import misspelt, paths
from agent.tasks.form import Check
from agent.tasks.task import Task

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from pydantic import TypeAdapter

KINDS = ("functions", "checks")
"""The types of such inputs."""


def misfit(kind: str, value: Any) -> str:
    """Why `value` is none of its kind; "" when it is."""
    if not isinstance(value, list | tuple):
        return f"is not a list of {kind}"
    find = _wrong_function if kind == "functions" else _wrong_check
    for number, one in enumerate(value, 1):
        if why := find(one):
            return f"has as its {number}. part what is no {kind[:-1]}: {why}"
    return ""


def functions(task: Task, values: Mapping[str, Any]) -> dict[str, BaseTool]:
    """Those among the inputs `values`, as tools that do nothing."""
    found = [_bare(one) for one in _all(task, values, "functions")]
    if not found:  # to import this takes longer than a whole replay
        return {}
    from langchain_core.tools import StructuredTool

    return {
        one["name"]: StructuredTool(
            name=one["name"],
            description=one.get("description") or one["name"],
            args_schema=dict(one.get("parameters") or EMPTY),
            func=lambda **arguments: "",
        )
        for one in found
    }


def checks(task: Task, values: Mapping[str, Any]) -> tuple[Check, ...]:
    """Those among the inputs `values`."""
    return tuple(_check().validate_python(one) for one in _all(task, values, "checks"))


EMPTY: Mapping[str, Any] = {"type": "object", "properties": {}}


def _all(task: Task, values: Mapping[str, Any], kind: str) -> Iterator[Any]:
    for name, one in task.form.inputs.items():
        if one.type == kind:
            yield from values.get(name) or ()


def _bare(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """OpenAI's wrapping of a function taken off."""
    inside = function.get("function")
    return inside if isinstance(inside, Mapping) else function


def _wrong_function(one: Any) -> str:
    if not isinstance(one, Mapping) or not isinstance(_bare(one).get("name"), str):
        return "it needs a name"
    bare = _bare(one)
    parameters = bare.get("parameters") or EMPTY
    if not isinstance(parameters, Mapping) or parameters.get("type") != "object":
        return f"the parameters of {bare['name']} are no JSON schema of an object"
    if why := answers.wrong_schema(parameters):
        return f"the parameters of {bare['name']}: {why}"
    return ""


def _wrong_check(one: Any) -> str:
    """The same as in a task file, but for what only the file can be asked."""
    from pydantic import ValidationError

    from agent.tasks import meaning

    try:
        _check().validate_python(one)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return ".".join([*map(str, first["loc"]), first["msg"].lower()]).replace(".", ": ", 1)
    kinds = [key for key in meaning.KINDS if key in one]
    if len(kinds) > 1:
        return f"it says {' and '.join(kinds)}, and a check says one thing"
    if not kinds and "path" not in one:
        return f"it says nothing; a check has {', '.join(meaning.KINDS)} or path"
    schema = one.get("schema")
    if said := next(misspelt.mistakes(schema, ("schema",)), None):
        return said[1]
    if isinstance(schema, Mapping) and (why := answers.wrong_schema(schema)):
        return why
    if isinstance(path := one.get("path"), str) and (why := paths.wrong_path(path)):
        return f"{path!r} is no JSON path: {why}"
    if isinstance(pattern := one.get("matches"), str) and "{{" not in pattern:
        return patterns.wrong(pattern)
    return ""


@lru_cache(1)
def _check() -> TypeAdapter[Check]:
    from pydantic import TypeAdapter

    return TypeAdapter(Check)
