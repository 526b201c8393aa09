"""What happened in a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import UsageError
from agent.repl.commands.command import command, whole_number
from agent.settings import home

if TYPE_CHECKING:
    from agent.repl.repl import Repl


@command
def trace(repl: Repl, rest: str) -> None:
    """what was sent, chosen and called in the last turn; /trace N: in the Nth last"""
    from agent.trace.read import read
    from agent.trace.tree import tree

    wanted = whole_number("trace", rest or "1", "the number of a turn, 1 for the last")
    if not repl.session.messages:
        raise UsageError("/trace: nothing was said in this conversation yet")
    if not wanted:
        raise UsageError(f"/trace {rest}: 1 is the last turn, 2 the one before")
    [turn] = read(home() / "sessions.db", repl.session.id, -wanted)
    repl.screen.show(tree(turn))
