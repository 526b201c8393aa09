"""Writing down, while a turn runs, what will be asked about it afterwards.

    yield from self.trace.watch(self, events)     # hears what passes by, and passes it on
    self.trace.sent(...)                          # is told what no event shows

Each fact is a row in sessions.db at once, so a turn that was killed can be looked at as far as it
came. Messages are not written again: a fact says how many the session held, and `read.py` finds
from that what was sent.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent.approval import Approval, Approver, Question
from agent.engines.base import Choice
from agent.errors import SessionError
from agent.events import Event, Notice, TextDelta, ToolFinished, ToolStarted, TurnEnded, Usage
from agent.offering import Verdict
from agent.trace.turn import Fact

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

    from agent.loop import Agent
    from agent.memory.sessions import Session
    from tools.spec import ToolSpec

Export = Callable[["Session", int, list[Fact], str], None]
"""Given a session, the number of a turn that has ended, its facts, and the words of the system.
Raises nothing."""


class Trace:
    """Of one agent. What goes wrong here ends no turn; the user is told of it."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.export: Export | None = None
        self._tell = tell
        self._session: Session | None = None
        self._turn = 0
        self._began = 0.0
        self._facts: list[Fact] = []
        """Of this turn."""
        self._system: tuple[int, str] | None = None
        """The session that was last told the words of the system, and the words."""
        self._offer: dict[str, Any] = {}
        self._approvals: list[dict[str, Any]] = []
        """Of the call that is told of next."""
        self._first_word: float | None = None
        """Of the reply that is being written; when it came."""
        self._broken = False
        """Whether a fact of this turn could not be written."""

    def watch(
        self, agent: Agent, events: Generator[Event, None, None]
    ) -> Generator[Event, None, None]:
        """Pass on the events of a turn that begins now."""
        self._begin(agent)
        with closing(events):
            for event in events:
                self._hear(event)
                yield event

    def offered(self, tools: Sequence[ToolSpec], choice: Choice, verdict: Verdict) -> None:
        """Which of the `tools` may be called next, and why. Told with the next `sent`."""
        nearness = {name: round(one, 3) for name, one in verdict.nearness.items()}
        weights = {name: round(one, 2) for name, one in choice.weights.items() if one > -math.inf}
        self._offer = {
            "tools": [spec.name for spec in tools],
            "why": verdict.why,
            "nearness": nearness,
            "weights": weights,
            "out": [name for name, one in choice.weights.items() if one == -math.inf],
            "odds": verdict.odds,
            "score": verdict.score,
        }

    def sent(self, upto: int, choice: Choice) -> None:
        """The model is asked for a reply to the first `upto` messages."""
        self._note("sent", upto=upto, mode=choice.mode, offer=self._offer)
        self._offer = {}
        self._first_word = None

    def replied(self, message: AIMessage, usage: Usage) -> None:
        finish = message.response_metadata.get("finish")
        cut = bool(message.response_metadata.get("cut_call"))
        self._note(
            "replied",
            usage=asdict(usage),
            finish=finish,
            cut=cut,
            first_word=self._first_word,
            begun=message.response_metadata.get("begun_call", ""),
        )

    def compacted(self, what: str, before: int, after: int, usage: Usage = Usage()) -> None:  # noqa: B008
        """`what`: "shortened", "summarised" or "stopped"; `before` and `after` in tokens."""
        self._note("compacted", what=what, before=before, after=after, usage=asdict(usage))

    def asking(self, approve: Approver) -> Approver:
        """`approve`, and what came of it written down."""

        def asked(question: Question) -> Approval:
            begun = time.perf_counter()
            decision = approve(question)
            self._approvals.append(
                {
                    "answer": decision.answer,
                    "allowed": decision.allowed,
                    "reason": decision.reason,
                    "untrusted": question.untrusted,
                    "seconds": time.perf_counter() - begun,
                }
            )
            return decision

        return asked

    def _begin(self, agent: Agent) -> None:
        session = agent.session
        self._session = session
        self._turn = 1 + sum(message.type == "human" for message in session.messages)
        self._began = time.perf_counter()
        self._facts = []
        self._offer = {}
        self._approvals.clear()  # of a call whose question was broken off
        self._first_word = None
        self._broken = False
        system = session.id, str(agent.system.text)
        self._note(
            "begun",
            started=time.time(),
            model=agent.engine.name,
            window=agent.engine.context,
            upto=len(session.messages),
            **({} if system == self._system else {"system": system[1]}),
        )
        self._system = system

    def _hear(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            if self._first_word is None:
                self._first_word = self._now()
        elif isinstance(event, ToolStarted):
            for facts in self._approvals:
                self._note("approval", call=event.id, **facts)
            if any(facts["answer"] == "edit" for facts in self._approvals):
                self._note("changed", call=event.id, arguments=event.arguments)
            self._approvals.clear()
        elif isinstance(event, ToolFinished):
            self._note("called", id=event.id, ok=event.ok, seconds=event.seconds)
        elif isinstance(event, Notice):
            self._note("notice", text=event.text)
        elif isinstance(event, TurnEnded):
            self._note("ended", reason=event.reason)
            if self.export and self._session and self._system:
                self.export(self._session, self._turn, self._facts, self._system[1])

    def _now(self) -> float:
        return time.perf_counter() - self._began

    def _note(self, kind: str, **facts: Any) -> None:
        fact = Fact(self._now(), kind, facts)
        self._facts.append(fact)
        if self._session is None or self._broken:
            return
        try:
            self._session.trace(self._turn, fact.at, kind, facts)
        except SessionError as error:
            self._broken = True  # a file that another program holds would cost ten seconds again
            self._tell(f"this turn is not traced any further: {error}")
