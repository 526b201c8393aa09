"""Conversations on a disk that gets full: a clear error, and nothing that was written is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from agent.engines.scripted import Line, ScriptedEngine, call, say
from agent.errors import SessionError
from agent.events import Event, TextDelta
from agent.loop import Agent
from agent.memory.sessions import Session, read, sessions
from agent.offering import Offering
from tests.test_cli import ROOT, scripted
from tools.base import tool

LONG = "word " * 2000


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


def fill(session: Session, pages: int = 0) -> None:
    """No more than so many pages of 4 KB can be written from now on."""
    used = session._database.execute("PRAGMA page_count").fetchone()[0]
    session._database.execute(f"PRAGMA max_page_count = {used + pages}")


def make_room(session: Session) -> None:
    session._database.execute("PRAGMA max_page_count = 100000")


def texts(messages: Sequence[BaseMessage]) -> list[str]:
    return [str(message.text) for message in messages]


def test_what_was_written_before_the_disk_was_full_is_there(database: Path) -> None:
    session = Session.create(database)
    fill(session, 40)
    long = map(HumanMessage, [LONG] * 100)
    with pytest.raises(SessionError, match="the disk is full: make room and go on"):
        list(map(session.append, long))
    assert len(session.messages) > 2
    session.close()
    again = Session.open(database, session.id)
    assert texts(again.messages) == texts(session.messages)
    again.append(AIMessage("there is room again"))
    again.close()


def test_a_fork_that_does_not_fit_leaves_nothing_behind(database: Path) -> None:
    session = Session.create(database)
    for number in range(10):
        session.append(HumanMessage(f"{number} {LONG}"))
    fill(session, 5)
    with pytest.raises(SessionError, match="the disk is full"):
        session.fork()
    session.append(HumanMessage("go on"))
    session.close()
    assert [(one.id, one.messages) for one in sessions(database)] == [(session.id, 11)]


@tool
def fetch(words: int) -> str:
    """Give so many words."""
    return "word " * words


def agent_of(session: Session, *lines: Line) -> Agent:
    return Agent(ScriptedEngine(*lines), {"fetch": fetch}, session, Offering(None, 8))


def test_a_result_that_did_not_fit_is_answered_when_there_is_room(database: Path) -> None:
    session = Session.create(database)
    agent = agent_of(session, call("fetch", words=50_000), say("I have it."), say("Yes."))
    fill(session, 20)
    with pytest.raises(SessionError, match="the disk is full"):
        list(agent.send("fetch it"))
    make_room(session)
    list(agent.send("and now?"))
    assert [message.type for message in session.messages][:4] == ["human", "ai", "tool", "human"]
    made, result = session.messages[1:3]
    assert isinstance(made, AIMessage)
    assert isinstance(result, ToolMessage)
    assert result.tool_call_id == made.tool_calls[0]["id"]
    session.close()
    assert texts(read(database, session.id)) == texts(session.messages)


def test_an_answer_that_did_not_fit_is_kept_as_far_as_it_did(database: Path) -> None:
    session = Session.create(database)
    agent = agent_of(session, say(" ".join(f"w{n}" for n in range(3000))), say("Yes."))
    fill(session, 12)
    shown: list[Event] = []
    with pytest.raises(SessionError, match="the disk is full"):
        shown.extend(agent.send("tell me"))
    session.close()
    again = Session.open(database, session.id)
    said = "".join(event.text for event in shown if isinstance(event, TextDelta))
    assert said.startswith("w0 w1")
    assert again.messages[-1].text == said
    again.close()


def test_a_chat_that_cannot_write_any_more_keeps_what_it_showed(
    tmp_path: Path, state: Path
) -> None:
    model = scripted(tmp_path, {"say": " ".join(f"w{n}" for n in range(3000))})
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 300; exec "$@"', "-", sys.executable, "-m", "agent", "chat",
         *model], input="tell me\nand now?\n", capture_output=True, text=True, timeout=120,
        check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "the session cannot be used: disk I/O error" in done.stderr
    again = Session.open(state / "sessions.db")
    assert str(again.messages[-1].text) == done.stdout.strip()
    assert len(done.stdout.split()) > 20
    again.close()
