"""Where a command says what it has to say: on the shell's two streams, or in the conversation.

    say("3 files are read")                    # what was asked for
    tell("none yet; tinsmith train FILE")      # beside it: a hint
    warn("job.json is damaged")                # something is wrong
    with waiting("reading") as wait: ...       # long work

The conversation puts its screen in the place of the streams with `speaking_through`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from agent.commands.waiting import waiting as counting
from agent.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType


class Waiting(Protocol):
    def say(self, stage: str) -> None:
        """What is being done from now on."""
        ...

    def tell(self, text: str) -> None:
        """A line that stays."""
        ...

    def pause(self) -> None:
        """Before something is printed."""
        ...


class Output(Protocol):
    prefix: str
    """What stands before the name of a command when one is advised."""

    def plain(self, text: str) -> None: ...
    def dim(self, text: str) -> None: ...
    def notice(self, text: str) -> None: ...
    def show(self, shown: RenderableType) -> None: ...
    def waiting(self, what: str) -> AbstractContextManager[Waiting]: ...

    def agrees(self, question: str, default: bool, otherwise: str) -> bool:
        """What the user answers. Raises UsageError, `otherwise`, where nobody can be asked."""
        ...


class Shell:
    prefix = "tinsmith "

    def plain(self, text: str) -> None:
        print(text, flush=True)

    def dim(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def notice(self, text: str) -> None:
        print(f"tinsmith: {text}", file=sys.stderr, flush=True)

    def show(self, shown: RenderableType) -> None:
        from rich.console import Console

        Console().print(shown)

    def waiting(self, what: str) -> AbstractContextManager[Waiting]:
        return counting(what)

    def agrees(self, question: str, default: bool, otherwise: str) -> bool:
        if not sys.stdin.isatty():
            raise UsageError(otherwise)
        keys = "[Y/n]" if default else "[y/N]"
        while (said := input(f"{question} {keys} ").strip().lower()) not in ANSWERS:
            print(f"{said!r} is neither y nor n")
        return ANSWERS[said] if said else default


ANSWERS = {"": True, "y": True, "yes": True, "n": False, "no": False}

# of a thread, so that what other threads say stays where it is
_output: ContextVar[Output] = ContextVar("output", default=Shell())  # noqa: B039  has no state


@contextmanager
def speaking_through(output: Output) -> Iterator[None]:
    before = _output.set(output)
    try:
        yield
    finally:
        _output.reset(before)


def say(text: str) -> None:
    _output.get().plain(text)


def tell(text: str) -> None:
    _output.get().dim(text)


def warn(text: str) -> None:
    _output.get().notice(text)


def show(shown: RenderableType) -> None:
    """A table, Markdown: whatever rich can draw."""
    _output.get().show(shown)


def has_bars() -> bool:
    """Whether a bar may be drawn on stderr: a terminal in which nothing else is."""
    return isinstance(_output.get(), Shell) and sys.stderr.isatty()


def waiting(what: str) -> AbstractContextManager[Waiting]:
    return _output.get().waiting(what)


def agrees(question: str, default: bool, otherwise: str) -> bool:
    return _output.get().agrees(question, default, otherwise)


def advised(command: str) -> str:
    """A command as it is typed here: `tinsmith jobs`, or in the conversation `/jobs`."""
    return f"{_output.get().prefix}{command}"
