"""`tinsmith config`: the settings, where each comes from, and changing one."""

from __future__ import annotations

import argparse
import sys


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("config", help="show or change settings")
    parser.set_defaults(run=_show)
    actions = parser.add_subparsers(metavar="ACTION")
    change = actions.add_parser("set", help="write a setting")
    change.add_argument("key")
    change.add_argument("value")
    change.set_defaults(run=_set)
    unset = actions.add_parser("unset", help="go back to the default")
    unset.add_argument("key")
    unset.set_defaults(run=_set, value=None)
    path = actions.add_parser("path", help="where the settings are kept")
    path.set_defaults(run=_path)


def _show(args: argparse.Namespace) -> int:
    from agent import settings

    rows = [(key, repr(value), origin, about) for key, value, origin, about in settings.describe()]
    widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)][:3]
    for *cells, about in rows:
        aligned = (f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))
        print("".join(aligned) + about)
    return 0


def _set(args: argparse.Namespace) -> int:
    from agent import settings

    settings.save(args.key, args.value)
    if args.key == "model" and args.value:
        _warn_of_no_model(args.value)
    return 0


def _warn_of_no_model(name: str) -> None:
    """It is kept: a server's model has any name, and one may be pulled afterwards."""
    from agent import catalog, settings
    from agent.errors import TinsmithError

    if settings.load().url:
        return
    try:
        catalog.resolve(name)
    except TinsmithError as error:
        print(f"tinsmith: it is set, but {error}", file=sys.stderr)


def _path(args: argparse.Namespace) -> int:
    from agent.settings import home

    print(home() / "config.toml")
    return 0
