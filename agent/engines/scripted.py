"""An engine that says what it is told: for tests, for tool authors, for a look at the screen.

    engine = ScriptedEngine(call("add", a=2, b=3), say("5"))
    engine.seen[0].messages          # what the first reply was asked with

`tinsmith chat --engine scripted --script FILE` runs the whole program with a script.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.engines.base import Choice, Sampling
from agent.errors import EngineError, UsageError
from agent.events import TextDelta, Usage

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

    from tools.base import ToolSpec


@dataclass(frozen=True)
class Line:
    """One reply."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    error: Exception | None = None
    pace: float = 0.0
    """Seconds before each word."""


Script = Line | Callable[[Sequence["BaseMessage"]], Line]
"""A reply, or a function that makes one of the messages it answers."""


def say(text: str, reasoning: str = "") -> Line:
    return Line(text, reasoning)


def call(name: str, /, **arguments: Any) -> Line:
    return Line(calls=((name, arguments),))


def calls(*lines: Line) -> Line:
    """Several calls in one reply."""
    return Line(calls=tuple(one for line in lines for one in line.calls))


def fail(error: Exception) -> Line:
    return Line(error=error)


@dataclass(frozen=True)
class Seen:
    """What a reply was asked with."""

    messages: tuple[BaseMessage, ...]
    tools: tuple[ToolSpec, ...]
    choice: Choice
    sampling: Sampling


class ScriptedEngine:
    """An `Engine`. Raises EngineError when the script has run out or calls what is not offered."""

    name = "scripted"
    context = 1_000_000

    def __init__(self, *script: Script) -> None:
        self.usage = Usage()
        self.seen: list[Seen] = []
        self._script = list(script)
        self._stopped = threading.Event()

    @classmethod
    def from_file(cls, path: Path) -> ScriptedEngine:
        """A script of JSON lines, one for each reply. Raises UsageError with the line.

        {"say": "It is 5.", "reasoning": "2 + 3", "pace": 0.1}
        {"call": "add", "arguments": {"a": 2, "b": 3}}
        {"calls": [{"call": "add", "arguments": {"a": 2, "b": 3}}, …]}
        """
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(
                f"cannot read the script {str(path)!r}: {reason}; --script names a file of replies"
            ) from error
        script = []
        for number, row in enumerate(text.splitlines(), 1):
            try:
                script.append(_line(json.loads(row)))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise UsageError(
                    f'{path}:{number}: a line is {{"say": TEXT}}, {{"call": NAME, "arguments": '
                    f'{{…}}}} or {{"calls": […]}}, not {row[:60]}'
                ) from error
        return cls(*script)

    def reply(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[ToolSpec] = (),
        sampling: Sampling = Sampling(),  # noqa: B008  frozen
        choice: Choice = Choice(),  # noqa: B008  frozen
    ) -> Generator[TextDelta, None, AIMessage]:
        from langchain_core.messages import AIMessage

        self._stopped.clear()
        self.usage = Usage()
        self.seen.append(Seen(tuple(messages), tuple(tools), choice, sampling))
        if not self._script:
            raise EngineError(f"the script has run out after {len(self.seen) - 1} replies")
        told = self._script.pop(0)
        line = told if isinstance(told, Line) else told(messages)
        if line.error:
            raise line.error
        made = [_made(name, arguments, tools, choice) for name, arguments in line.calls]
        thought = yield from self._speak(TextDelta(line.reasoning, "reasoning"), line.pace)
        said = yield from self._speak(TextDelta(line.text), line.pace)
        stopped = self._stopped.is_set()
        self.usage = Usage(
            prefilled=self.count_tokens(messages, tools),
            generated=len(f"{thought} {said}".split()) + sum(len(str(one).split()) for one in made),
        )
        return AIMessage(
            said,
            tool_calls=[] if stopped else made,
            additional_kwargs={"reasoning": thought} if thought else {},
            response_metadata={
                "finish": "interrupted" if stopped else "stop",
                "cut_call": False,
                "model_name": self.name,
            },
        )

    def warm(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> None:
        """Nothing to process."""

    def fits(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> float | None:
        return None

    def count_tokens(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> int:
        """Words stand for tokens."""
        described = (f"{tool.name} {tool.description} {tool.parameters}" for tool in tools)
        return sum(len(text.split()) for text in (*(str(m.text) for m in messages), *described))

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self.stop()

    def _speak(self, whole: TextDelta, pace: float) -> Generator[TextDelta, None, str]:
        """Word by word; the words that were said before a stop."""
        said = ""
        for word in re.findall(r"\s*\S+|\s+$", whole.text):
            if self._stopped.wait(pace) if pace else self._stopped.is_set():
                break
            said += word
            yield replace(whole, text=word)
        return said


KEYS: dict[str, Any] = {
    "say": str, "reasoning": str, "pace": int | float,
    "call": str, "arguments": dict,
    "calls": list,
}  # fmt: skip


def _line(entry: dict[str, Any]) -> Line:
    """Raises KeyError, TypeError, AttributeError for what is no line."""
    if not all(isinstance(value, KEYS[key]) for key, value in entry.items()):
        raise TypeError(entry)
    if "say" in entry:
        return Line(entry["say"], entry.get("reasoning", ""), pace=entry.get("pace", 0.0))
    if "call" in entry:
        return call(entry["call"], **entry.get("arguments", {}))
    return calls(*map(_line, entry["calls"]))


def _made(
    name: str, arguments: dict[str, Any], tools: Sequence[ToolSpec], choice: Choice
) -> dict[str, Any]:
    """The call, when a real engine could have made it. Raises EngineError."""
    import jsonschema

    offered = {tool.name: tool for tool in tools}
    if choice.mode == "text":
        raise EngineError(f"the script calls {name!r} where the reply must be text")
    if name not in offered:
        raise EngineError(f"the script calls {name!r}; offered are: {', '.join(offered)}")
    try:
        jsonschema.validate(arguments, offered[name].parameters)
    except jsonschema.ValidationError as error:
        raise EngineError(f"the script calls {name!r} wrongly: {error.message}") from error
    return {"name": name, "args": arguments, "id": f"call_{secrets.token_hex(6)}"}
