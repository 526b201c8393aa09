"""Trainings that run while one talks: announced when they end, in per cent beside the prompt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tools.errors import first_line

if TYPE_CHECKING:
    from tools.specialists.jobs import Job

GLANCE = 1.0
"""Seconds between two looks."""


class Trainings:
    """Looks in a thread of its own, so that nobody waits for the disk."""

    def __init__(
        self, home: Path, tell: Callable[[str], None], ended: Callable[[str], None]
    ) -> None:
        """`ended` hears, in that thread, the id of a job that has ended, then `tell` what came of
        it."""
        self.state = ""
        """What runs and how far it is, in short; "" when nothing does."""
        self._home = home
        self._tell = tell
        self._ended = ended
        self._alive: set[str] = set()
        self._told = ""
        """The last error that was told."""
        threading.Thread(target=self._watch, name="trainings", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(GLANCE)
            try:
                self._look()
            except Exception as error:  # it is only news; the talk goes on
                self.state = ""
                if (why := first_line(error)) != self._told:
                    self._told = why
                    self._tell(f"jobs cannot be looked at: {why}")

    def _look(self) -> None:
        if not (self._home / "jobs").is_dir():
            return
        from tools.specialists.jobs import ALIVE, Jobs

        jobs = Jobs(self._home).all()
        alive = [job for job in jobs if job.state in ALIVE]
        over = self._alive - {job.id for job in alive}
        self._alive = {job.id for job in alive}
        for id in over:  # or removed
            self._ended(id)
        for job in jobs:
            if job.id in over:
                self._announce(job)
        self.state = ", ".join(map(_briefly, alive))

    def _announce(self, job: Job) -> None:
        from agent.commands.following import measures, next_step
        from tools.specialists.registry import Registry

        if job.state != "done":
            self._tell(f"{job.id} {job.state}: {job.stage}")
            return
        name, version = job.plan.name, job.version
        registry = Registry(self._home)
        if version not in registry.versions(name):
            return
        one = registry.manifest(name, version)
        self._tell(f"{measures(one)}. {next_step(registry, one, '/specialists')}")


def _briefly(job: Job) -> str:
    now = job.progress()
    far = f" {now.step / now.of:.0%}" if now.of and job.stage == "training" else ""
    return f"{job.stage} {job.plan.name}{far}"
