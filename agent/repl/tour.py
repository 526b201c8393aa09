"""`/tour`: five minutes on data that is shipped, in a folder of its own.

All that the tour makes is called by a name that nothing of the user's has, and is listed in its
state, so that it can be removed. The state survives a restart: `/tour` goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent import catalog
from agent.errors import SessionError, UnknownName, UsageError
from agent.memory.sessions import Session
from agent.repl import tour_made
from agent.repl.tour_made import (
    State,
    collections,
    free_name,
    jobs_of_tour,
    kept,
    lay_out,
    place,
    tool_file,
)
from agent.repl.tour_steps import ENDS, STEPS, Step
from agent.settings import home
from tools.storage import write_atomically

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from agent.repl.repl import Repl
    from tools.specialists.jobs import Job


class Tour:
    """One that is under way. Made by `begin`, ended by `stop`."""

    def __init__(self, repl: Repl, state: State) -> None:
        self._repl = repl
        self.state = state
        self._back = Path.cwd()

    def after_turn(self) -> None:
        """On to the next step when the turn has done what this one is about."""
        step = self._step
        said, called = last_turn(self._repl.session.messages)
        if self._repl.screen.ended != "answered" or step.name == "write":
            return
        if not step.tool or step.tool in called:
            self.go_on()
        elif said == self._line(step):
            self._repl.screen.dim(
                f"{step.tool} was not called, which the tour is about: small models miss some. "
                "Enter tries again, /tour next goes on."
            )
            self._repl.propose(self._line(step))
        else:
            self._repl.screen.dim(f"/tour goes on with: {step.title.lower()}")

    def go_on(self) -> None:
        """To the next step that can be taken."""
        at = STEPS.index(self._step)
        for step in STEPS[at + 1 :]:
            if why := self._why_not(step):
                self._repl.screen.dim(f"left out: {step.title.lower()}, because {why}")
                continue
            self._keep(step.name)
            self.show()
            return
        self._keep("")
        self._say("The tour is over", ENDS)
        self.leave()

    def show(self) -> None:
        """The step that is to be taken, and the line that takes it."""
        step = self._step
        job = self._job()
        if step.name == "use" and job and (far := _how_far(job)):
            self._say(
                "Wait for the specialist", f"{far}. A line says when it is done; Enter looks."
            )
            self._repl.propose("/tour")
            return
        says = step.says.replace("NAME", self.state.name).replace("TOOLS", str(place() / "tools"))
        self._say(f"Tour, {STEPS.index(step) + 1} of {len(STEPS)}: {step.title}", says)
        if step.name == "write":
            from rich.padding import Padding
            from rich.syntax import Syntax

            code = Syntax(tool_file().read_text("utf-8"), "python", theme="ansi_dark",
                          background_color="default", word_wrap=True)  # fmt: skip
            self._repl.screen.show(Padding(code, (1, 0, 1, 2)))
        self._repl.propose(self._line(step))

    def write_tool(self) -> None:
        """The tool that was shown, once the user has sent the line that says so."""
        if self._step.name != "write":
            raise UsageError(f"/tour write: now the tour is at: {self._step.title.lower()}")
        target = place() / "tools" / tool_file().name
        write_atomically(target, tool_file().read_text("utf-8"))
        self._repl.screen.dim(f"written: {target}")
        self._read_tools()
        self.go_on()

    def stop(self) -> None:
        """Back to where the user came from; `/tour` goes on later."""
        self.leave()
        self._repl.screen.dim("/tour goes on, /tour remove deletes all that the tour has made")

    def enter(self) -> None:
        """Into the folder and the conversation of the tour."""
        box = self._repl.toolbox()  # with the model, without which there is no tour
        lay_out(self.state.name)
        session = self._session(self.state.sessions[-1] if self.state.sessions else 0)
        if session is not None:
            ours = tuple(dict.fromkeys(filter(None, (*self.state.sessions, session.id))))
            self.state = replace(self.state, sessions=ours)
            self._repl.go_on_with(session)
        os.chdir(place())
        box.add_path(place() / "tools")
        self._read_tools()
        self._keep(self.state.step)
        self._repl.tour = self

    def leave(self) -> None:
        self._repl.tour = None
        with contextlib.suppress(OSError):  # it may be gone by now
            os.chdir(self._back)
        self._repl.toolbox().drop_path(place() / "tools")
        self._read_tools()
        session = self._session(self.state.before)
        if session is not None:
            self._repl.go_on_with(session)
        self._repl.screen.dim(f"back in {Path.cwd()}, in the conversation of before")

    def _session(self, id: int) -> Session | None:
        """Conversation `id`, or a new one where it cannot be gone on with; None: it is this one."""
        if id == self._repl.session.id:
            return None
        try:
            return Session.open(home() / "sessions.db", id)
        except (UnknownName, SessionError):
            return Session.create(home() / "sessions.db")

    def _read_tools(self) -> None:
        box = self._repl.toolbox()
        box.reload()  # the built-in ones anew: they work in the folder of now
        for problem in box.problems:
            self._repl.screen.notice(str(problem))
        self._repl.tools_changed()

    @property
    def _step(self) -> Step:
        return next(one for one in STEPS if one.name == self.state.step)

    def _line(self, step: Step) -> str:
        return step.line.replace("NAME", self.state.name)

    def _say(self, title: str, text: str) -> None:
        from rich.text import Text

        self._repl.screen.show(Text.assemble("\n", (title, "bold"), "\n", text))

    def _keep(self, step: str) -> None:
        self.state = replace(self.state, step=step)
        write_atomically(place() / "tour.json", json.dumps(asdict(self.state)))

    def _why_not(self, step: Step) -> str:
        """Why a step cannot be taken; "" when it can."""
        if step.needs_embedder and not catalog.is_here(catalog.EMBEDDER):
            return f"it takes: tinsmith models pull {catalog.EMBEDDER}"
        if step.name == "call" and step.tool not in self._repl.toolbox().tools:
            return "its tool was not written"
        if step.name == "read" and self.state.name not in collections():
            return "no document was added"
        if step.name == "use":
            from tools.specialists.jobs import ALIVE

            job = self._job()
            if job is None:
                return "no training was begun"
            if job.state not in (*ALIVE, "done"):
                return f"{job.id} is {job.state}: {job.stage}"
        return ""

    def _job(self) -> Job | None:
        """The last training of the tour."""
        return max(jobs_of_tour(), key=lambda job: job.created, default=None)


def begin(repl: Repl) -> None:
    """From the start, or on from where it was left."""
    if not repl.has_user:
        raise UsageError("there is nobody here to be led; it takes a terminal")
    before = kept()
    fresh = before is None or not before.step
    if before is None:
        state = State(STEPS[0].name, free_name(), (), repl.session.id)
    elif fresh:  # 0: a new conversation, in which nothing has been answered yet
        ours = (*before.sessions, 0)
        state = replace(before, step=STEPS[0].name, sessions=ours, before=repl.session.id)
    elif repl.session.id in before.sessions:
        state = before
    else:
        state = replace(before, before=repl.session.id)
    if not catalog.is_here(catalog.EMBEDDER):
        repl.screen.notice(
            f"without {catalog.EMBEDDER} half of the tour is left out; it takes 0.1 GB: tinsmith "
            f"models pull {catalog.EMBEDDER}"
        )
    tour = Tour(repl, state)
    tour.enter()
    repl.screen.dim(
        f"The tour works in {place()}, in a conversation of its own. "
        + ("Enter sends the line that it proposes, Tab takes it to be changed; or ask something "
           "else. /tour next skips a step, /tour stop ends it." if fresh else "It goes on here.")
    )  # fmt: skip
    tour.show()


def remove(repl: Repl) -> None:
    """All that the tour has made. Raises UsageError while its training runs."""
    from tools.specialists.jobs import ALIVE

    for job in jobs_of_tour():
        if job.state in ALIVE:
            raise UsageError(f"its training runs; tinsmith jobs stop {job.id}, then /tour remove")
    if repl.tour is not None:
        repl.tour.leave()
    gone = tour_made.remove(repl.session.id)
    repl.screen.plain(f"removed: {', '.join(gone)}" if gone else "the tour has made nothing")
    repl.warm()  # the choices of tools are others now


def last_turn(messages: Sequence[BaseMessage]) -> tuple[str, set[str]]:
    """What the user said last, and the tools that were called for it and did not fail."""
    asked = max((at for at, one in enumerate(messages) if one.type == "human"), default=None)
    if asked is None:
        return "", set()
    called = {
        str(one.name)
        for one in messages[asked:]
        if one.type == "tool" and getattr(one, "status", "") == "success"
    }
    return str(messages[asked].text), called


def _how_far(job: Job) -> str:
    """ "" when it has ended."""
    from tools.specialists.jobs import ALIVE
    from tools.train import status

    return status(job) if job.state in ALIVE else ""
