"""A task that is checked against the labels of its rows, too."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from agent.errors import UsageError
from agent.tasks.form import Check, Input
from agent.tasks.task import Task

CHECK = "label"
"""What the names of these checks begin with."""


def labelled(task: Task, label: str = "") -> tuple[Task, dict[str, str]]:
    """`task` with an input and a check for each label, and by input the column that it is.

    `label`: a column, in the place of those that the task names. Raises UsageError where neither a
    label nor a check would say what is right.
    """
    from agent.tasks.read import hash_of

    form = task.form
    paths = _paths(task, label or form.eval.label)
    inputs, checks, columns = dict(form.inputs), list(form.checks), {}
    for column, path in paths.items():
        name = _input(column, inputs)
        if name not in inputs:
            inputs[name] = Input(type="any", description="what the answer must be")
            columns[name] = column
        same = f"{{{{ inputs.{name} }}}}"
        named = f"{CHECK} {column}"
        checks.append(Check(same=same, path=path or None, within=form.eval.within, name=named))
    made = dataclasses.replace(form, inputs=inputs, checks=tuple(checks))
    both = dataclasses.replace(task, form=made, hash=hash_of(made))
    if not both.is_checked:
        raise UsageError(
            f"{task.file}: nothing says what is right: name the column of the right answers with "
            "--label COLUMN (or with `eval: {label: COLUMN}` in the file), or write checks"
        )
    return both, columns


def _paths(task: Task, label: str | Mapping[str, str]) -> Mapping[str, str]:
    """By column, the path in the answer; "" for the answer itself. Raises UsageError where it is an
    object of which a column is more likely to say one part."""
    if isinstance(label, Mapping):
        return label
    if not label:
        return {}
    schema: Mapping[str, Any] = task.steps[-1].schema or {}
    properties = list(schema.get("properties", ()))
    if label in properties:
        return {label: _member(label)}
    if len(properties) > 1:
        first = _member(properties[0])
        raise UsageError(
            f"{task.file}: the answer is an object with {', '.join(properties)}; write into the "
            f"file which of them the column {label!r} says: `eval: {{label: {{{label}: {first}}}}}`"
            ", or $ for all of it"
        )
    return {label: _member(properties[0]) if properties else ""}


def _member(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"$['{escaped}']" if not name.isidentifier() else f"$.{name}"


def _input(column: str, inputs: Mapping[str, Input]) -> str:
    """The input that is this column, or a name for one."""
    if column in inputs:
        return column
    name = "label_" + re.sub(r"[^A-Za-z0-9_]", "_", column)
    while name in inputs:
        name += "_"
    return name
