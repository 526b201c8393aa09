"""Help, and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.repl.commands.command import COMMANDS, Leave, command

if TYPE_CHECKING:
    from agent.repl.repl import Repl


@command
def help(repl: Repl, rest: str) -> None:
    """show the commands"""
    for name, function in COMMANDS.items():
        repl.screen.plain(f"/{name:9}{function.__doc__}")
    repl.screen.dim(
        "Alt-Enter or a \\ at the end breaks the line. Tab completes names of tools. "
        "Ctrl-C stops an answer, twice leaves."
    )


@command
def quit(repl: Repl, rest: str) -> None:
    """leave; the conversation is kept (tinsmith chat --resume)"""
    raise Leave
