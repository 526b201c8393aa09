"""`tinsmith run FILE`: a task with nobody there. An envelope on stdout, the log on stderr."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.commands import each, options
from agent.commands.output import warn
from agent.commands.waiting import waiting_unless_quiet
from agent.cut import cut
from agent.errors import TinsmithError, UsageError
from tools.errors import ToolError
from tools.quiet import quiet

if TYPE_CHECKING:
    from agent.events import Event
    from agent.tasks.envelope import Envelope
    from agent.tasks.task import Task


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "run", help="a task file, once or over rows: one JSON object with what came of it"
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    options.add_inputs(parser)
    options.add_model(parser)
    parser.add_argument("--record", type=Path, metavar="FILE",
                        help="keep every reply and every result of a tool")  # fmt: skip
    parser.add_argument("--replay", type=Path, metavar="FILE",
                        help="run with what was recorded: no model, no tool")  # fmt: skip
    each.add_options(parser)
    loud = parser.add_mutually_exclusive_group()
    loud.add_argument("--quiet", action="store_true", help="no log")
    loud.add_argument("--verbose", action="store_true", help="with what the model writes")
    parser.set_defaults(run=run)


def refused(error: str, reason: str = "usage", name: str = "", hash: str = "") -> dict[str, Any]:
    """The envelope of a run that did not begin. `name`, `hash`: of the task, where it is known."""
    from agent.tasks.envelope import Envelope

    return dataclasses.replace(Envelope(name, hash, {}), reason=reason, error=error).as_dict()  # type: ignore[arg-type]


def run(args: argparse.Namespace) -> int:
    quiet()
    from agent.tasks.read import read

    code, task = 1, None
    told: dict[str, Any] | None = None
    # what a tool or its file prints is not part of the answer
    with contextlib.redirect_stdout(sys.stderr):
        try:
            _refuse_mixed(args)
            task = read(args.file)
            if args.each is None:
                envelope = _run(args, task)
                told, code = envelope.as_dict(), envelope.exit_code
            else:
                told, code = each.over(args, task, {})
        except (TinsmithError, ToolError) as error:
            code = error.exit_code
            reason, said = "usage" if code == 2 else "failed", str(error)
        except KeyboardInterrupt:
            code, reason, said = 130, "interrupted", "interrupted"
        except (OSError, UnicodeError) as error:
            reason, said = "failed", str(error) or type(error).__name__
        if told is None and task and args.each is not None:
            told = each.refused(args, task, said, reason)
        elif told is None:
            told = refused(said, reason, *((task.name, task.hash) if task else ()))
        if not args.quiet and told["error"]:
            warn(str(told["error"]))
    print(json.dumps(told))
    return code


def _refuse_mixed(args: argparse.Namespace) -> None:
    """Raises UsageError for options that do not go together."""
    if args.each is not None:
        each.refuse_single(args)
        return
    each.refuse_without(args)
    if args.record and args.replay:
        raise UsageError("--record and --replay: a run is recorded or replayed, not both")


def _run(args: argparse.Namespace, task: Task) -> Envelope:
    from agent.tasks.inputs import checked, from_text

    given = from_text(task, pairs([*args.pairs, *args.set]))
    log = _Log(args)
    if args.replay:
        return _replay(args.replay, task, given, log)
    checked(task, given)  # before anything is loaded
    return _live(args, task, given, log)


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """What stands on the two sides of `=`. Raises UsageError."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{text!r}: an input is given as KEY=VALUE")
        found[key.strip()] = value
    return found


def _replay(file: Path, task: Task, given: Mapping[str, Any], log: _Log) -> Envelope:
    from agent.tasks.run import run as run_task
    from agent.tasks.tape import replayed

    means, given = replayed(file, task, given)
    return run_task(task, given, dataclasses.replace(means, folder=Path.cwd(), hear=log.hear))


def _live(args: argparse.Namespace, task: Task, given: dict[str, Any], log: _Log) -> Envelope:
    from agent import app
    from agent.tasks.load import load, named_by, settings_for
    from agent.tasks.run import run as run_task
    from agent.tasks.tape import Recorder, recorded

    if args.record:
        _refuse_unwritable(args.record)
    settings = settings_for(task, vars(args))
    tools, skills = named_by(task, args.tools, log.say)
    with waiting_unless_quiet(f"loading {app.called(settings)}", args.quiet) as say:
        means = load(task, settings, tools, skills, say)
    with contextlib.closing(means.engine):
        means = dataclasses.replace(means, folder=Path.cwd(), hear=log.hear)
        if args.record is None:
            return run_task(task, given, means)
        tape = Recorder()
        envelope = run_task(task, given, recorded(means, tape))
        if envelope.reason in ("interrupted", "seconds", "usage"):
            log.say(f"{args.record} is not written: a run that was cut short is not the same twice")
        else:
            try:
                tape.save(args.record, task, given, means)
            except OSError as error:  # the run itself is over, and its answer is not lost
                said = f"{args.record} cannot be written: {error.strerror or error}"
                said = "; ".join(filter(None, [envelope.error, said]))
                return dataclasses.replace(envelope, reason="failed", error=said)
        return envelope


def _refuse_unwritable(record: Path) -> None:
    """Raises UsageError for what is known before a model is loaded."""
    there = next(folder for folder in record.absolute().parents if folder.exists())
    if record.is_dir():
        raise UsageError(f"--record {record} is a folder; give a file")
    if not there.is_dir():
        raise UsageError(f"--record {record} cannot be written: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"--record {record} cannot be written: {there} may not be written into")


class _Log:
    """On stderr, as it happens."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._quiet, self._verbose = args.quiet, args.verbose

    def say(self, text: str) -> None:
        if not self._quiet:
            warn(text)

    def hear(self, event: Event) -> None:
        from agent.events import Notice, TextDelta, ToolFinished, ToolStarted
        from agent.repl.clean import clean

        if self._quiet:
            return
        if isinstance(event, TextDelta) and self._verbose:
            print(clean(event.text), end="", file=sys.stderr, flush=True)
        elif isinstance(event, ToolStarted):
            print(clean(f"· {event.name} {json.dumps(event.arguments)}"), file=sys.stderr)
        elif isinstance(event, ToolFinished):
            shown = cut(" ".join(event.result.split()), 100)
            print(clean(f"{'✓' if event.ok else '✗'} {shown}"), file=sys.stderr)
        elif isinstance(event, Notice):
            warn(event.text)
