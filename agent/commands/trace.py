"""`tinsmith trace`: what happened in the turns of a conversation."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from agent.commands.arguments import number
from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.trace.turn import Turn

PAGE = "trace-{}.html"
"""Where a page is written when no file is named."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "trace", help="what was sent, chosen and called in a conversation, and how long it took"
    )
    parser.add_argument("session", type=number, nargs="?",
                        help="as `tinsmith sessions` lists it (default: the last one)")  # fmt: skip
    parser.add_argument("--turn", type=number, metavar="N", help="only that of your Nth message")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument(
        "--html", nargs="?", type=Path, const=Path(), metavar="FILE",
        help=f"write one page that needs nothing else (default: {PAGE.format('SESSION')})",
    )  # fmt: skip
    forms.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from agent.memory.sessions import sessions
    from agent.settings import home
    from agent.trace.read import read

    path = home() / "sessions.db"
    session = args.session
    if session is None:
        latest = sessions(path, 1)
        if not latest:
            raise UsageError("nothing was said yet; begin with: tinsmith chat")
        session = latest[0].id
    if args.html is not None:
        _refuse(args.html)
    turns = read(path, session, args.turn)
    if not turns:
        print(f"nothing was written down of session {session}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps({"session": session, "turns": [asdict(turn) for turn in turns]}))
    elif args.html is not None:
        _write(args.html if args.html.name else Path(PAGE.format(session)), turns)
    else:
        _show(turns)
    return 0


def _show(turns: list[Turn]) -> None:
    from rich.console import Console

    from agent.trace.tree import tree

    console = Console(highlight=False, emoji=False)
    for turn in turns:
        console.print(tree(turn))


def _refuse(file: Path) -> None:
    """So that `--html 3` does not write a file of that name."""
    if file.name and file.suffix not in (".html", ".htm"):
        raise UsageError(f"--html {file}: the name of a page ends in .html")


def _write(file: Path, turns: list[Turn]) -> None:
    from agent.trace.page import page
    from tools.storage import write_atomically

    if file.exists():
        raise UsageError(f"{file} is there already; remove it, or name another: --html FILE")
    write_atomically(file, page(turns))
    print(f"{len(turns)} turns of session {turns[0].session} are in {file}")
