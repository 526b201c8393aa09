"""Help, and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.repl.commands.command import COMMANDS, OWN, Leave, about, command

if TYPE_CHECKING:
    from agent.repl.repl import Repl


@command
def help(repl: Repl, rest: str) -> None:
    """show the commands"""
    repl.own.wait()
    for name in [name for name in COMMANDS if name not in OWN]:
        repl.screen.plain(f"/{name:9}{about(name)}")
    if OWN:
        repl.screen.plain("Your own:")
        for name in OWN:
            repl.screen.plain(f"/{name:9}{about(name)}")
    repl.screen.dim(
        "Alt-Enter or a \\ at the end breaks the line. Tab completes names of tools. "
        "Ctrl-C stops an answer, twice leaves."
    )


@command
def quit(repl: Repl, rest: str) -> None:
    """leave; the conversation is kept (tinsmith chat --resume)"""
    raise Leave
