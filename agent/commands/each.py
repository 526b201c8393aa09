"""`tinsmith run FILE --each ROWS --out RESULTS`: a task over a data set."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.commands.output import tell, warn
from agent.commands.waiting import nothing, waiting_unless_quiet
from agent.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from agent.settings import Settings
    from agent.tasks.batch import Batch
    from agent.tasks.envelope import Reason
    from agent.tasks.lanes import Lanes
    from agent.tasks.results import Results
    from agent.tasks.selection import Selection
    from agent.tasks.task import Task

OWN = ("out", "column", "lanes", "limit", "sample", "shard", "on", "workers")
"""Options that say something only with --each."""
SERVED = 8
"""Rows at once where the model is a server's, which has slots of its own."""
LOCAL = 4
"""Rows at once in this process; fewer where the memory does not hold so many."""
STOPPING = "stopping; what is finished is kept. Ctrl-C again ends at once"


def add_options(
    parser: argparse.ArgumentParser,
    out: tuple[str, str] = ("RESULTS", "JSON lines, one a row; the same command goes on with it"),
) -> None:
    """`out`: what --out names, and what that is."""
    rows = parser.add_argument_group("over data")
    rows.add_argument("--each", metavar="ROWS",
                      help="run it for each row of a .jsonl, .csv, .tsv or .parquet file, or of "
                      "JSON lines from standard input (-)")  # fmt: skip
    rows.add_argument("--out", type=Path, metavar=out[0], help=out[1])
    rows.add_argument("--column", action="append", default=[], metavar="INPUT=COLUMN",
                      help="the column of an input that is called otherwise")  # fmt: skip
    rows.add_argument("--lanes", type=_count, metavar="N",
                      help="rows that are run at once; with --on by each worker")  # fmt: skip
    rows.add_argument("--on", metavar="CLUSTER",
                      help="Ray workers run them: ray (of this machine), auto, HOST:PORT or "
                      "ray://HOST:PORT")  # fmt: skip
    rows.add_argument("--workers", type=_count, metavar="N", help="so many, with --on")
    rows.add_argument("--limit", type=_count, metavar="N", help="only the first N rows")
    rows.add_argument("--sample", type=_sample, metavar="N[:SEED]",
                      help="only N of them, drawn by chance, always the same")  # fmt: skip
    rows.add_argument("--shard", type=_shard, metavar="I/N", help="of these the Ith of N parts")


def refuse_without(args: argparse.Namespace) -> None:
    """Raises UsageError for what needs --each."""
    for name in OWN:
        if getattr(args, name):
            raise UsageError(f"--{name} is for a run over rows: --each ROWS --out RESULTS")


def refuse_cluster(args: argparse.Namespace) -> None:
    """Raises UsageError for --workers without a cluster, and for what is no address of one."""
    if args.workers and not args.on:
        raise UsageError("--workers is for a cluster: --on ray")
    if args.on:
        from agent.tasks.joining import address_of

        address_of(args.on)


def refuse_single(args: argparse.Namespace) -> None:
    """Raises UsageError for what does not go with --each, or is lacking."""
    if args.out is None:
        raise UsageError("say where the results go: --out results.jsonl")
    if args.out.is_dir():
        raise UsageError(f"--out {args.out} is a folder; give a file, such as results.jsonl")
    if args.record or args.replay:
        raise UsageError("--record and --replay are for a single run, without --each")


def refused(args: argparse.Namespace, task: Task, error: str, reason: str) -> dict[str, Any]:
    """What is printed of a run over rows that did not begin."""
    return {
        "ok": False,
        "reason": reason,
        "error": error,
        "task": task.name,
        "hash": task.hash,
        "model": None,
        "out": str(args.out),
        "rows": 0,
        "reasons": {},
        "missing": 0,
        "run": 0,
    }


def over(
    args: argparse.Namespace, task: Task, labels: Mapping[str, str]
) -> tuple[dict[str, Any], int]:
    """What is printed, and the exit code. `labels`: by input, the column of the right answers.
    Raises TinsmithError."""
    from agent.commands.run import pairs
    from agent.machine import held_memory
    from agent.tasks.batch import Batch
    from agent.tasks.columns import Columns
    from agent.tasks.envelope import CODES
    from agent.tasks.inputs import from_text
    from agent.tasks.load import named_by, settings_for
    from agent.tasks.results import Results
    from agent.tasks.rows import opened

    began = time.monotonic()
    refuse_cluster(args)
    constants = from_text(task, pairs([*args.pairs, *args.set]))
    settings = settings_for(task, vars(args))
    tools, skills = named_by(task, args.tools, nothing if args.quiet else warn)
    with opened(args.each) as source:
        columns = Columns(task, constants, pairs(args.column), labels, source.is_text)
        with Results(args.out, columns) as results:
            with waiting_unless_quiet("reading the rows", args.quiet):
                batch = Batch(source, columns, selection(args), results)
            for doubt in batch.doubts if not args.quiet else ():
                warn(doubt)
            error, through, spent, memory = None, True, 0.0, 0
            if batch.left:
                with _loaded(args, task, settings, tools, skills, batch) as lanes:
                    loaded = time.monotonic()
                    error, through = _run(args, batch, results.reasons(), lanes)
                    spent, memory = time.monotonic() - loaded, held_memory()
            results.sort()
            told = _told(args, task, batch, results, error, through, began)
            told |= {"running": round(spent, 3), "memory": memory}
            return told, CODES.get(told["reason"], 1)


