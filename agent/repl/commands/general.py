"""Help, settings, the screen, the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.repl import listing
from agent.repl.commands import shell
from agent.repl.commands.command import (
    COMMANDS,
    Choice,
    Leave,
    about,
    command,
    help_of,
    nothing,
    one_of,
)

if TYPE_CHECKING:
    from agent.repl.repl import Repl

KEYS = (
    ("Enter", "send; with a \\ before it, or Alt-Enter: another line"),
    ("Esc", "take back what waits to be sent"),
    ("Tab", "complete /commands, @files, #collections, $specialists, names of tools"),
    ("Up, Ctrl-R", "lines typed before, in other conversations too"),
    ("Ctrl-X Ctrl-E", "change the line in $EDITOR"),
    ("Ctrl-C", "stop the answer and keep it; twice within two seconds: leave"),
    ("Ctrl-D", "leave"),
    ("Ctrl-Z", "to the shell; fg comes back"),
)
"""What /help shows of `agent.repl.keys`, and of prompt-toolkit's own."""


@command(completes=lambda repl, typed: map(Choice, COMMANDS))
def help(repl: Repl, rest: str) -> None:
    """show the commands; /help NAME shows what one of them does

    /help train
    """
    repl.own.wait()
    if rest:
        name = one_of("help", rest.removeprefix("/"), COMMANDS)
        repl.screen.plain(f"/{name}: {help_of(name)}")
        return
    from agent.repl.commands import groups

    width = max(map(len, COMMANDS)) + 3
    for group, names in groups():
        repl.screen.dim(f"\n{group}")
        listing.show(repl.screen, [(f"  /{name}", about(name)) for name in names], width)
    repl.screen.dim("\nKeys")
    listing.show(repl.screen, [(f"  {key}", what) for key, what in KEYS], width)


@command(completes=lambda repl, typed: map(Choice, _themes()))
def theme(repl: Repl, rest: str) -> None:
    """list the themes; /theme NAME changes how the conversation looks

    Until you leave; `/set theme NAME --keep` does it for good. auto goes by what the terminal says
    of its background.

    /theme light
    """
    from agent.repl import themes

    if not rest:
        rows = [("auto", "as the background is")]
        rows += [(name, one.about) for name, one in themes.THEMES.items()]
        now = repl.settings.theme
        listing.show(
            repl.screen, [(f"{'*' if name == now else ' '} {name}", said) for name, said in rows]
        )
        return
    from agent.repl.commands.setting import change

    change(repl, "theme", one_of("theme", rest, _themes()))


def _themes() -> list[str]:
    from agent.repl import themes

    return ["auto", *themes.THEMES]


@command
def clear(repl: Repl, rest: str) -> None:
    """clear the screen; the conversation stays

    /new begins another conversation.
    """
    nothing("clear", rest)
    repl.screen.clear()


@command
def doctor(repl: Repl, rest: str) -> None:
    """what this machine has, and what to do about what is missing

    The same as `tinsmith doctor` in the shell.
    """
    from agent.commands import doctor

    nothing("doctor", rest)
    shell.run(repl, doctor, "doctor", rest)


@command
def quit(repl: Repl, rest: str) -> None:
    """leave; the conversation is kept

    `tinsmith chat --resume` goes on with it. Ctrl-D leaves too.
    """
    nothing("quit", rest)
    raise Leave
