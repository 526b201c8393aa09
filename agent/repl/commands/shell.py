"""A command of the shell as one of the conversation: the same words, on the screen."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from agent.commands.output import say, speaking_through
from agent.errors import UsageError
from agent.repl.commands.command import Choice, Completes, one_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from agent.repl.repl import Repl

WORD = re.compile(r"""(?<!\S)(?:"([^"]*)"|'([^']*)')(?!\S)|((?:\\.|\S)+)""")
"""Not shlex's: to that, the apostrophe of "what's" opens a quotation."""


def run(repl: Repl, module: ModuleType, name: str, rest: str) -> None:
    """Raises UsageError, TinsmithError, ToolError."""
    with speaking_through(OnScreen(repl)):
        args = parsed(module, name, rest)
        if args is not None:
            args.run(args)


def wait_for_model(repl: Repl) -> None:
    """Before another one is loaded, such as an embedder: transformers changes torch's default type
    while it loads, for all threads."""
    with contextlib.suppress(Exception):  # one that is not to be had loads no longer
        repl.agent()


def parsed(module: ModuleType, name: str, rest: str) -> argparse.Namespace | None:
    """What `tinsmith NAME` would have been given. None: its help was asked for, and is shown.

    Raises UsageError.
    """
    try:
        args, unknown = _parser(module, name).parse_known_args(split(rest))
    except _HelpShown:
        return None
    if unknown:
        raise UsageError(f"/{name} {rest}: there is no {unknown[0]}; /{name} --help shows what is")
    return args


def actions(module: ModuleType, name: str, listed: Completes | None = None) -> Completes:
    """For completion: the actions that may follow the name; behind one of them what is `listed`."""

    def words(repl: Repl, typed: str) -> Iterator[Choice]:
        action, space, word = typed.partition(" ")
        if space and listed is not None:
            for found in listed(repl, word):
                yield Choice(f"{action} {found.text}", found.about, found.shown or found.text)
            return
        for choice in _actions(_parser(module, name)):
            for one in choice._choices_actions:
                yield Choice(one.dest, one.help or "")

    return words


def split(text: str) -> list[str]:
    r"""Into words. Quoted ones may hold spaces, and so may those with "\ " in them."""
    return [
        double or single or re.sub(r"\\(\s)", r"\1", plain)
        for double, single, plain in WORD.findall(text)
    ]


class OnScreen:
    """The screen as `agent.commands.output` wants it."""

    prefix = "/"

    def __init__(self, repl: Repl) -> None:
        self._repl = repl

    def plain(self, text: str) -> None:
        self._repl.screen.plain(text)

    def dim(self, text: str) -> None:
        self._repl.screen.dim(text)

    def notice(self, text: str) -> None:
        self._repl.screen.notice(text)

    def show(self, shown: RenderableType) -> None:
        self._repl.screen.show(shown)

    @contextmanager
    def waiting(self, what: str) -> Iterator[_Waiting]:
        with self._repl.screen.working(what) as change:
            yield _Waiting(what, change, self._repl.screen.dim)

    def agrees(self, question: str, default: bool, otherwise: str) -> bool:
        if not self._repl.has_user:
            raise UsageError(otherwise)
        return self._repl.choose(f"{question} [y]es or [n]o?", ("yes", "no")) == "yes"


class _Waiting:
    def __init__(
        self, what: str, change: Callable[[str], None], tell: Callable[[str], None]
    ) -> None:
        self.tell = tell
        self._what = what
        self._change = change

    def say(self, stage: str) -> None:
        self._change(f"{self._what} ({stage})")

    def pause(self) -> None:
        """The screen prints above the line."""


class _HelpShown(Exception):
    pass


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would leave the program, and says what it would print."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.color = False  # from Python 3.14 on: the screen takes control characters out

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}; {self.prog} --help shows how")

    def print_help(self, file: object = None) -> None:
        say(self.format_help().rstrip())
        raise _HelpShown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction):
            one_of(self.prog[1:], str(value), action.choices)
        super()._check_value(action, value)


def _parser(module: ModuleType, name: str) -> argparse.ArgumentParser:
    commands = _Parser(prog="").add_subparsers()
    module.add_parser(commands)
    parser: argparse.ArgumentParser = commands.choices[name]
    nested = [parser for one in _actions(parser) for parser in one.choices.values()]
    for one in (parser, *nested):
        one.prog = f"/{one.prog.strip()}"
    return parser


def _actions(parser: argparse.ArgumentParser) -> list[argparse._SubParsersAction[Any]]:
    """None, or the one that chooses between its actions."""
    return [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
