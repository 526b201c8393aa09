"""Running the calls of one reply: ask, journal, run side by side where that is safe, answer all."""

from __future__ import annotations

import functools
import json
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.approval import Approver, Question
from agent.events import Event, Notice, ToolFinished, ToolProgress, ToolStarted
from agent.memory import results

if TYPE_CHECKING:
    from langchain_core.messages import ToolCall, ToolMessage
    from langchain_core.tools import BaseTool

    from agent.memory.sessions import Session
    from tools.running import Origin

GLANCE = 0.1
"""Seconds between two looks at whether the user has stopped the turn."""

STOPPED = "stopped by the user before it ran"

MENDABLE = "mendable"
"""Marks, in a result's `additional_kwargs`, what the tool itself refused (ToolError): it tells the
model what was wrong."""


def run(
    calls: Sequence[ToolCall],
    tools: Mapping[str, BaseTool],
    session: Session,
    approve: Approver,
    seconds: float,
    stopped: threading.Event,
    untrusted: bool,
    most: int,
) -> Generator[Event, None, list[ToolMessage]]:
    """Answer every call, in order. Calls that only read run side by side, the others alone.

    `untrusted`: the model reads what strangers wrote, so whatever writes is asked about. `most`:
    characters of one result; of a longer one the history gets the first part.
    `seconds`: the limit of a tool that has none of its own. A tool that outlives its limit is no
    longer waited for; Python cannot end a thread, so it may still finish its work.
    """
    from tools.spec import READING, effects_of

    alone = any(effects_of(tools[call["name"]]) - READING for call in calls)
    batches = [[call] for call in calls] if alone else [list(calls)]
    answers: list[ToolMessage] = []
    for batch in batches:
        answers += yield from _side_by_side(
            batch, tools, session, approve, seconds, stopped, untrusted, most, answers
        )
    return answers


def _side_by_side(
    calls: Sequence[ToolCall],
    tools: Mapping[str, BaseTool],
    session: Session,
    approve: Approver,
    seconds: float,
    stopped: threading.Event,
    untrusted: bool,
    most: int,
    earlier: Sequence[ToolMessage],
) -> Generator[Event, None, list[ToolMessage]]:
    from langchain_core.messages import ToolMessage

    running: list[_Running | ToolMessage] = []
    for call in calls:
        tool = tools[call["name"]]
        allowed = _allowed(tool, call, approve, untrusted, stopped)
        if isinstance(allowed, ToolMessage):
            yield ToolStarted(_id(call), call["name"], call["args"])
            running.append(allowed)
        else:  # told only now: the user may have changed it
            yield ToolStarted(_id(call), call["name"], allowed["args"])
            session.call_started(_id(call))
            running.append(_Running(tool, allowed, seconds, _origin(session)))
    answers: list[ToolMessage] = []
    for call, one in zip(calls, running, strict=True):
        if isinstance(one, _Running):
            answer, bug = yield from one.wait(stopped)
            if bug:
                yield Notice(bug)
            spent = one.spent
            if one.call["args"] != call["args"]:
                changed = json.dumps(one.call["args"], ensure_ascii=False)
                answer.content = f"(the user changed the call to {changed})\n{answer.text}"
        else:
            answer, spent = one, 0.0
        text = str(answer.text)
        results.cut(answer, [*session.messages, *earlier, *answers], most)
        session.call_finished(answer)
        yield ToolFinished(_id(call), call["name"], text, answer.status == "success", spent)
        answers.append(answer)
    return answers


def _allowed(
    tool: BaseTool, call: ToolCall, approve: Approver, untrusted: bool, stopped: threading.Event
) -> ToolCall | ToolMessage:
    """The call as it may run, or what the model is told when it may not."""
    from tools.errors import ToolError
    from tools.spec import READING, approval_of, effects_of, preview, writes_to_of

    if stopped.is_set():
        return _answer(call, STOPPED, ok=False)
    writes = effects_of(tool) - READING
    if approval_of(tool) == "never" and not (untrusted and writes):
        return call
    wrong = ""
    while True:
        try:
            shown = "" if wrong else preview(tool, call["args"])
        except ToolError as error:
            return _mistake(call, error)
        except Exception as error:  # the tool's own code; the user can still decide
            shown = f"(no preview: {type(error).__name__}: {error})"
        if stopped.is_set():  # a preview may take long
            return _answer(call, STOPPED, ok=False)
        decision = approve(
            Question(call["name"], call["args"], shown, untrusted, writes_to_of(tool), wrong)
        )
        if stopped.is_set():
            return _answer(call, STOPPED, ok=False)
        if decision.instead is not None:
            call = {**call, "args": dict(decision.instead)}
            wrong = _misfit(tool, call["args"])
            continue
        if decision.allowed:
            return _answer(call, wrong, ok=False) if wrong else call
        why = f": {decision.reason}" if decision.reason else ""
        return _answer(call, f"the user did not allow this call{why}", ok=False)


