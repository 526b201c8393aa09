"""`tinsmith jobs`: trainings that run, wait, are done or failed."""

from __future__ import annotations

import argparse
import itertools
import shutil
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.commands.following import follow, outcome, time_left
from agent.commands.output import advised, say, tell, waiting, warn

if TYPE_CHECKING:
    from tools.specialists.jobs import Job, Jobs

GLANCE = 0.5
"""Seconds between two looks at a log."""
WIDTH, HEIGHT = 72, 16
"""Of a plot, in characters."""
MARKERS = ("o", "x", "+")
"""Of what is measured once an epoch: without colours the curves differ in nothing else."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "jobs", help="trainings: list, show, log, watch, begin, stop, continue, rm"
    )
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    runs: tuple[tuple[str, Callable[[argparse.Namespace], int], str], ...] = (
        ("show", _show, "the plan, how far it is, its learning curves"),
        ("log", _log, "what it printed"),
        ("watch", _watch, "a bar until it ends"),
        ("begin", _begin, "do not wait for memory"),
        ("stop", _stop, "save a checkpoint, then end"),
        ("continue", _continue, "go on from the last checkpoint"),
        ("rm", _remove, "delete a job; what came of it stays"),
    )
    for name, run, text in runs:
        action = actions.add_parser(name, help=text)
        action.add_argument("job", help="as `jobs` lists it")
        if name == "log":
            action.add_argument("-f", "--follow", action="store_true", help="and what comes")
        action.set_defaults(run=run)


def _list(args: argparse.Namespace) -> int:
    jobs = _jobs()
    if not jobs.all() and not jobs.broken():
        tell(f"none yet; begin one with: {advised('train FILE')}")
    for job in jobs.all():
        say(f"{job.id:24}{job.state:13}{_how_far(job)}")
    for why in jobs.broken():
        warn(why)
    return 0


def _show(args: argparse.Namespace) -> int:
    from tools.specialists.plan import NOUNS

    job = _jobs().job(args.job)
    plan = job.plan
    say(f"{job.id}: {job.state}, {job.stage}")
    say(f"{plan.name}: {NOUNS[plan.task]} from {plan.data}, {plan.method} training of {plan.base}")
    say(f"at most {plan.epochs} epochs, {plan.batch} rows at once, learning rate {plan.rate:g}")
    if job.state == "done":
        say(outcome(job))
    elif job.progress().of:
        say(_how_far(job))
    _plot(job)
    return 0


def _plot(job: Job) -> None:
    """The loss, and what was measured on the held-out rows, over the steps."""
    from tools.specialists.jobs import curves

    drawn = curves(job.metrics())
    if not drawn:
        return
    import plotext

    scores = {key: line for key, line in drawn.items() if not key.endswith("loss")}
    for title, some in (("loss", drawn.keys() - scores.keys()), ("held-out rows", scores.keys())):
        if not some:
            continue
        plotext.clear_figure()
        plotext.theme("clear")
        plotext.plotsize(min(WIDTH, shutil.get_terminal_size().columns), HEIGHT)
        plotext.title(title)
        plotext.xlabel("step")
        markers = itertools.cycle(MARKERS)
        for key in sorted(some, reverse=True):  # points are drawn over the line of the loss
            if key == "loss":
                plotext.plot(*drawn[key], label=key, marker="braille")
            else:
                plotext.scatter(*drawn[key], label=key, marker=next(markers))
        say(plotext.uncolorize(plotext.build()))


def _log(args: argparse.Namespace) -> int:
    from tools.specialists.jobs import ALIVE

    job = _jobs().job(args.job)
    with (job.folder / "log.txt").open(encoding="utf-8", errors="replace") as file:
        while True:
            alive = job.state in ALIVE
            for line in file:
                say(line.rstrip("\n"))
            if not args.follow or not alive:
                return 0
            time.sleep(GLANCE)
            job = job.reread()


def _watch(args: argparse.Namespace) -> int:
    return follow(_jobs().job(args.job))


def _begin(args: argparse.Namespace) -> int:
    say(f"{_jobs().begin(args.job).id} begins, though there may be too little memory")
    return 0


def _stop(args: argparse.Namespace) -> int:
    from tools.specialists.jobs import ALIVE

    job = _jobs().stop(args.job)
    with waiting(f"{job.id} saves a checkpoint"):
        while job.state in ALIVE:
            time.sleep(GLANCE)
            job = job.reread()
    say(f"{job.id} is {job.state}: {job.stage}")
    return 0


def _continue(args: argparse.Namespace) -> int:
    job = _jobs().go_on(args.job)
    say(f"{job.id} goes on in the background; {advised(f'jobs show {job.id}')} shows it")
    return 0


def _remove(args: argparse.Namespace) -> int:
    say(f"removed {args.job}, {_jobs().remove(args.job) / 1e6:.1f} MB freed")
    return 0


def _how_far(job: Job) -> str:
    now = job.progress()
    if job.state != "running" or not now.of or job.stage != "training":
        return job.stage
    left = f", {time_left(now.left)} left" if now.left is not None else ""
    return f"{job.stage} {now.step / now.of:.0%}, {now.rows_per_second:.0f} rows/s{left}"


def _jobs() -> Jobs:
    from agent.settings import home
    from tools.specialists.jobs import Jobs

    return Jobs(home())
