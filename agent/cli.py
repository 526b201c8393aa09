"""The command line. Nothing heavy is imported here: `tinsmith --help` takes under 0.2 s."""

from __future__ import annotations

import argparse
import os
import sys

from agent.commands import ask, chat, config, doctor, models, sessions
from agent.commands import tools as tools_command
from agent.errors import TinsmithError

COMMANDS = (chat, ask, models, tools_command, sessions, config, doctor)
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Exit codes: 0 right, 1 failure, 2 usage, 130 interrupted."""
    parser = _parser()
    words = sys.argv[1:] if arguments is None else arguments
    args = parser.parse_args(words or ["chat"])
    try:
        code = args.run(args)
        sys.stdout.flush()
    except TinsmithError as error:
        print(f"tinsmith: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinsmith", description="A local AI agent that makes its own tools."
    )
    parser.add_argument("--version", action="version", version="tinsmith 0.1.0")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
