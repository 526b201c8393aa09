"""What a command is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from agent.commands.arguments import DIGITS
from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.repl.repl import Repl

Command = Callable[["Repl", str], None]


@dataclass(frozen=True)
class Choice:
    """What may stand behind the name of a command."""

    text: str
    """All of it, as it is typed."""
    about: str = ""
    """Beside it in the menu."""
    shown: str = ""
    """In its place in the menu, and where the typed letters are looked for; "": the text."""


Completes = Callable[["Repl", str], Iterable[Choice]]
"""Given what stands behind the name so far. Called in another thread, at each key: it waits for
nothing and asks nobody. An error means that there is nothing to choose from."""

COMMANDS: dict[str, Command] = {}
COMPLETES: dict[str, Completes] = {}
"""Of those commands that take something which can be listed."""
OWN: dict[str, Path] = {}
"""Which of the commands users wrote themselves, and in which file."""


class Leave(Exception):
    """The user wants to go."""


@overload
def command(function: Command) -> Command: ...
@overload
def command(*, completes: Completes) -> Callable[[Command], Command]: ...
def command(
    function: Command | None = None, *, completes: Completes | None = None
) -> Command | Callable[[Command], Command]:
    """Make it a command of its name. It is given what stands behind the name.

    `completes` says what that may be.
    """

    def add(one: Command) -> Command:
        commands, choices = _kept.get()
        commands[one.__name__] = one
        if completes is not None:
            choices[one.__name__] = completes
        return one

    return add if function is None else add(function)


_kept: ContextVar[tuple[dict[str, Command], dict[str, Completes]]] = ContextVar(
    "kept",
    default=(COMMANDS, COMPLETES),
)


@contextlib.contextmanager
def kept_apart() -> Iterator[tuple[dict[str, Command], dict[str, Completes]]]:
    """What is made a command meanwhile, in this thread, is put here: a user's file must not take
    the place of a command that is there already."""
    apart: tuple[dict[str, Command], dict[str, Completes]] = ({}, {})
    token = _kept.set(apart)
    try:
        yield apart
    finally:
        _kept.reset(token)


def about(name: str) -> str:
    """The first line of a command's help."""
    return next(iter((COMMANDS[name].__doc__ or "").strip().splitlines()), "")


def whole_number(command: str, rest: str) -> int:
    """The number that was given. Raises UsageError."""
    if not rest.isdecimal() or len(rest) > DIGITS:
        raise UsageError(f"/{command} {rest}: it takes a number")
    return int(rest)
