"""`tinsmith eval FILE`: how right a task is on labelled rows, with one model or several."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.commands import each, options
from agent.commands.output import say, warn
from agent.errors import TinsmithError, UsageError

if TYPE_CHECKING:
    from agent.tasks.task import Task

MEASURED = "measured.json"
"""Beside the results: by model how long its rows took and how much memory it held."""
INTERRUPTED = 130


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("eval", help="how right a task is on labelled rows, by model")
    parser.add_argument("file", type=Path, metavar="FILE")
    options.add_inputs(parser)
    parser.add_argument("--label", default="", metavar="COLUMN", help="that says what is right")
    options.add_model(parser)
    parser.add_argument("--models", metavar="A,B,C", help="one after the other, in a table")
    each.add_options(parser, ("FOLDER", "of the results, a file for each model"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no log")
    # of a process that was begun for one of --models: it ends with the one that began it
    parser.add_argument("--begun", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent.commands import report
    from agent.tasks.evaluation import compared, score
    from agent.tasks.labels import labelled
    from agent.tasks.read import read

    if args.begun:
        threading.Thread(target=_end_with_input, daemon=True).start()
    each.refuse_cluster(args)  # before any of several models is run
    task, labels = labelled(read(args.file), args.label)
    args.each = args.each or _rows(task)
    folder = args.out or Path(f"{task.name}.eval")
    files = {
        model: folder / f"{_plain(_called(args, task, model))}.jsonl" for model in _models(args)
    }
    if len(set(files.values())) < len(files):
        raise UsageError(f"--models {args.models}: one of them stands there twice")
    codes = []
    for model, file in files.items():
        if len(files) == 1:
            codes.append(_here(args, task, labels, model, file))
        else:
            codes.append(_in_a_process(args, model, folder))
        if codes[-1] == INTERRUPTED:
            break
    chosen = _chosen(args)
    scored = [
        score(file, task, labels, chosen)
        for file in files.values()
        if file.exists() and file.stat().st_size
    ]
    measured = _measured(folder, task)
    if args.json:
        say(json.dumps(report.as_dict(task, args.each, scored, measured)))
    else:
        for line in report.lines(task, args.each, scored, compared(scored), measured):
            say(line)
    if any(one.reasons.get("failed") for one in scored):
        codes.append(1)
    return INTERRUPTED if INTERRUPTED in codes else max(codes)


def _here(
    args: argparse.Namespace, task: Task, labels: Mapping[str, str], model: str, file: Path
) -> int:
    """Run what is missing of one model in this process. Gives the exit code."""
    given = argparse.Namespace(**{**vars(args), "out": file, "model": model or None})
    # what a tool or its file prints is not part of the answer
    with contextlib.redirect_stdout(sys.stderr):
        told, _ = each.over(given, task, labels)
    if told["run"]:
        _measure(file, task, told)
    if told["error"]:
        warn(told["error"])
        return 1
    return INTERRUPTED if told["reason"] == "interrupted" else 0


def _in_a_process(args: argparse.Namespace, model: str, folder: Path) -> int:
    """The same in a process of its own: when it ends, all of its memory is free for the next, and
    what it held can be known."""
    words = ["eval", str(args.file), *args.pairs, "--begun", "--json"]
    words += ["--model", model, "--out", str(folder)]
    for name in ("set", "tools", "column"):
        for one in getattr(args, name):
            words += [f"--{name}", str(one)]
    for name in ("label", "engine", "url", "script", "device", "bits", "context", "each", "lanes",
                 "limit", "on", "workers"):  # fmt: skip
        if getattr(args, name):
            words += [f"--{name}", str(getattr(args, name))]
    if args.sample:
        words += ["--sample", "{}:{}".format(*args.sample)]
    if args.shard:
        words += ["--shard", "{}/{}".format(*args.shard)]
    if args.quiet:
        words.append("--quiet")
    else:
        warn(f"{model}:")
    program = subprocess.Popen(
        [sys.executable, "-P", "-m", "agent", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    while True:
        try:
            return program.wait()  # its standard input stays open for as long as this one lives
        except KeyboardInterrupt:  # it has heard of it, too, and is about to end
            continue


def _end_with_input() -> None:
    with contextlib.suppress(OSError):
        os.read(0, 1)  # unbuffered: Python takes the buffer's lock when it ends
    os._exit(1)  # the results are kept as after any other death


def _models(args: argparse.Namespace) -> Sequence[str]:
    """ "" stands for the one that the task or the user's settings say. Raises UsageError."""
    if not args.models:
        return [args.model or ""]
    if args.model:
        raise UsageError("--model and --models: give all of them to --models")
    if args.each == "-":
        raise UsageError("--each -: several models cannot read the same standard input; a file can")
    found = [name.strip() for name in args.models.split(",")]
    if not all(found):
        raise UsageError(f"--models {args.models!r}: names, with a comma between two")
    return found


def _called(args: argparse.Namespace, task: Task, model: str) -> str:
    """What the user calls the model. Raises TinsmithError for one that is not here, before any
    other is run."""
    from agent import app
    from agent.tasks.load import settings_for

    settings = settings_for(task, {**vars(args), "model": model or None})
    if settings.engine != "scripted" and app.is_local(settings):
        app.weights_of(settings)
    return app.called(settings)


def _plain(name: str) -> str:
    """As the name of a file."""
    return re.sub(r"[^\w.+-]+", "-", name).strip(".-") or "model"


def _rows(task: Task) -> str:
    if not task.form.eval.rows:
        raise UsageError(
            "say which rows: --each ROWS, or in the task file `eval: {rows: FILE}`; "
            "a row is labelled by its column --label"
        )
    return os.path.normpath(task.file.parent / task.form.eval.rows)


def _chosen(args: argparse.Namespace) -> frozenset[str] | None:
    """The ids of the rows that are asked for, where these are not all: the results may be of more,
    from an earlier run."""
    from agent.tasks.rows import STDIN, opened

    if args.each == STDIN or not (args.limit or args.sample or args.shard):
        return None
    with opened(args.each) as source:
        is_chosen = each.selection(args).chooser(source.rows())
        return frozenset(row.id for row in source.rows() if is_chosen(row))


def _measure(file: Path, task: Task, told: Mapping[str, Any]) -> None:
    """Note how long the rows took that were just run; those of earlier runs are counted with."""
    from tools.storage import locked, write_atomically

    where = file.with_name(MEASURED)
    with locked(where):
        all_of_them = _read(where)
        before = all_of_them.get(file.name, {})
        if before.get("hash") != task.hash:
            before = {}
        all_of_them[file.name] = {
            "hash": task.hash,
            "rows": before.get("rows", 0) + told["run"],
            "seconds": round(before.get("seconds", 0.0) + told["running"], 3),
            "memory": max(before.get("memory", 0), told["memory"]),
        }
        write_atomically(where, json.dumps(all_of_them, indent=1) + "\n")


def _measured(folder: Path, task: Task) -> Mapping[str, Mapping[str, Any]]:
    """By the name of the file of results."""
    found = _read(folder / MEASURED)
    return {name: one for name, one in found.items() if one.get("hash") == task.hash}


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise TinsmithError(f"{file} is damaged; delete it, and speed is measured anew") from None
    return found if isinstance(found, dict) else {}
