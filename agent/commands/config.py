"""`tinsmith config`: the settings, where each comes from, and changing one."""

from __future__ import annotations

import argparse


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

    for key, value, origin in settings.describe():
        print(f"{key:20}{value!r:16}{origin}")
    return 0


def _set(args: argparse.Namespace) -> int:
    from agent import settings

    settings.save(args.key, args.value)
    return 0


def _path(args: argparse.Namespace) -> int:
    from agent.settings import home

    print(home() / "config.toml")
    return 0
