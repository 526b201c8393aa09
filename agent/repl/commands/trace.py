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

    wanted = whole_number("trace", rest or "1")
    turns = read(home() / "sessions.db", repl.session.id) if repl.session.messages else []
    if not 0 < wanted <= len(turns):
        raise UsageError(f"/trace {rest}: {len(turns)} turns of this conversation are written down")
    repl.screen.show(tree(turns[-wanted]))
