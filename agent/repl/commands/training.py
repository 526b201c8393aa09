"""Trainings and specialists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from agent import app
from agent.commands import jobs as jobs_of_shell
from agent.commands import specialists as specialists_of_shell
from agent.commands import train as train_of_shell
from agent.commands.output import speaking_through
from agent.repl.commands import choices, shell
from agent.repl.commands.command import Choice, command
from agent.settings import home

if TYPE_CHECKING:
    from agent.repl.repl import Repl


def _jobs(repl: Repl, typed: str) -> Iterator[Choice]:
    from tools.specialists.jobs import Jobs

    for job in Jobs(home()).all():
        yield Choice(job.id, job.state)


@command(completes=choices.files)
def train(repl: Repl, rest: str) -> None:
    """train a specialist on a file of examples: /train FILE

    The plan is shown before anything begins. It runs in the background; a line says what came of
    it. What `tinsmith train` takes: --name, --epochs, --method, ...; /train --help lists it.

    /train reviews.csv --name sentiment --epochs 2
    """
    with speaking_through(shell.OnScreen(repl)):
        args = shell.parsed(train_of_shell, "train", rest)
        if args is None:
            return
        shell.wait_for_model(repl)
        proposal = train_of_shell.planned(args)
        if args.dry_run or not train_of_shell.agreed(args):
            return
    from tools.specialists.jobs import Jobs

    plan = proposal.plan
    if proposal.waits:  # the model that is talked with may make room
        plan = replace(plan, memory=proposal.memory)
    before = repl.jobs()
    job = Jobs(home()).start(plan)
    repl.screen.plain(f"{job.id} has begun; you can go on talking. /jobs show {job.id} shows it")
    if repl.has_user and app.is_local(repl.settings):
        repl.make_room(before)


@command(completes=shell.actions(jobs_of_shell, "jobs", _jobs))
def jobs(repl: Repl, rest: str) -> None:
    """list the trainings; /jobs show, log, stop, continue, begin, rm JOB

    stop saves a checkpoint, continue goes on from it, begin does not wait for memory.

    /jobs show sentiment-1
    """
    shell.run(repl, jobs_of_shell, "jobs", rest)


@command(completes=shell.actions(specialists_of_shell, "specialists", choices.versions))
def specialists(repl: Repl, rest: str) -> None:
    """list the specialists; /specialists show, compare, promote, rollback NAME

    Also label, evaluate, export, import and rm, all as `tinsmith specialists` takes them. promote
    uses another version from now on: NAME@VERSION, or NAME for its latest.

    /specialists promote sentiment@2
    """
    if rest:
        shell.wait_for_model(repl)
    shell.run(repl, specialists_of_shell, "specialists", rest)
    repl.warm()  # the choices of tools may be others now
