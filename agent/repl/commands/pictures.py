"""Pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import UsageError
from agent.repl.commands import choices
from agent.repl.commands.command import command

if TYPE_CHECKING:
    from agent.repl.repl import Repl


@command(completes=choices.files)
def image(repl: Repl, rest: str) -> None:
    """show a picture: /image FILE"""
    from agent.repl.pictures import show

    if not rest:
        raise UsageError("/image FILE: it takes the name of a picture")
    try:
        file = Path(rest.strip("\"'")).expanduser()
    except RuntimeError as error:  # nobody of that name
        raise UsageError(f"/image {rest}: {error}") from None
    show(repl.screen, file)
