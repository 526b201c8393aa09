"""Documents and facts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.commands import docs as docs_of_shell
from agent.errors import UsageError
from agent.repl.commands import shell
from agent.repl.commands.command import Choice, command, one_of, whole_number

if TYPE_CHECKING:
    from agent.citations import Source
    from agent.repl.repl import Repl

EVERY = 10**9
"""Lines; more than any file has."""
UNITS = {"pdf": "pages", "word": "paragraphs"}
ACTIONS = ("history", "edit", "forget")


@command(completes=shell.actions(docs_of_shell, "docs"))
def docs(repl: Repl, rest: str) -> None:
    """list the documents; /docs add PATH, search WORDS, show ID, rm PATH, reindex

    What `tinsmith docs` takes, with its options: -c NAME is another collection.

    /docs add manual/ notes.pdf
    """
    if rest:
        shell.wait_for_model(repl)
    shell.run(repl, docs_of_shell, "docs", rest)
    repl.warm()  # the choices of tools may be others now


@command
def sources(repl: Repl, rest: str) -> None:
    """the passages that were found; /sources FILE:LINE shows what stands there

    FILE:FIRST-LAST shows several lines. Of a PDF they are pages, of a Word file paragraphs.

    /sources README.md:12
    """
    from agent.citations import sources

    if rest:
        wanted = sources(f"[{rest}]")
        if not wanted:
            raise UsageError(f"/sources {rest}: it is FILE:LINE, such as README.md:12")
        lines = _lines(rest, wanted[0])
        repl.screen.plain("\n".join(f"{number:5}  {line}" for number, line in lines))
        return
    found = dict.fromkeys(repl.agent().passages())
    for source in found:
        repl.screen.plain(str(source))
    if not found:
        repl.screen.dim("no passage of a document was found in this conversation yet")


def _lines(asked: str, wanted: Source) -> list[tuple[int, str]]:
    """Those that are there. Raises UsageError where none is, DocumentError."""
    from tools.documents import lines_of
    from tools.knowledge.formats import kind_of

    if found := lines_of(wanted.file, max(1, wanted.first), wanted.last):
        return found
    every = lines_of(wanted.file, 1, EVERY)
    if every and not every[-1][1]:
        every.pop()  # what stands behind the last end of a line
    what = UNITS.get(kind_of(Path(wanted.file)) or "", "lines")
    there = f"has {what} {every[0][0]} to {every[-1][0]}" if every else "is empty"
    raise UsageError(f"/sources {asked}: {wanted.file} {there}")


@command(completes=lambda repl, typed: map(Choice, ACTIONS))
def memory(repl: Repl, rest: str) -> None:
    """list what is remembered; /memory history, edit N TEXT, forget N

    history lists what was replaced, too. Ask in the conversation to have something remembered.

    /memory edit 3 The user lives in Linz.
    """
    from agent.app import facts
    from agent.commands.memory import forgotten, kept, listed

    action, _, words = rest.partition(" ")
    number, _, text = words.strip().partition(" ")
    if action:
        one_of("memory", action, ACTIONS)
    if action == "edit":
        at = whole_number("memory edit", number, "the number of a fact")
        if not text.strip():
            raise UsageError(f"/memory {rest}: it is /memory edit N TEXT")
        shell.wait_for_model(repl)
        lines = list(kept(facts().edit(at, text)))
    elif action == "forget":
        lines = list(forgotten(facts().forget(
            whole_number("memory forget", words.strip(), "the number of a fact"))))  # fmt: skip
    elif words:
        raise UsageError(f"/memory {rest}: nothing stands behind /memory {action}")
    else:
        lines = list(listed(facts(), bool(action))) or ["nothing is remembered yet"]
    for line in lines:
        repl.screen.plain(line)
