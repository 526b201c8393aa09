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
    approvals = actions.add_parser("approvals", help="the calls that are always allowed")
    approvals.add_argument("--forget", metavar="PATTERN", help="ask again from now on")
    approvals.set_defaults(run=_approvals)


def _show(args: argparse.Namespace) -> int:
    from agent import settings

    for one in settings.describe():
        print(f"{one.key:20}{one.value!r:14}{one.origin:13}{one.text}".rstrip())
    print(f"\nconfig.toml is {settings.home() / 'config.toml'}")
    return 0


def _set(args: argparse.Namespace) -> int:
    from agent import settings

    settings.save(args.key, args.value)
    return 0


def _path(args: argparse.Namespace) -> int:
    from agent.settings import home

    print(home() / "config.toml")
    return 0


def _approvals(args: argparse.Namespace) -> int:
    from agent import approval

    if args.forget is not None:
        approval.forget(args.forget)
        return 0
    for pattern in approval.always():
        print(pattern)
    return 0
