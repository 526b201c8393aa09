"""A window that gets full: what is cut, in which order, and what always stays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from agent import compaction
from agent.engines.base import Sampling
from agent.engines.llamacpp import LlamaModel
from agent.engines.local import LocalEngine
from agent.engines.scripted import Line, ScriptedEngine, call, calls, fail, say
from agent.errors import SessionError, UsageError, WindowFull
from agent.events import Event, Notice, Stage, ToolFinished, TurnEnded
from agent.loop import Agent, Limits
from agent.memory import window
from agent.memory.sessions import Session
from agent.memory.window import Cut
from agent.offering import Offering
from agent.repl.screen import Screen
from tools.base import tool
from tools.running import invoke
from tools.spec import ToolSpec


@tool
def long(words: int) -> str:
    """Give so many words."""
    return " ".join(f"result{n}" for n in range(words))


class Counted(ScriptedEngine):
    """Its tokens are four characters, as those of real models are about."""

    context = 1000

    def count_tokens(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> int:
        return sum(len(str(message.text)) for message in messages) // 4


def agent_of(*lines: Line, session: Session | None = None) -> Agent:
    engine = Counted(*lines)
    session = session or Session.create(":memory:")
    return Agent(engine, {"long": long}, session, Offering(None, 8))


def notices(events: Sequence[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def sent(agent: Agent) -> list[BaseMessage]:
    """What the last reply was asked with."""
    assert isinstance(agent.engine, ScriptedEngine)
    return list(agent.engine.seen[-1].messages)


def test_old_results_are_shortened_before_anything_else_goes() -> None:
    first, second = call("long", words=150), call("long", words=151)
    agent = agent_of(first, second, say("it is long"), say("yes"))
    list(agent.send("give me many words"))
    told = notices(list(agent.send("is it long? " + "really " * 170)))
    assert told[0].startswith("old results of tools were shortened")
    assert len(told) == 1
    result = next(message for message in sent(agent) if message.type == "tool")
    assert "more characters were here" in str(result.text)
    assert next(str(x.text) for x in sent(agent) if x.type == "human") == "give me many words"
    whole = next(message for message in agent.session.messages if message.type == "tool")
    # of the history nothing is lost
    assert "".join(whole.additional_kwargs["whole"]) == invoke(long, {"words": 150})


def test_old_turns_are_summarised_and_the_user_is_quoted(tmp_path: Path) -> None:
    lines = [say(f"answer {n} " + "word " * 110) for n in range(6)]
    lines.insert(5, say("They spoke of Rex."))
    session = Session.create(tmp_path / "sessions.db")
    agent = agent_of(*lines, session=session)
    told: list[str] = []
    for number in range(6):
        told += notices(list(agent.send(f"request {number} about my dog Rex")))
    assert [text.partition(":")[0] for text in told] == ["the window was full"]
    texts = [str(message.text) for message in sent(agent)]
    assert "They spoke of Rex." in texts[1]
    assert "- request 0 about my dog Rex" in texts[1]
    assert not any(text.startswith("answer 0") for text in texts)
    assert any(text.startswith("answer 4") for text in texts), texts
    assert len([x for x in session.messages if x.type == "human"]) == 6
    session.close()
    again = Session.open(tmp_path / "sessions.db")
    assert window.view(again.messages) == window.view(session.messages)
    again.close()


def test_one_is_told_that_it_summarises_while_it_does() -> None:
    lines = [say(f"answer {n} " + "word " * 110) for n in range(6)]
    lines.insert(5, say("They spoke of Rex."))
    agent = agent_of(*lines)
    screen = Screen(draws=True)
    for number in range(5):
        list(agent.send(f"request {number} about my dog Rex"))
    with screen.turn(str):
        for event in agent.send("request 5 about my dog Rex"):
            screen.draw(event)
            if isinstance(event, Stage):
                while not screen.live():
                    pass
                assert screen.live()[0].startswith("summarising what was said, to make room 0 s")
                break
        screen.draw(Notice("the window was full"))
        assert not any("summarising" in line for line in screen.live())


def test_within_a_turn_results_that_were_read_make_room() -> None:
    lines = [*(call("long", words=120 + n) for n in range(4)), say("done")]
    agent = agent_of(*lines)
    told = notices(list(agent.send("go")))
    assert all(text.startswith("old results of tools were shortened") for text in told)
    assert told
    results = [str(message.text) for message in sent(agent) if message.type == "tool"]
    assert [len(one) > 900 for one in results] == [
        False,
        False,
        True,
        True,
    ]  # the last was not read yet


def test_a_summary_that_is_stopped_changes_nothing() -> None:
    agent = agent_of(*[say("word " * 200) for _ in range(3)], say("half a summary"), say("ok"))
    for number in range(3):
        list(agent.send(f"request {number}"))
    reply = agent.engine.reply

    def stopped(*asked: Any) -> Any:
        running = reply(*asked)
        next(running)
        agent.stop()
        return (yield from running)

    agent.engine.reply = stopped  # type: ignore[method-assign, assignment]
    events = list(agent.send("request 3"))
    assert isinstance(events[-1], TurnEnded)
    assert events[-1].reason == "interrupted"
    assert window.cut_of(agent.session.messages) == Cut()


def test_a_summary_that_does_not_fit_leaves_the_users_words() -> None:
    full = fail(WindowFull("the window is full"))
    agent = agent_of(*[say("word " * 200) for _ in range(3)], full, say("ok"))
    for number in range(4):
        list(agent.send(f"request {number}"))
    assert "- request 0" in str(sent(agent)[1].text)
    assert str(sent(agent)[-1].text) == "request 3"


messages = st.lists(st.sampled_from(["human", "call", "ai", "offer", "words"]), max_size=14).map(
    lambda kinds: _talk(kinds)
)


def _talk(kinds: Sequence[str]) -> list[BaseMessage]:
    found: list[BaseMessage] = []
    for at, kind in enumerate(kinds):
        if kind == "human":
            found.append(HumanMessage(f"said {at}"))
        elif kind == "ai":
            found.append(AIMessage(f"answer {at}"))
        elif kind == "offer":
            found.append(SystemMessage("tools", additional_kwargs={"offer": ["long"]}))
            found.append(HumanMessage(f"said {at}"))
        elif kind == "words":
            found.append(SystemMessage("in plain words"))
        else:
            id = f"call {at}"
            made: Any = {"name": "long", "args": {}, "id": id}
            found.append(AIMessage("", tool_calls=[made]))
            found.append(ToolMessage("x" * 500, tool_call_id=id))
    return found


@settings(max_examples=200, deadline=None)
@given(messages, st.integers(0, 600))
def test_a_call_is_never_parted_from_its_result(talk: list[BaseMessage], room: int) -> None:
    def tokens(cut: Cut) -> int:
        return sum(len(str(message.text)) for message in window.view(talk, cut))

    end = window.to_summarise(talk, tokens, room)
    kept = window.view(talk, Cut(len(talk), end))
    made = {one["id"] for x in kept if isinstance(x, AIMessage) for one in x.tool_calls}
    answered = {x.tool_call_id for x in kept if isinstance(x, ToolMessage)}
    assert made == answered
    first = talk[end] if end < len(talk) else None
    assert first is None or first.type in ("human", "system")


def test_a_real_model_never_runs_out_of_its_window(smollm: Path) -> None:
    engine = LocalEngine("smollm", LlamaModel(smollm, 512, device="cpu"))
    agent = Agent(
        engine, {}, Session.create(":memory:"), Offering(None, 8), sampling=Sampling(max_tokens=24),
        limits=Limits(),
    )  # fmt: skip
    told = []
    for number in range(10):
        events = list(agent.send(f"Tell me about the number {number} " + "in some detail " * 8))
        last = events[-1]
        assert isinstance(last, TurnEnded)
        assert last.reason in ("answered", "tokens"), notices(events)
        told += notices(events)
    engine.close()
    assert any(text.startswith("the window was full") for text in told)


@pytest.mark.parametrize("context", [2000, 4000, 8000, 32000])
def test_at_any_size_of_the_window_every_prompt_fits_and_answers_its_calls(context: int) -> None:
    count = 60
    lines = [
        line
        for n in range(count)
        for line in (call("long", words=context // 30 + n), say("x" * (context // 20)))
    ]
    agent = agent_of(*lines)
    agent.engine.context = context
    for n in range(count):
        list(agent.send(f"request {n}: " + "please " * 20))
        messages = sent(agent)
        assert agent.engine.count_tokens([agent.system, *messages]) <= context
        assert paired(messages)
        assert any(f"request {n}:" in str(x.text) for x in messages if x.type == "human")
    assert window.cut_of(agent.session.messages).summarised


def paired(messages: Sequence[BaseMessage]) -> bool:
    """Whether every call has its result behind it, and every result its call before it."""
    made = [c["id"] for x in messages if isinstance(x, AIMessage) for c in x.tool_calls]
    return made == [x.tool_call_id for x in messages if isinstance(x, ToolMessage)]


def test_what_is_pinned_stays_word_for_word() -> None:
    talk = [say(f"answer {n} " + "word " * 110) for n in range(9)]
    agent = agent_of(say("answer 0 word word"), *talk)
    with pytest.raises(UsageError, match="nothing to pin"):
        compaction.pin(agent)
    list(agent.send("keep THIS"))
    assert compaction.pin(agent) == "keep THIS"
    for n in range(7):
        list(agent.send(f"then {n}"))
    assert window.cut_of(agent.session.messages).summarised
    first = str(sent(agent)[1].text)
    assert "User: keep THIS" in first
    assert "You: answer 0 word word" in first
    assert compaction.unpin(agent, 1) == "keep THIS"
    list(agent.send("and now"))
    assert "You: answer 0" not in str(sent(agent)[1].text)
    with pytest.raises(UsageError, match="no pin 1"):
        compaction.unpin(agent, 1)


def test_more_is_not_pinned_than_there_is_room_for() -> None:
    agent = agent_of(say("x" * 900))
    list(agent.send("much"))
    with pytest.raises(UsageError, match="room for 120"):
        compaction.pin(agent)
    assert window.pinned(agent.session.messages) == {}


def test_a_result_that_is_too_long_is_read_in_parts() -> None:
    agent = agent_of(
        call("long", words=300), call("read_result", result="long-1", part=2), say("done"),
        call("read_result", result="long-1", part=9), say("no"),
    )  # fmt: skip
    list(agent.send("give me many words"))
    first, second = (str(x.text) for x in agent.session.messages if x.type == "tool")
    assert len(first) <= 1000
    assert '{"result": "long-1", "part": 2}' in first
    whole = " ".join(f"result{n}" for n in range(300))
    begun = first.rpartition("\n")[0]
    assert whole.startswith(begun + second.rpartition("\n")[0])
    events = list(agent.send("read part 9"))
    assert any(isinstance(x, ToolFinished) and "has 4 parts" in x.result for x in events)


def test_a_long_result_that_outlived_a_kill_is_cut(tmp_path: Path) -> None:
    file = tmp_path / "sessions.db"
    agent = agent_of(call("long", words=300), session=Session.create(file))
    events = agent.send("give me many words")
    while not isinstance(next(events), ToolFinished):  # the result is in the journal only
        pass
    agent.session._database.close()
    with pytest.raises(SessionError):
        events.close()
    agent.session.close()
    (result,) = (x for x in Session.open(file).messages if x.type == "tool")
    assert len(str(result.text)) <= 1000
    assert "long-1" in str(result.text)


def test_two_long_results_of_one_reply_have_names_of_their_own() -> None:
    both = calls(call("long", words=300), call("long", words=310))
    agent = agent_of(both, call("read_result", result="long-2", part=1), say("done"))
    *events, _ = agent.send("give me many words, twice")
    read = [one.result for one in events if isinstance(one, ToolFinished)][-1]
    assert '"result": "long-2", "part": 2' in read


def test_without_a_long_result_there_is_no_tool_to_read_one() -> None:
    agent = agent_of(say("hello"))
    assert [one.name for one in agent.specs()] == ["long"]


def test_a_long_result_can_be_read_after_the_session_was_opened_again(tmp_path: Path) -> None:
    file = tmp_path / "sessions.db"
    agent = agent_of(call("long", words=300), say("done"), session=Session.create(file))
    list(agent.send("give me many words"))
    agent.session.close()
    lines = call("read_result", result="long-1", part=2), say("done")
    again = agent_of(*lines, session=Session.open(file))
    events = list(again.send("read on"))
    assert any(isinstance(x, ToolFinished) and "(part 2 of 4;" in x.result for x in events)
