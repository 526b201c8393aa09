"""What may be typed behind a slash. Each is a function whose docstring is its help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from agent import catalog, compaction
from agent.commands.arguments import DIGITS
from agent.errors import UsageError
from agent.memory import window
from agent.memory.sessions import Session
from agent.settings import home

if TYPE_CHECKING:
    from agent.repl.repl import Repl

Command = Callable[["Repl", str], None]
COMMANDS: dict[str, Command] = {}
LISTED = 10
"""Conversations that /sessions lists."""


class Leave(Exception):
    """The user wants to go."""


def command(function: Command) -> Command:
    """Make it a command of its name. It is given what stands behind the name."""
    COMMANDS[function.__name__] = function
    return function


@command
def help(repl: Repl, rest: str) -> None:
    """show the commands"""
    for name, function in COMMANDS.items():
        repl.screen.plain(f"/{name:9}{function.__doc__}")
    repl.screen.dim(
        "Alt-Enter or a \\ at the end breaks the line. Tab completes names of tools. "
        "Ctrl-C stops an answer, twice leaves."
    )


@command
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


@command
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


@command
def memory(repl: Repl, rest: str) -> None:
    """list what is remembered; /memory history, edit N TEXT, forget N"""
    from agent.app import facts
    from agent.commands.memory import forgotten, kept, listed

    action, _, words = rest.partition(" ")
    number, _, text = words.strip().partition(" ")
    if action in ("", "history") and not words:
        lines = list(listed(facts(), bool(action))) or ["nothing is remembered yet"]
    elif action == "edit" and text.strip():
        lines = list(kept(facts().edit(_number("memory edit", number), text)))
    elif action == "forget" and not text:
        lines = list(forgotten(facts().forget(_number("memory forget", number))))
    else:
        raise UsageError(
            f"/memory {rest}: it is /memory, /memory history, /memory edit N TEXT or "
            "/memory forget N"
        )
    for line in lines:
        repl.screen.plain(line)


@command
def pin(repl: Repl, rest: str) -> None:
    """keep the last request and its answer word for word when the window gets full"""
    if rest:
        raise UsageError(f"/pin {rest}: it is /pin alone, for the last request")
    repl.screen.plain(f"pinned: {compaction.pin(repl.agent())}")


@command
def unpin(repl: Repl, rest: str) -> None:
    """list what is pinned; /unpin N lets go of it"""
    agent = repl.agent()
    if rest:
        repl.screen.plain(f"no longer pinned: {compaction.unpin(agent, _number('unpin', rest))}")
        return
    for number, (request, _) in enumerate(window.pinned(agent.session.messages).values(), 1):
        repl.screen.plain(f"{number:4}  {request}")


@command
def jobs(repl: Repl, rest: str) -> None:
    """list the trainings"""
    from tools.specialists.jobs import Jobs
    from tools.train import status

    for job in Jobs(home()).all():
        repl.screen.plain(status(job))


@command
def promote(repl: Repl, rest: str) -> None:
    """use another version from now on: /promote NAME@VERSION, or NAME for its latest"""
    from tools.specialists.registry import Registry

    registry = Registry(home())
    if not rest:
        there = [f"{name}@{max(registry.versions(name))}" for name in registry.names()]
        raise UsageError(f"/promote NAME@VERSION; the latest are: {', '.join(there) or 'none'}")
    repl.screen.plain(registry.promote(*registry.latest(rest)))
    repl.warm()  # the choices of tools are others now


@command
def new(repl: Repl, rest: str) -> None:
    """begin a new conversation"""
    _go_on(repl, Session.create(home() / "sessions.db"))


@command
def sessions(repl: Repl, rest: str) -> None:
    """list the latest conversations"""
    from agent.commands.sessions import line_of
    from agent.memory.sessions import sessions

    for one in sessions(home() / "sessions.db", LISTED):
        repl.screen.plain(line_of(one))


@command
def resume(repl: Repl, rest: str) -> None:
    """go on with another conversation: /resume ID, as /sessions lists it"""
    wanted = _number("resume", rest)
    if wanted == repl.session.id:
        raise UsageError(f"/resume {rest}: it is the one that you are in")
    _go_on(repl, Session.open(home() / "sessions.db", wanted))
    repl.screen.recall(repl.session.messages)


@command
def fork(repl: Repl, rest: str) -> None:
    """go on in a copy of this conversation; /fork N: with your first N messages only"""
    _go_on(repl, repl.session.fork(_number("fork", rest) if rest else None))
    repl.screen.recall(repl.session.messages)


@command
def undo(repl: Repl, rest: str) -> None:
    """back to before your last message, in a copy; /undo N: before the last N"""
    _back(repl, _number("undo", rest or "1"))
    repl.screen.recall(repl.session.messages)


@command
def edit(repl: Repl, rest: str) -> None:
    """back to before your last message, with it in the line to be changed"""
    repl.begin_line("")  # where nobody types, nothing is undone
    repl.begin_line(_back(repl, 1))


@command
def retry(repl: Repl, rest: str) -> None:
    """send your last message once more, for another answer"""
    repl.agent()  # nothing is taken back where no model can answer
    repl.send(_back(repl, 1), again=True)


@command
def quit(repl: Repl, rest: str) -> None:
    """leave; the conversation is kept (tinsmith chat --resume)"""
    raise Leave


def _go_on(repl: Repl, session: Session) -> None:
    """In another conversation; says how to come back."""
    last = repl.go_on_with(session)
    if last.messages:
        repl.screen.dim(
            f"this is session {session.id} now; back to the last with /resume {last.id}, "
            f"later with: tinsmith chat --resume {last.id}"
        )


def _back(repl: Repl, count: int) -> str:
    """To before the user's last `count` messages, in a fork; gives the first of them."""
    said = [str(one.text) for one in repl.session.messages if one.type == "human"]
    if not 0 < count <= len(said):
        raise UsageError(f"you have said {len(said)} messages here; it cannot go {count} back")
    _go_on(repl, repl.session.fork(len(said) - count))
    return said[-count]


def _number(command: str, rest: str) -> int:
    if not rest.isdecimal() or len(rest) > DIGITS:
        raise UsageError(f"/{command} {rest}: it takes a number")
    return int(rest)
