"""`tinsmith models`: what there is, fetch it, look at it, remove it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.catalog import Report


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("models", help="list, pull, show, convert, rm, recommend")
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    for name, run, text in (
        ("pull", _pull, "fetch a model, or what is missing of it"),
        ("show", _show, "where a model comes from and where it is"),
        ("convert", _convert, "make a folder of safetensors of a GGUF file, for 4 and 8 bits"),
        ("rm", _remove, "delete a model from this machine"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("name")
        action.set_defaults(run=run)
    recommend = actions.add_parser("recommend", help="the model that suits this machine")
    recommend.set_defaults(run=_recommend)


def _list(args: argparse.Namespace) -> int:
    from agent import catalog

    for one in catalog.entries().values():
        here = "here" if catalog.is_here(one) else ""
        print(f"{one.name:22}{one.bytes / 1e9:6.2f} GB  {one.licence:12}{here:6}{one.title}")
    return 0


def _pull(args: argparse.Namespace) -> int:
    from agent import catalog

    print(catalog.pull(args.name, progress()))
    return 0


def _show(args: argparse.Namespace) -> int:
    from agent import catalog

    one = catalog.entry(args.name)
    place = str(catalog.path_of(one)) if catalog.is_here(one) else "not on this machine"
    for key, value in (
        ("name", one.name),
        ("title", one.title),
        ("licence", one.licence),
        ("hub", f"{one.hub}/{one.file}"),
        ("mirror", f"{one.mirror.package} ({one.mirror.parts} parts)"),
        ("size", f"{one.bytes} bytes"),
        ("sha256", one.sha256),
        ("path", place),
    ):
        print(f"{key:9}{value}")
    return 0


def _convert(args: argparse.Namespace) -> int:
    from agent import catalog
    from agent.convert import convert

    target = catalog.folder(f"{Path(args.name).stem}-hf")
    print(convert(catalog.resolve(args.name), target))
    return 0


def _remove(args: argparse.Namespace) -> int:
    from agent import catalog

    print(f"removed {args.name}, {catalog.remove(args.name) / 1e9:.2f} GB freed")
    return 0


def _recommend(args: argparse.Namespace) -> int:
    import psutil

    from agent import catalog

    print(catalog.recommend(psutil.virtual_memory().available).name)
    return 0


def progress() -> Report:
    """Shows a long fetch on stderr: a line that is rewritten, or one a tenth where it cannot be."""
    return _Progress()


class _Progress:
    def __init__(self) -> None:
        self._stage = ""
        self._began = 0.0
        self._from = 0
        self._shown = 0.0
        self._tenth = -1
        self._rewrites = sys.stderr.isatty()

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage:
            if self._shown:
                print(file=sys.stderr)
            self._stage, self._began, self._from, self._shown, self._tenth = (
                stage,
                now,
                done,
                0.0,
                -1,
            )
        seconds = now - self._began
        if seconds < 2:
            return
        rate = (done - self._from) / seconds
        left = (total - done) / rate if rate else 0
        line = (
            f"{stage}  {done / total:4.0%}  {done / 1e6:.0f} of {total / 1e6:.0f} MB  "
            f"{rate / 1e6:.1f} MB/s  {left:.0f} s left"
        )
        if self._rewrites and (now - self._shown > 0.2 or done == total):
            print(f"\r{line:<78}", end="", file=sys.stderr, flush=True)
            self._shown = now
        elif not self._rewrites and done * 10 // total > self._tenth:
            self._tenth = done * 10 // total
            print(line, file=sys.stderr, flush=True)
