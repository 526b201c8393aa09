"""Conversations: begin, list, go back, keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import compaction
from agent.errors import UsageError
from agent.memory import window
from agent.memory.sessions import Session
from agent.repl.commands import choices
from agent.repl.commands.command import command, nothing, whole_number
from agent.settings import home

if TYPE_CHECKING:
    from agent.repl.repl import Repl

LISTED = 10
"""Conversations that /sessions lists."""


@command
def new(repl: Repl, rest: str) -> None:
    """begin a new conversation

    The one of now is kept: /resume goes back to it.
    """
    nothing("new", rest)
    _go_on(repl, Session.create(home() / "sessions.db"))


@command
def sessions(repl: Repl, rest: str) -> None:
    """list the latest conversations

    `tinsmith sessions` lists all of them, and searches them.
    """
    from agent.commands.sessions import line_of
    from agent.memory.sessions import sessions

    nothing("sessions", rest)
    latest = sessions(home() / "sessions.db", LISTED)
    for one in latest:
        repl.screen.plain(line_of(one))
    if not latest:
        repl.screen.dim("nothing was said yet in any conversation")


@command(completes=choices.sessions)
def resume(repl: Repl, rest: str) -> None:
    """go on with another conversation: /resume ID, as /sessions lists it

    /resume 12
    """
    wanted = whole_number("resume", rest, "the number of a conversation, as /sessions lists it")
    if wanted == repl.session.id:
        raise UsageError(f"/resume {rest}: it is the one that you are in")
    _go_on(repl, Session.open(home() / "sessions.db", wanted))
    repl.screen.recall(repl.session.messages)


@command
def fork(repl: Repl, rest: str) -> None:
    """go on in a copy of this conversation; /fork N: with your first N messages only

    This one stays as it is; /resume goes back to it.

    /fork 2
    """
    count = whole_number("fork", rest, "a number of your messages") if rest else None
    _go_on(repl, repl.session.fork(count))
    repl.screen.recall(repl.session.messages)


@command
def undo(repl: Repl, rest: str) -> None:
    """back to before your last message, in a copy; /undo N: before the last N

    What is taken back stays in the conversation before, which /sessions lists.

    /undo 2
    """
    _back(repl, whole_number("undo", rest or "1", "a number of your messages"))
    repl.screen.recall(repl.session.messages)


@command
def edit(repl: Repl, rest: str) -> None:
    """back to before your last message, with it in the line to be changed

    In a copy, as /undo.
    """
    nothing("edit", rest)
    repl.begin_line("")  # where nobody types, nothing is undone
    repl.begin_line(_back(repl, 1))


@command
def retry(repl: Repl, rest: str) -> None:
    """send your last message once more, for another answer

    In a copy, as /undo. The model draws where it took the likeliest word before.
    """
    nothing("retry", rest)
    repl.agent()  # nothing is taken back where no model can answer
    told = reversed(window.told_before(repl.session.messages))
    first = [one for one in told if window.GIVEN & one.additional_kwargs.keys()]
    repl.send(_back(repl, 1), "", again=True, first=first)


@command
def pin(repl: Repl, rest: str) -> None:
    """keep the last request and its answer word for word when the window gets full

    /unpin lists what is pinned.
    """
    nothing("pin", rest)
    repl.screen.plain(f"pinned: {compaction.pin(repl.agent())}")


@command
def unpin(repl: Repl, rest: str) -> None:
    """list what is pinned; /unpin N lets go of it

    /unpin 1
    """
    agent = repl.agent()
    if rest:
        number = whole_number("unpin", rest, "the number of a pin")
        repl.screen.plain(f"no longer pinned: {compaction.unpin(agent, number)}")
        return
    if not window.pinned(agent.session.messages):
        repl.screen.dim("nothing is pinned; /pin keeps the last request and its answer")
    for number, (request, _) in enumerate(window.pinned(agent.session.messages).values(), 1):
        repl.screen.plain(f"{number:4}  {request}")


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
