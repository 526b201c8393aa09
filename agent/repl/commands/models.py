"""The model that is talked with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, get_args, get_type_hints

from agent import app, catalog
from agent.errors import DoesNotFit, ModelError, UsageError
from agent.repl.commands import choices
from agent.repl.commands.command import Choice, command, one_of
from agent.settings import Settings, parse

if TYPE_CHECKING:
    from agent.repl.repl import Repl

BITS = get_args(get_type_hints(Settings)["bits"])
ENGINES = get_args(get_type_hints(Settings)["engine"])


@command(completes=choices.models)
def model(repl: Repl, rest: str) -> None:
    """show the model and those that are here; /model NAME talks with another one

    The conversation stays. NAME is one of the list, a path, a specialist that talks, or with a
    server one of the server's.

    /model qwen2.5-coder-0.5b
    """
    if not rest:
        agent = repl.agent()
        window = agent.engine.context
        about = f", {_about(repl.settings, window)}" if _is_here(repl.settings) else ""
        repl.screen.plain(f"{agent.engine.name}, window {window} tokens{about}")
        for line in _here(repl.settings):
            repl.screen.plain(line)
        return
    local = catalog.is_here(rest) or catalog.local(rest)
    if repl.settings.url and not local:  # one of the server's
        repl.load(replace(repl.settings, model=rest, engine="openai"))
    else:
        catalog.resolve(rest)
        repl.load(replace(repl.settings, model=rest, engine="auto", url=""))


@command(completes=lambda repl, typed: (Choice(str(one)) for one in BITS))
def bits(repl: Repl, rest: str) -> None:
    """load the model with so many bits: /bits 4, 8, 16 or 32

    Fewer bits take less memory; what is said gets worse. Only folders of safetensors are loaded so:
    a GGUF file has the bits that it has, and `tinsmith models convert NAME` makes a folder of it.

    /bits 8
    """
    now = repl.settings
    if not _is_here(now):
        raise UsageError(f"/bits: {app.called(now)} is not loaded here, so its bits are not ours")
    path = app.weights_of(now).path
    if not path.is_dir():
        raise UsageError(
            f"/bits: {path.name} is a GGUF file and has the bits that it has; tinsmith models "
            f"convert {app.called(now)} makes a folder of it, which /model then loads"
        )
    if not rest:
        repl.screen.plain(f"{app.called(now)} is loaded with {now.bits} bits")
        return
    wanted = replace(now, bits=parse("bits", rest, "/bits"))
    if wanted == now:
        raise UsageError(f"/bits {rest}: {app.called(now)} is loaded with {rest} bits already")
    load(repl, wanted)


@command(completes=lambda repl, typed: map(Choice, ENGINES))
def engine(repl: Repl, rest: str) -> None:
    """show the engine; /engine NAME loads the same model with another one

    llamacpp runs GGUF files, transformers folders of safetensors, openai is a server (`/set url`),
    scripted says what a file tells it. auto takes the one that suits.

    /engine auto
    """
    now = repl.settings
    if not rest:
        repl.screen.plain(_engine(now))
        return
    wanted = replace(now, engine=parse("engine", one_of("engine", rest, ENGINES)))
    if wanted.engine == "openai" and not now.url:
        raise UsageError("/engine openai needs a server: /set url http://HOST:8000/v1")
    if wanted.engine == "scripted" and not now.script:
        raise UsageError("/engine scripted needs a file of replies: /set script FILE")
    if _engine(wanted) == _engine(now):
        raise UsageError(f"/engine {rest}: {app.called(now)} is run by {_engine(now)} already")
    load(repl, wanted)


def load(repl: Repl, wanted: Settings) -> None:
    """Says before what it needs. Raises what is wrong while the model of now is still there."""
    if _is_here(wanted):
        repl.screen.dim(_need(repl, wanted))
    repl.load(wanted)


def _need(repl: Repl, wanted: Settings) -> str:
    from agent.estimate import estimate

    weights = app.weights_of(wanted)
    with repl.screen.working("measuring"):
        free = app.free_for(weights, wanted) + _taken(repl)
    needed = estimate(weights.path, wanted.bits)
    window = needed.window(wanted.context, free)
    return (
        f"{needed.name} needs {needed.need(window) / 1e9:.1f} GB with a window of {window:,} "
        f"tokens; it fits, {free / 1e9:.1f} GB will be free"
    )


def _taken(repl: Repl) -> int:
    """Bytes that the model of now gives back before another one is loaded."""
    from agent.estimate import estimate

    if not _is_here(repl.settings) or not repl.is_loaded:
        return 0
    path = app.weights_of(repl.settings).path
    now = estimate(path, repl.settings.bits)
    # the weights of a GGUF file are mapped: what they take counts as free already
    return now.need(repl.agent().engine.context) - (0 if path.is_dir() else now.weights)


def _is_here(settings: Settings) -> bool:
    """Whether its weights are in the memory of this machine."""
    return app.is_local(settings) and settings.engine != "scripted"


def _engine(settings: Settings) -> str:
    if settings.engine == "scripted" or not app.is_local(settings):
        return "scripted" if settings.engine == "scripted" else "openai"
    return "transformers" if app.weights_of(settings).path.is_dir() else "llamacpp"


def _about(settings: Settings, window: int) -> str:
    """Form, device and memory of a model that is here; `window`: in tokens, 0 what would fit."""
    from agent import machine
    from agent.estimate import LEAST_CONTEXT, estimate

    path = app.weights_of(settings).path
    gpu = machine.free_on_gpus() if path.is_dir() and settings.device == "auto" else 0
    form = f"{settings.bits} bits, {'GPU' if gpu else 'CPU'}" if path.is_dir() else "llama.cpp"
    needed = estimate(path, settings.bits)
    try:
        window = window or needed.window(settings.context, gpu or machine.free_memory())
    except DoesNotFit:
        return f"{form}, does not fit now: {needed.need(LEAST_CONTEXT) / 1e9:.1f} GB"
    return f"{form}, {needed.need(window) / 1e9:.1f} GB with a window of {window:,}"


def _here(settings: Settings) -> Iterator[str]:
    """A line for each model on this machine; a star before the one of now."""
    names = catalog.talking()
    if not names:
        yield "on this machine: none; tinsmith models pull NAME fetches one"
        return
    yield "on this machine:"
    for name in names:
        one = replace(settings, model=name, engine="auto", url="")
        mark = "*" if _is_here(settings) and name == app.called(settings) else " "
        try:
            yield f"{mark} {name:24}{_about(one, 0)}"
        except ModelError as error:
            yield f"{mark} {name:24}{error}"
