"""Going back in a conversation: forked, undone, edited, retried, resumed, as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from agent.engines.base import Sampling
from agent.engines.scripted import ScriptedEngine, say
from agent.loop import Agent
from agent.memory import window
from agent.memory.sessions import Session, read, sessions
from agent.offering import Offering
from agent.repl.screen import Screen
from tests.emulator import Emulator
from tests.test_cli import scripted, tinsmith


def answers(*texts: str) -> list[dict[str, object]]:
    return [{"say": text} for text in texts]


def said(state: Path, id: int) -> list[str]:
    return [str(message.text) for message in read(state / "sessions.db", id)]


def test_what_was_undone_is_still_there(tmp_path: Path, state: Path) -> None:
    model = scripted(tmp_path, *answers("one", "two", "three"))
    done = tinsmith("chat", *model, stdin="first\nsecond\n/undo\nthird\n")
    assert done.returncode == 0, done.stderr
    assert "back to the last with /resume 1, later with: tinsmith chat --resume 1" in done.stderr
    assert said(state, 1) == ["first", "one", "second", "two"]
    assert said(state, 2) == ["first", "one", "third", "three"]
    listed = tinsmith("sessions").stdout.splitlines()
    assert (listed[0].endswith("first  (from 1)"), listed[1].endswith("first")) == (True, True)


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        ("/undo 2", []),
        ("/fork", ["first", "one", "second", "two"]),
        ("/fork 1", ["first", "one"]),
    ],
)
def test_a_number_says_how_far(tmp_path: Path, state: Path, typed: str, left: list[str]) -> None:
    model = scripted(tmp_path, *answers("one", "two", "three"))
    done = tinsmith("chat", *model, stdin=f"first\nsecond\n{typed}\nthird\n")
    assert done.returncode == 0, done.stderr
    assert said(state, 2) == [*left, "third", "three"]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("/undo", "you have said 0 messages here"),
        ("/undo two", "/undo takes a number of your messages, not 'two'"),
        ("/fork 7", "has 0 messages of yours; there is no 7"),
        ("/resume", "/resume takes the number of a conversation"),
        ("/resume 1", "it is the one that you are in"),
        ("/resume 99", "no session named '99'"),
        ("/edit", "it takes a terminal"),
    ],
)
def test_what_cannot_be_gone_back_to_is_said(tmp_path: Path, typed: str, says: str) -> None:
    done = tinsmith("chat", *scripted(tmp_path), stdin=f"{typed}\n")
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_a_message_is_edited_in_the_line(tmp_path: Path, state: Path) -> None:
    one = Emulator("chat", *scripted(tmp_path, *answers("one", "two")))
    one.see("Ctrl-D leaves")
    one.send("frist\r")
    one.see("\none")
    one.send("/edit\r")
    one.see("> frist", after="this is session 2 now")
    one.send("\x7f\x7f\x7f\x7first\r")
    one.see("\ntwo")
    assert one.leave() == 0
    assert said(state, 1) == ["frist", "one"]
    assert said(state, 2) == ["first", "two"]


def test_another_conversation_is_listed_and_gone_on_with(tmp_path: Path, state: Path) -> None:
    model = scripted(tmp_path, *answers("one", "two"))
    assert tinsmith("ask", *model, "which animal is it?").returncode == 0
    one = Emulator("chat", *model)
    one.see("Ctrl-D leaves")
    one.send("/sessions\r")
    one.see("    1  .*which animal is it")
    one.send("/resume 1\r")
    one.see("\none", after="> which animal is it")
    one.send("and its name?\r")
    one.see("\none", after="> and its name")  # the script begins anew in this program
    assert one.leave() == 0
    assert said(state, 1) == ["which animal is it?", "one", "and its name?", "one"]


def test_retry_asks_once_more_and_draws_otherwise(tmp_path: Path, state: Path) -> None:
    model = scripted(tmp_path, *answers("one", "two"))
    assert tinsmith("chat", *model, stdin="first\n/retry\n").returncode == 0
    assert said(state, 1) == ["first", "one"]
    assert said(state, 2) == ["first", "two"]
    assert [(one.id, one.parent) for one in sessions(state / "sessions.db")] == [(2, 1), (1, None)]


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        (Sampling(), Sampling(temperature=0.7, min_p=0.05)),
        (Sampling(temperature=0.3, min_p=0.2, seed=7), Sampling(temperature=0.3, min_p=0.2)),
    ],
)
def test_a_retry_is_drawn_at_random_and_only_it(given: Sampling, drawn: Sampling) -> None:
    engine = ScriptedEngine(say("one"), say("two"), say("three"))
    agent = Agent(engine, {}, Session.create(":memory:"), Offering(None, 8), sampling=given)
    for turn in (agent.send, agent.retry, agent.send):
        list(turn("go"))
    assert [one.sampling for one in engine.seen] == [given, drawn, given]


def test_the_shell_forks_too(tmp_path: Path, state: Path) -> None:
    model = scripted(tmp_path, *answers("one", "two"))
    assert tinsmith("chat", *model, stdin="first\nsecond\n").returncode == 0
    done = tinsmith("sessions", "fork", "1", "--at", "1")
    assert done.stdout == (
        "session 2 begins with 2 messages of session 1; go on with: tinsmith chat --resume 2\n"
    )
    assert said(state, 2) == ["first", "one"]
    assert "has 2 messages of yours" in tinsmith("sessions", "fork", "1", "--at", "3").stderr
    resumed = Emulator("chat", *model, "--resume")
    resumed.see("\none", after="> first")
    assert resumed.leave() == 0


@pytest.mark.parametrize(
    ("text", "finish", "ends"),
    [
        ("one", "stop", "one\n"),
        ("one", "interrupted", "one\n(the answer breaks off there)\n"),
        ("", "interrupted", "(ended before there was an answer)\n"),
    ],
)
def test_what_is_recalled_ends_with_the_answer(
    capsys: pytest.CaptureFixture[str], text: str, finish: str, ends: str
) -> None:
    answer = AIMessage(text, response_metadata={"finish": finish})
    Screen(draws=False).recall([HumanMessage("first"), answer, window.mark(window.Cut(2))])
    assert capsys.readouterr().err == f"> first\n{ends}"