def _misfit(tool: BaseTool, arguments: Mapping[str, Any]) -> str:
    """What is wrong with arguments that the user wrote; "" when they fit."""
    import jsonschema

    from tools.spec import spec

    now = spec(tool)
    try:
        jsonschema.validate(dict(arguments), now.parameters if now else {})
    except jsonschema.ValidationError as error:
        return f"these arguments do not fit: {error.message}"
    return ""


class _Running:
    """A call in a thread that does nothing else meanwhile."""

    def __init__(self, tool: BaseTool, call: ToolCall, seconds: float, origin: Origin) -> None:
        from tools.spec import timeout_of

        self.spent = 0.0
        self.call = call
        self._origin = origin
        self._seconds = timeout_of(tool) or seconds
        self._started = time.monotonic()
        self._progress: ToolProgress | None = None
        self._done: queue.SimpleQueue[tuple[ToolMessage, str]] = queue.SimpleQueue()
        _in_thread(functools.partial(self._work, tool))

    def wait(
        self, stopped: threading.Event
    ) -> Generator[ToolProgress, None, tuple[ToolMessage, str]]:
        """The answer, and what the user should see of a bug."""
        told = None
        try:
            while True:
                left = self._started + self._seconds - time.monotonic()
                try:
                    return self._done.get(timeout=max(0.0, min(GLANCE, left)))
                except queue.Empty:
                    if (now := self._progress) is not told and now is not None:
                        told = now
                        yield now
                    if stopped.is_set():
                        why = "stopped by the user; outcome unknown"
                        return _answer(self.call, why, ok=False), ""
                    if left <= 0:
                        why = f"no result after {self._seconds:g} seconds; it may still be running"
                        return _answer(self.call, why, ok=False), ""
        finally:
            self.spent = time.monotonic() - self._started

    def _work(self, tool: BaseTool) -> None:
        from tools.errors import Refused, ToolError
        from tools.running import hear, invoke

        hear(self._hear, self._origin)
        try:
            self._done.put((_answer(self.call, invoke(tool, self.call["args"]), ok=True), ""))
        except Refused as error:
            self._done.put((_answer(self.call, str(error), ok=False), ""))
        except ToolError as error:
            self._done.put((_mistake(self.call, error), ""))
        except BaseException as error:  # a tool must not end the session, and a bug stays visible
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error}"
            notice = f"tool {tool.name!r} has a bug: {what} ({where.filename}:{where.lineno})"
            self._done.put((_answer(self.call, f"the tool failed: {what}", ok=False), notice))

    def _hear(self, done: int, total: int, what: str) -> None:
        self._progress = ToolProgress(_id(self.call), done, total, what)


class _Thread(threading.Thread):
    """Does one job after another; between two it waits in `_idle`.

    A thread costs more to start than most tools to run. An executor's threads would not do: they
    are waited for when Python ends, and a tool may hang.
    """

    def __init__(self) -> None:
        super().__init__(name="tool", daemon=True)
        self.jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.start()

    def run(self) -> None:
        while True:
            self.jobs.get()()
            _idle.append(self)


_idle: deque[_Thread] = deque()


def _in_thread(job: Callable[[], None]) -> None:
    """Run `job`, which raises nothing, beside this thread."""
    try:
        thread = _idle.pop()
    except IndexError:
        thread = _Thread()
    thread.jobs.put(job)


def _origin(session: Session) -> Origin:
    from tools.running import Origin

    return Origin(session.id, sum(message.type == "human" for message in session.messages))


def _id(call: ToolCall) -> str:
    return call["id"] or ""


def _answer(call: ToolCall, text: str, *, ok: bool) -> ToolMessage:
    from langchain_core.messages import ToolMessage

    status = "success" if ok else "error"
    return ToolMessage(text, tool_call_id=_id(call), name=call["name"], status=status)


def _mistake(call: ToolCall, error: Exception) -> ToolMessage:
    """The answer to a call that the model may mend."""
    answer = _answer(call, str(error), ok=False)
    answer.additional_kwargs[MENDABLE] = True
    return answer
