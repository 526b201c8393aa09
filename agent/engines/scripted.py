"""An engine that says what it is told: for tests, for tool authors, for a look at the screen.

Words stand for tokens.

ScriptedEngine(call("add", a=2, b=3), say("5"))
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import answers
from agent.engines.base import Choice, Sampling
from agent.errors import EngineError, UsageError
from agent.events import TextDelta, Usage

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

    from tools.spec import ToolSpec


@dataclass(frozen=True)
class Line:
    """One reply."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    error: Exception | None = None


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
    reading: tuple[int, int] | None = None
    calling = 0

    def __init__(self, *lines: Line) -> None:
        self.usage = Usage()
        self.seen: list[Seen] = []
        self._lines = list(lines)
        self._stopped = threading.Event()

    @classmethod
    def from_file(cls, path: Path) -> ScriptedEngine:
        """A script of JSON lines: {"say": "5"} or {"call": "add", "arguments": {"a": 2}}."""
        lines = []
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise UsageError(f"cannot read the script {path}: {error.strerror}") from error
        for number, row in enumerate(text.splitlines(), 1):
            try:
                entry = json.loads(row)
                line = (
                    Line(entry["say"])
                    if "say" in entry
                    else call(entry["call"], **entry["arguments"])
                )
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(
                    f'{path}:{number}: a line is {{"say": …}} or {{"call": …, "arguments": …}}'
                ) from error
            lines.append(line)
        return cls(*lines)

    def reply(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[ToolSpec] = (),
        sampling: Sampling = Sampling(),  # noqa: B008  frozen
        choice: Choice = Choice(),  # noqa: B008  frozen
    ) -> Generator[TextDelta, None, AIMessage]:
        from langchain_core.messages import AIMessage

        self._stopped.clear()
        self.seen.append(Seen(tuple(messages), tuple(tools), choice, sampling))
        if not self._lines:
            raise EngineError(f"the script has run out after {len(self.seen) - 1} replies")
        line = self._lines.pop(0)
        if line.error:
            raise line.error
        said = ""
        finish = "stop"
        if line.reasoning:
            yield TextDelta(line.reasoning, "reasoning")
        text = line.text
        for end in sampling.stop:
            text = text.partition(end)[0]
        for number, word in enumerate(re.findall(r"\s*\S+|\s+$", text)):
            if self._stopped.is_set():
                finish = "interrupted"
                break
            if number == sampling.max_tokens:
                finish = "length"
                break
            said += word
            yield TextDelta(word)
        if choice.schema is not None and not line.calls and finish == "stop":
            self._refuse_unparsable(said, choice.schema)
        made = [self._made(number, *one, tools) for number, one in enumerate(line.calls)]
        prompt = self.count_tokens(messages)
        self.usage = Usage(prefilled=prompt, generated=len(said.split()))
        return AIMessage(
            said,
            tool_calls=made,
            additional_kwargs={"reasoning": line.reasoning} if line.reasoning else {},
            response_metadata={
                "finish": finish,
                "cut_call": finish == "length" and choice.schema is not None,
                "model_name": self.name,
            },
        )

    def beside(self) -> ScriptedEngine:
        """Another for a thread of its own; both take their replies from the same script."""
        other = copy.copy(self)
        other._stopped = threading.Event()
        return other

    def warm(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> None:
        """Nothing to process."""

    def fits(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> float | None:
        return None

    def wants_call(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> bool | None:
        return None

    def count_tokens(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> int:
        return sum(len(str(message.text).split()) for message in messages)

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self.stop()

    def _refuse_unparsable(self, text: str, schema: Mapping[str, Any]) -> None:
        try:
            answers.parsed(text, schema)
        except answers.Unparsable as error:
            raise EngineError(f"the script does not follow the schema: {error}") from error

    def _made(
        self, number: int, name: str, arguments: dict[str, Any], tools: Sequence[ToolSpec]
    ) -> dict[str, Any]:
        import jsonschema

        offered = {tool.name: tool for tool in tools}
        if name not in offered:
            raise EngineError(f"the script calls {name!r}; offered are: {', '.join(offered)}")
        try:
            jsonschema.validate(arguments, offered[name].parameters)
        except jsonschema.ValidationError as error:
            raise EngineError(f"the script calls {name!r} wrongly: {error.message}") from error
        return {"name": name, "args": arguments, "id": f"call_{len(self.seen)}_{number}"}
