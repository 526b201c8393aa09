"""`tinsmith approvals`: what was allowed for good, and taking it back."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from agent.commands.output import say, tell, warn

if TYPE_CHECKING:
    from agent.approval import Remembered


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("approvals", help="what you allowed always, by folder")
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    remove = actions.add_parser("rm", help="ask again, in this folder")
    remove.add_argument("pattern", help="as it is listed, such as 'write_file(notes.txt)'")
    remove.set_defaults(run=_remove)


def _list(args: argparse.Namespace) -> int:
    allowed = [(p, folder) for folder, all in _remembered().everywhere().items() for p in all]
    width = max((len(pattern) for pattern, _ in allowed), default=0)
    for pattern, folder in allowed:
        say(f"{pattern:{width}}  in {folder}")
    if not allowed:
        tell("nothing is allowed for good")
    return 0


def _remove(args: argparse.Namespace) -> int:
    from agent.errors import UnknownName

    remembered = _remembered()
    allowed = remembered.always()
    if args.pattern not in allowed:
        raise UnknownName("approval in this folder", args.pattern, allowed)
    remembered.take_back(args.pattern)
    return 0


def _remembered() -> Remembered:
    from agent.approval import Remembered
    from agent.settings import home

    return Remembered(
        home() / "approvals.json",
        lambda *_: ("no", ""),
        warn,
    )
