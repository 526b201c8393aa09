"""What is asked before the first talk: whether to fetch a model, whether to trust a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agent import app, catalog, machine, prompts
from agent.errors import ModelError
from agent.repl.clean import one_line
from agent.settings import Settings, home

MOST_OFFERED = 4
"""Models that the first run offers."""
MOST_LISTED = 10
"""Files that are named when it is asked whether to trust a folder."""


def have_model(settings: Settings, terminal: bool) -> None:
    """On the first run, offer the models that fit this machine."""
    if settings.engine in ("scripted", "openai") or settings.url:
        return
    name = settings.model or app.default_model()
    converted = catalog.is_here(name) and name not in catalog.entries()
    if converted or catalog.local(name):
        return
    missing = [model for model in (name, catalog.EMBEDDER) if not catalog.is_here(model)]
    if not missing:
        return
    if not terminal:
        catalog.resolve(name)  # says how to get it
        return
    if name in missing and not settings.model:
        missing = [_chosen(), *missing[1:]]
    else:
        print(f"{_offer(*map(catalog.entry, missing))}, kept in {home() / 'models'}.")
        while (said := _answer("Fetch it now? [Y/n] ")) not in ("", "y", "yes", "n", "no"):
            print(f"{said!r} is neither y nor n")
        if said in ("n", "no"):
            raise _nothing()
    for model in missing:
        # a process of its own, so that the one that talks never opens a connection
        fetching = [sys.executable, "-P", "-m", "agent", "models", "pull", model]
        if subprocess.run(fetching, stdout=subprocess.DEVNULL, check=False).returncode:
            raise ModelError(
                f"{model} was not fetched; go on with: tinsmith models pull {model}; a smaller one "
                "is among those that `tinsmith models` lists"
            )


def _chosen() -> str:
    """Of several models that fit, the one that the user takes. Raises ModelError for none."""
    embedder = () if catalog.is_here(catalog.EMBEDDER) else (catalog.entry(catalog.EMBEDDER),)
    free, gpu = machine.free_memory(), machine.free_on_gpus()
    offered = catalog.fitting(free, gpu)[::-1][:MOST_OFFERED]
    print(
        f"Tinsmith talks with a model on this machine ({free / 1e9:.0f} GB of memory are free"
        + (f", {gpu / 1e9:.0f} GB on the GPU" if gpu else "")
        + f"). It is fetched once, into {home() / 'models'}. These fit:"
    )
    for number, one in enumerate(offered, 1):
        print(f"  {number}  {_offer(one, *embedder)}")
    while True:
        said = _answer(f"Which one? [1 to {len(offered)}, Enter for 1, n for none] ")
        if said in ("n", "no"):
            raise _nothing()
        if said == "" or (said.isdecimal() and 0 < int(said) <= len(offered)):
            return offered[int(said or 1) - 1].name
        print(f"{said!r} is none of them")


def _offer(one: catalog.Entry, *beside: catalog.Entry) -> str:
    """What it is, and what it takes to fetch it with what is missing beside it."""
    size = sum(each.bytes for each in (one, *beside)) / 1e9
    takes = f"{size:.2f} GB" if one.bytes else "its size is on its page of the hub,"
    return f"{one.title or one.name}: {takes} to fetch"


def _nothing() -> ModelError:
    return ModelError(
        "no model; `tinsmith models` lists others, --model takes a path or an id of the hub"
    )


def offer_trust(folder: Path, what: str = "tools", endings: tuple[str, ...] = (".py",)) -> None:
    """Ask whether the tools (or `what` it is) in `folder` are to be used, where there are some."""
    if app.asks_for_trust(folder, *endings):
        question = f"Use the {what} in {folder} ({_listed(folder, endings)})? They run as you. "
        if _answer(f"{question}[y/N] ") in ("y", "yes"):
            app.trust(folder)


def offer_skills() -> None:
    """Ask whether the skills and prompts of the working folder are to be used."""
    for folder, names in app.untrusted_skills().items():
        more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
        listed = one_line(", ".join(names[:MOST_LISTED]) + more)
        _offer_words(folder, f"skills in {folder} ({listed})")
    if (place := prompts.untrusted()) is not None:
        _offer_words(place, f"prompts in {place} ({_listed(place, ('.j2',))})")


def _offer_words(folder: Path, what: str) -> None:
    question = f"Use the {what}? The model does what they say. [y/N] "
    if _answer(question) in ("y", "yes"):
        app.trust(folder)


def _listed(folder: Path, endings: tuple[str, ...]) -> str:
    """The files of `folder` that would be read, the first of them by name."""
    names = sorted(
        file.name
        for file in folder.iterdir()
        if file.suffix in endings and file.name[0] not in "_."
    )
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return one_line(", ".join(names[:MOST_LISTED]) + more)


def _answer(question: str) -> str:
    """Ctrl-D means no."""
    try:
        return input(question).strip().lower()
    except EOFError:
        print()
        return "no"
