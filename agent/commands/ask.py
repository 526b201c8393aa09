"""`tinsmith ask "…"`: one question, one answer; also from a pipe, also as one JSON envelope."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from agent.commands import options
from agent.commands.waiting import waiting
from agent.cut import cut
from agent.errors import TinsmithError, UnknownName, UsageError

if TYPE_CHECKING:
    from agent.engines.base import Engine
    from agent.events import Event

CODES = {"interrupted": 130, "failed": 1}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("ask", help="one question; the pipe's text is put behind it")
    parser.add_argument("words", nargs="*", metavar="QUESTION")
    options.add(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object, on failure too")
    parser.add_argument(
        "--approve", default="", metavar="TOOL[,TOOL]", help="tools that may run without asking"
    )
    parser.set_defaults(run=run)


def envelope() -> dict[str, Any]:
    """What `--json` prints, as it is before anything has come."""
    return {
        "ok": False, "answer": "", "reason": "failed", "error": None, "calls": [],
        "usage": None, "model": None, "session": None, "seconds": 0.0,
    }  # fmt: skip


def run(args: argparse.Namespace) -> int:
    began = time.monotonic()
    answer = envelope()
    try:
        code = _ask(args, answer)
    except TinsmithError as error:
        if not args.json:
            raise
        answer["error"] = str(error)
        code = error.exit_code
    except KeyboardInterrupt:
        answer["reason"] = "interrupted"
        code = 130
    except (Exception, SystemExit) as error:
        if not args.json:
            raise
        answer["error"] = f"{type(error).__name__}: {error}"
        code = 1
    if args.json:
        answer["seconds"] = round(time.monotonic() - began, 3)
        print(json.dumps(answer))
    return code


def _ask(args: argparse.Namespace, answer: dict[str, Any]) -> int:
    from agent import app
    from agent.approval import Approval, Question, allow
    from agent.attachments import attached
    from agent.memory.sessions import Session
    from agent.settings import home

    piped = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    question = "\n\n".join(filter(None, [" ".join(args.words), piped]))
    if not question:
        raise UsageError('nothing is asked; try: tinsmith ask "what is 12 * 30?"')
    settings = app.settings_of(vars(args))
    out = sys.stdout
    # what a tool or its file prints is not part of the answer
    with contextlib.ExitStack() as at_end, contextlib.redirect_stdout(sys.stderr):
        box = app.toolbox(args.tools, app.is_trusted(app.project_tools()))
        approved = [name.strip() for name in args.approve.split(",") if name.strip()]
        for name in approved:
            if name not in box.tools:
                raise UnknownName("tool", name, box.tools, "It was given to --approve.")
        for problem in box.problems:
            _say(f"tinsmith: {problem}")
        allowed = allow(approved)
        refused: dict[str, None] = {}

        def approve(question: Question) -> Approval:
            verdict = allowed(question)
            if not verdict.allowed:
                refused[question.tool] = None
            return verdict

        session = Session.create(home() / "sessions.db")
        at_end.callback(session.close)
        with waiting(f"loading {app.called(settings)}") as wait:
            agent = app.build(settings, session, box, approve, wait.tell)
        at_end.callback(agent.engine.close)
        answer.update(model=agent.engine.name, session=session.id)
        # what comes through the pipe is data: an @ in it is nobody's wish
        found = attached(" ".join(args.words), agent.engine)
        for line in (*found.said, *found.problems):
            _say(f"tinsmith: {line}")
        # half a character, as of a file's name, is one that no model can read
        sent = question.encode("utf-8", "replace").decode()
        events = agent.send(sent, found.messages)
        _draw(_awaited(events, agent.engine), answer, None if args.json else out)
        for name in refused:
            why = f"{name} was not run, it asks first; allow it with --approve {name}"
            _say(f"tinsmith: {why}")
            answer.update(ok=False, error=why)
    if refused:
        return 1
    reason = str(answer["reason"])
    if reason not in ("answered", "failed"):
        _say(f"tinsmith: the turn ended early: {reason}")
    return 0 if reason == "answered" else CODES.get(reason, 1)


def _awaited(events: Iterator[Event], engine: Engine) -> Iterator[Event]:
    """The same events; on a terminal, a line counts while the model reads and thinks."""
    from agent.events import Stage, ToolFinished
    from agent.repl.reading import Reading

    thinks, what = True, "thinking"
    while True:
        if thinks and sys.stderr.isatty():
            line: AbstractContextManager[Any] = waiting(what, Reading(engine))
        else:
            line = contextlib.nullcontext()
        with line:
            event = next(events, None)
        if event is None:
            return
        yield event
        thinks = isinstance(event, ToolFinished | Stage)
        what = event.text if isinstance(event, Stage) else "thinking"


def _draw(events: Iterator[Event], answer: dict[str, Any], out: TextIO | None) -> None:
    """The answer goes to `out` as it comes, all else to stderr and into the envelope."""
    from agent.events import Notice, TextDelta, ToolFinished, ToolStarted, TurnEnded
    from agent.repl.clean import clean

    started: dict[str, Any] = {}
    for event in events:
        if isinstance(event, TextDelta):
            if event.kind == "answer" and out is not None:
                print(clean(event.text) if out.isatty() else event.text, end="", file=out)
                out.flush()
        elif isinstance(event, ToolStarted):
            started[event.id] = event.arguments
            _say(f"· {event.name} {json.dumps(event.arguments)}")
        elif isinstance(event, ToolFinished):
            done = asdict(event) | {"arguments": started[event.id]}
            answer["calls"].append(done)
            _say(f"{'✓' if event.ok else '✗'} {_short(event.result)}")
        elif isinstance(event, Notice):
            answer["error"] = event.text
            _say(f"tinsmith: {event.text}")
        elif isinstance(event, TurnEnded):
            answer.update(
                ok=event.reason == "answered",
                answer=event.answer,
                reason=event.reason,
                usage=asdict(event.usage),
            )
    if out is not None:
        print(file=out)


def _say(text: str) -> None:
    from agent.repl.clean import clean

    print(clean(text), file=sys.stderr)


def _short(text: str) -> str:
    return cut(" ".join(text.split()), 100)
