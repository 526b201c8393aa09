"""What may stand behind a command: `@command(completes=choices.models)`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args, get_origin, get_type_hints

from agent.repl.commands.command import Choice
from agent.settings import WORDS, Settings, home

if TYPE_CHECKING:
    from agent.repl.repl import Repl
    from tools.specialists.plan import Task

LATEST = 100
"""Conversations that are offered."""


def models(repl: Repl, typed: str) -> Iterator[Choice]:
    """Those of this machine that one can talk with."""
    from agent import catalog

    for name in catalog.talking():
        yield Choice(name)
    for name in catalog.specialists():
        yield Choice(name, "trained here")


def sessions(repl: Repl, typed: str) -> Iterator[Choice]:
    """The latest conversations, found by their titles."""
    from agent.memory.sessions import sessions
    from agent.repl.clean import one_line

    for one in sessions(home() / "sessions.db", LATEST):
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.updated))
        about = f"{when}, {one.messages} messages"
        yield Choice(str(one.id), about, f"{one.id} {one_line(one.title)}")


def settings(repl: Repl, typed: str) -> Iterator[Choice]:
    """Keys; behind a key its values, where they can be listed."""
    import dataclasses

    key, space, _ = typed.partition(" ")
    types = get_type_hints(Settings)
    if space and key in types:
        for value in _values(types[key]):
            yield Choice(f"{key} {value}", shown=value)
        return
    for field in dataclasses.fields(Settings):
        now = getattr(repl.settings, field.name)
        yield Choice(field.name, f"{now if now != '' else '(empty)'}: {field.metadata['about']}")


def _values(type: object) -> Iterable[str]:
    if type is bool:
        return [word for word in WORDS if word in ("true", "false")]
    return map(str, get_args(type)) if get_origin(type) is Literal else ()


def versions(repl: Repl, typed: str) -> Iterator[Choice]:
    """Of all specialists, the latest first."""
    from tools.specialists.registry import Registry

    registry = Registry(home())
    for name in registry.names():
        promoted = registry.promoted(name)
        for version in reversed(registry.versions(name)):
            yield Choice(f"{name}@{version}", "in use" if version == promoted else "")


def specialists(*tasks: Task) -> Iterator[Choice]:
    """Those in use for some tasks."""
    from tools.classify import told
    from tools.specialists.registry import Registry

    registry = Registry(home())
    for task in tasks:
        for one in registry.usable(task):
            labels = told(one)
            yield Choice(one.name, f"{task}: {labels}" if labels else task)


def files(repl: Repl, typed: str) -> Iterator[Choice]:
    """Paths, as far as they are typed."""
    from agent.repl import project

    for path in project.of(Path.cwd()).like(typed):
        yield Choice(path)
