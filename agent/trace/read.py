"""Reading back what was written of a turn, beside what the session holds."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import UsageError
from agent.events import Usage
from agent.memory import sessions, window
from agent.memory.database import connect, explained
from agent.trace.turn import Asked, Call, Candidate, Compaction, Fact, Message, Offer, Step, Turn

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage


def read(path: Path, session: int, number: int | None = None) -> list[Turn]:
    """The turns of a session that were traced, or only that one; -1 is the last, -2 the one before.

    Also while another program has the session open. Raises UnknownName, UsageError, SessionError.
    """
    messages = sessions.read(path, session)
    database = connect(path)
    with contextlib.closing(database), explained(path):
        rows = database.execute(
            "SELECT turn, at, kind, facts FROM traces WHERE session = ? ORDER BY id", (session,)
        ).fetchall()
        pieces = database.execute(
            "SELECT text FROM pieces WHERE session = ? ORDER BY id", (session,)
        ).fetchall()
    with sessions.understood(f"the trace of session {session}"):
        if pieces:  # of a reply that is being written, or was when the program was killed
            from langchain_core.messages import AIMessage

            begun = "".join(json.loads(one[0]) for one in pieces)
            messages.append(AIMessage(begun, response_metadata={"finish": "interrupted"}))
        traced: dict[int, list[Fact]] = {}
        for turn, at, kind, facts in rows:
            if kind == "begun":  # a turn that failed before the user's words were kept
                traced.pop(turn, None)
            traced.setdefault(turn, []).append(Fact(at, kind, json.loads(facts)))
        told = _systems(traced)
        wanted = sorted(traced)
        if number is not None:
            said = sum(message.type == "human" for message in messages)
            wanted = [_wanted(session, number, wanted, said)]
        return [turn_of(session, one, traced[one], messages, told[one]) for one in wanted]


def _wanted(session: int, number: int, traced: Sequence[int], said: int) -> int:
    """`said`: how many messages of the user's there are."""
    if number in traced:
        return number
    if -len(traced) <= number < 0:
        return traced[number]
    count = max([said, *traced])
    raise UsageError(
        f"nothing was written down of turn {number} of session {session}"
        if 0 < number <= count
        else f"there is no turn {abs(number)} in session {session}; it has {count} so far"
    )


def _systems(traced: Mapping[int, Sequence[Fact]]) -> dict[int, str]:
    """The words of the system in each turn; they are told where they changed."""
    system = ""
    told = {}
    for turn in sorted(traced):
        system = traced[turn][0].facts.get("system", system)
        told[turn] = system
    return told


def turn_of(
    session: int,
    number: int,
    facts: Sequence[Fact],
    messages: Sequence[BaseMessage],
    system: str,
) -> Turn:
    """From its facts and the messages of the session. `system`: what the system's words were."""
    begun = facts[0].facts
    reading = _Reading(messages, system, begun["upto"])
    for fact in facts[1:]:
        reading.take(fact)
    steps = reading.steps()
    compactions = tuple(reading.compactions)
    replies = [step.reply.text for step in steps if step.reply]
    spent = [step.usage for step in steps] + [one.usage for one in compactions]
    asked = [message for message in messages if message.type == "human"][number - 1 : number]
    return Turn(
        session=session,
        number=number,
        started=begun["started"],
        seconds=max([facts[-1].at, *(step.ended for step in steps)]),
        model=begun["model"],
        window=begun["window"],
        system=system,
        request="".join(str(message.text) for message in asked),
        reason=reading.reason,
        answer=replies[-1] if replies else "",
        usage=sum(spent, Usage()),
        steps=steps,
        compactions=compactions,
        notices=tuple(reading.notices),
    )


@dataclass
class _Begun:
    """A step whose end is not read yet."""

    began: float
    sent_at: float
    facts: Mapping[str, Any]
    replied_at: float | None = None
    replied: Mapping[str, Any] = field(default_factory=dict)
    called: dict[str, Fact] = field(default_factory=dict)
    asked: dict[str, list[Asked]] = field(default_factory=dict)
    changed: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Arguments that the user has put in the place of the model's."""


