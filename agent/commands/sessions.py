"""`tinsmith sessions`: the conversations so far."""

from __future__ import annotations

import argparse
import time


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("sessions", help="list the conversations so far")
    parser.set_defaults(run=_list)


def _list(args: argparse.Namespace) -> int:
    from agent.memory.sessions import sessions
    from agent.repl.screen import one_line
    from agent.settings import home

    for one in sessions(home() / "sessions.db"):
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.updated))
        print(f"{one.id:5}  {when}  {one.messages:4} messages  {one_line(one.title)}")
    return 0
