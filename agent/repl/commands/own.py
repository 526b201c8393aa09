"""The commands that users wrote themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import UsageError
from agent.repl.commands.command import OWN, Choice, about, command

if TYPE_CHECKING:
    from agent.repl.repl import Repl


@command(completes=lambda repl, typed: [Choice("reload", "read the files again")])
def commands(repl: Repl, rest: str) -> None:
    """list your own commands; /commands reload reads their files again"""
    if rest not in ("", "reload"):
        raise UsageError(f"/commands {rest}: it is /commands or /commands reload")
    if rest:
        repl.own.reload()
    else:
        repl.own.wait()
    for name, file in OWN.items():
        repl.screen.plain(f"/{name:16}{about(name)}  ({file})")
    if not OWN:
        repl.screen.plain(
            f"none yet; a file NAME.md in {repl.own.folder} is a prompt that /NAME sends"
        )
