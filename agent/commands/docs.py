"""`tinsmith docs`: documents added, listed, searched, removed."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent.commands.arguments import words
from agent.commands.output import advised, say, tell, waiting
from agent.errors import UsageError
from tools.quiet import quiet

if TYPE_CHECKING:
    from tools.knowledge.library import Library

DEFAULT = "docs"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "docs", help="documents to ask about: add, list, search, show, rm, reindex"
    )
    parser.add_argument("-c", "--collection", default="", help=f"(default: {DEFAULT})")
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")

    add = actions.add_parser("add", help="read files and folders; what has not changed stays")
    add.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    add.set_defaults(run=_add)

    search = actions.add_parser("search", help="the passages that fit best")
    search.add_argument("question", nargs="+", metavar="WORD")
    search.add_argument("-n", "--count", type=int, default=5)
    search.add_argument("--file", default="", help="only files with this in their path")
    search.add_argument("--kind", default="", help="only markdown, html, pdf, word, table, ...")
    search.add_argument("--since", default="", metavar="DATE", help="only files changed since then")
    search.set_defaults(run=_search)

    show = actions.add_parser("show", help="a passage in full")
    show.add_argument("id", help="as `docs search` shows it")
    show.set_defaults(run=_show)

    remove = actions.add_parser("rm", help="a file, a folder, or with --all the collection")
    remove.add_argument("path", nargs="?", default="")
    remove.add_argument("--all", action="store_true")
    remove.set_defaults(run=_remove)

    again = actions.add_parser("reindex", help="embed anew, with the embedder of now")
    again.set_defaults(run=_reindex)
    for one in (add, search, show, remove, again):
        one.add_argument(
            "-c", "--collection", default=argparse.SUPPRESS, help=f"(default: {DEFAULT})"
        )


def _list(args: argparse.Namespace) -> int:
    library = _library()
    names = [one.name for one in library.collections()]
    if not names:
        tell(f"none yet; add some with: {advised('docs add PATH')}")
    for one in map(library.collection, [args.collection] if args.collection else names):
        files = library.files(one.name)
        count = sum(file.passages for file in files)
        say(f"{one.name}: {len(files):,} files, {count:,} passages, embedded with {one.embedder}")
        for file in files:
            when = datetime.fromtimestamp(file.modified).isoformat(" ", "minutes")
            mark = "" if file.whole else "  incomplete: add it again"
            say(f"  {file.passages:6,}  {file.kind:9}{when}  {file.name}{mark}")
    return 0


def _add(args: argparse.Namespace) -> int:
    from tools.documents import told

    quiet()
    collection = args.collection or DEFAULT
    with _bar("reading") as report:
        done = _library().add(args.paths, collection, report)
    say(told(done, collection))
    return 1 if done.skipped and not (done.files or done.unchanged) else 0


def _search(args: argparse.Namespace) -> int:
    from tools.documents import cited

    quiet()
    if args.count < 1:
        raise UsageError(f"--count {args.count}: it is at least 1")
    question = words(args.question)
    with waiting("searching"):
        hits = _library().search(
            question,
            args.collection or DEFAULT,
            args.count,
            args.file,
            args.kind,
            _seconds(args.since),
        )
    for hit in hits:
        say(f"{cited(hit)}  ({hit.id[:8]})\n{hit.text}\n")
    if not hits:
        tell("nothing is found")
    return 0 if hits else 1


def _show(args: argparse.Namespace) -> int:
    from tools.documents import cited

    hit = _library().show(args.collection or DEFAULT, args.id)
    say(f"{cited(hit)}\n{hit.text}")
    return 0


def _remove(args: argparse.Namespace) -> int:
    if bool(args.path) == args.all:
        raise UsageError("docs rm PATH removes a file or folder, docs rm --all the collection")
    collection = args.collection or DEFAULT
    if args.all:
        _library().drop(collection)
        say(f"removed {collection}")
    else:
        say(f"removed {_library().remove(collection, args.path):,} files from {collection}")
    return 0


def _reindex(args: argparse.Namespace) -> int:
    quiet()
    collection = args.collection or DEFAULT
    with _bar("embedding") as report:
        count = _library().reindex(collection, report)
    say(f"{count:,} passages of {collection} are embedded anew")
    return 0


def _seconds(date: str) -> float:
    try:
        return datetime.fromisoformat(date).timestamp() if date else 0.0
    except ValueError:
        raise UsageError(f"--since {date}: it is a date such as 2026-05-31") from None


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Passages, how many a second, and the time left, after two seconds."""
    began = time.monotonic()
    with waiting(what) as wait:

        def report(done: int, of: int) -> None:
            rate = done / max(1e-9, time.monotonic() - began)
            left = (of - done) / rate if rate else 0.0
            wait.say(f"{done:,} of {of:,} passages, {rate:.0f}/s, {left:.0f} s left")

        yield report


def _library() -> Library:
    from agent.app import library

    return library()
