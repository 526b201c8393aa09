"""The loop: ask the model, run the tools it calls, ask again, until it answers.

    agent = app.build(settings, ...)
    for event in agent.send("What is 37 * 91 - 4?"):
        ...                                  # agent.events; the last one is TurnEnded

History only grows. A message is journalled before anything is done because of it and each result
as soon as it is there, so the session can be opened again after any kind of death.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import secrets
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agent import calls, citations, compaction, deeds
from agent.approval import Approval, Approver, Question, deny
from agent.deadline import Deadline
from agent.engines.base import Choice, Engine, Sampling
from agent.errors import EngineError, GrammarError
from agent.events import Event, Notice, Stage, TextDelta, TurnEnded, Usage
from agent.grounding import request_of, without_invented_options
from agent.memory import recall, results, window
from agent.offering import Offering, SoFar
from agent.prompts import render
from agent.skills import following
from agent.skills.telling import reader
from agent.trace.record import Trace
from agent.turn import Turn
from tools.errors import ToolError

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolCall, ToolMessage
    from langchain_core.tools import BaseTool

    from agent.memory.sessions import Session
    from agent.skills.telling import Skills
    from tools.knowledge.facts import Facts
    from tools.spec import ToolSpec

SAME_RESULT_LIMIT = 3
"""The same call with the same result this often earns a nudge; once more ends the turn."""

SAID_AGAIN = 400
"""Characters of a request that is said again behind the results of several calls."""

SEARCH = "search_documents"
"""The tool whose results name the lines that an answer may be given."""

MORE_ROOM = 4
"""A call that was cut off is asked for again with so many times the tokens."""


@dataclass(frozen=True)
class Limits:
    """When any of them is reached, the turn ends with the best answer so far and says why."""

    steps: int = 12
    """Replies of the model; the last of them is text."""
    seconds: float = 600.0
    """Without those in which the user is asked."""
    tokens: int | None = None
    """That the model writes in all replies of the turn; None: as many as they take."""
    tool_seconds: float = 60.0
    """For a tool that does not say."""


class Agent:
    """One conversation between a user, a model and its tools. Not thread-safe, but for `stop`."""

    def __init__(
        self,
        engine: Engine,
        tools: Mapping[str, BaseTool],
        session: Session,
        offering: Offering,
        approve: Approver = deny,
        sampling: Sampling = Sampling(),  # noqa: B008  frozen
        limits: Limits = Limits(),
        facts: Facts | None = None,
        skills: Skills | None = None,
    ) -> None:
        """`facts`: those that last, of which the likeliest are told before each request. `skills`:
        of which the model is told those that a request wants."""
        self.engine = engine
        self.tools = tools
        self.session = session
        self.usage = Usage()
        """Of all turns."""
        self._offering = offering
        self._approve = approve
        self._sampling = sampling
        self._limits = limits
        self._facts = facts
        self.skills = skills
        self._stopped = threading.Event()
        self._faulty: dict[str, str] = {}
        """Tools that cannot be offered, and why."""
        self._untold: list[str] = []
        """What the user should hear of them, and of the trace."""
        self.trace = Trace(self.warn)

    def send(
        self,
        text: str,
        attached: Sequence[BaseMessage] = (),
        schema: Mapping[str, Any] | None = None,
    ) -> Generator[Event, None, None]:
        """One turn: from the user's words to TurnEnded. An error of the engine is a Notice.

        `attached`: what is told beforehand of the files that the words name (`agent.attachments`).
        `schema`: a JSON schema, under which the answer is decoded. From this call on, and not only
        from the first event on, `stop` ends the turn.
        """
        self._stopped.clear()
        return self._watched(text, attached, schema)

    def _watched(
        self, text: str, attached: Sequence[BaseMessage], schema: Mapping[str, Any] | None
    ) -> Generator[Event, None, None]:
        yield from self.trace.watch(self, self._turn(text, attached, schema))

    def _turn(
        self, text: str, attached: Sequence[BaseMessage], schema: Mapping[str, Any] | None
    ) -> Generator[Event, None, None]:
        from langchain_core.messages import HumanMessage

        turn = Turn(self._limits, Deadline(self._limits.seconds, self.engine.stop), schema)
        try:
            self.session.mend()  # a full disk may have left something open
            request = HumanMessage(text)
            self.session.asked(request)
            known = self.specs()
            prefix = self._offering.stable(known)
            words = "\n".join([*(str(one.text) for one in attached), text])
            turn.usage += yield from compaction.make_room(self, prefix, words)
            sent = window.view(self.session.messages)
            retold = self.session.messages[: window.cut_of(self.session.messages).summarised]
            turn.untrusted = any(map(self._is_of_strangers, [*retold, *sent, *attached]))
            advice, turn.skill = following.advice(
                self.skills,
                sent,
                text,
                attached,
                lambda own: self._offering.nearest(text, known, own),
            )
            wanted = following.tools_of(turn.skill, self.tools)
            for message in self._offering.announce(sent, text, known, wanted):
                self.session.append(message)
            yield from self._remind(sent, text)
            for message in advice:
                self.session.append(message)
            if schema is not None:
                self.session.append(_told_of(schema))
            for message in attached:
                self.session.append(message)
            self.session.append(request)
            while self._untold:
                yield Notice(self._untold.pop(0))
            if turn.skill is not None:
                yield Stage(f"thinking, with the skill {turn.skill.name}")
            yield from self._steps(turn)
        except KeyboardInterrupt:
            turn.reason = "interrupted"
        except (EngineError, GrammarError) as error:
            turn.reason = "failed"
            yield Notice(str(error))
        finally:
            turn.deadline.cancel()
            self._close(turn)
        yield TurnEnded(turn.answer, turn.reason, turn.usage, turn.steps)

    def retry(
        self, text: str, attached: Sequence[BaseMessage] = ()
    ) -> Generator[Event, None, None]:
        """`send`, for another answer than the one that `text` was given before."""
        usual, self._sampling = self._sampling, self._sampling.varied()
        try:
            yield from self.send(text, attached)
        finally:
            self._sampling = usual

    def adjust(self, sampling: Sampling, limits: Limits) -> None:
        """From the next turn on."""
        self._sampling, self._limits = sampling, limits

    def stop(self) -> None:
        """From any thread: end the turn. A tool that is running is no longer waited for."""
        self._stopped.set()
        self.engine.stop()

    def warn(self, text: str) -> None:
        """From any thread: tell the user, in this turn or the next."""
        self._untold.append(text)

    def warm(self) -> None:
        """Process what every turn begins with, so that the first answer costs only the question."""
        self.engine.warm(self._prompt(), self.prefix())

    def prefix(self) -> Sequence[ToolSpec]:
        """The tools that every prompt begins with."""
        return self._offering.stable(self.specs())

    def filled(self) -> int:
        """Tokens of the window that the conversation takes by now."""
        return self.engine.count_tokens(self._prompt(), self.prefix())

    def first_choice(self, request: str) -> str | None:
        """The tool that the model would call first for `request`. Nothing is run or kept."""
        from langchain_core.messages import HumanMessage

        known = self.specs()
        prompt = [self.system]
        messages = [
            *prompt,
            *self._offering.announce(prompt, request, known),
            HumanMessage(request),
        ]
        specs, choice = self._offering.offer(self.engine, messages, known)
        reply = self.engine.reply(messages, specs, self._sampling, choice)
        while True:
            try:
                next(reply)
            except StopIteration as end:
                message: AIMessage = end.value
                return message.tool_calls[0]["name"] if message.tool_calls else None

    def passages(self) -> list[citations.Source]:
        """Of documents, that this conversation has been given."""
        return [
            source
            for message in self.session.messages
            for source in citations.sources(self._of_strangers(message))
        ]

    def _is_of_strangers(self, message: BaseMessage) -> bool:
        return window.ATTACHED in message.additional_kwargs or bool(self._of_strangers(message))

    def _of_strangers(self, message: BaseMessage) -> str:
        """The text of a result that strangers wrote; else ""."""
        is_theirs = message.type == "tool" and self._is_untrusted(message.name or "")
        return str(message.text) if is_theirs else ""

    def specs(self) -> list[ToolSpec]:
        """The tools as they are now, live choices filled in. One that fails is left out."""
        tools = self._tools()
        if not tools:
            return []
        from tools.spec import spec

        found = []
        for tool in tools.values():
            try:
                one = spec(tool)
            except (Exception, SystemExit) as error:  # its live choices are the user's code
                self._leave_out(tool.name, f"{type(error).__name__}: {error}")
                continue
            if one is not None:
                found.append(one)
        return found

    def _remind(self, sent: Sequence[BaseMessage], text: str) -> Generator[Notice, None, None]:
        """Of the facts that may matter for the request `text`. The turn goes on without them."""
        if self._facts is None:
            return
        try:
            for message in recall.remind(self._facts, sent, text):
                self.session.append(message)
        except ToolError as error:
            yield Notice(f"what is remembered cannot be read: {error}")

    def _tools(self) -> Mapping[str, BaseTool]:
        """Those that were given, and the ones for results that were cut and for skills."""
        own: dict[str, BaseTool] = {}
        if results.has_long(self.session.messages):  # to make one takes longer than a short turn
            own[results.READ] = self._read_result
        if self.skills is not None:
            own[window.READ_SKILL] = self._read_skill
        return {**self.tools, **own} if own else self.tools

    @cached_property
    def _read_skill(self) -> BaseTool:
        assert self.skills is not None
        return reader(self.skills.shelf)

    @cached_property
    def _read_result(self) -> BaseTool:
        return results.read_result(lambda: self.session)

    def _leave_out(self, name: str, why: str) -> None:
        if self._faulty.get(name) != why:
            self._faulty[name] = why
            self.warn(f"tool {name!r} is left out: {why}")

    def _steps(self, turn: Turn) -> Generator[Event, None, None]:
        while True:
            turn.steps += 1
            known = self.specs()
            if turn.steps > 1:
                yield from compaction.make_room_for_results(self, self._offering.stable(known))
            due = following.due(turn.skill, turn.called, turn.mend, self.tools, self._failed())
            so_far = SoFar(
                turn.called,
                turn.mend,
                due,
                following.tools_of(turn.skill, self.tools),
            )
            specs, choice = self._offering.offer(self.engine, self._prompt(), known, so_far)
            turn.mend = ""
            # after a file is written, it is told in words
            pattern = ""
            if not turn.wrote:
                pattern = following.pattern_of(turn.skill, self.session.messages, self.tools)
            choice = replace(choice, schema=turn.schema, pattern=pattern)
            self.trace.offered(specs, choice, self._offering.verdict)
            # while it was asked whether a tool fits
            if self._stopped.is_set() or turn.deadline.is_past:
                turn.reason = "interrupted" if self._stopped.is_set() else "seconds"
                return
            if turn.left == 0:
                turn.reason = "tokens"
                return
            last = turn.steps >= self._limits.steps
            if last:
                choice = replace(choice, mode="text")
            each = due in turn.called
            message = yield from self._ask(turn, specs, choice, each)
            if last or not message.tool_calls:  # a server may call all the same
                turn.answer = str(message.text)
                turn.reason = turn.ended_by(message, self._stopped.is_set())
                if last and turn.reason == "answered" and (turn.called or message.tool_calls):
                    turn.reason = "steps"
                yield from self._doubts(turn)
                return
            for result in (yield from self._run(turn, message.tool_calls)):
                self.session.append(result)
            if self._stopped.is_set():
                turn.reason = "interrupted"
                return
            if turn.deadline.is_past:
                turn.reason = "seconds"
                return
            if turn.repeats > SAME_RESULT_LIMIT:
                turn.reason = "repeats"
                yield Notice("the same call gave the same result four times; the turn was ended")
                return

    def _ask(
        self, turn: Turn, specs: Sequence[ToolSpec], choice: Choice, each: bool
    ) -> Generator[Event, None, AIMessage]:
        """One reply. A call cut off by the token limit is asked again once, with more room.

        `each`: what is called now is called for one thing after another.
        """
        sampling = self._sampling
        while True:
            if specs and choice.mode == "text":
                self._ask_for_words(turn)
            if turn.partial:  # of a reply that is asked for again
                self.session.note("")
            turn.partial = ""
            self.trace.sent(len(self.session.messages), choice)
            reply = self.engine.reply(self._prompt(), specs, turn.within(sampling), choice)
            message: AIMessage
            while True:
                try:
                    delta = next(reply)
                except StopIteration as end:
                    message = end.value
                    break
                if delta.kind == "answer":
                    turn.partial += delta.text
                    self.session.note(turn.partial)
                yield delta
                if self._stopped.is_set():  # perhaps before the engine knew of this reply
                    self.engine.stop()
            turn.usage += self.engine.usage
            self.usage += self.engine.usage
            self.trace.replied(message, self.engine.usage)
            limit = sampling.max_tokens
            if message.tool_calls:
                message = without_invented_options(message, self.session.messages, specs)
                message = _with_own_ids(message)
            if choice.mode == "call" and (
                turn.has_made(message.tool_calls)
                or (each and following.is_through(message.tool_calls, self.session.messages))
            ):
                choice = replace(choice, mode="text")  # made to call, it had nothing new to call
                continue
            if not message.response_metadata.get("cut_call") or turn.left == 0:
                break
            if limit is None or sampling is not self._sampling:
                what = "a call" if choice.schema is None else "its answer"
                raise EngineError(
                    f"{self.engine.name} did not finish {what} within {limit or 'its window of'} "
                    "tokens; ask for less at once, or set max_tokens higher"
                )
            sampling = replace(sampling, max_tokens=limit * MORE_ROOM)
        may_add = not message.tool_calls and not choice.pattern
        if may_add and (found := self._support(turn, message)):
            added = "".join(f" [{source}]" for source in found)
            yield TextDelta(added)
            message = message.model_copy(update={"content": f"{message.text}{added}"})
        turn.partial = ""
        self.session.append(message, self.engine.usage)
        return message

    def _support(self, turn: Turn, message: AIMessage) -> list[citations.Source]:
        """What an answer from passages rests on, where it does not say so itself."""
        if (
            not turn.sources
            or turn.schema is not None
            or message.response_metadata.get("finish") != "stop"
        ):
            return []
        from tools.documents import lines_of

        passages = []
        for one in turn.sources:
            with contextlib.suppress(ToolError):  # the file may be gone by now
                passages.append((one, lines_of(one.file, one.first, one.last)))
        request = request_of(self.session.messages)
        return citations.support(str(message.text), request, passages)

    def _failed(self) -> bool:
        """Whether one of the latest results is an error."""
        return any(one.status == "error" for one in _latest_results(self.session))

    def _ask_for_words(self, turn: Turn) -> None:
        """A small model that has been told of functions writes calls in its answers otherwise."""
        from langchain_core.messages import SystemMessage

        last = self.session.messages[-1]
        if turn.schema is not None:
            if last.type == "tool":
                self.session.append(_told_of(turn.schema))
        elif last.type == "tool":
            request = request_of(self.session.messages) if len(turn.called) > 1 else ""
            short = request if len(request) <= SAID_AGAIN else ""
            latest = _latest_results(self.session)
            passages = any(citations.sources(self._of_strangers(result)) for result in latest)
            told = render(
                "results",
                request=short,
                failed=self._failed(),
                passages=passages,
                form=following.form_of(turn.skill),
            )
            self.session.append(SystemMessage(told))
        elif last.type != "system":
            self.session.append(SystemMessage(render("answer", form=following.form_of(turn.skill))))

    def _run(
        self, turn: Turn, tool_calls: Sequence[ToolCall]
    ) -> Generator[Event, None, list[ToolMessage]]:
        from tools.spec import READING, effects_of

        def approve(question: Question) -> Approval:
            with turn.deadline.paused():
                return self._approve(question)

        tools = self._tools()
        answers = yield from calls.run(
            tool_calls,
            tools,
            self.session,
            self.trace.asking(approve),
            self._limits.tool_seconds,
            self._stopped,
            turn.untrusted,
            self._share,
        )
        turn.untrusted |= any(self._is_untrusted(call["name"]) for call in tool_calls)
        turn.wrote |= any(
            result.status == "success" and effects_of(tools[call["name"]]) - READING
            for call, result in zip(tool_calls, answers, strict=True)
        )
        for call, result in zip(tool_calls, answers, strict=True):
            if call["name"] == SEARCH:
                turn.sources += citations.sources(str(result.text))
            repeated = turn.count(call, result) == SAME_RESULT_LIMIT
            if repeated:
                result.content = f"{result.content}\n{render('repeated')}"
        return answers

    @property
    def _share(self) -> int:
        """Characters of one result: about a quarter of the window, a token being about four."""
        return self.engine.context

    def _doubts(self, turn: Turn) -> Generator[Notice, None, None]:
        """What in the answer rests on nothing."""
        for source in citations.unfounded(turn.answer, self.passages()):
            yield Notice(f"the answer cites {source}; no passage that was found is there")
        if (verb := deeds.claimed(turn.answer)) and not turn.wrote:
            yield Notice(f"nothing was {verb} in this turn: no tool has changed anything")

    def _is_untrusted(self, name: str) -> bool:
        from tools.spec import effects_of

        tool = self._tools().get(name)
        return tool is not None and "untrusted" in effects_of(tool)

    def _close(self, turn: Turn) -> None:
        """Leave a history that can go on: no text lost, no call without a result."""
        turn.answer = turn.partial or turn.answer
        self.session.mend()

    def _prompt(self) -> list[BaseMessage]:
        return [self.system, *window.view(self.session.messages)]

    @cached_property
    def system(self) -> SystemMessage:
        """Rendered once: a prompt file that changes now must not cost the cache."""
        from langchain_core.messages import SystemMessage

        lines = self.skills.lines if self.skills is not None else ""
        return SystemMessage("\n\n".join(filter(None, [render("system"), lines])))


def _told_of(schema: Mapping[str, Any]) -> SystemMessage:
    from langchain_core.messages import SystemMessage

    told = render("answer_as", schema=json.dumps(schema, ensure_ascii=False))
    return SystemMessage(told, additional_kwargs={window.SCHEMA: True})


def _latest_results(session: Session) -> list[ToolMessage]:
    """Those of the last reply."""
    from langchain_core.messages import ToolMessage

    trailing = itertools.takewhile(
        lambda message: message.type == "tool", reversed(session.messages)
    )
    return [message for message in trailing if isinstance(message, ToolMessage)]


def _with_own_ids(message: AIMessage) -> AIMessage:
    """Ids of our own: a server may use the same for every call, and the journal goes by them."""
    calls = [{**call, "id": f"call_{secrets.token_hex(6)}"} for call in message.tool_calls]
    return message.model_copy(update={"tool_calls": calls})
