"""What is offered while one types: commands and what they take, `@file`, `#collection`,
`$specialist`; names of tools with Tab."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from agent.references import Reference, begun, written
from agent.repl import project
from agent.repl.commands import choices
from agent.repl.commands.command import COMMANDS, COMPLETES, Choice, about
from agent.repl.fuzzy import best
from agent.settings import home

if TYPE_CHECKING:
    from agent.repl.repl import Repl

OFFERED = 50


class Completions(Completer):
    """To be asked in a thread (`complete_in_thread`): the disk may be slow."""

    def __init__(self, repl: Repl, tools: Callable[[], Iterable[str]]) -> None:
        """`tools`: the names of those there are now."""
        self._repl = repl
        self._tools = tools

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        try:
            found = list(self._found(document.text_before_cursor, event))
        except (Exception, SystemExit):
            return  # a broken store, registry or file of the user's must not end the prompt
        yield from found

    def _found(self, before: str, event: CompleteEvent) -> Iterator[Completion]:
        command, space, argument = before.partition(" ")
        if before.startswith("/") and not space:
            found = [Choice(name, about(name)) for name in [*COMMANDS]]
            yield from _offered(command[1:], found, "/")
        elif reference := begun(before):
            yield from self._references(reference)
        elif before.startswith("/"):
            if completes := COMPLETES.get(command[1:]):
                yield from _offered(argument, list(completes(self._repl, argument)))
        elif event.completion_requested:
            word = Document(before).get_word_before_cursor(WORD=True)
            if word:
                yield from _offered(word, [Choice(name) for name in self._tools()])

    def _references(self, reference: Reference) -> Iterator[Completion]:
        length = len(reference.name) + 1
        if reference.kind == "@":
            typed = length + reference.quoted
            for path in project.of(Path.cwd()).like(reference.name):
                if '"' not in path and path.isprintable():
                    yield Completion(_file(path), -typed, display=path)
        elif reference.kind == "#":
            from tools.knowledge.library import known

            names = known(home(), self._repl.settings.store_url)
            found = [Choice(name, "documents") for name in names]
            yield from _offered(reference.name, found, "#")
        else:
            from agent.attachments import TOOLS

            yield from _offered(reference.name, [*choices.specialists(*TOOLS)], "$")


def _file(path: str) -> str:
    """A quote stays open behind a folder, in which one goes on."""
    full = written(path)
    return full.removesuffix('"') if path.endswith("/") else full


def _offered(typed: str, found: Sequence[Choice], sign: str = "") -> Iterator[Completion]:
    """Those of `found` that `typed` may mean. `sign`: what stands before it."""
    shown = [one.shown or one.text for one in found]
    for at in best(typed, [name.casefold() for name in shown], OFFERED):
        yield Completion(
            f"{sign}{found[at].text}",
            -len(sign + typed),
            display=f"{sign}{shown[at]}",
            display_meta=found[at].about,
        )
