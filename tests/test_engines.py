"""What every engine promises (agent/engines/base.py), run against each of them.

The openai engine talks to a real server: the HTTP side of xllamacpp.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.engines.base import Choice, Engine, Sampling
from agent.engines.llamacpp import LlamaModel
from agent.engines.local import LocalEngine
from agent.engines.openai import OpenAIEngine
from agent.engines.scripted import Line, ScriptedEngine, call, say
from agent.engines.transformers import TransformersModel
from agent.events import TextDelta
from tools.spec import ToolSpec

KINDS = ("scripted", "llamacpp", "transformers", "openai")
MAX = 24
SYSTEM = SystemMessage("You are a helpful assistant.")
BOOK = ToolSpec(
    "book_room",
    "Book a room in a hotel.",
    {
        "type": "object",
        "properties": {
            "city": {"enum": ["Oslo", "Rome"]},
            "nights": {"type": "integer", "minimum": 1, "maximum": 9},
            "guests": {"type": "array", "items": {"type": "string", "maxLength": 12},
                       "minItems": 1, "maxItems": 2},
            "meals": {
                "type": "object",
                "properties": {"breakfast": {"type": "boolean"}},
                "required": ["breakfast"],
                "additionalProperties": False,
            },
            "note": {"type": "string", "maxLength": 12},
        },
        "required": ["city", "nights", "guests", "meals"],
        "additionalProperties": False,
    },
)  # fmt: skip
BOOKING = {"city": "Rome", "nights": 2, "guests": ["Ann"], "meals": {"breakfast": True}}
ASK_ROOM = "Book a room in Rome for Ann, 2 nights, with breakfast."

Make = Callable[..., Engine]


@pytest.fixture(scope="module")
def address(smollm: Path) -> Iterator[str]:
    """A server that speaks the OpenAI protocol."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(smollm)
    params.n_ctx = 4096
    params.n_parallel = 1
    params.use_jinja = True
    params.verbosity = 0
    params.hostnames = ["127.0.0.1"]
    params.ui = False
    server = xllamacpp.Server(params)
    yield server.listening_address + "/v1"
    del server


@pytest.fixture(scope="module")
def loaded() -> Iterator[dict[str, Engine]]:
    """Each engine once for all tests."""
    engines: dict[str, Engine] = {}
    yield engines
    for engine in engines.values():
        engine.close()


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, loaded: dict[str, Engine]) -> Make:
    """The engine; the lines are what the scripted one says."""
    kind: str = request.param

    def engine(*lines: Line) -> Engine:
        if kind == "scripted":
            return ScriptedEngine(*lines)
        if kind not in loaded:
            loaded[kind] = _load(kind, request)
        return loaded[kind]

    return engine


def _load(kind: str, request: pytest.FixtureRequest) -> Engine:
    if kind == "llamacpp":
        return LocalEngine(kind, LlamaModel(request.getfixturevalue("smollm"), 4096))
    if kind == "transformers":
        folder = request.getfixturevalue("smollm_folder")
        return LocalEngine(kind, TransformersModel(folder, 4096, bits=16, device="cpu"))
    return OpenAIEngine(request.getfixturevalue("address"))


def reply(
    engine: Engine,
    messages: Sequence[BaseMessage],
    tools: Sequence[ToolSpec] = (),
    sampling: Sampling = Sampling(max_tokens=MAX),  # noqa: B008  frozen
    choice: Choice = Choice(),  # noqa: B008  frozen
) -> tuple[list[TextDelta], AIMessage]:
    deltas: list[TextDelta] = []
    running = engine.reply(messages, tools, sampling, choice)
    while True:
        try:
            deltas.append(next(running))
        except StopIteration as end:
            return deltas, end.value


def talk(text: str) -> list[BaseMessage]:
    return [SYSTEM, HumanMessage(text)]


def test_the_stream_is_the_message(make: Make) -> None:
    deltas, message = reply(make(say("Good day to you.")), talk("Say good day."))
    assert "".join(delta.text for delta in deltas) == message.text
    assert str(message.text).strip()
    assert message.tool_calls == []


def test_a_call_is_valid_against_its_schema(make: Make) -> None:
    engine = make(call("book_room", **BOOKING))
    sampling = Sampling(max_tokens=300)
    _, message = reply(engine, talk(ASK_ROOM), [BOOK], sampling, Choice("call"))
    if not isinstance(engine, OpenAIEngine):  # "required" is for the server to keep
        assert message.tool_calls
    for one in message.tool_calls:
        assert one["name"] == "book_room"
        assert one["id"]
        jsonschema.validate(one["args"], BOOK.parameters)


