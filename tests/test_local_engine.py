"""The llama.cpp engine on real small models: one that talks, one that chooses tools."""

from __future__ import annotations

import math
import re
import socket
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent import app, grammar
from agent.engines.base import Choice, Engine, Sampling
from agent.engines.llamacpp import LlamaModel
from agent.engines.local import LocalEngine, _circles
from agent.errors import WindowFull
from agent.events import Usage
from agent.prompts import render
from tests.speaker import Speaker
from tools.spec import ToolSpec, spec

SHORT = Sampling(max_tokens=24)
FREE = Choice()
SYSTEM = SystemMessage("You are a helpful assistant.")
CITY = {"enum": ["Oslo", "Rome"]}
WEATHER = ToolSpec(
    "get_weather",
    "Get the weather of a city.",
    {
        "type": "object",
        "properties": {
            "city": CITY,
            "days": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
            "place": {
                "type": "object",
                "properties": {"street": {"type": "string", "maxLength": 8}},
                "required": ["street"],
                "additionalProperties": False,
            },
        },
        "required": ["city", "days", "place"],
        "additionalProperties": False,
    },
)
CLOCK = ToolSpec(
    "tell_time",
    "Tell the time.",
    {"type": "object", "properties": {}, "additionalProperties": False},
)


@pytest.fixture(scope="module")
def small(smollm: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine("smollm", LlamaModel(smollm, 1024))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def chooser(qwen: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine("qwen", LlamaModel(qwen, 4096))
    yield engine
    engine.close()


def reply(
    engine: Engine,
    messages: Sequence[BaseMessage],
    tools: Sequence[ToolSpec] = (),
    sampling: Sampling = SHORT,
    choice: Choice = FREE,
) -> tuple[str, AIMessage]:
    streamed = ""
    running = engine.reply(messages, tools, sampling, choice)
    while True:
        try:
            streamed += next(running).text
        except StopIteration as end:
            return streamed, end.value


def talk(text: str) -> list[BaseMessage]:
    return [SYSTEM, HumanMessage(text)]


def test_the_streamed_text_is_the_message(small: LocalEngine) -> None:
    streamed, message = reply(small, talk("Say hello."))
    assert streamed == message.text
    assert streamed.strip()


def test_a_model_ends_its_turn_with_its_own_token(small: LocalEngine) -> None:
    """Which llama.cpp does not tell llguidance of: it takes <|endoftext|> for SmolLM2's."""
    _, message = reply(small, talk("Say hello."), sampling=Sampling(max_tokens=200))
    assert message.response_metadata["finish"] == "stop"


@pytest.mark.parametrize("engine", ["small", "chooser"])
def test_a_forced_call_is_valid_even_from_a_model_too_weak_for_tools(
    engine: str, request: pytest.FixtureRequest
) -> None:
    _, message = reply(
        request.getfixturevalue(engine),
        talk("What is the weather in Rome?"),
        [WEATHER, CLOCK],
        Sampling(max_tokens=200, temperature=1.0, seed=3),
        Choice("call", {"get_weather": 50.0}),
    )
    call: dict[str, Any] = dict(message.tool_calls[0])
    assert call["name"] == "get_weather"
    jsonschema.validate(call["args"], WEATHER.parameters)


def test_a_text_matches_the_pattern_that_it_is_held_to(small: LocalEngine) -> None:
    choice = Choice("text", pattern=r"mood,(good|bad)(\n[a-z]+,(good|bad)){2}")
    _, message = reply(small, talk("Hello."), [WEATHER], choice=choice)
    assert message.response_metadata["finish"] == "stop"
    assert re.fullmatch(choice.pattern, message.text)


def test_a_call_cut_off_is_marked_and_not_given(small: LocalEngine) -> None:
    _, message = reply(small, talk("weather?"), [WEATHER], Sampling(max_tokens=14), Choice("call"))
    assert message.tool_calls == []
    assert message.response_metadata["cut_call"]
    assert '"name": "get_weather"' in message.response_metadata["begun_call"]


def test_a_call_that_goes_round_in_circles_becomes_an_answer(small: LocalEngine) -> None:
    endless = {
        "type": "object",
        "properties": {"x": {"type": "string", "pattern": "^(round ){600}$"}},
        "required": ["x"],
    }
    loop = ToolSpec("loop", "Go round.", {**endless, "additionalProperties": False})
    limit = Sampling(max_tokens=1500, stop=("\n",))
    _, message = reply(small, talk("Go round!"), [loop], limit, Choice("call"))
    assert message.tool_calls == []
    assert message.text


VERSE = "".join(
    f"Tin is a sign of {what}, and we can live in {what} with each other.\n"
    for what in ("hope", "love", "peace", "joy", "success", "failure", "harmony")
)


@pytest.mark.parametrize(
    ("text", "goes_round"),
    [
        (f"Once there was this: {VERSE * 12}", True),
        (VERSE * 4, False),  # too short to tell
        (f"{VERSE * 4}The end.\n{VERSE * 4}", False),
        ("0" * 4096, True),
        ("0" * 512, False),
        (
            "\n".join(f"- [ ] day {day}: walk, read, sleep before eleven" for day in range(99)),
            False,
        ),
        ("\n".join(f"I will not talk in class. ({line})" for line in range(200)), False),
        ("\n".join(f"INSERT INTO t VALUES ({row}, 'a', NULL);" for row in range(200)), False),
        (", ".join(map(str, range(2000))), False),
        ("", False),
    ],
)
def test_circles_are_told_from_tables_and_lists(text: str, goes_round: bool) -> None:
    assert _circles(text) is goes_round


def test_an_answer_that_goes_round_in_circles_ends() -> None:
    engine = LocalEngine("speaker", Speaker(f"Look: {VERSE * 30}"))
    _, message = reply(engine, talk("Tell me of tin."), [])
    assert message.response_metadata["finish"] == "length"
    assert len(str(message.text)) < len(VERSE) * 10


def test_text_mode_gives_text_with_tools_in_the_prompt(chooser: LocalEngine) -> None:
    _, message = reply(
        chooser, talk("What is the weather in Rome?"), [WEATHER], choice=Choice("text")
    )
    assert message.tool_calls == []
    assert "<tool_call>" not in str(message.text)


def test_what_was_asked_before_a_reply_is_part_of_what_it_cost(small: LocalEngine) -> None:
    asked = talk("Tell me a fact about the northern lights, in a few words.")
    short = Sampling(max_tokens=4)
    small.fits(asked, [CLOCK])
    _, _ = reply(small, asked, [CLOCK], short, Choice("text"))
    assert small.usage.prefilled > 20
    _, _ = reply(small, asked, [CLOCK], short, Choice("text"))
    assert small.usage.prefilled < 5


def test_a_second_turn_processes_only_what_is_new(chooser: LocalEngine) -> None:
    history = talk("What time is it?")
    _, first = reply(chooser, history, [CLOCK, WEATHER], choice=Choice("call", {"tell_time": 50}))
    first_cost = chooser.usage.cached + chooser.usage.prefilled
    history += [first, ToolMessage("12:30", tool_call_id=str(first.tool_calls[0]["id"]))]
    reply(chooser, history, [CLOCK, WEATHER], choice=Choice("text"))
    assert first_cost > 100
    assert chooser.usage.prefilled < 40


def test_warm_processes_the_prefix_ahead(chooser: LocalEngine) -> None:
    system = SystemMessage("You are a poet who likes rain.")
    chooser.warm([system], [WEATHER])
    reply(chooser, [system, HumanMessage("Hi")], [WEATHER], choice=Choice("text"))
    assert chooser.usage.prefilled < 40


def test_stop_from_another_thread_ends_a_reply_and_the_next_works(small: LocalEngine) -> None:
    running = small.reply(talk("Tell a very long story."), (), Sampling())
    next(running)
    thread = threading.Thread(target=small.stop)
    thread.start()
    rest = 0
    while True:
        try:
            next(running)
            rest += 1
        except StopIteration as end:
            message: AIMessage = end.value
            break
    thread.join()
    assert message.response_metadata["finish"] == "interrupted"
    assert rest == 0
    assert small.usage.generated < 10
    assert reply(small, talk("Hi"))[0]


def test_a_stop_string_ends_the_reply_before_it(small: LocalEngine) -> None:
    whole, _ = reply(small, talk("Count from one to ten in words."))
    word = whole[3:6]
    streamed, message = reply(
        small, talk("Count from one to ten in words."), (), Sampling(max_tokens=24, stop=(word,))
    )
    assert streamed == str(message.text) == whole[: whole.index(word)]


def test_a_stop_string_is_seen_across_pieces_and_its_beginning_alone_is_given() -> None:
    engine = LocalEngine("speaker", Speaker("one END two EN"))
    assert reply(engine, talk("Go."), (), Sampling(stop=("END",)))[0] == "one "
    assert reply(engine, talk("Go."), (), Sampling(stop=("ENDS",)))[0] == "one END two EN"


class Impatient(LlamaModel):
    """Is interrupted as soon as it has read a part of a prompt."""

    impatient = True

    def _stream(self, request: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
        for part in super()._stream(request):
            if self.impatient and "prompt_progress" in part:
                self.interrupt()
            yield part


def test_a_prompt_is_interrupted_in_the_middle_and_what_was_read_is_counted(smollm: Path) -> None:
    model = Impatient(smollm, 2048)
    engine = LocalEngine("smollm", model)
    question = talk("A long story: " + "the sea and the wind " * 250)
    engine.warm(question)
    whole = engine.count_tokens(question)
    assert engine.usage.prefilled < whole
    assert reply(engine, question)[1].response_metadata["finish"] == "interrupted"
    model.impatient = False
    assert reply(engine, question)[1].response_metadata["finish"] in ("stop", "length")
    assert engine.usage.cached + engine.usage.prefilled == pytest.approx(whole, abs=2)
    engine.close()


class Watched(LlamaModel):
    def _read_so_far(self, progress: Mapping[str, Any]) -> Usage:
        usage = super()._read_so_far(progress)
        self.__dict__.setdefault("seen", []).append(self.reading)
        return usage


@pytest.mark.parametrize("asks", [True, False])
def test_how_far_a_prompt_is_read_is_told_while_it_is(smollm: Path, asks: bool) -> None:
    model = Watched(smollm, 2048)
    ids = model.encode("the sea and the wind " * 150)
    assert model.reading is None
    if asks:
        model.logprobs(ids, [1])
    else:
        list(model.generate(ids, None, Sampling(), 0))
    seen = model.__dict__["seen"]
    done = [one for one, _ in seen]
    assert {total for _, total in seen} == {len(ids)}
    assert len(done) > 2
    assert done == sorted(done)
    assert done[-1] == len(ids)
    assert model.reading is None
    model.close()


def test_a_part_of_a_character_may_be_what_is_likeliest(chooser: LocalEngine) -> None:
    model = chooser._model
    ids = model.encode("🦜 🦜 🦜 🦜 🦜 🦜 🦜 🦜 🦜 🦜")
    parrot, rest = model.encode(" 🦜")[:2]
    assert model.logprobs(ids, [parrot])[0] > math.log(0.5)
    assert model.logprobs([*ids, parrot], [rest])[0] > math.log(0.5)


class Asked(Speaker):
    """Is stopped when it is asked something, as when Ctrl-C comes between two steps of a reply."""

    engine: LocalEngine

    def logprobs(self, prompt: Sequence[int], tokens: Sequence[int]) -> list[float]:
        self.engine.stop()
        return super().logprobs(prompt, tokens)


def test_a_stop_between_two_steps_of_a_reply_is_not_lost() -> None:
    model = Asked("Four.")
    engine = model.engine = LocalEngine("speaker", model)
    streamed, message = reply(engine, talk("2 + 2?"), [CLOCK])
    assert (streamed, message.response_metadata["finish"]) == ("", "interrupted")
    assert model.prompts == []


@pytest.mark.parametrize("rest", ["", " /[一-龥🦀-🦿]{3}/"])
def test_every_id_of_a_character_of_several_tokens_is_given(small: LocalEngine, rest: str) -> None:
    model = small._model
    assert isinstance(model, LlamaModel)
    rules = grammar.HEAD + f'start: "Hi 🦜 北京 é 🦉🦉"{rest}\n'
    drawn = Sampling(temperature=1.0, seed=2)
    pieces = list(model.generate(model.encode("hello"), rules, drawn, 60))
    ids = [token for piece in pieces if piece.text for token in piece.tokens]
    text = "".join(piece.text for piece in pieces)
    assert model._post("/detokenize", {"tokens": ids})["content"] == text
    assert rest or ids == model.encode(text)


def test_an_interrupt_just_as_the_connection_closes_is_nothing(small: LocalEngine) -> None:
    class Closing:
        """Has a socket only the first time one looks."""

        looks = 0

        @property
        def sock(self) -> socket.socket | None:
            self.looks += 1
            return socket.socket() if self.looks == 1 else None

    model = small._model
    assert isinstance(model, LlamaModel)
    model._connection = Closing()  # type: ignore[assignment]
    model.interrupt()
    model._connection = None


def test_the_same_seed_gives_the_same_text(small: LocalEngine) -> None:
    drawn = Sampling(temperature=1.0, seed=7, max_tokens=12)
    assert reply(small, talk("Hi"), (), drawn)[0] == reply(small, talk("Hi"), (), drawn)[0]


def test_a_conversation_longer_than_the_window_is_refused(small: LocalEngine) -> None:
    with pytest.raises(WindowFull, match="window holds 1,024"):
        reply(small, talk("word " * 2000))


def test_the_prompt_with_three_tools_is_under_700_tokens(chooser: LocalEngine) -> None:
    specs = [one for one in map(spec, app.built_in()) if one is not None]
    assert chooser.count_tokens([SystemMessage(render("system"))], specs[:3]) < 700
