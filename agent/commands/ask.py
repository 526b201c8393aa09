"""`tinsmith ask "…"`: one question, one answer; also from a pipe, also as one JSON envelope."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import Any

from agent.commands import options
from agent.commands.waiting import waiting
from agent.errors import TinsmithError, UsageError

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


def run(args: argparse.Namespace) -> int:
    began = time.monotonic()
    envelope: dict[str, Any] = {
        "ok": False, "answer": "", "reason": "failed", "error": None, "calls": [],
        "usage": None, "model": None, "session": None,
    }  # fmt: skip
    try:
        code = _ask(args, envelope)
    except TinsmithError as error:
        if not args.json:
            raise
        envelope["error"] = str(error)
        code = error.exit_code
    except KeyboardInterrupt:
        envelope["reason"] = "interrupted"
        code = 130
    if args.json:
        envelope["seconds"] = round(time.monotonic() - began, 3)
        print(json.dumps(envelope, ensure_ascii=False))
    return code


def _ask(args: argparse.Namespace, envelope: dict[str, Any]) -> int:
    from agent import app
    from agent.approval import allow
    from agent.events import Notice, TextDelta, ToolFinished, ToolStarted, TurnEnded
    from agent.memory.sessions import Session
    from agent.settings import home

    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read().strip()
    question = "\n\n".join(filter(None, [" ".join(args.words), piped]))
    if not question:
        raise UsageError('nothing is asked; try: tinsmith ask "what is 12 * 30?"')
    settings = app.settings_of(vars(args))
    box = app.toolbox(args.tools, app.is_trusted(app.project_tools()))
    for problem in box.problems:
        print(f"tinsmith: {problem}", file=sys.stderr)
    session = Session.create(home() / "sessions.db")
    with waiting(f"loading {app.called(settings)}") as wait:
        agent = app.build(settings, session, box, allow(args.approve.split(",")), wait.tell)
    envelope.update(model=agent.engine.name, session=session.id)
    started: dict[str, Any] = {}
    try:
        for event in agent.send(question):
            if isinstance(event, TextDelta):
                if event.kind == "answer" and not args.json:
                    print(event.text, end="", flush=True)
            elif isinstance(event, ToolStarted):
                started[event.id] = event.arguments
                print(f"· {event.name} {json.dumps(event.arguments)}", file=sys.stderr)
            elif isinstance(event, ToolFinished):
                done = asdict(event) | {"arguments": started[event.id]}
                envelope["calls"].append(done)
                print(f"{'✓' if event.ok else '✗'} {_short(event.result)}", file=sys.stderr)
            elif isinstance(event, Notice):
                envelope["error"] = event.text
                print(f"tinsmith: {event.text}", file=sys.stderr)
            elif isinstance(event, TurnEnded):
                envelope.update(
                    ok=event.reason == "answered",
                    answer=event.answer,
                    reason=event.reason,
                    usage=asdict(event.usage),
                )
    finally:
        agent.engine.close()
        session.close()
    if not args.json:
        print()
    reason = str(envelope["reason"])
    if reason not in ("answered", "failed"):
        print(f"tinsmith: the turn ended early: {reason}", file=sys.stderr)
    return 0 if reason == "answered" else CODES.get(reason, 1)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else line[:99] + "…"
