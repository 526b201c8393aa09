"""What a run was told from outside: kept in a record, and told again by a replay.

    tape = Recorder(); run(task, given, means_recorded(means, tape)); tape.save(file)
    means, given = replayed(file, task, given); run(task, given, means)

A record is JSON lines: what it is of, and then, in the order in which the run asked, every reply of
the model, every offer of tools, every result of a tool. A replay is the same run with an engine,
tools and an offering that read the record; no model is loaded and no tool is run.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agent import errors
from agent.approval import Approval, Approver, Question, deny
from agent.calls import MENDABLE
from agent.cut import cut
from agent.engines.base import Choice, Engine, Sampling
from agent.errors import EngineError, GrammarError, UsageError
from agent.events import TextDelta, Usage
from agent.offering import Offering, SoFar
from agent.tasks import differences, inputs
from agent.tasks.task import Task, facts_of
from tools.errors import Refused, ToolError
from tools.spec import ToolSpec, effects_of, spec
from tools.storage import write_atomically

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.tools import BaseTool

    from agent.tasks.means import Means

VERSION = 1
SHOWN = 120
BEGIN: Mapping[str, type] = {
    "model": str, "context": int, "tools": dict, "said": dict, "inputs": dict, "files": dict,
}  # fmt: skip
"""What the first line of a record has to hold."""
LATER = ("name", "description", "checks", "outputs")
"""Keys of a task that may change: the record holds what they look at."""


class ReplayDiffers(UsageError):
    """A record is not one of this run, or cannot be read."""


class Live:
    """Nothing is kept: what a run asks is asked of the world."""

    is_replay = False

    def fact(self, kind: str, ask: Callable[[], Any]) -> Any:
        """What `ask` gives, a JSON value."""
        return ask()

    def offering(self, one: Offering) -> Offering:
        return one

    def approver(self, one: Approver) -> Approver:
        return one

    def called(
        self, name: str, arguments: Mapping[str, Any], result: str, how: Mapping[str, Any]
    ) -> None:
        """What a call gave; `how`: ok, mendable, denied."""

    def ended(self) -> None:
        """The run is right, and asks no more."""


class Recorder(Live):
    """Keeps what is asked, and the answers."""

    def __init__(self) -> None:
        self._lines: list[dict[str, Any]] = []

    def fact(self, kind: str, ask: Callable[[], Any]) -> Any:
        value = ask()
        self._lines.append({"kind": kind, "value": value})
        return value

    def offering(self, one: Offering) -> Offering:
        return _TapedOffering(self, one)

    def called(
        self, name: str, arguments: Mapping[str, Any], result: str, how: Mapping[str, Any]
    ) -> None:
        made = {"name": name, "arguments": arguments, "result": result, **how}
        self._lines.append({"kind": "call", "value": made})

    def save(self, file: Path, task: Task, given: Mapping[str, Any], means: Means) -> None:
        """The whole record, or nothing. Raises OSError."""
        engine = means.engine
        begin = {
            "kind": "begin",
            "version": VERSION,
            "model": engine.name,
            "context": engine.context,
            "tools": {name: _described(means.tools[name]) for name in task.tools()},
            **_about(task, given),
        }
        lines = [json.dumps(one, ensure_ascii=True) for one in (begin, *self._lines)]
        write_atomically(file, "\n".join(lines) + "\n")


class Replayer(Live):
    is_replay = True

    def __init__(self, file: Path, begin: Mapping[str, Any], lines: list[dict[str, Any]]) -> None:
        self.begin = begin
        self._file = file
        self._lines = deque(line for line in lines if line["kind"] != "call")
        self._calls: dict[str, deque[dict[str, Any]]] = {}
        for line in lines:
            if line["kind"] == "call":
                one = line["value"]
                key = _key(one["name"], one["arguments"])
                self._calls.setdefault(key, deque()).append(one)

    def fact(self, kind: str, ask: Callable[[], Any]) -> Any:
        if not self._lines:
            raise ReplayDiffers(f"{self._file} has come to its end, and the run asks on ({kind})")
        line = self._lines.popleft()
        if line["kind"] != kind:
            raise ReplayDiffers(
                f"{self._file} goes on with {line['kind']!r} where the run asks for {kind!r}; "
                "record it again"
            )
        return line["value"]

    def ended(self) -> None:
        if self._lines or any(self._calls.values()):
            raise ReplayDiffers(f"{self._file} goes on where the run has ended; record it again")

    def offering(self, one: Offering) -> Offering:
        return _TapedOffering(self, one)

    def approver(self, one: Approver) -> Approver:
        def approve(question: Question) -> Approval:
            if self._next(question.tool, question.arguments)["denied"]:
                self.take(question.tool, question.arguments)
                return deny(question)
            return Approval(True, answer="before")

        return approve

    def take(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The next result of this call."""
        self._next(name, arguments)
        return self._calls[_key(name, arguments)].popleft()

    def _next(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        kept = self._calls.get(_key(name, arguments))
        if not kept:
            said = json.dumps(arguments, ensure_ascii=False)
            raise ReplayDiffers(f"{self._file} holds no result of {name}({said})")
        return kept[0]

    def tools(self) -> dict[str, BaseTool]:
        """In the place of those that were there: they give the results that were kept."""
        return {name: self._tool(name, told) for name, told in self.begin["tools"].items()}

    def _tool(self, name: str, told: Mapping[str, Any]) -> BaseTool:
        def again(arguments: Mapping[str, Any]) -> str:
            kept = self.take(name, arguments)
            if kept["ok"]:
                return str(kept["result"])
            raise (ToolError if kept["mendable"] else Refused)(kept["result"])

        made = _Again(
            name, told["description"], told["parameters"], again, frozenset(told["effects"])
        )
        return cast("BaseTool", made)


@dataclass(frozen=True)
class _Again:
    """What `tools.spec` and `tools.running` ask of a tool. Not LangChain's class: to import it
    takes longer than all else of a replay."""

    name: str
    description: str
    tool_call_schema: dict[str, Any]
    invoke: Callable[[Mapping[str, Any]], str]
    effects: frozenset[str]
    approval: str = "ask"
    """It is known of every call whether it was allowed."""


class TapedEngine:
    """An `Engine` that is listened to; or, without one, the engine of a record."""

    def __init__(self, tape: Recorder | Replayer, engine: Engine | None) -> None:
        self._tape = tape
        self._engine = engine
        self._usage = Usage()
        begin = tape.begin if isinstance(tape, Replayer) else {}
        self.name: str = engine.name if engine else begin["model"]
        self.context: int = engine.context if engine else begin["context"]

    @property
    def usage(self) -> Usage:
        return self._engine.usage if self._engine else self._usage

    @property
    def reading(self) -> tuple[int, int] | None:
        return self._engine.reading if self._engine else None

    @property
    def calling(self) -> int:
        return self._engine.calling if self._engine else 0

    def reply(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[ToolSpec] = (),
        sampling: Sampling = Sampling(),  # noqa: B008  frozen
        choice: Choice = Choice(),  # noqa: B008  frozen
    ) -> Generator[TextDelta, None, AIMessage]:
        asked = _asked(messages)
        if self._engine is not None:
            return (yield from self._listen(asked, messages, tools, sampling, choice))
        with _whole("reply"):
            return (yield from self._again(self._tape.fact("reply", dict), asked))

    def _again(
        self, kept: Mapping[str, Any], asked: Mapping[str, str]
    ) -> Generator[TextDelta, None, AIMessage]:
        from langchain_core.messages import AIMessage

        if kept["asked"] != asked:
            raise ReplayDiffers(
                f"the model is asked something else than was recorded. Then: "
                f"{kept['asked']['last']!r}. Now: {asked['last']!r}"
            )
        if (error := kept.get("error")) is not None:
            raise _ERRORS.get(error["kind"], EngineError)(error["said"])
        self._usage = Usage(**kept["usage"])
        for kind in ("reasoning", "answer"):
            if text := kept["text"].get(kind):
                yield TextDelta(str(text), kind)
        return AIMessage(**kept["message"])

    def _listen(
        self,
        asked: Mapping[str, str],
        messages: Sequence[BaseMessage],
        tools: Sequence[ToolSpec],
        sampling: Sampling,
        choice: Choice,
    ) -> Generator[TextDelta, None, AIMessage]:
        assert self._engine is not None
        said: dict[str, str] = {}
        reply = self._engine.reply(messages, tools, sampling, choice)
        while True:
            try:
                delta = next(reply)
            except StopIteration as end:
                message: AIMessage = end.value
                break
            except (EngineError, GrammarError) as error:
                failed = {"kind": type(error).__name__, "said": str(error)}
                told = {"asked": asked, "error": failed}
                self._tape.fact("reply", functools.partial(dict, told))
                raise
            said[delta.kind] = said.get(delta.kind, "") + delta.text
            yield delta
        kept = {
            "asked": asked,
            "text": said,
            "message": {
                "content": message.content,
                "tool_calls": [dict(one) for one in message.tool_calls],
                "additional_kwargs": message.additional_kwargs,
                "response_metadata": message.response_metadata,
            },
            "usage": asdict(self._engine.usage),
        }
        self._tape.fact("reply", lambda: kept)
        return message

    def warm(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> None:
        if self._engine:
            self._engine.warm(messages, tools)

    def fits(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> float | None:
        return self._engine.fits(messages, tools) if self._engine else None

    def wants_call(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> bool | None:
        return self._engine.wants_call(messages, tools) if self._engine else None

    def count_tokens(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> int:
        def count() -> int:
            assert self._engine is not None
            return self._engine.count_tokens(messages, tools)

        counted = self._tape.fact("tokens", count)
        with _whole("tokens"):
            return int(counted)

    def stop(self) -> None:
        if self._engine:
            self._engine.stop()

    def close(self) -> None:
        if self._engine:
            self._engine.close()


class _TapedOffering(Offering):
    """Which tools are offered is decided by an embedder and by the model: it is kept whole."""

    def __init__(self, tape: Recorder | Replayer, one: Offering) -> None:
        super().__init__(None, 0)
        self._tape = tape
        self._one = one

    def stable(self, specs: Sequence[ToolSpec]) -> Sequence[ToolSpec]:
        return specs if self._tape.fact("stable", lambda: bool(self._one.stable(specs))) else ()

    def announce(
        self,
        history: Sequence[BaseMessage],
        request: str,
        specs: Sequence[ToolSpec],
        wanted: Collection[str] = (),
    ) -> list[BaseMessage]:
        from langchain_core.messages import SystemMessage

        def told() -> list[Any]:
            found = self._one.announce(history, request, specs, wanted)
            return [[str(message.text), message.additional_kwargs] for message in found]

        kept = self._tape.fact("announced", told)
        with _whole("announced"):
            return [SystemMessage(text, additional_kwargs=marks) for text, marks in kept]

    def offer(
        self,
        engine: Engine,
        messages: Sequence[BaseMessage],
        specs: Sequence[ToolSpec],
        so_far: SoFar = SoFar(),  # noqa: B008  frozen
    ) -> tuple[Sequence[ToolSpec], Choice]:
        live: list[Any] = []

        def told() -> dict[str, Any]:
            offered, choice = self._one.offer(engine, messages, specs, so_far)
            live.extend((offered, choice))
            self.verdict = self._one.verdict
            described = [[one.name, one.description, dict(one.parameters)] for one in offered]
            return {"tools": described, "mode": choice.mode, "listed": choice.listed}

        kept = self._tape.fact("offered", told)
        if live:
            return live[0], live[1]
        with _whole("offered"):
            choice = Choice(kept["mode"], listed=kept["listed"])
            return [ToolSpec(*one) for one in kept["tools"]], choice


def recorded(means: Means, tape: Recorder) -> Means:
    """The same means, listened to."""
    return replace(means, engine=TapedEngine(tape, means.engine), tape=tape)


def replayed(file: Path, task: Task, given: Mapping[str, Any]) -> tuple[Means, Mapping[str, Any]]:
    """What `task` is run with to do again what `file` has kept, and the inputs: what is not
    given is as it was then.

    Raises ReplayDiffers with what differs: the task, an input, the text of a file.
    """
    from agent.tasks.means import Means

    tape = _read(file)
    then = tape.begin["inputs"]
    given = {**{name: then[name] for name in task.form.inputs if name in then}, **given}
    now = json.loads(json.dumps(_about(task, given)))
    if found := list(_differences(tape.begin, now)):
        raise ReplayDiffers(
            f"{file} was recorded with something else: {'; '.join(found)}. Record it again, "
            "or go back"
        )
    return Means(TapedEngine(tape, None), tape.tools(), tape=tape), given


def _read(file: Path) -> Replayer:
    try:
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        begin, rest = lines[0], lines[1:]
        version = begin["version"]
        if begin["kind"] != "begin":
            raise ValueError
    except OSError as error:
        raise ReplayDiffers(f"{file} cannot be read: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ReplayDiffers(f"{file} is no record; `tinsmith run --record` makes one") from None
    if version != VERSION:
        raise ReplayDiffers(f"{file} is a record of version {version}; record it again")
    if not all(isinstance(begin.get(key), kind) for key, kind in BEGIN.items()) or not all(
        _has(told, "description", "parameters", "effects") for told in begin["tools"].values()
    ):
        raise ReplayDiffers(f"{file}:1 lacks a part of what a record is of; record it again")
    for number, line in enumerate(rest, 2):
        if not _is_whole(line):
            raise ReplayDiffers(f"{file}:{number} is damaged; record it again")
    return Replayer(file, begin, rest)


def _has(found: Any, *keys: str) -> bool:
    return isinstance(found, dict) and all(key in found for key in keys)


def _is_whole(line: Any) -> bool:
    if not _has(line, "kind", "value"):
        return False
    if line["kind"] == "call":
        return _has(line["value"], "name", "arguments", "result", "ok", "mendable", "denied")
    return line["kind"] != "seconds" or isinstance(line["value"], int | float)


@contextlib.contextmanager
def _whole(kind: str) -> Iterator[None]:
    """Raises ReplayDiffers where what a record keeps is not of the form in which it was kept."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ReplayDiffers(
            f"what the record keeps of {kind!r} is damaged ({error!r}); record it again"
        ) from None


def _about(task: Task, given: Mapping[str, Any]) -> dict[str, Any]:
    values = inputs.checked(task, given)
    return {
        "task": task.hash,
        "said": facts_of(task),
        "inputs": values,
        "files": inputs.digests(task, inputs.filled(task, values)),
    }


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for said in differences.told(then["said"], now["said"], LATER):
        yield f"the task's {said}"
    for name in dict.fromkeys([*then["inputs"], *now["inputs"]]):
        was, is_now = then["inputs"].get(name), now["inputs"].get(name)
        if was != is_now:
            yield "the input {} was {} and is {}".format(name, *differences.apart(was, is_now))
        elif then["files"].get(name) != now["files"].get(name):
            yield f"the text of the file {is_now} ({name})"


def _described(tool: BaseTool) -> dict[str, Any]:
    now = spec(tool)
    return {
        "description": tool.description,
        "parameters": dict(now.parameters) if now else {"type": "object", "properties": {}},
        "effects": sorted(effects_of(tool)),
    }


def calls_in(
    messages: Sequence[BaseMessage], results: Mapping[str, str], denied: Mapping[str, None]
) -> Generator[tuple[str, Mapping[str, Any], str, dict[str, bool]], None, None]:
    """Of a conversation, what `Live.called` is told. `results`: whole, by the ids of the calls."""
    made = {one["id"]: one for message in messages for one in getattr(message, "tool_calls", ())}
    for message in messages:
        id = str(getattr(message, "tool_call_id", ""))
        if id in made:
            ok = getattr(message, "status", "") == "success"
            how = {
                "ok": ok,
                "mendable": bool(message.additional_kwargs.get(MENDABLE)),
                "denied": id in denied,
            }
            yield made[id]["name"], made[id]["args"], results.get(id, str(message.text)), how


def _asked(messages: Sequence[BaseMessage]) -> dict[str, str]:
    """What was said so far, but for the words of the system, which a newer Tinsmith may choose
    better."""
    said = [
        [one.type, str(one.text), [[c["name"], c["args"]] for c in getattr(one, "tool_calls", ())]]
        for one in messages
        if one.type != "system"
    ]
    written = json.dumps(said, sort_keys=True)
    last = said[-1][1] if said else ""
    return {
        "hash": hashlib.sha256(written.encode()).hexdigest()[:16],
        "last": cut(str(last), SHOWN),
    }


def _key(name: str, arguments: Mapping[str, Any]) -> str:
    return f"{name} {json.dumps(arguments, sort_keys=True)}"


_ERRORS: Mapping[str, type[errors.TinsmithError]] = {
    one.__name__: one
    for one in (
        errors.EngineError, errors.DoesNotFit, errors.OutOfMemory, errors.WindowFull,
        errors.GrammarError,
    )
}  # fmt: skip
