"""What may be typed behind a slash. Each is a function whose docstring is its help."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from agent.repl.commands import answers as answers
from agent.repl.commands import general as general
from agent.repl.commands import insight as insight
from agent.repl.commands import knowledge as knowledge
from agent.repl.commands import models as models
from agent.repl.commands import own as own
from agent.repl.commands import pictures as pictures
from agent.repl.commands import setting as setting
from agent.repl.commands import talk as talk
from agent.repl.commands import tasks as tasks
from agent.repl.commands import tools as tools
from agent.repl.commands import tour as tour
from agent.repl.commands import trace as trace
from agent.repl.commands import training as training
from agent.repl.commands.command import COMMANDS as COMMANDS
from agent.repl.commands.command import OWN as OWN
from agent.repl.commands.command import Choice as Choice
from agent.repl.commands.command import Leave as Leave
from agent.repl.commands.command import command as command

GROUPS = (
    *(talk, answers, insight, trace, knowledge, tools, tasks, training, models, setting),
    *(pictures, own, tour, general),
)
"""As /help lists them. A module's docstring is the name of its group."""


def groups() -> Iterator[tuple[str, list[str]]]:
    """The names of the commands by group, and last those that users wrote themselves."""
    there = [one.__module__ for name, one in COMMANDS.items() if name not in OWN]
    for module in dict.fromkeys([*(one.__name__ for one in GROUPS), *there]):
        names = [name for name, one in COMMANDS.items() if one.__module__ == module]
        title = (sys.modules[module].__doc__ or "").strip().removesuffix(".")
        yield title, [name for name in names if name not in OWN]
    if OWN:
        yield "Your own", list(OWN)
