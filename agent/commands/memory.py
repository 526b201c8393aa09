"""`tinsmith memory`: the facts that last: listed, added, changed, forgotten."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.commands.arguments import number, words
from tools.quiet import quiet

if TYPE_CHECKING:
    from tools.knowledge.facts import Fact, Facts, Remembered


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("memory", help="facts that last: list, add, edit, forget")
    parser.set_defaults(run=_list, history=False)
    actions = parser.add_subparsers(metavar="ACTION")

    history = actions.add_parser("history", help="those too that others have replaced")
    history.set_defaults(run=_list, history=True)

    add = actions.add_parser("add", help="a short sentence")
    add.set_defaults(run=_add)

    edit = actions.add_parser("edit", help="another sentence in the place of a fact")
    edit.set_defaults(run=_edit)

    forget = actions.add_parser("forget", help="delete it, and what it replaced")
    forget.set_defaults(run=_forget)
    for one in (edit, forget):
        one.add_argument("number", type=number, help="as `tinsmith memory` lists it")
    for one in (add, edit):
        one.add_argument("text", nargs="+", metavar="WORD")


def listed(facts: Facts, history: bool) -> Iterator[str]:
    """A line for each fact. `history`: those that were replaced too."""
    for fact in facts.all() if history else facts.holding():
        about = [time.strftime("%Y-%m-%d", time.localtime(fact.written))]
        if fact.origin.session:
            about.append(f"session {fact.origin.session}, message {fact.origin.message}")
        if fact.replaced_by:
            about.append(f"replaced by {fact.replaced_by}")
        yield f"{fact.number:4}  {fact.text}  ({', '.join(about)})"


def kept(done: Remembered) -> Iterator[str]:
    """What became of a fact."""
    if not done.is_new:
        yield f"{done.fact.number} says that already: {done.fact.text}"
        return
    yield f"{done.fact.number}: {done.fact.text}"
    for fact in done.replaced:
        yield f"in place of {fact.number}: {fact.text}"


def forgotten(facts: list[Fact]) -> Iterator[str]:
    for fact in facts:
        yield f"forgot {fact.number}: {fact.text}"


def _list(args: argparse.Namespace) -> int:
    return _print(listed(_facts(), args.history))


def _add(args: argparse.Namespace) -> int:
    from tools.running import Origin

    return _print(kept(_facts().remember(words(args.text), Origin())))


def _edit(args: argparse.Namespace) -> int:
    return _print(kept(_facts().edit(args.number, words(args.text))))


def _forget(args: argparse.Namespace) -> int:
    return _print(forgotten(_facts().forget(args.number)))


def _print(lines: Iterator[str]) -> int:
    from agent.repl.clean import clean

    for line in lines:
        print(clean(line))
    return 0


def _facts() -> Facts:
    from agent.app import facts

    quiet()
    return facts()
