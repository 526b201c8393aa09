"""A job as it goes on: a bar with stage, rate and time left; at the end what came of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.commands.output import advised, has_bars, say, tell, warn
from tools.errors import SpecialistError

if TYPE_CHECKING:
    from tools.specialists.jobs import Job, Progress
    from tools.specialists.manifest import Manifest
    from tools.specialists.registry import Registry

GLANCE = 0.5
"""Seconds between two looks."""


def follow(job: Job) -> int:
    """Until it ends; gives the exit code. A Ctrl-C ends the watching, not the job."""
    from tools.specialists.jobs import ALIVE

    try:
        with _shown() as show:
            while job.state in ALIVE:
                show(job.stage, job.progress())
                time.sleep(GLANCE)
                job = job.reread()
    except KeyboardInterrupt:
        tell(
            f"{job.id} goes on without being watched; {advised('jobs')} shows it, "
            f"{advised(f'jobs stop {job.id}')} ends it"
        )
        raise
    if job.state == "done":
        say(outcome(job))
        return 0
    warn(f"{job.id} {job.state}: {job.stage}")
    return 1


def outcome(job: Job) -> str:
    """What came of a job that is done: measures, and what to do next."""
    from agent.settings import home
    from tools.specialists.registry import Registry

    registry = Registry(home())
    name, version = job.plan.name, job.version
    if version not in registry.versions(name):
        return f"{job.stage}; {name}@{version} was removed since"
    one = registry.manifest(name, version)
    step = next_step(registry, one, advised("specialists"))
    return f"{measures(one)}\n{job.stage}. {step}"


def next_step(registry: Registry, one: Manifest, specialists: str) -> str:
    """What becomes of a new version; `specialists`: the command, as it is typed here."""
    before = registry.promoted(one.name)
    if before == one.version:
        return "It is in use from now on."
    if before is not None:
        with contextlib.suppress(SpecialistError):  # one that is damaged should be replaced
            old = registry.manifest(one.name, before)
            worse = old.better_than(one)
            if worse is False and one.better_than(old) is False:
                return (
                    f"It measures the same as version {before}, which stays in use; "
                    f"{specialists} promote {one.name}@{one.version} uses it all the same."
                )
            if worse:
                return f"It measures worse than version {before}, which stays in use."
            if worse is None:
                return (
                    f"It was not measured on the rows of version {before}, which stays in use; "
                    f"{specialists} compare {one.name}@{before} {one.name}@{one.version} "
                    "--on FILE compares them."
                )
    return f"{specialists} promote {one.name}@{one.version} uses it from now on."


def measures(one: Manifest) -> str:
    """The measure that decides, beside the baselines."""
    beside = ", ".join(
        f"{other} {scores[one.metric]:.3f}"
        for other, scores in one.baselines.items()
        if one.metric in scores
    )
    return (
        f"{one.name}@{one.version}: {one.metric.replace('_', ' ')} {one.score:.3f} on "
        f"{one.held_rows} held-out rows ({beside or 'nothing to compare with'}), trained in "
        f"{one.seconds:.0f} s"
    )


@contextmanager
def _shown() -> Iterator[Callable[[str, Progress], None]]:
    """Gives what is told of the stage and how far it is."""
    if not has_bars():
        yield _Lines()
        return
    from rich import progress
    from rich.console import Console

    line = progress.TextColumn("{task.description}", markup=False)
    facts = progress.TextColumn("{task.fields[facts]}", markup=False)
    columns = (line, progress.BarColumn(), facts)
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("", total=None, facts="")

        def show(stage: str, now: Progress) -> None:
            training = stage == "training" and now.of
            bars.update(
                bar,
                description=stage,
                completed=now.step,
                total=now.of if training else None,
                facts=_facts(now) if training else "",
            )

        yield show


class _Lines:
    """A line for each stage, and for each tenth of the training."""

    def __init__(self) -> None:
        self._said: tuple[str, int] = ("", 0)

    def __call__(self, stage: str, now: Progress) -> None:
        tenth = now.step * 10 // now.of if stage == "training" and now.of else 0
        if (stage, tenth) != self._said:
            self._said = stage, tenth
            tell(f"{stage}  {_facts(now)}" if tenth else stage)


def _facts(now: Progress) -> str:
    held = {key: value for key, value in (now.held or {}).items() if key != "loss"}
    held = held or dict(now.held or {})
    scores = "".join(
        f", held-out {key.replace('_', ' ')} {held[key]:.3f}" for key in list(held)[:1]
    )
    left = f", {time_left(now.left)} left" if now.left is not None else ""
    return f"{now.step} of {now.of}, {now.rows_per_second:.0f} rows/s{left}{scores}"


def time_left(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
