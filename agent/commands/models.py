"""`tinsmith models`: what there is, fetch it, look at it, remove it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from agent.commands.waiting import waiting
from tools.quiet import QUIET, quiet
from tools.storage import size_of

if TYPE_CHECKING:
    from agent.fetch import Report


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("models", help="list, pull, show, convert, rm, recommend")
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    for name, run, text in (
        ("pull", _pull, "fetch a model, or what is missing of it"),
        ("show", _show, "where a model comes from, where it is and what it needs"),
        ("convert", _convert, "make a folder of safetensors of a GGUF file, for 4 and 8 bits"),
        ("rm", _remove, "delete a model from this machine"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("name", help="of `tinsmith models`, or an id of the hub (ORG/REPO)")
        action.set_defaults(run=run)
    recommend = actions.add_parser("recommend", help="the model that suits this machine")
    recommend.set_defaults(run=_recommend)


def _list(args: argparse.Namespace) -> int:
    from agent import catalog

    here = catalog.here()
    for one in catalog.entries().values():
        mark = "here" if one.name in here else "begun" if _begun(one.name) else ""
        print(f"{one.name:22}{one.bytes / 1e9:6.2f} GB  {one.licence:12}{mark:6}{one.title}")
    for name in (name for name in here if name not in catalog.entries()):
        print(f"{name:22}{size_of(catalog.folder(name)) / 1e9:6.2f} GB  {'':12}here")
    return 0


def _begun(name: str) -> bool:
    from agent import catalog

    return catalog.unfinished(name).is_dir()


def _pull(args: argparse.Namespace) -> int:
    from agent.fetch import pull

    # before the hub's library is imported; going offline is not for this command
    key = "HF_HUB_DISABLE_TELEMETRY"
    os.environ[key] = QUIET[key]
    with progress() as report:
        path = pull(args.name, report)
    print(path)
    return 0


def _show(args: argparse.Namespace) -> int:
    from agent import catalog, machine
    from agent.errors import TinsmithError
    from agent.estimate import estimate

    if args.name in catalog.entries() or not catalog.is_here(args.name):
        one = catalog.entry(args.name)
        facts = [
            ("title", one.title),
            ("licence", one.licence),
            ("hub", f"{one.hub}/{one.file}".rstrip("/")),
            ("mirror", f"{one.mirror.package} ({one.mirror.parts} parts)" if one.mirror else ""),
            ("size", f"{one.bytes} bytes" if one.bytes else ""),
            ("sha256", one.sha256),
        ]
    else:
        facts = [("size", f"{size_of(catalog.folder(args.name))} bytes")]
    if catalog.is_here(args.name):
        path = catalog.path_of(args.name)
        facts.append(("path", str(path)))
        if args.name != catalog.EMBEDDER:
            free = machine.free_on_gpus() or machine.free_memory()
            for bits in (4, 8, 16) if path.is_dir() else (16,):
                needs = estimate(path, bits)
                try:
                    facts.append(("needs", needs.describe(needs.window(0, free), free)))
                except TinsmithError as error:
                    facts.append(("needs", str(error)))
    else:
        facts.append(("path", "not on this machine"))
    for key, value in (("name", args.name), *facts):
        if value:
            print(f"{key:9}{value}")
    return 0


def _convert(args: argparse.Namespace) -> int:
    from agent import catalog
    from agent.convert import convert
    from agent.errors import UsageError

    source = catalog.resolve(args.name)
    if source.is_dir():
        raise UsageError(f"{args.name} is a folder already; only GGUF files are converted")
    name = args.name if catalog.is_here(args.name) else source.stem
    quiet()
    os.environ["TQDM_DISABLE"] = "1"  # its bars would be drawn into our line
    with waiting(f"converting {name}") as wait, _kept_interrupt() as raise_if_interrupted:

        def say(stage: str) -> None:
            raise_if_interrupted()
            wait.say(stage)

        path = convert(source, catalog.folder(f"{name}-hf"), say)
    print(path)
    return 0


@contextmanager
def _kept_interrupt() -> Iterator[Callable[[], None]]:
    """Gives what raises KeyboardInterrupt when there has been one: libraries swallow it."""
    interrupted = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        signal.default_int_handler(number, frame)

    def raise_if_interrupted() -> None:
        if interrupted:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield raise_if_interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _remove(args: argparse.Namespace) -> int:
    from agent import catalog
    from agent.errors import TinsmithError
    from agent.settings import home
    from tools.specialists import bases

    if needed := bases.needed_by(home(), args.name):
        raise TinsmithError(
            f"{', '.join(needed)} cannot do without {args.name}; remove that first: tinsmith "
            "specialists rm, tinsmith jobs rm"
        )
    print(f"removed {args.name}, {catalog.remove(args.name) / 1e9:.2f} GB freed")
    return 0


def _recommend(args: argparse.Namespace) -> int:
    from agent import catalog, machine

    print(catalog.recommend(machine.free_memory(), machine.free_on_gpus()).name)
    return 0


@contextmanager
def progress() -> Iterator[Report]:
    """Shows long work on stderr after two seconds: a bar, or a line a tenth without a terminal."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bars = Progress(*columns, console=Console(stderr=True))
    began = time.monotonic()

    def report(stage: str, done: int, total: int) -> None:
        if not bars.tasks or bars.tasks[-1].description != stage:
            bars.add_task(stage, completed=done, total=total)
        bars.update(bars.tasks[-1].id, completed=done, total=total)
        if time.monotonic() - began > 2 and not bars.live.is_started:
            bars.start()

    try:
        yield report
    finally:
        bars.stop()


class _Lines:
    """A line for each tenth of a stage that takes longer than two seconds."""

    def __init__(self) -> None:
        self._stage = ""
        self._began = 0.0
        self._from = 0
        self._tenth = -1

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._from, self._tenth = stage, now, done, -1
        seconds = now - self._began
        if seconds < 2 or done * 10 // total <= self._tenth:
            return
        self._tenth = done * 10 // total
        rate = (done - self._from) / seconds
        left = f", {(total - done) / rate:.0f} s left" if rate else ""
        print(
            f"{stage}  {done / total:4.0%}  {done / 1e6:.0f} of {total / 1e6:.0f} MB, "
            f"{rate / 1e6:.1f} MB/s{left}",
            file=sys.stderr,
            flush=True,
        )
