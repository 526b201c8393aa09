"""A task that has been read: what its file says, and where it says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.errors import UsageError
from agent.tasks.form import Form, Step
from agent.tasks.lines import Place, line_of

ONLY = "answer"
"""The id of the step that `prompt` stands for."""


class TaskFileError(UsageError):
    """A task file, or what a task was given, is wrong: every mistake, with its line."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


@dataclass(frozen=True)
class Task:
    """Made by `agent.tasks.read`. Immutable: one may be run many times, in many threads."""

    form: Form
    """What the file says."""
    file: Path
    hash: str
    """Of all that is in the form but its name, its description and `eval`: other comments, other
    white space and another order of the keys do not change it. The model that the user chooses is
    no part. What stands before the dot is of all but the checks and the inputs that only these
    name (`answers_alike`)."""
    lines: Mapping[Place, int] = field(default_factory=dict, repr=False)
    texts: Mapping[Place, int] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        if self.form.name:
            return self.form.name
        stem = self.file.name.removesuffix(self.file.suffix)
        return stem.removesuffix(".task") or stem

    @property
    def steps(self) -> tuple[Step, ...]:
        """Those of the file, or the one that its prompt stands for."""
        if self.form.steps:
            return self.form.steps
        return (Step(id=ONLY, prompt=self.form.prompt or "", schema=self.form.schema),)

    def where(self, place: Place, line: int = 1) -> str:
        """`FILE:LINE` of the `line`-th line of what stands at `place`."""
        return f"{self.file}:{self.number(place, line)}"

    def number(self, place: Place, line: int = 1) -> int:
        if place and place[0] == "steps" and not self.form.steps:
            place = place[2:] or ("prompt",)  # the step that the prompt stands for
        begins = self.texts.get(place) or line_of(self.lines, place)
        return begins + line - 1

    def needs(self) -> list[str]:
        """The inputs that have to be given."""
        return [name for name, one in self.form.inputs.items() if one.default is None]

    @property
    def is_checked(self) -> bool:
        """Whether a run may be found wrong; a row may bring checks of its own."""
        brings = any(one.type == "checks" for one in self.form.inputs.values())
        return bool(self.form.checks) or brings

    def tools(self) -> tuple[str, ...]:
        """All that it uses, its direct calls included."""
        direct = [step.tool for step in self.form.steps if step.tool]
        return tuple(dict.fromkeys([*self.form.tools, *direct]))


def answers_alike(one: str, other: str) -> bool:
    """Of the hashes of two tasks: whether these differ in their checks at most."""
    return "." in one and one.partition(".")[0] == other.partition(".")[0]


def facts_of(task: Task) -> Mapping[str, Any]:
    """What the hash is made of, and a record keeps to say what differs."""
    from agent.tasks.read import plain

    return plain(task.form)
