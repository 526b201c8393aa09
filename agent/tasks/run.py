"""Running a task once: its steps, its checks, its outputs.

task = read(Path("triage.task.yaml"))
means = Means(engine, toolbox.tools)
envelope = run(task, {"text": "the wheel is loose"}, means)      # raises nothing that is a user's
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from agent import answers, calls
from agent.approval import Approval, Question, allow
from agent.cut import cut
from agent.engines.base import Sampling
from agent.errors import TinsmithError, UsageError
from agent.events import Event, Notice, ToolFinished, ToolStarted, TurnEnded, Usage
from agent.loop import Agent, Limits
from agent.memory.unkept import Unkept
from agent.tasks import bounds, brought, checks, inputs, templates
from agent.tasks.envelope import Called, Checked, Done, Envelope, Reason, verdict
from agent.tasks.form import Check, Step
from agent.tasks.lines import Place
from agent.tasks.means import Means, refuse
from agent.tasks.outputs import is_utf8, place_of
from agent.tasks.tape import calls_in
from agent.tasks.task import Task
from tools.errors import ToolError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool

JUDGE_FAILED = "the judge failed"
"""What the error of a run begins with, that ended in a check."""
UNKEPT = ("judge", "files")
"""Checks that look at more than an envelope keeps."""


def run(task: Task, given: Mapping[str, Any], means: Means) -> Envelope:
    """One run of `task` with the inputs `given`, in this thread; the caller prints and saves.

    Whatever goes wrong for a reason that a user can cause (an input, a template, the engine, a
    tool, Ctrl-C, the time) is in the envelope: `reason`, `error`, `exit_code`. Nothing is printed
    and nothing global is changed. Each step is a conversation of its own, in memory, so a run
    leaves no session behind and takes nothing from one.

    `means` may be used for any number of runs one after the other. Runs at the same time need a
    `Means` each: an engine serves one thread at a time, and a `Stop` ends one run.
    """
    return _Run(task, given, means).go()


def check(task: Task, made: Envelope, means: Means) -> Envelope:
    """`made`, whose steps all came to their end, with what the checks of `task` say of it.

    Files that are inputs are read as they are now. Raises UsageError where a check needs what an
    envelope does not keep.
    """
    return _Run(task, made.inputs, means).again(made)


class _Ended(Exception):
    """The run goes no further."""

    def __init__(self, reason: Reason, error: str | None) -> None:
        super().__init__(error)
        self.reason = reason
        self.error = error


class _Failed(Exception):
    """A step failed, and may be tried again."""

    def __init__(self, error: str, reason: Reason = "failed") -> None:
        super().__init__(error)
        self.reason = reason


class _Run:
    def __init__(self, task: Task, given: Mapping[str, Any], means: Means) -> None:
        self.task = task
        self.means = means
        self.calls: list[Called] = []
        self.done: list[Done] = []
        self.usage = Usage()
        self.checks: tuple[Check, ...] = task.form.checks
        """With those that are among the inputs."""
        self._functions: Mapping[str, BaseTool] = {}
        """Offered, and looked at instead of run when they are called."""
        self._given = given
        self._policy = means.tape.approver(allow(task.form.approve))
        self._results: dict[str, str] = {}
        """What the calls gave, by their ids."""
        self._denied: dict[str, None] = {}
        """The ids of calls that were not allowed."""
        self._asked_for: str | None = None
        self._started: dict[str, Mapping[str, Any]] = {}
        self._refused: dict[str, None] = {}
        self._wrote: list[str] = []
        """Outputs that are there, by their paths."""
        self._reason: Reason = "done"
        self._error: str | None = None
        self._began = time.monotonic()
        self._values: dict[str, Any] = {}

    def go(self) -> Envelope:
        envelope = Envelope(
            self.task.name, self.task.hash, dict(self._given), model=self.means.engine.name
        )
        found: Sequence[Checked] = ()
        files: Mapping[str, str] = {}
        with self._ending():
            envelope = replace(envelope, inputs=inputs.checked(self.task, self._given))
            if not self.means.tape.is_replay:  # else that was done, with the tools that there were
                refuse(self.task, self.means.tools, self.means.skills)
            self._take(envelope.inputs)
            before = checks.snapshot(self.means.folder, self.checks)
            for at, step in enumerate(self.task.steps):
                self._step(at, step)
            spent = self.fact("seconds", lambda: time.monotonic() - self._began)
            files = self._outputs()
            found = checks.all_of(self, files, before, spent)
            self.means.tape.ended()
            if self._refused:
                names = ", ".join(self._refused)
                raise _Ended(
                    "failed",
                    f"{names} may not be called unasked; the task's `approve` says which tools may",
                )
            reason, error = verdict(found)
            if reason != "done":
                raise _Ended(reason, error)
            self._write(files)
        return replace(
            envelope,
            answer=self.answer,
            reason=self._reason,
            error=self._error,
            steps=tuple(self.done),
            calls=tuple(self.calls),
            checks=tuple(found),
            files=tuple(files) if self._reason == "done" else tuple(self._wrote),
            usage=self.usage,
            seconds=round(time.monotonic() - self._began, 3),
        )

    def again(self, made: Envelope) -> Envelope:
        """`check`."""
        found: Sequence[Checked] = ()
        with self._ending():
            made = replace(made, inputs=inputs.checked(self.task, made.inputs))
            self._take(made.inputs)
        if needs := next((key for one in self.checks for key in UNKEPT if getattr(one, key)), ""):
            raise UsageError(
                f"a check of `{needs}` needs more than results keep; only running the rows again "
                "answers it"
            )
        self.done, self.calls = [*made.steps], [*made.calls]
        if self._reason == "done":
            with self._ending():
                found = checks.all_of(self, {}, {}, sum(one.seconds for one in made.steps))
                self._reason, self._error = verdict(found)
        return replace(made, reason=self._reason, error=self._error, checks=tuple(found))

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """What a user can cause ends what is under way, and not the program."""
        try:
            yield
        except _Ended as end:
            self._reason, self._error = end.reason, end.error
        except UsageError as wrong_use:
            self._reason, self._error = "usage", str(wrong_use)
        except (TinsmithError, ToolError, OSError) as problem:
            self._reason, self._error = "failed", str(problem)
        except KeyboardInterrupt:
            self._reason, self._error = "interrupted", "interrupted"
        except Exception as bug:  # it ends this run, and not those of the other rows
            self._reason, self._error = "failed", _bug(bug)

    def _take(self, given: Mapping[str, Any]) -> None:
        """The inputs, as they were checked. Raises UsageError."""
        self._values = inputs.in_templates(inputs.filled(self.task, given))
        self.checks += brought.checks(self.task, given)
        self._functions = brought.functions(self.task, given)

    @property
    def answer(self) -> Any:
        return next((one.answer for one in reversed(self.done) if not one.skipped), None)

    @property
    def values(self) -> dict[str, Any]:
        """What templates find, after the steps that were done."""
        steps = {
            one.id: SimpleNamespace(
                answer=templates.skipped(one.id) if one.skipped else one.answer,
                skipped=one.skipped,
            )
            for one in self.done
        }
        return {**self._values, "steps": SimpleNamespace(**steps)}

    def parameters(self) -> dict[str, Mapping[str, Any]]:
        """Of all that the model may call, the JSON schemas."""
        from tools.spec import spec

        offered = {name: self.means.tools[name] for name in self.task.form.tools}
        made = [spec(tool) for tool in (*offered.values(), *self._functions.values())]
        return {one.name: one.parameters for one in made if one is not None}

    def fact(self, kind: str, ask: Callable[[], Any]) -> Any:
        """Of the world: `ask`, or what a record says."""
        return self.means.tape.fact(kind, ask)

    def render(self, place: Place, text: str, values: Mapping[str, Any]) -> str:
        return str(self._templated(place, lambda: templates.render(text, values)))

    def value(self, place: Place, given: Any, values: Mapping[str, Any]) -> Any:
        return self._templated(place, lambda: templates.value(given, values))

    def _templated(self, place: Place, fill: Callable[[], Any]) -> Any:
        try:
            return fill()
        except templates.TemplateProblem as problem:
            where = self.task.where(place, problem.line)
            raise _Ended("usage", f"{where}: in the template: {problem}") from None

    def ask(
        self,
        text: str,
        schema: Mapping[str, Any] | None,
        tools: Mapping[str, BaseTool],
        sampling: Sampling,
        step: str,
        told: Sequence[BaseMessage] = (),
    ) -> str | None:
        """The answer to one prompt, in a conversation of its own. None: the model called a function
        that is only looked at. Raises _Failed, _Ended."""
        session = Unkept()
        agent = Agent(
            self.means.engine,
            tools,
            session,
            self.means.tape.offering(self.means.offering()),
            self._approve,
            sampling,
            self._limits(),
        )
        ended, notice = None, ""
        try:
            # first the turn, then what ends it: a stop that came before it ends it too
            with closing(agent.send(text, told, schema)) as turn, self.means.stop.ends(agent.stop):
                for event in turn:
                    if isinstance(event, ToolStarted) and event.name in self._functions:
                        self._looked_at(session.messages[-1], step)
                        self.usage += agent.usage
                        return None
                    self._hear(event, step)
                    if isinstance(event, Notice):
                        notice = event.text
                    elif isinstance(event, TurnEnded):
                        ended = event
        finally:
            for made in calls_in(session.messages, self._results, self._denied):
                self.means.tape.called(*made)
            session.close()
        assert ended is not None
        self.usage += ended.usage
        if ended.reason == "answered":
            return ended.answer
        if ended.reason in ("seconds", "interrupted"):
            self._refuse_late(ended.reason)
        if ended.reason == "failed":
            raise _Failed(notice)
        raise _Failed(
            f"it ended early ({ended.reason}); limits say how far it may go", ended.reason
        )

    def _looked_at(self, reply: BaseMessage, step: str) -> None:
        for call in getattr(reply, "tool_calls", ()):
            if call["name"] in self._functions:
                self.means.hear(ToolStarted(call["id"] or "", call["name"], call["args"]))
                self.calls.append(Called(step, call["name"], call["args"], "not run", True, 0.0))

    def judge(self, text: str, schema: Mapping[str, Any], sampling: Sampling) -> str:
        """JSON. Raises _Ended."""
        try:
            return self.ask(text, schema, {}, sampling, "judge") or ""
        except _Failed as failed:
            raise _Ended("failed", f"{JUDGE_FAILED}: {failed}") from None

    def _step(self, at: int, step: Step) -> None:
        began, written = time.monotonic(), self.usage.generated
        place: Place = ("steps", at)
        self._refuse_late()
        condition = step.condition
        if isinstance(condition, str):
            source = condition
            condition = bool(
                self._templated((*place, "if"), lambda: templates.evaluate(source, self.values))
            )
        if condition is False:
            self.done.append(Done(step.id, None, True, 0, 0, 0.0))
            return
        if step.each is None:
            answer, tries = self._tried(place, step, self.values)
        else:
            answer, tries = [], 0
            for item in self._items(place, step):
                one, more = self._tried(place, step, {**self.values, "item": item})
                answer.append(one)
                tries += more
        spent = round(time.monotonic() - began, 3)
        wrote = self.usage.generated - written
        self.done.append(Done(step.id, answer, False, tries, wrote, spent))

    def _items(self, place: Place, step: Step) -> Sequence[Any]:
        each = step.each
        where = self.task.where((*place, "each"))
        if isinstance(each, str):
            source = each
            found = self._templated(
                (*place, "each"), lambda: templates.evaluate(source, self.values)
            )
            if isinstance(found, str | Mapping) or not hasattr(found, "__iter__"):
                raise _Ended("usage", f"{where}: `each` gives {_short(found)}, which is no list")
            each = found
        items: list[Any] = []
        for item in each or ():
            if len(items) == bounds.ITEMS:
                raise _Ended("usage", f"{where}: `each` gives more than {bounds.ITEMS:,} items")
            items.append(item)
        return items

    def _tried(self, place: Place, step: Step, values: Mapping[str, Any]) -> tuple[Any, int]:
        """The answer, and how many tries it took. Raises _Ended."""
        for number in range(step.retry + 1):
            self._refuse_late()
            try:
                if step.tool is not None:
                    return self._call(place, step, values), number + 1
                return self._prompted(place, step, values, number), number + 1
            except _Failed as failed:
                if number == step.retry:
                    where = self.task.where(place)
                    raise _Ended(failed.reason, f"{where}: step {step.id!r}: {failed}") from None
        raise AssertionError("a step is tried at least once")

    def _prompted(self, place: Place, step: Step, values: Mapping[str, Any], number: int) -> Any:
        text = self.render((*place, "prompt"), step.prompt or "", values)
        if not text.strip():
            raise _Ended("usage", f"{self.task.where((*place, 'prompt'))}: the prompt is empty")
        names = self.task.form.tools if step.tools is None else step.tools
        tools = {name: self.means.tools[name] for name in names}
        if both := tools.keys() & self._functions.keys():
            raise _Ended("usage", f"{', '.join(sorted(both))}: a tool and a function of this name")
        tools |= self._functions
        sampling = sampling_of(self.task)
        if number:  # the likeliest answer would be the same again
            sampling = replace(sampling.varied(), seed=number)
        text = text.encode("utf-8", "replace").decode()
        # a replay has no skills, and needs none: the words of the system are not compared
        skills = [
            self.means.skills[name] for name in self.task.form.skills if name in self.means.skills
        ]
        said = self.ask(text, step.schema, tools, sampling, step.id, skills)
        if said is None or step.schema is None:
            return said
        try:
            return answers.parsed(said, step.schema)
        except answers.Unparsable as wrong:
            raise _Failed(f"the answer does not follow the schema: {wrong}") from None

    def _call(self, place: Place, step: Step, values: Mapping[str, Any]) -> str:
        """A direct call. Raises _Failed, _Ended."""
        import jsonschema
        from langchain_core.messages import AIMessage
        from referencing import Registry

        from tools.spec import ToolMistake, spec

        tool = self.means.tools[step.tool or ""]
        arguments = self.value((*place, "arguments"), step.arguments, values)
        try:
            now = spec(tool)
            if now is None:
                raise _Failed(f"{tool.name} has nothing to work on now")
            jsonschema.Draft202012Validator(now.parameters, registry=Registry()).validate(arguments)
        except jsonschema.ValidationError as error:
            where = self.task.where((*place, "arguments"))
            at = error.json_path.removeprefix("$").removeprefix(".")
            raise _Ended(
                "usage", f"{where}: {tool.name}: {f'{at}: ' if at else ''}{error.message}"
            ) from None
        except ToolMistake as error:
            raise _Failed(str(error)) from error
        session = Unkept()
        id = f"direct_{len(self.calls)}"
        call: Any = {"name": tool.name, "args": arguments, "id": id, "type": "tool_call"}
        left = min(self.task.form.limits.tool_seconds, self._left())
        try:
            running = calls.run(
                [call], {tool.name: tool}, session, self._approve, left, self.means.stop.event,
                False, sys.maxsize,
            )  # fmt: skip
            while True:
                self._hear(next(running), step.id)
        except StopIteration as end:
            result = end.value[0]
        finally:
            session.close()
        self._refuse_late()
        made = AIMessage("", tool_calls=[call])
        for one in calls_in([made, result], self._results, self._denied):
            self.means.tape.called(*one)
        if result.status == "success":
            return str(result.text)
        raise _Failed(str(result.text))

    def _hear(self, event: Event, step: str) -> None:
        if isinstance(event, ToolStarted):
            self._started[event.id] = event.arguments
            if self._asked_for is not None:
                self._denied[event.id] = None
                self._asked_for = None
        elif isinstance(event, ToolFinished):
            arguments = self._started.pop(event.id)
            self._results[event.id] = event.result
            spent = round(event.seconds, 3)
            self.calls.append(Called(step, event.name, arguments, event.result, event.ok, spent))
        self.means.hear(event)

    def _approve(self, question: Question) -> Approval:
        decision = self._policy(question)
        if not decision.allowed:
            self._refused[question.tool] = None
            self._asked_for = question.tool  # the call that is told of next
        return decision

    def _left(self) -> float:
        """Seconds."""
        return self.task.form.limits.seconds - (time.monotonic() - self._began)

    def _refuse_late(self, reason: str = "") -> None:
        """Raises _Ended when there is no more time, or the user wants no more."""
        if self.means.stop.event.is_set() or reason == "interrupted":
            raise _Ended("interrupted", "interrupted")
        limits = self.task.form.limits
        if self._left() <= 0 or reason == "seconds":
            raise _Ended("seconds", f"not done after {limits.seconds:g} seconds (limits.seconds)")
        if limits.tokens is not None and self.usage.generated >= limits.tokens:
            raise _Ended("tokens", f"not done after {limits.tokens:,} tokens (limits.tokens)")

    def _limits(self) -> Limits:
        limits = self.task.form.limits
        tokens = limits.tokens
        left = None if tokens is None else max(0, tokens - self.usage.generated)
        return Limits(limits.steps, max(0.01, self._left()), left, limits.tool_seconds)

    def _outputs(self) -> dict[str, str]:
        """By path, what is to be written. Raises _Ended."""
        values = {**self.values, "answer": self.answer}
        made: dict[str, str] = {}
        lines: dict[str, str] = {}
        for path, text in self.task.form.outputs.items():
            place: Place = ("outputs", path)
            where = self.task.where(place)
            file = self.render(place, path, values).strip()
            same = place_of(file)
            if not same:
                raise _Ended("usage", f"{where}: {file!r} is no file in the working folder")
            if same in lines:
                raise _Ended("usage", f"{where}: {file!r} is also written by {lines[same]}")
            lines[same] = where
            made[file] = self.render(place, text, values)
            if not is_utf8(made[file]):
                raise _Ended("usage", f"{where}: the text of {file!r} holds half a character")
        return made

    def _write(self, files: Mapping[str, str]) -> None:
        """All paths are looked at before anything is written. Raises _Ended."""
        from tools.storage import write_atomically

        if self.means.folder is None:
            return
        for path in files:
            try:
                file = (self.means.folder / path).resolve()
                is_inside = file.is_relative_to(self.means.folder.resolve())
                is_folder = file.is_dir()
            except (OSError, RuntimeError) as error:  # links that lead in a circle
                raise _Ended("failed", f"{path} cannot be written: {error}") from None
            if not is_inside:
                raise _Ended("failed", f"{path} leads out of the working folder")
            if is_folder:
                raise _Ended("failed", f"{path} cannot be written: it is a folder")
        for path, text in files.items():
            file = self.means.folder / path
            try:
                write_atomically(file, text if text.endswith("\n") else f"{text}\n")
            except OSError as error:
                said = f"{path} cannot be written: {error.strerror or error}"
                if self._wrote:
                    said += f"; written were {', '.join(self._wrote)}"
                raise _Ended("failed", said) from None
            self._wrote.append(path)


def sampling_of(task: Task) -> Sampling:
    """From the file alone, so that a run is the same for every user."""
    one = task.form.sampling
    return Sampling(
        temperature=one.temperature,
        top_p=one.top_p,
        top_k=one.top_k,
        min_p=one.min_p,
        repetition_penalty=one.repetition_penalty,
        seed=one.seed,
        max_tokens=one.max_tokens,
        stop=one.stop,
    )


def _bug(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}, in {place.name}"
    return f"a bug, please report it: {type(error).__name__}: {error} ({where})"


def _short(value: Any) -> str:
    return cut(json.dumps(value, ensure_ascii=False, default=str), 80)
