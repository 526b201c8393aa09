"""What a command is: a function that is given what stands behind its name."""

from __future__ import annotations

import contextlib
import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from agent.commands.arguments import DIGITS
from agent.errors import TinsmithError, UsageError

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
        commands[one.__name__] = _told_plainly(one)
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


def _told_plainly(function: Command) -> Command:
    """What is wrong with a file that the user has named is no bug."""

    @functools.wraps(function)
    def run(repl: Repl, rest: str) -> None:
        try:
            function(repl, rest)
        except (OSError, UnicodeError) as error:
            why = str(error) or type(error).__name__
            if isinstance(error, OSError) and error.strerror:
                why = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
            raise TinsmithError(f"/{function.__name__} {rest}: {why}") from error

    return run


def help_of(name: str) -> str:
    """All of a command's help."""
    return inspect.getdoc(COMMANDS[name]) or ""


def about(name: str) -> str:
    """The first line of a command's help."""
    return next(iter((COMMANDS[name].__doc__ or "").strip().splitlines()), "")


def nothing(command: str, rest: str) -> None:
    """Raises UsageError where something was given."""
    if rest:
        raise UsageError(f"/{command} takes nothing behind it, and was given {rest!r}")


def whole_number(command: str, rest: str, what: str = "a number") -> int:
    """The number that was given. Raises UsageError."""
    if not rest:
        raise UsageError(f"/{command} takes {what}; none was given")
    if not rest.isdecimal() or len(rest) > DIGITS:
        raise UsageError(f"/{command} takes {what}, not {rest!r}")
    return int(rest)


def one_of(command: str, word: str, known: Iterable[str]) -> str:
    """`word`, which is one of `known`. Raises UsageError with the nearest."""
    names = list(known)
    if word in names:
        return word
    near = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it is one of: {', '.join(names)}"
    raise UsageError(f"/{command} {word}: {hint}" if word else f"/{command}: {hint}")
