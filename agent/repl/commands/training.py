"""Trainings and specialists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import UsageError
from agent.repl.commands import choices
from agent.repl.commands.command import command
from agent.settings import home

if TYPE_CHECKING:
    from agent.repl.repl import Repl


@command
def jobs(repl: Repl, rest: str) -> None:
    """list the trainings"""
    from tools.specialists.jobs import Jobs
    from tools.train import status

    for job in Jobs(home()).all():
        repl.screen.plain(status(job))


@command(completes=choices.versions)
def promote(repl: Repl, rest: str) -> None:
    """use another version from now on: /promote NAME@VERSION, or NAME for its latest"""
    from tools.specialists.registry import Registry

    registry = Registry(home())
    if not rest:
        there = [f"{name}@{max(registry.versions(name))}" for name in registry.names()]
        raise UsageError(f"/promote NAME@VERSION; the latest are: {', '.join(there) or 'none'}")
    repl.screen.plain(registry.promote(*registry.latest(rest)))
    repl.warm()  # the choices of tools are others now
