from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from agent.engines.base import Choice, Engine, Sampling
from agent.engines.scripted import Line, ScriptedEngine, call, calls, fail, say
from agent.errors import EngineError, OutOfMemory, UsageError
from agent.events import TextDelta
from tools.base import ToolSpec

NUMBER = {"type": "integer"}
ADD = ToolSpec(
    "add",
    "Add two numbers.",
    {
        "type": "object",
        "properties": {"a": NUMBER, "b": NUMBER},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
)
ASKED = [HumanMessage("what is 2 + 3?")]


def reply(
    engine: Engine, tools: Sequence[ToolSpec] = (ADD,), choice: Choice | None = None
) -> tuple[list[TextDelta], AIMessage]:
    running = engine.reply(ASKED, tools, Sampling(), choice or Choice())
    deltas = []
    while True:
        try:
            deltas.append(next(running))
        except StopIteration as end:
            return deltas, end.value


def written(path: Path, *entries: object) -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), "utf-8")
    return path


@given(st.text())
def test_the_words_that_stream_are_the_text(text: str) -> None:
    deltas, message = reply(ScriptedEngine(say(text)))
    assert "".join(delta.text for delta in deltas) == message.text == text


def test_reasoning_comes_first_and_is_kept_apart() -> None:
    deltas, message = reply(ScriptedEngine(say("It is 5.", reasoning="two and three")))
    assert [delta.kind for delta in deltas] == ["reasoning"] * 3 + ["answer"] * 3
    assert message.text == "It is 5."
    assert message.additional_kwargs["reasoning"] == "two and three"


def test_several_calls_have_ids_of_their_own() -> None:
    _, message = reply(ScriptedEngine(calls(call("add", a=1, b=2), call("add", a=3, b=4))))
    assert [one["args"] for one in message.tool_calls] == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert len({one["id"] for one in message.tool_calls}) == 2


def test_what_a_reply_was_asked_with_is_seen() -> None:
    engine = ScriptedEngine(say("5"))
    reply(engine, choice=Choice("text"))
    (seen,) = engine.seen
    assert (list(seen.messages), seen.tools, seen.choice.mode) == (ASKED, (ADD,), "text")


def test_a_function_answers_what_was_said() -> None:
    def echo(messages: Sequence[BaseMessage]) -> Line:
        return say(str(messages[-1].text).upper())

    assert reply(ScriptedEngine(echo))[1].text == "WHAT IS 2 + 3?"


def test_a_script_may_fail_and_go_on() -> None:
    engine = ScriptedEngine(fail(OutOfMemory("full")), say("back"))
    with pytest.raises(OutOfMemory, match="full"):
        reply(engine)
    assert reply(engine)[1].text == "back"


def test_a_script_that_has_run_out_says_after_how_many_replies() -> None:
    engine = ScriptedEngine(say("one"))
    reply(engine)
    with pytest.raises(EngineError, match="run out after 1 replies"):
        reply(engine)


@pytest.mark.parametrize(
    ("line", "mode", "complaint"),
    [
        (call("subtract", a=1), "free", "'subtract'; offered are: add"),
        (call("add", a=1), "free", "'b' is a required property"),
        (call("add", a=1, b="two"), "call", "'two' is not of type 'integer'"),
        (call("add", a=1, b=2), "text", "must be text"),
    ],
)
def test_a_call_that_no_engine_could_make_is_refused(line: Line, mode: str, complaint: str) -> None:
    with pytest.raises(EngineError, match=complaint):
        reply(ScriptedEngine(line), choice=Choice(mode))  # type: ignore[arg-type]


def test_stop_between_two_words_keeps_those_that_were_said() -> None:
    engine = ScriptedEngine(say("one two three"), say("again"))
    running = engine.reply(ASKED)
    next(running)
    engine.stop()
    with pytest.raises(StopIteration) as end:
        next(running)
    message = end.value.value
    assert (message.text, message.response_metadata["finish"]) == ("one", "interrupted")
    assert reply(engine)[1].text == "again"


def test_usage_counts_words() -> None:
    engine = ScriptedEngine(say("one two three"))
    reply(engine, tools=())
    assert (engine.usage.prefilled, engine.usage.generated) == (5, 3)


def test_a_file_holds_a_script(tmp_path: Path) -> None:
    add = {"call": "add", "arguments": {"a": 1, "b": 2}}
    file = written(
        tmp_path / "s.jsonl", add, {"calls": [add, add]}, {"say": "3", "reasoning": "easy"}
    )
    engine = ScriptedEngine.from_file(file)
    counts = [len(reply(engine)[1].tool_calls) for _ in range(3)]
    assert counts == [1, 2, 0]
    assert engine.seen


@pytest.mark.parametrize(
    "entry",
    [
        {"tell": "x"},
        {"say": 3},
        {"say": "x", "speed": 2},
        {"call": "add", "arguments": [1]},
        {"calls": ["add"]},
        ["say", "x"],
        {},
        None,
    ],
)
def test_a_bad_line_of_a_script_is_refused_by_its_number(tmp_path: Path, entry: object) -> None:
    file = written(tmp_path / "s.jsonl", {"say": "fine"}, entry)
    with pytest.raises(UsageError, match=r"s\.jsonl:2: a line is"):
        ScriptedEngine.from_file(file)


def test_a_script_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        ScriptedEngine.from_file(tmp_path / "none.jsonl")
