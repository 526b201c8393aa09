"""Settings, for this conversation and for good."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent import app
from agent.commands import approvals as approvals_of_shell
from agent.errors import UsageError
from agent.repl import listing
from agent.repl.commands import choices, shell
from agent.repl.commands.command import command
from agent.repl.commands.models import load
from agent.settings import Settings, describe, home, parse, save

if TYPE_CHECKING:
    from agent.repl.repl import Repl

KEEP = "--keep"
LOADS = {"model", "engine", "url", "script", "device", "bits", "trust_remote_code", "context",
         "offer_all"}  # fmt: skip
"""What is known when a model is loaded, and not changed afterwards."""
KEPT = {"embedder", "reranker", "store_url"}
"""Of the documents, which other programs use too: read from config.toml."""
BEGINS = {"plain", "editing_mode"}
"""What is known when a conversation begins."""


@command(completes=choices.settings)
def set(repl: Repl, rest: str) -> None:
    """show the settings; /set KEY VALUE changes one for now, with --keep for good

    For good means in config.toml, as `tinsmith config set` does. What is known when a model is
    loaded, such as context, loads it again if you want that.

    /set temperature 0.7 --keep
    """
    words = rest.split()
    keep = KEEP in words
    words = [word for word in words if word != KEEP]
    if not words:
        if keep:
            raise UsageError(f"/set {rest}: what is to be kept? It is /set KEY VALUE --keep")
        _list(repl, describe())
        return
    key, *values = words
    about = [one for one in describe() if one[0] == key]
    if about and not values:
        if keep:
            raise UsageError(f'/set {rest}: it is /set {key} VALUE {KEEP}; "" is an empty text')
        _list(repl, about)
        return
    text = " ".join(values)
    value = parse(key, "" if text == '""' else text, "/set")
    if key in KEPT | BEGINS and not keep:
        raise UsageError(f"/set {key}: it cannot change for this conversation alone; add {KEEP}")
    if key not in KEPT | BEGINS:
        change(repl, key, value)
    if keep:
        save(key, str(value))
        repl.screen.plain(f"{key} = {value!r} for good, in {home() / 'config.toml'}")
    if key in KEPT:  # the tools hold the store that was before
        repl.toolbox().reload()
        repl.tools_changed()


def change(repl: Repl, key: str, value: Any) -> None:
    """For this conversation."""
    if key not in LOADS and key != "theme":
        repl.agent()  # where it cannot be loaded, the settings are again those from before
    wanted = replace(repl.settings, **{key: value})
    if wanted == repl.settings:
        repl.screen.plain(f"{key} is {value!r} already")
        return
    if key in LOADS:
        _load(repl, key, wanted)
        return
    if key == "theme":
        from agent.repl import themes

        repl.screen.use(themes.of(value))
    else:
        repl.agent().adjust(app.sampling_of(wanted), app.limits_of(wanted))
    repl.settings = wanted
    repl.screen.plain(f"{key} = {value!r} in this conversation")


def _load(repl: Repl, key: str, wanted: Settings) -> None:
    """Now, if the user wants that, or cannot be asked."""
    question = f"{key} takes effect when the model is loaded. [l]oad it now, or [n]ot?"
    if repl.has_user and repl.choose(question, ("load", "not")) == "not":
        repl.screen.plain(f"{key} stays {getattr(repl.settings, key)!r} in this conversation")
        return
    load(repl, wanted)


def _list(repl: Repl, rows: list[tuple[str, Any, str, str]]) -> None:
    """With the values of now, where these are others than the file's."""
    shown = []
    for key, kept, origin, about in rows:
        now = getattr(repl.settings, key)
        where = origin if now == kept else "now"
        note = "" if where == "default" else f"({where}) "
        shown.append((f"{key:18} {now!r}", f"{note}{about}"))
    listing.show(repl.screen, shown)


@command(completes=shell.actions(approvals_of_shell, "approvals"))
def approvals(repl: Repl, rest: str) -> None:
    """list what you allowed always; /approvals rm PATTERN asks again in this folder

    /approvals rm write_file(notes.txt)
    """
    shell.run(repl, approvals_of_shell, "approvals", rest)
