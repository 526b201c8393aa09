"""Tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import UsageError
from agent.repl.commands.command import Choice, command

if TYPE_CHECKING:
    from agent.repl.repl import Repl


@command(completes=lambda repl, typed: [Choice("reload", "read the files again")])
def tools(repl: Repl, rest: str) -> None:
    """list the tools; /tools reload reads the files again"""
    box = repl.toolbox()
    if rest == "reload":
        box.reload()
        for problem in box.problems:
            repl.screen.notice(str(problem))
        repl.tools_changed()
    elif rest:
        raise UsageError(f"/tools {rest}: it is /tools or /tools reload")
    for name, tool in box.tools.items():
        repl.screen.plain(f"{name:16}{tool.description.splitlines()[0]}")
