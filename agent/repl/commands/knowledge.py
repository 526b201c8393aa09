"""Documents and facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import UsageError
from agent.repl.commands.command import Choice, command, whole_number

if TYPE_CHECKING:
    from agent.repl.repl import Repl


@command
def sources(repl: Repl, rest: str) -> None:
    """the passages that were found; /sources FILE:LINE shows what stands there"""
    from agent.citations import sources
    from tools.documents import lines_of

    if rest:
        wanted = sources(f"[{rest}]")
        if not wanted:
            raise UsageError(f"/sources {rest}: it is FILE:LINE, such as README.md:12")
        for number, line in lines_of(wanted[0].file, wanted[0].first, wanted[0].last):
            repl.screen.plain(f"{number:5}  {line}")
        return
    for source in dict.fromkeys(repl.agent().passages()):
        repl.screen.plain(str(source))


@command(completes=lambda repl, typed: map(Choice, ("history", "edit", "forget")))
def memory(repl: Repl, rest: str) -> None:
    """list what is remembered; /memory history, edit N TEXT, forget N"""
    from agent.app import facts
    from agent.commands.memory import forgotten, kept, listed

    action, _, words = rest.partition(" ")
    number, _, text = words.strip().partition(" ")
    if action in ("", "history") and not words:
        lines = list(listed(facts(), bool(action))) or ["nothing is remembered yet"]
    elif action == "edit" and text.strip():
        lines = list(kept(facts().edit(whole_number("memory edit", number), text)))
    elif action == "forget" and not text:
        lines = list(forgotten(facts().forget(whole_number("memory forget", number))))
    else:
        raise UsageError(
            f"/memory {rest}: it is /memory, /memory history, /memory edit N TEXT or "
            "/memory forget N"
        )
    for line in lines:
        repl.screen.plain(line)
