"""What a command is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.commands.arguments import DIGITS
from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.repl.repl import Repl

Command = Callable[["Repl", str], None]
COMMANDS: dict[str, Command] = {}


class Leave(Exception):
    """The user wants to go."""


def command(function: Command) -> Command:
    """Make it a command of its name. It is given what stands behind the name."""
    COMMANDS[function.__name__] = function
    return function


def whole_number(command: str, rest: str) -> int:
    """The number that was given. Raises UsageError."""
    if not rest.isdecimal() or len(rest) > DIGITS:
        raise UsageError(f"/{command} {rest}: it takes a number")
    return int(rest)
