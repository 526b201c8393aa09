"""What a task is run with, and whether that is all it needs."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.engines.base import Engine
from agent.errors import UnknownName
from agent.events import Event
from agent.offering import Offering
from agent.tasks.lines import Place
from agent.tasks.tape import Live
from agent.tasks.task import Task, TaskFileError
from tools.errors import ToolError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool

OFFER_ALL = 10
"""Up to so many tools are all offered; of more, those that are likely to be meant."""


class Stop:
    """Ends a run from another thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._end: Callable[[], None] = lambda: None

    def now(self) -> None:
        """The run ends within one token, as interrupted; a tool is no longer waited for."""
        self._event.set()
        self._end()

    @property
    def event(self) -> threading.Event:
        return self._event

    @contextmanager
    def ends(self, end: Callable[[], None]) -> Iterator[None]:
        self._end = end
        try:
            if self._event.is_set():
                end()
            yield
        finally:
            self._end = lambda: None


def _nobody(event: Event) -> None:
    """Hears nothing."""


@dataclass(frozen=True)
class Means:
    """What a task is run with. Loaded once by the caller, and used for as many runs as it likes."""

    engine: Engine
    tools: Mapping[str, BaseTool] = field(default_factory=dict)
    """All there are; a task takes those that it names."""
    skills: Mapping[str, BaseMessage] = field(default_factory=dict)
    """What the model is told of each skill there is, by name; a task is told those it names."""
    offering: Callable[[], Offering] = lambda: Offering(None, OFFER_ALL)
    """Makes the judge of which tool fits, for one conversation. Without an embedder the model alone
    decides whether to call."""
    folder: Path | None = None
    """Where outputs are written, and looked for by checks. None: they are written nowhere, and the
    envelope says what would have been."""
    hear: Callable[[Event], None] = _nobody
    """Told of all that happens, in the thread of the run."""
    stop: Stop = field(default_factory=Stop)
    tape: Live = field(default_factory=Live)
    """Listens to what the run is told from outside, or tells it (`agent.tasks.tape`)."""


def refuse(task: Task, tools: Mapping[str, BaseTool], skills: Mapping[str, BaseMessage]) -> None:
    """Raises TaskFileError where `task` names a tool or a skill that is not there, or calls a tool
    that asks first without approving it, or with arguments that it does not have."""
    lacking = [
        f"{task.where(('skills', at))}: {UnknownName('skill', name, skills)}"
        for at, name in enumerate(task.form.skills)
        if name not in skills
    ]
    wrong = [
        problem for name, place in _named(task) if (problem := _misnamed(task, tools, name, place))
    ]
    unfit = [
        f"{task.where(('steps', at, 'arguments', *name))}: {said}"
        for at, step in enumerate(task.form.steps)
        if step.tool and step.tool in tools
        for name, said in _unfit(tools[step.tool], step.arguments)
    ]
    if wrong or lacking or unfit:
        raise TaskFileError([*wrong, *lacking, *unfit])


def _unfit(tool: BaseTool, given: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Which argument, and what is wrong with the names of those of a direct call."""
    from tools.spec import ToolMistake, spec

    try:
        now = spec(tool)
    except (ToolMistake, ToolError):
        now = None
    if now is None:  # it has nothing to work on now, and may have when it is called
        return
    there = now.parameters.get("properties", {})
    meant: list[str] = []
    for name in given if now.parameters.get("additionalProperties") is False else ():
        if name not in there:
            meant += difflib.get_close_matches(name, there, n=1, cutoff=0.5)
            yield (name,), str(UnknownName(f"argument of {tool.name}", name, there))
    for name in now.parameters.get("required", ()):
        if name not in given and name not in meant:
            yield (), f"{tool.name} needs the argument {name!r}"


def _named(task: Task) -> Iterator[tuple[str, Place]]:
    for key in ("tools", "approve"):
        for at, name in enumerate(getattr(task.form, key)):
            yield name, (key, at)
    for at, step in enumerate(task.form.steps):
        if step.tool:
            yield step.tool, ("steps", at, "tool")


def _misnamed(task: Task, tools: Mapping[str, BaseTool], name: str, place: Place) -> str:
    from tools.spec import approval_of

    where = task.where(place)
    if place[0] == "approve" and name not in task.tools():
        return f"{where}: approves {name!r}, which the task does not use"
    if name not in tools:
        return f"{where}: {UnknownName('tool', name, tools)}"
    asks = approval_of(tools[name]) != "never" and place[0] == "steps"
    if asks and name not in task.form.approve:
        return f"{where}: {name} asks before it runs, and nobody is there: add it to `approve`"
    return ""
