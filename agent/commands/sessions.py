"""`tinsmith sessions`: conversations so far: list, search, show, fork, export and delete them."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.commands.arguments import number, words
from agent.commands.waiting import waiting
from agent.errors import UsageError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from agent.memory.sessions import About, Found

AROUND = 60
"""Characters on each side of a word that was found."""
SAID = {"human": "You", "ai": "Tinsmith"}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "sessions", help="conversations: list, search, show, fork, export, rm"
    )
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")

    search = actions.add_parser("search", help="messages with these words, or of that meaning")
    search.add_argument("words", nargs="+", metavar="WORD")
    search.set_defaults(run=_search)

    show = actions.add_parser("show", help="what was said")
    show.set_defaults(run=_show)

    fork = actions.add_parser("fork", help="a copy to go on in; the session stays as it is")
    fork.add_argument(
        "--at", type=number, metavar="N", help="with your first N messages and what came of them"
    )
    fork.set_defaults(run=_fork)

    export = actions.add_parser("export", help="into a file: Markdown, or JSON by its ending")
    export.set_defaults(run=_export)

    remove = actions.add_parser("rm", help="delete for good")
    remove.set_defaults(run=_remove)
    for one in (show, fork, export, remove):
        one.add_argument("session", type=number, help="as `tinsmith sessions` lists it")
    export.add_argument("file", type=Path)


def _list(args: argparse.Namespace) -> int:
    from agent.memory.sessions import sessions

    for one in sessions(_file()):
        print(line_of(one))
    return 0


def line_of(one: About) -> str:
    """Of the list."""
    from agent.repl.clean import one_line

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.updated))
    forked = f"  (from {one.parent})" if one.parent else ""
    return f"{one.id:5}  {when}  {one.messages:4} messages  {one_line(one.title)}{forked}"


def _search(args: argparse.Namespace) -> int:
    from agent import catalog
    from agent.memory.sessions import search

    text = words(args.words)
    found = search(_file(), text)
    _print(found, text)
    if not catalog.is_here(catalog.EMBEDDER):
        if not found:
            pull = f"tinsmith models pull {catalog.EMBEDDER}"
            print(f"nothing was said with {text!r}; to search by meaning: {pull}", file=sys.stderr)
        return 0 if found else 1
    near = [one for one in _by_meaning(text) if one not in found]
    if near:
        print("by meaning:")
        _print(near, text)
    if not found and not near:
        print(f"nothing was said with {text!r} or of that meaning", file=sys.stderr)
    return 0 if found or near else 1


def _by_meaning(text: str) -> list[Found]:
    from agent import catalog
    from agent.memory import meaning
    from agent.settings import home
    from tools.knowledge.vectors import Vectors
    from tools.quiet import quiet

    quiet()
    vectors = Vectors(home(), catalog.EMBEDDER)
    with waiting("searching by meaning") as wait:
        return meaning.search(
            _file(),
            text,
            vectors.embed,
            lambda done, of: wait.say(f"{done:,} of {of:,} messages read"),
        )


def _print(found: Sequence[Found], text: str) -> None:
    from agent.repl.clean import one_line

    for one in found:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.written))
        print(f"{one.session:5}  {when}  {one.type:6} {one_line(_around(one.text, text))}")
    sys.stdout.flush()  # what comes next may have to wait for a model


def _show(args: argparse.Namespace) -> int:
    from agent.memory.sessions import read
    from agent.repl.clean import clean

    print(clean(_markdown(read(_file(), args.session))), end="")
    return 0


def _fork(args: argparse.Namespace) -> int:
    from agent.memory.sessions import Session

    with contextlib.closing(Session.open(_file(), args.session)) as session:
        fork = session.fork(args.at)
    fork.close()
    print(
        f"session {fork.id} begins with {len(fork.messages)} messages of session {session.id}; "
        f"go on with: tinsmith chat --resume {fork.id}"
    )
    return 0


def _export(args: argparse.Namespace) -> int:
    from agent.memory.sessions import read

    if args.file.exists():
        raise UsageError(f"{args.file} is there already; remove it, or name another file")
    messages = read(_file(), args.session)
    write(messages, args.file)
    print(f"{len(messages)} messages of session {args.session} are in {args.file}")
    return 0


def write(messages: Sequence[BaseMessage], file: Path) -> None:
    """Into `file`: JSON, or Markdown, by its ending. Raises UsageError without its folder."""
    from langchain_core.messages import messages_to_dict

    from tools.storage import write_atomically

    if not file.parent.is_dir():
        raise UsageError(f"{file}: there is no folder {file.parent}")
    if file.suffix == ".json":
        text = json.dumps(messages_to_dict(messages), indent=1) + "\n"
    else:
        text = _markdown(messages).encode("utf-8", "replace").decode()
    write_atomically(file, text)


def _remove(args: argparse.Namespace) -> int:
    from agent.memory.sessions import remove

    count = remove(_file(), args.session)
    print(f"removed session {args.session}, {count} messages")
    for copy in sorted(_file().parent.glob(f"{_file().name}.v*.bak")):
        print(f"a copy from before an update may still have it: {copy}", file=sys.stderr)
    return 0


def _markdown(messages: Sequence[BaseMessage]) -> str:
    """What people and the model said, the calls and their results."""
    from langchain_core.messages import AIMessage

    parts = []
    for message in messages:
        text = str(message.text).strip()
        if message.type == "tool":
            parts.append(f"> `{message.name}` gave:\n>\n" + re.sub("^", "> ", text, flags=re.M))
        elif message.type in SAID and text:
            parts.append(f"**{SAID[message.type]}**\n\n{text}")
        for call in message.tool_calls if isinstance(message, AIMessage) else ():
            arguments = json.dumps(call["args"], ensure_ascii=False)
            parts.append(f"> calls `{call['name']}` with `{arguments}`")
    return "\n\n".join(parts) + "\n"


def _around(text: str, words: str) -> str:
    """The part of `text` in which the first of `words` stands."""
    first = next(iter(re.findall(r"\w+", words)), "")
    at = max(0, text.casefold().find(first.casefold()))
    begin, end = max(0, at - AROUND), at + AROUND
    return ("…" if begin else "") + text[begin:end] + ("…" if end < len(text) else "")


def _file() -> Path:
    from agent.settings import home

    return home() / "sessions.db"