class _Reading:
    """Takes the facts of a turn in order."""

    def __init__(self, messages: Sequence[BaseMessage], system: str, upto: int) -> None:
        """`upto`: how many messages there were before the turn."""
        self.reason = ""
        self.notices: list[str] = []
        self.compactions: list[Compaction] = []
        self._messages = messages
        self._system = system
        self._before = upto
        self._begun: list[_Begun] = []
        self._last = 0.0

    def take(self, fact: Fact) -> None:
        facts = fact.facts
        step = self._begun[-1] if self._begun else None
        if fact.kind == "sent":
            self._begun.append(_Begun(self._last, fact.at, facts))
        elif fact.kind == "replied" and step:
            step.replied_at, step.replied = fact.at, facts
        elif fact.kind == "approval" and step:
            one = Asked(facts["answer"], facts["allowed"], facts["reason"], facts["seconds"])
            step.asked.setdefault(facts["call"], []).append(one)
        elif fact.kind == "changed" and step:
            step.changed[facts["call"]] = facts["arguments"]
        elif fact.kind == "called" and step:
            step.called[facts["id"]] = fact
        elif fact.kind == "compacted":
            usage = Usage(**facts["usage"])
            self.compactions.append(
                Compaction(fact.at, facts["what"], facts["before"], facts["after"], usage)
            )
        elif fact.kind == "notice":
            self.notices.append(facts["text"])
        elif fact.kind == "ended":
            self.reason = facts["reason"]
        self._last = fact.at

    def steps(self) -> tuple[Step, ...]:
        made = []
        known = self._before
        """Messages before this one were sent in this turn already, or in an earlier one."""
        for at, begun in enumerate(self._begun):
            upto = begun.facts["upto"]
            again = at + 1 < len(self._begun) and self._begun[at + 1].facts["upto"] == upto
            message = None if again or upto >= len(self._messages) else self._messages[upto]
            made.append(self._step(begun, message, known, first=not at))
            known = upto
        return tuple(made)

    def _step(self, begun: _Begun, message: BaseMessage | None, known: int, first: bool) -> Step:
        from langchain_core.messages import AIMessage

        reply = message if isinstance(message, AIMessage) else None
        upto = begun.facts["upto"]
        history = self._messages[:upto]
        cut = window.cut_of(history)
        sent = tuple(
            place
            for place in range(cut.summarised, upto)
            if not window.MARKS & history[place].additional_kwargs.keys()
        )
        view = window.view(history)
        told = view[: len(view) - len(sent)]
        """A summary."""
        texts = dict(zip(sent, view[len(told) :], strict=True))
        new = [Message(_role(texts[at]), _said(texts[at]), at) for at in sent if at >= known]
        if first:
            beside = [Message("system", self._system)]
            beside += [Message("system", str(one.text)) for one in told]
            new = beside + new
        offer = begun.facts["offer"]
        return Step(
            began=begun.began,
            sent_at=begun.sent_at,
            first_word=begun.replied.get("first_word"),
            replied_at=begun.replied_at,
            mode=begun.facts["mode"],
            offer=_offer(offer, reply) if offer else None,
            upto=upto,
            sent=sent,
            earlier=sum(place < self._before for place in sent),
            shortened=sum(texts[place].text != history[place].text for place in sent),
            new=tuple(new),
            usage=Usage(**begun.replied.get("usage", {})),
            finish=begun.replied.get("finish") or "",
            reply=Message("assistant", str(reply.text), upto) if reply else None,
            reasoning=str(reply.additional_kwargs.get("reasoning", "")) if reply else "",
            cut=bool(begun.replied.get("cut")),
            begun=begun.replied.get("begun", ""),
            calls=tuple(self._calls(begun, reply)) if reply else (),
        )

    def _calls(self, begun: _Begun, reply: AIMessage) -> list[Call]:
        from langchain_core.messages import ToolMessage

        results = {m.tool_call_id: m for m in self._messages if isinstance(m, ToolMessage)}
        calls = []
        for call in reply.tool_calls:
            id = call["id"] or ""
            result, done = results.get(id), begun.called.get(id)
            seconds = done.facts["seconds"] if done else 0.0
            calls.append(
                Call(
                    id=id,
                    name=call["name"],
                    arguments=begun.changed.get(id, call["args"]),
                    result=str(result.text) if result else None,
                    ok=result is not None and result.status == "success",
                    began=done.at - seconds if done else None,
                    seconds=seconds,
                    asked=tuple(begun.asked.get(id, ())),
                )
            )
        return calls


def _offer(facts: Mapping[str, Any], reply: AIMessage | None) -> Offer:
    nearness, weights, out = facts["nearness"], facts["weights"], facts["out"]
    opinions: dict[str, float] = {}
    if reply:
        opinions = next(iter(reply.response_metadata.get("opinions", ())), {})
    own = _shares(opinions)
    share = _shares({name: one + weights.get(name, 0.0) for name, one in opinions.items()
                     if name not in out})  # fmt: skip
    candidates = [
        Candidate(name, name in facts["tools"], nearness.get(name), own.get(name), share.get(name))
        for name in dict.fromkeys([*facts["tools"], *nearness])
        if name not in out
    ]
    candidates.sort(key=lambda one: (-one.offered, -(one.share or 0), -(one.nearness or 0)))
    return Offer(facts["why"], tuple(candidates), facts["odds"], facts["score"])


def _shares(odds: Mapping[str, float]) -> dict[str, float]:
    if not odds:
        return {}
    best = max(odds.values())
    total = sum(math.exp(one - best) for one in odds.values())
    return {name: math.exp(one - best) / total for name, one in odds.items()}


def _said(message: BaseMessage) -> str:
    """With the calls in it."""
    calls = getattr(message, "tool_calls", ())
    made = [f"{call['name']} {json.dumps(call['args'], ensure_ascii=False)}" for call in calls]
    return "\n".join(filter(None, [str(message.text), *made]))


def _role(message: BaseMessage) -> str:
    return {"human": "user", "ai": "assistant"}.get(message.type, message.type)
