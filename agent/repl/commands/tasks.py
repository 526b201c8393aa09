"""Tasks from files."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agent.commands import tasks as tasks_of_shell
from agent.errors import UsageError
from agent.repl.commands import shell
from agent.repl.commands.command import Choice, command

if TYPE_CHECKING:
    from agent.events import Event
    from agent.repl.repl import Repl

_QUOTED = re.compile(r"""(?<!\S)(\w+)=(?:"([^"]*)"|'([^']*)')(?!\S)""")


def _files(repl: Repl, typed: str) -> Iterator[Choice]:
    for file in tasks_of_shell.files():
        yield Choice(str(file))


@command(completes=_files)
def run(repl: Repl, rest: str) -> None:
    """/run FILE KEY=VALUE … does a task of a file, with the model that is loaded

    The task has a conversation of its own: nothing of it comes into this one. What its file does
    not approve is not run. Its checks are shown, and its outputs are written.

    /run reply.task.yaml text="the wheel is loose"
    """
    from agent import app
    from agent.commands.run import pairs
    from agent.events import ToolStarted
    from agent.tasks.inputs import checked, from_text
    from agent.tasks.load import judge_with, offers, skills_for
    from agent.tasks.means import Means, refuse
    from agent.tasks.read import read
    from agent.tasks.run import run as run_task
    from agent.tasks.templates import written

    quoted = {one[1]: one[2] or one[3] or "" for one in _QUOTED.finditer(rest)}
    words = shell.split(_QUOTED.sub("", rest))
    if not words:
        raise UsageError("/run takes the file of a task; /tasks lists those that are here")
    if "--each" in words:
        raise UsageError(f"over rows a task is run in the shell: tinsmith run {rest}")
    task = read(Path(words[0]))
    given = from_text(task, pairs([one for one in words[1:] if one != "--set"]) | quoted)
    checked(task, given)
    keys = ("model", "engine", "bits", "context")
    if said := [key for key in keys if getattr(task.form, key)]:
        names = ", ".join(said)
        repl.screen.dim(
            f"the task says {names}; in the conversation it is done with the model here"
        )
    tools = repl.toolbox().tools
    skills = skills_for(task)
    refuse(task, tools, skills)
    judge = judge_with(app.load_embedder() if offers(task) else None)
    means = Means(repl.agent().engine, tools, skills, judge, Path.cwd())
    with repl.screen.working(f"running {task.name}") as say:

        def hear(event: Event) -> None:
            if isinstance(event, ToolStarted):
                say(f"running {task.name} ({event.name})")

        envelope = run_task(task, given, dataclasses.replace(means, hear=hear))
    if envelope.answer is not None:
        repl.screen.plain(written(envelope.answer))
    for one in envelope.checks:
        repl.screen.dim(f"{'✓' if one.passed else '✗'} {one.name}: {one.why}")
    for file in envelope.files:
        repl.screen.dim(f"{file} was written")
    if envelope.reason not in ("done", "checks"):
        raise UsageError(f"/run {rest}: {envelope.error}")


@command(completes=shell.actions(tasks_of_shell, "tasks", _files))
def tasks(repl: Repl, rest: str) -> None:
    """list task files; /tasks check FILE, /tasks show FILE, /tasks new NAME"""
    shell.run(repl, tasks_of_shell, "tasks", rest)
