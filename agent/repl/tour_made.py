"""What the tour makes: its folder, how far it is, its training, documents and conversation."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent import app
from agent.errors import UnknownName
from agent.memory import sessions
from agent.prompts import shipped
from agent.repl.tour_steps import NAME, STEPS
from agent.settings import home
from tools.storage import write_atomically

if TYPE_CHECKING:
    from tools.specialists.jobs import Job

EVERY = 4
"""Of the messages that are shipped, each so-manyth is learnt from: a minute or two on two cores."""


@dataclass(frozen=True)
class State:
    step: str
    """Its name; "" when the tour has ended."""
    name: str
    """Of the tour's file, specialist and collection."""
    sessions: tuple[int, ...]
    """Its conversations; the last one is gone on with."""
    before: int
    """The conversation that the tour was begun in."""


def place() -> Path:
    return home() / "tour"


def kept() -> State | None:
    """How far the tour is; None: there is none, or what was kept of it cannot be read."""
    try:
        found = json.loads((place() / "tour.json").read_text("utf-8"))
        state = State(**found | {"sessions": tuple(found["sessions"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return state if state.step in ("", *(step.name for step in STEPS)) else None


def remove(session: int) -> list[str]:
    """Delete it all, but for the conversation that one is in, `session`; names what is gone.

    Raises SpecialistError while its training runs.
    """
    from tools.specialists.jobs import Jobs

    state = kept()
    gone = []
    for job in jobs_of_tour():
        gone += _without_version(job.plan.name, job.version)
        Jobs(home()).remove(job.id)
        gone.append(f"training {job.id}")
    if state is not None:
        if state.name in collections():
            app.library().drop(state.name)
            gone.append(f"collection {state.name}")
        for one in state.sessions:
            with contextlib.suppress(UnknownName):  # removed already
                if one != session:
                    sessions.remove(home() / "sessions.db", one)
                    gone.append(f"conversation {one}")
    if place().is_dir():
        shutil.rmtree(place())
        gone.append(f"{place()} with all that lay in it")
    return gone


def lay_out(name: str) -> None:
    """The tour's files, where they are not there yet."""
    (place() / "tools").mkdir(parents=True, exist_ok=True)
    handbook = place() / "handbook" / "handbook.md"
    if not handbook.exists():
        source = shipped("examples") / "tour" / handbook.name
        write_atomically(handbook, source.read_text("utf-8"))
    messages = place() / f"{name}.csv"
    if not messages.exists():
        with (shipped("examples") / "data" / "topics.csv").open(
            encoding="utf-8", newline=""
        ) as file:
            head, *rows = csv.reader(file)
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows([head, *rows[::EVERY]])
        write_atomically(messages, lines.getvalue())


def tool_file() -> Path:
    return shipped("examples") / "tour" / "gear.py"


def free_name() -> str:
    """One that neither a specialist nor a collection of the user's has."""
    from tools.specialists.registry import Registry

    taken = {*Registry(home()).names(), *collections()}
    return next(
        name
        for number in itertools.count(1)
        if (name := f"{NAME}{number if number > 1 else ''}") not in taken
    )


def collections() -> set[str]:
    return {one.name for one in app.library().collections()}


def jobs_of_tour() -> list[Job]:
    """The trainings on files of the tour."""
    from tools.specialists.jobs import Jobs

    return [job for job in Jobs(home()).all() if Path(job.plan.data).is_relative_to(place())]


def _without_version(name: str, version: int) -> list[str]:
    """Delete what came of a training; other versions of that name are the user's."""
    from tools.specialists.registry import Registry

    registry = Registry(home())
    there = registry.versions(name)
    if version not in there:
        return []
    registry.remove(name, version if len(there) > 1 else None)
    return [f"specialist {name}@{version}"]
