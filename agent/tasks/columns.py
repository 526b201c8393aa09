"""From a row to what a task is given: which column is which input."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.errors import UnknownName, UsageError
from agent.tasks import inputs
from agent.tasks.rows import Row
from agent.tasks.task import Task


@dataclass(frozen=True)
class Columns:
    """A column is the input of its name. What is said here goes before that."""

    task: Task
    constants: Mapping[str, Any] = field(default_factory=dict)
    """Inputs that are the same for every row, whatever its columns are."""
    named: Mapping[str, str] = field(default_factory=dict)
    """By input, the column that is called otherwise."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The same of inputs that were made for the right answers, and that the user does not know."""
    are_texts: bool = False
    """Whether numbers and lists stand in the rows as texts, as in CSV. An empty one is then none,
    but where a text is wanted."""

    def refuse_missing(self, there: Collection[str], source: str) -> None:
        """`there`: all columns that any row of `source` has. Raises UsageError when a task cannot
        be run over them at all."""
        for name in (*self.constants, *self.named):
            if name not in self.task.form.inputs:
                raise UnknownName(
                    "input", name, self.task.form.inputs, f"The task is {self.task.name}."
                )
        for name, column in self.named.items():
            if column not in there:
                raise UnknownName("column", column, there, f"{source} was to have it for {name}.")
        for column in self.labels.values():
            if column not in there:
                hint = f"{source} was to have it as the label."
                raise UnknownName("column", column, there, hint)
        for name in self.task.needs():
            column = self.of(name)
            if name in self.constants or column in there:
                continue
            problem = UnknownName(
                "column",
                column,
                there,
                f"{self.task.name} needs the input {name}; say which column it is with --column "
                f"{name}=COLUMN, or give all rows the same with --set {name}=…",
            )
            raise UsageError(f"{source}: {problem}")
        taken = self.task.form.inputs.keys() - self.labels.keys()
        if taken and not self.constants and not any(self.of(name) in there for name in taken):
            raise UsageError(
                f"{source}: no column is an input of {self.task.name}, and all rows would be the "
                f"same run. There are the columns {', '.join(sorted(there))} and the inputs "
                f"{', '.join(sorted(taken))}; say which is which with --column INPUT=COLUMN"
            )

    def doubts(self, there: Collection[str]) -> Iterator[str]:
        """Columns that are likely meant for an input, which has its default instead."""
        known = [self.of(name) for name in self.task.form.inputs]
        if self.constants and not any(one in there for one in known):
            yield "no column is an input: all rows are the same run"
        for name in self.task.form.inputs:
            if name in self.constants or self.of(name) in there:
                continue
            others = [one for one in there if one not in known]
            for near in difflib.get_close_matches(name, others, n=1, cutoff=0.75):
                yield (
                    f"the column {near!r} is no input, and {name} has its default in every row; "
                    f"is it meant? --column {name}={near}"
                )

    def of(self, name: str) -> str:
        """The column that is the input `name`."""
        return self.labels.get(name) or self.named.get(name, name)

    def given(self, row: Row) -> dict[str, Any]:
        """What the task is given for `row`, checked and with the defaults. Raises UsageError."""
        if row.wrong:
            raise UsageError(row.wrong)
        found = dict(self.constants)
        for name in self.task.form.inputs:
            value = row.values.get(self.of(name))
            if self.are_texts and value is not None and name not in found:
                value = inputs.from_cell(self.task, name, str(value))
            if name not in found and value is not None:
                found[name] = value
        for name in self.task.needs():
            if found.get(name) is None:
                raise UsageError(f"it has no {self.of(name)}")
        return inputs.checked(self.task, found)