ORDER = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["repair", "order"]},
        "parts": {"type": "array", "items": {"type": "string", "maxLength": 8}, "maxItems": 2},
        "price": {"type": "integer", "minimum": 1, "maximum": 99},
    },
    "required": ["kind", "parts", "price"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("tools", [(), (BOOK,)])
def test_an_answer_under_a_schema_parses_whatever_the_model_thinks(
    make: Make, tools: Sequence[ToolSpec]
) -> None:
    engine = make(say('{"kind": "repair", "parts": ["tube"], "price": 7}'))
    wild = Sampling(max_tokens=200, temperature=1.5, seed=4)
    choice = Choice("text", schema=ORDER)
    _, message = reply(engine, talk("Sing me a song."), tools, wild, choice)
    jsonschema.validate(json.loads(str(message.text)), ORDER)
    assert message.response_metadata["finish"] == "stop"


def test_an_answer_under_a_schema_that_was_cut_off_is_marked(make: Make) -> None:
    engine = make(say('{ "kind" : "repair" , "parts" : [] , "price" : 7}'))
    choice = Choice("text", schema=ORDER)
    _, message = reply(engine, talk("Hello."), (), Sampling(max_tokens=3), choice)
    assert message.response_metadata["finish"] == "length"
    assert message.response_metadata["cut_call"]


def test_in_text_mode_nothing_is_called(make: Make) -> None:
    _, message = reply(make(say("Done.")), talk(ASK_ROOM), [BOOK], choice=Choice("text"))
    assert message.tool_calls == []


def test_a_result_is_read_and_answered(make: Make) -> None:
    engine = make(say("The room is number 12."))
    made: dict[str, Any] = {"name": "book_room", "args": BOOKING, "id": "1"}
    history = [
        *talk(ASK_ROOM),
        AIMessage("", tool_calls=[made]),
        ToolMessage("room 12 is booked", tool_call_id="1"),
    ]
    _, message = reply(engine, history, [BOOK], Sampling(max_tokens=40), Choice("text"))
    assert str(message.text).strip()
    assert message.tool_calls == []


def test_the_limit_ends_the_reply_and_says_so(make: Make) -> None:
    engine = make(say("one two three four five six"))
    _, message = reply(engine, talk("Count to fifty."), sampling=Sampling(max_tokens=3))
    assert message.response_metadata["finish"] == "length"
    assert not message.response_metadata["cut_call"]


def test_a_call_that_does_not_fit_is_marked(make: Make) -> None:
    engine = make(say(""))
    if not isinstance(engine, LocalEngine):
        pytest.skip("scripted calls are whole; for openai see test_openai_engine.py")
    _, message = reply(engine, talk(ASK_ROOM), [BOOK], Sampling(max_tokens=9), Choice("call"))
    assert message.tool_calls == []
    assert message.response_metadata["cut_call"]


def test_a_stop_string_ends_the_reply_before_it(make: Make) -> None:
    question = talk("Count from one to ten in words, separated by commas.")
    whole = str(reply(make(say("one, two, three")), question)[1].text)
    word = whole[2:5]
    engine = make(say("one, two, three"))
    _, message = reply(engine, question, sampling=Sampling(max_tokens=MAX, stop=(word,)))
    assert str(message.text) == whole[: whole.index(word)]


def test_stop_from_another_thread_ends_the_reply_and_the_next_one_is_whole(make: Make) -> None:
    engine = make(say("a very long story " * 50), say("Hello."))
    running = engine.reply(talk("Tell a very long story."), (), Sampling(max_tokens=400))
    next(running)
    stopper = threading.Thread(target=engine.stop)
    stopper.start()
    stopper.join()
    rest = 0
    while True:
        try:
            next(running)
            rest += 1
        except StopIteration as end:
            message: AIMessage = end.value
            break
    assert message.response_metadata["finish"] == "interrupted"
    assert rest < 20
    assert reply(engine, talk("Hi"))[1].response_metadata["finish"] in ("stop", "length")


def test_the_same_seed_gives_the_same_text(make: Make) -> None:
    drawn = Sampling(temperature=1.0, seed=7, max_tokens=10)
    first = reply(make(say("Hello.")), talk("Hi"), sampling=drawn)[1]
    assert reply(make(say("Hello.")), talk("Hi"), sampling=drawn)[1].text == first.text


def test_what_was_processed_is_counted(make: Make) -> None:
    engine = make(say("Hello there."))
    reply(engine, talk("Say hello to the people of Trondheim."))
    usage = engine.usage
    assert usage.cached + usage.prefilled > 5
    assert usage.generated > 0


def test_a_warmed_engine_answers_as_before(make: Make) -> None:
    engine = make(say("Hello."))
    engine.warm([SYSTEM], [BOOK])
    assert str(reply(engine, talk("Say hello."), [BOOK], choice=Choice("text"))[1].text).strip()


def test_a_longer_conversation_counts_more_tokens(make: Make) -> None:
    engine = make()
    assert engine.count_tokens(talk("word " * 50)) > engine.count_tokens(talk("word"))
    assert engine.context >= 2048


def test_text_beyond_ascii_arrives_whole(make: Make) -> None:
    engine = make(say("Grüße 🎉 東京"))
    question = talk("Repeat exactly: Grüße 🎉 東京")
    deltas, message = reply(engine, question)
    assert "\ufffd" not in "".join(delta.text for delta in deltas)
    assert "".join(delta.text for delta in deltas) == message.text