def _run(
    args: argparse.Namespace, batch: Batch, reasons: Mapping[Reason, int], lanes: Lanes
) -> tuple[str | None, bool]:
    """What ended it, and whether all rows are through. `reasons`: of the rows that have results."""
    from agent.commands.counting import counting
    from agent.tasks.batch import Hopeless
    from agent.tasks.results import AGAIN

    done = batch.total - batch.left
    if done and not args.quiet:
        tell(f"{done:,} of {batch.total:,} rows have results already")
    right = ("done", *AGAIN)  # or run again
    failed = sum(count for reason, count in reasons.items() if reason not in right)
    with counting(batch.total, done, failed, lanes.count, not args.quiet) as hear, _stopping(lanes):
        try:
            return None, batch.run(lanes, hear)
        except Hopeless as error:
            return str(error), False


def _told(
    args: argparse.Namespace,
    task: Task,
    batch: Batch,
    results: Results,
    error: str | None,
    through: bool,
    began: float,
) -> dict[str, Any]:
    from agent.tasks.envelope import in_words

    reasons = results.reasons()
    reason = _reason(reasons, error, through)
    seconds = round(time.monotonic() - began, 3)
    if not args.quiet:
        counted = ", ".join(
            f"{count:,} {in_words(one, task.is_checked)}" for one, count in reasons.items()
        )
        missing = batch.total - sum(reasons.values())
        warn(
            f"{batch.total:,} rows: {counted or 'none was run'}"
            + (f", {missing:,} left; the same command goes on" if missing else "")
            + f". {args.out}"
        )
    return {
        "ok": reason == "done",
        "reason": reason,
        "error": error,
        "task": task.name,
        "hash": task.hash,
        "model": results.model,
        "out": str(args.out),
        "rows": batch.total,
        "reasons": reasons,
        "missing": batch.total - sum(reasons.values()),
        "run": batch.ran,
        "usage": asdict(batch.usage),
        "seconds": seconds,
    }


def _reason(reasons: Mapping[Reason, int], error: str | None, through: bool) -> Reason:
    from agent.tasks.envelope import reason_of

    if error is not None:
        return "failed"
    return reason_of(reasons) if through else "interrupted"


@contextlib.contextmanager
def _loaded(
    args: argparse.Namespace,
    task: Task,
    settings: Settings,
    tools: Mapping[str, Any],
    skills: Mapping[str, Any],
    batch: Batch,
) -> Iterator[Lanes]:
    from agent import app
    from agent.tasks.lanes import Threads
    from agent.tasks.load import load_lanes

    usual = SERVED if not app.is_local(settings) else LOCAL
    count = min(batch.left, args.lanes or usual)
    if args.on:
        with _on_cluster(args, task, settings, count, batch) as workers:
            yield workers
        return
    with waiting_unless_quiet(f"loading {app.called(settings)}", args.quiet) as say:
        means = load_lanes(task, settings, tools, skills, count, say)
    try:
        yield Threads(task, [replace(one, folder=Path.cwd()) for one in means])
    finally:
        for one in reversed(means):  # the first owns the weights
            one.engine.close()


@contextlib.contextmanager
def _on_cluster(
    args: argparse.Namespace, task: Task, settings: Settings, lanes: int, batch: Batch
) -> Iterator[Lanes]:
    from agent.tasks.cluster import hired
    from agent.tasks.joining import joined
    from agent.tasks.worker import Order

    paths = tuple(path.absolute() for path in args.tools)
    order = Order(task, settings, paths, Path.cwd(), lanes)
    told = nothing if args.quiet else warn
    with contextlib.ExitStack() as stack:
        with waiting_unless_quiet(f"waiting for the workers (--on {args.on})", args.quiet):
            ray = stack.enter_context(joined(args.on, args.workers))
            workers = stack.enter_context(hired(ray, order, args.workers, batch.left, told))
        yield workers


@contextlib.contextmanager
def _stopping(lanes: Lanes) -> Iterator[None]:
    """The first Ctrl-C stops cleanly, the second does not wait."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.write(sys.stderr.fileno(), f"\ntinsmith: {STOPPING}\n".encode())  # print may be at work
        lanes.stop()

    usual = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def selection(args: argparse.Namespace) -> Selection:
    from agent.tasks.selection import Selection

    sample, seed = args.sample or (None, 0)
    return Selection(args.limit, sample, seed, args.shard or (1, 1))


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def _sample(text: str) -> tuple[int, int]:
    count, _, seed = text.partition(":")
    if seed and not seed.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}; a draw is given as 100 or 100:SEED")
    return _count(count), int(seed or 0)


def _shard(text: str) -> tuple[int, int]:
    part, slash, parts = text.partition("/")
    if not slash or not 1 <= _count(part) <= _count(parts):
        raise argparse.ArgumentTypeError(f"{text!r}; a part is given as 1/4, to 4/4")
    return int(part), int(parts)
