"""Models that think before they answer: what is thought is shown, kept apart and not sent again."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from agent.engines.base import Sampling
from agent.engines.local import LocalEngine
from agent.engines.template import CHATML
from agent.events import TextDelta
from agent.grammar import HERMES
from tests.speaker import OPENING, Speaker
from tools.spec import ToolSpec

OPENS = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
"""A template that begins the thought, as those of DeepSeek R1 and QwQ do."""
THOUGHT = "<think>\nTwo and two.\n</think>\n\n"
CLOCK = ToolSpec("clock", "Tell the time.", {"type": "object", "properties": {}})
ASKED: list[BaseMessage] = [HumanMessage("2 + 2?")]


def reply(
    engine: LocalEngine, messages: list[BaseMessage], limit: int = 200, tools: bool = False
) -> tuple[list[TextDelta], AIMessage]:
    deltas = []
    running = engine.reply(messages, [CLOCK] if tools else (), Sampling(max_tokens=limit))
    while True:
        try:
            deltas.append(next(running))
        except StopIteration as end:
            return deltas, end.value


def joined(deltas: list[TextDelta], kind: str) -> str:
    return "".join(delta.text for delta in deltas if delta.kind == kind)


@pytest.mark.parametrize("template", [CHATML, OPENS], ids=["the model opens", "template opens"])
def test_thought_and_answer_come_apart(template: str) -> None:
    engine = LocalEngine("thinker", Speaker(THOUGHT + "Four.", template=template))
    deltas, message = reply(engine, ASKED)
    assert joined(deltas, "reasoning").strip() == "Two and two."
    assert message.additional_kwargs["reasoning"] == "Two and two."
    assert joined(deltas, "answer") == message.text == "Four."
    assert message.response_metadata["finish"] == "stop"


def test_a_model_that_does_not_think_has_no_reasoning() -> None:
    deltas, message = reply(LocalEngine("plain", Speaker("Four.")), ASKED)
    assert joined(deltas, "answer") == message.text == "Four."
    assert message.additional_kwargs == {}


def test_an_empty_thought_is_no_reasoning() -> None:
    _, message = reply(LocalEngine("thinker", Speaker("<think>\n\n</think>\n\nFour.")), ASKED)
    assert message.text == "Four."
    assert message.additional_kwargs == {}


def test_a_thought_cut_by_the_limit_ends_the_reply_by_length() -> None:
    engine = LocalEngine("thinker", Speaker(THOUGHT + "Four."))
    _, message = reply(engine, ASKED, limit=8)
    assert message.response_metadata["finish"] == "length"
    assert message.text == ""
    assert "<think>\n" + message.additional_kwargs["reasoning"] == "<think>\nTwo an"


def test_thought_and_answer_share_the_limit() -> None:
    whole = len(Speaker().encode(THOUGHT))
    engine = LocalEngine("thinker", Speaker(THOUGHT + "Four."))
    _, message = reply(engine, ASKED, limit=whole + 2)
    assert message.text == "Fo"
    assert message.response_metadata["finish"] == "length"


def test_a_thought_that_is_stopped_ends_the_reply() -> None:
    engine = LocalEngine("thinker", Speaker(THOUGHT + "Four."))
    running = engine.reply(ASKED)
    next(running)
    engine.stop()
    with pytest.raises(StopIteration) as end:
        next(running)
    assert end.value.value.response_metadata["finish"] == "interrupted"


def test_what_was_thought_is_not_sent_again() -> None:
    model = Speaker(THOUGHT + "Four.", THOUGHT + "Four, as I said.")
    engine = LocalEngine("thinker", model)
    _, first = reply(engine, ASKED)
    _, second = reply(engine, [*ASKED, first, HumanMessage("Sure?")])
    assert second.text == "Four, as I said."
    history = model.prompts[-1].rpartition(OPENING)[0]
    assert "Four." in history
    assert "Two and two" not in history


def test_a_call_after_a_thought_is_a_call() -> None:
    made = HERMES.write("clock", {})
    said = f"<think>\nLook.\n</think>\n\n{made}"
    _, message = reply(LocalEngine("thinker", Speaker(said)), ASKED, tools=True)
    assert message.additional_kwargs["reasoning"] == "Look."
    assert [call["name"] for call in message.tool_calls] == ["clock"]


@pytest.mark.parametrize("template", [CHATML, OPENS], ids=["the model opens", "template opens"])
def test_of_a_model_that_thinks_first_nobody_knows_whether_it_will_call(template: str) -> None:
    engine = LocalEngine("thinker", Speaker(THOUGHT + "Four.", template=template))
    assert engine.fits(ASKED, [CLOCK]) is None
    assert engine.wants_call(ASKED, [CLOCK]) is None
    assert LocalEngine("plain", Speaker("Four.")).fits(ASKED, [CLOCK]) is not None
    assert LocalEngine("plain", Speaker("Four.")).wants_call(ASKED, [CLOCK]) is False
    assert LocalEngine("plain", Speaker("<tool_call>")).wants_call(ASKED, [CLOCK]) is True
