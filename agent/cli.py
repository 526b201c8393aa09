"""The command line. Nothing heavy is imported here: `tinsmith --help` takes under 0.2 s."""

from __future__ import annotations

import argparse
import difflib
import gc
import importlib
import io
import json
import os
import sys
from collections.abc import Iterable
from typing import Literal, NoReturn, TextIO

from agent.errors import TinsmithError
from tools.errors import ToolError

COMMANDS = (
    *("chat", "ask", "run", "tasks", "results", "eval", "docs", "train", "jobs", "specialists"),
    *("models", "tools", "skills", "prompts", "sessions", "trace", "memory", "approvals"),
    *("config", "doctor"),
)
"""Each is a module of `agent.commands`. Only the one that is named is imported."""
ALLOCATIONS = 50_000
"""Between two looks for garbage. Imports leave none behind, and with Python's 700 looking for it
takes a twentieth of every start."""
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Exit codes: 0 right, 1 failure, 2 usage, 130 interrupted; of `run` 100 and 124 too."""
    _have_streams()
    gc.set_threshold(ALLOCATIONS)
    words = sys.argv[1:] if arguments is None else arguments
    args = _parse(words or ["chat"])
    try:
        code = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        code = 1
    except (TinsmithError, ToolError) as error:
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
    if isinstance(sys.stdin, io.TextIOWrapper) and sys.stdin.errors != "replace":
        sys.stdin.reconfigure(errors="replace")  # possible only before something is read
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a test may have put another in its place
            stream.reconfigure(errors="backslashreplace")


def _nowhere(mode: Literal["r", "w"]) -> TextIO:
    return open(os.devnull, mode, encoding="utf-8")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _Misused(f"{self.prog}: {message}", self.format_usage())


class _Misused(Exception):
    def __init__(self, said: str, usage: str = "") -> None:
        super().__init__(said)
        self.usage = usage


def _parse(words: list[str]) -> argparse.Namespace:
    """Exits with 2 and says what is wrong, in JSON where that was asked for."""
    parser = _Parser(prog="tinsmith", description="A local AI agent that makes its own tools.")
    parser.add_argument("--version", action="version", version="tinsmith 0.1.0")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in [words[0]] if words[0] in COMMANDS else COMMANDS:
        importlib.import_module(f"agent.commands.{command}").add_parser(commands)
    try:
        if not words[0].startswith("-") and words[0] not in COMMANDS:
            raise _Misused(f"tinsmith: no command {_with_nearest(words[0], COMMANDS)}")
        args, unknown = parser.parse_known_args(words)
        if unknown:
            known = commands.choices.get(words[0], parser)._option_string_actions
            raise _Misused(f"tinsmith: there is no {_with_nearest(unknown[0], known)}")
    except _Misused as error:
        is_json = words[0] == "ask" and "--json" in words
        if is_json:
            from agent.commands import ask

            print(json.dumps(ask.envelope() | {"error": str(error)}))
        elif words[0] == "run":
            from agent.commands import run

            print(json.dumps(run.refused(str(error))))
        if not is_json and "--quiet" not in words:
            print(f"{error.usage}{error}", file=sys.stderr)
        sys.exit(2)
    return args


def _with_nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word.partition("=")[0], known, n=1)
    return f"{word}; did you mean {near[0]}?" if near else f"{word}; --help shows what there is"
