"""The model that is talked with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent import catalog
from agent.repl.commands import choices
from agent.repl.commands.command import command

if TYPE_CHECKING:
    from agent.repl.repl import Repl


@command(completes=choices.models)
def model(repl: Repl, rest: str) -> None:
    """show the model; /model NAME talks with another one, the conversation stays"""
    if not rest:
        agent = repl.agent()
        repl.screen.plain(f"{agent.engine.name}, window {agent.engine.context} tokens")
        repl.screen.plain(f"on this machine: {', '.join(catalog.talking()) or 'none'}")
        return
    local = catalog.is_here(rest) or catalog.local(rest)
    if repl.settings.url and not local:  # one of the server's
        repl.load(replace(repl.settings, model=rest, engine="openai"))
    else:
        catalog.resolve(rest)
        repl.load(replace(repl.settings, model=rest, engine="auto", url=""))
