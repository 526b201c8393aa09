"""The command line. Nothing heavy is imported here: `tinsmith --help` takes under 0.2 s."""

from __future__ import annotations

import argparse
import io
import os
import sys
from typing import Literal, TextIO

from agent.commands import ask, chat, config, doctor, models, sessions
from agent.commands import tools as tools_command
from agent.errors import TinsmithError

COMMANDS = (chat, ask, models, tools_command, sessions, config, doctor)
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Exit codes: 0 right, 1 failure, 2 usage, 130 interrupted."""
    _have_streams()
    parser = _parser()
    words = sys.argv[1:] if arguments is None else arguments
    args = parser.parse_args(words or ["chat"])
    try:
        code = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        code = 1
    except TinsmithError as error:
        print(f"tinsmith: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (OSError, UnicodeError, EOFError) as error:
        print(f"tinsmith: {error or type(error).__name__}", file=sys.stderr)
        code = 1
    try:
        sys.stdout.flush()
    except OSError:  # Python would try again at its end, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _have_streams() -> None:
    """A program without a terminal may have been started without some of them."""
    if sys.stdin is None:
        sys.stdin = _nowhere("r")
    if sys.stdout is None:
        sys.stdout = _nowhere("w")
    if sys.stderr is None:
        sys.stderr = _nowhere("w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a test may have put another in its place
            stream.reconfigure(errors="backslashreplace")


def _nowhere(mode: Literal["r", "w"]) -> TextIO:
    return open(os.devnull, mode, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinsmith", description="A local AI agent that makes its own tools."
    )
    parser.add_argument("--version", action="version", version="tinsmith 0.1.0")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
