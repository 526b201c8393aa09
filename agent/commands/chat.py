"""`tinsmith chat`: the conversation in the terminal."""

from __future__ import annotations

import argparse

from agent.commands import options


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("chat", help="talk with the model (the default)")
    options.add(parser)
    parser.add_argument(
        "--resume", nargs="?", type=int, const=0, metavar="ID", help="go on with a session"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent.repl.repl import chat

    return chat(args)
