"""The database of sessions: what it keeps, who may write it, what a damaged one says."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from agent.engines.scripted import ScriptedEngine, say
from agent.errors import SessionError, UnknownName, UsageError
from agent.events import Usage
from agent.loop import Agent
from agent.memory import window
from agent.memory.sessions import Session, read, remove, search, sessions
from agent.offering import Offering
from tests.test_cli import tinsmith

ROOT = Path(__file__).parent.parent
HOLD = """
import sys
from contextlib import closing
from pathlib import Path
from agent.memory.sessions import Session
session = Session.open(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


def said(database: Path, text: str) -> int:
    """A session in which `text` was said, closed."""
    session = Session.create(database)
    session.append(HumanMessage(text))
    session.close()
    return session.id


def changed(database: Path, statement: str) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(statement)


def test_half_a_character_is_kept(database: Path) -> None:
    id = said(database, "caf\udce9")
    assert Session.open(database, id).messages[0].text == "caf\udce9"


def test_the_latest_session_is_the_one_in_which_something_was_said_last(database: Path) -> None:
    first = Session.create(database)
    said(database, "in the second")
    first.append(HumanMessage("later in the first"))
    first.close()
    Session.create(database).close()
    assert Session.open(database).id == first.id


def test_without_a_word_said_there_is_no_latest_session(database: Path) -> None:
    Session.create(database).close()
    with pytest.raises(UnknownName, match="latest"):
        Session.open(database)


def test_a_session_that_another_program_has_open_is_refused(database: Path) -> None:
    id = said(database, "hi")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(SessionError, match=f"session {id} is open in another program"):
            Session.open(database)
        other.kill()
    Session.open(database).close()


def test_a_session_that_is_closed_leaves_no_lock(database: Path) -> None:
    said(database, "hi")
    assert [file.name for file in database.parent.glob("*.lock")] == []
    assert [file.name for file in database.parent.glob(".*.lock")] == []


@pytest.mark.parametrize("row", ["{", "5", "{}", '{"type": "none", "data": {}}'])
def test_a_damaged_message_is_a_clear_error(database: Path, row: str) -> None:
    id = said(database, "hi")
    changed(database, f"UPDATE messages SET message = '{row}'")
    with pytest.raises(SessionError, match=f"session {id} is damaged"):
        Session.open(database)


@pytest.mark.parametrize("row", ["{", "5", "{}"])
def test_a_damaged_title_is_a_clear_error(database: Path, row: str) -> None:
    said(database, "hi")
    changed(database, f"UPDATE messages SET message = '{row}'")
    with pytest.raises(SessionError, match="is damaged"):
        sessions(database)


@pytest.mark.parametrize("table", ["sessions", "messages", "calls"])
def test_a_missing_table_is_a_clear_error(database: Path, table: str) -> None:
    id = said(database, "hi")
    changed(database, f"DROP TABLE {table}")
    with pytest.raises(SessionError, match="no such table"):
        Session.open(database, id)


def talk(database: Path, *words: str) -> int:
    session = Session.create(database)
    for text in words:
        session.append(HumanMessage(text))
    session.close()
    return session.id


def test_messages_are_found_by_their_words(database: Path) -> None:
    first = talk(database, "where are my green shoes?", "and the hat?")
    talk(database, "a green apple")
    assert [(one.session, one.text) for one in search(database, "GREEN shoes")] == [
        (first, "where are my green shoes?")
    ]
    assert len(search(database, "green")) == 2
    assert search(database, 'green" OR hat') == []  # words, not the language of the index
    assert search(database, "?!") == []


def test_a_removed_session_is_found_no_more(database: Path) -> None:
    first, second = talk(database, "my green shoes"), talk(database, "my green hat")
    assert remove(database, second) == 1
    assert [one.session for one in search(database, "green")] == [first]
    third = talk(database, "something blue")  # with the numbers that are free again
    assert search(database, "hat") == []
    assert [one.session for one in search(database, "blue")] == [third]
    with pytest.raises(UnknownName, match="session"):
        remove(database, 99)


def test_the_number_of_a_session_that_was_removed_is_given_to_none_again(database: Path) -> None:
    first = said(database, "one")
    remove(database, said(database, "two"))
    with closing(Session.create(database)) as session, closing(session.fork()) as fork:
        assert (first, session.id, fork.id) == (1, 3, 4)


def test_an_open_session_is_not_removed_but_can_be_read(database: Path) -> None:
    session = Session.create(database)
    session.append(HumanMessage("stay"))
    with pytest.raises(SessionError, match="open in another program"):
        remove(database, session.id)
    assert [str(message.text) for message in read(database, session.id)] == ["stay"]
    session.close()


def three_turns(database: Path) -> Session:
    """The last of them begins with an offer of tools and has a call."""
    session = Session.create(database)
    made = {"name": "calculate", "args": {}, "id": "a"}
    session.append(HumanMessage("first"))
    session.append(AIMessage("one"), Usage(generated=1))
    session.append(HumanMessage("second"))
    session.append(AIMessage("two"), Usage(generated=2))
    session.append(SystemMessage("tools", additional_kwargs={"offer": ["calculate"]}))
    session.append(HumanMessage("third"))
    session.append(AIMessage("", tool_calls=[made]), Usage(generated=3))
    session.call_started("a")
    session.append(ToolMessage("42", tool_call_id="a"))
    session.append(AIMessage("three"), Usage(generated=4))
    return session


@pytest.mark.parametrize(("turns", "left"), [(None, 9), (3, 9), (2, 4), (1, 2), (0, 0)])
def test_a_fork_holds_the_first_turns_and_the_session_stays(
    database: Path, turns: int | None, left: int
) -> None:
    session = three_turns(database)
    fork = session.fork(turns)
    assert fork.messages == session.messages[:left]
    assert len(session.messages) == 9
    fork.append(HumanMessage("another way"))
    fork.close()
    session.close()
    assert len(read(database, session.id)) == 9
    assert len(read(database, fork.id)) == left + 1
    assert [(one.id, one.parent) for one in sessions(database)] == [
        (fork.id, session.id),
        (session.id, None),
    ]


def test_a_fork_of_more_than_was_said_is_refused(database: Path) -> None:
    session = three_turns(database)
    with pytest.raises(UsageError, match="has 3 messages of yours; there is no 4"):
        session.fork(4)
    session.close()


def test_what_a_fork_begins_with_is_found_and_paid_for_once(database: Path) -> None:
    session = three_turns(database)
    session.fork().close()
    session.close()
    assert [(one.session, one.text) for one in search(database, "second")] == [
        (session.id, "second")
    ]
    with closing(sqlite3.connect(database)) as connection:
        spent = connection.execute("SELECT session, count(usage) FROM messages GROUP BY session")
        assert dict(spent) == {session.id: 4, session.id + 1: 0}


def test_a_fork_outlives_the_session_it_came_from(database: Path) -> None:
    session = three_turns(database)
    fork = session.fork(2)
    session.close()
    remove(database, session.id)
    assert [str(one.text) for one in fork.messages] == ["first", "one", "second", "two"]
    fork.close()
    assert [(one.id, one.parent) for one in sessions(database)] == [(fork.id, None)]
    assert [one.session for one in search(database, "second")] == [fork.id]
    assert search(database, "third") == []


def test_marks_of_what_was_shortened_mean_the_same_in_a_fork(database: Path) -> None:
    session = three_turns(database)
    session.append(window.mark(window.Cut(9, 4, "a summary", ("first", "second"))))
    session.append(HumanMessage("fourth"))
    session.append(AIMessage("four"))
    fork = session.fork()
    assert window.view(fork.messages) == window.view(session.messages)
    fork.close()
    before = session.fork(3)
    assert window.view(before.messages) == window.view(session.messages)[:-2]
    before.close()
    session.close()


def test_a_fork_of_what_was_killed_in_a_call_is_answered(database: Path) -> None:
    session = Session.create(database)
    session.append(HumanMessage("go"))
    session.append(AIMessage("", tool_calls=[{"name": "write", "args": {}, "id": "a"}]))
    session.call_started("a")
    session.close()
    again = Session.open(database, session.id)
    fork = again.fork()
    again.close()
    assert str(fork.messages[-1].text) == "interrupted, outcome unknown"
    fork.close()


def test_a_reply_that_was_killed_is_kept_as_far_as_it_was_written(database: Path) -> None:
    session = Session.create(database)
    session.append(HumanMessage("tell me"))
    for text in ("Once", "Once upon", "Begun", "Begun anew", "Begun anew, caf\udce9"):
        session.note(text)
    session.close()
    again = Session.open(database, session.id)
    assert again.messages[-1].text == "Begun anew, caf\udce9"
    assert again.messages[-1].response_metadata["finish"] == "interrupted"
    again.close()
    again = Session.open(database, session.id)
    assert len(again.messages) == 2
    again.close()


def test_a_request_is_kept_before_what_is_told_before_it(database: Path) -> None:
    session = Session.create(database)
    request = HumanMessage("how far is the moon?")
    session.asked(request)
    session.append(SystemMessage("a tool"))
    assert [one.type for one in session.messages] == ["system"]
    session.close()  # as when it is killed here
    again = Session.open(database)
    assert (again.id, [one.type for one in again.messages]) == (session.id, ["human", "system"])
    assert [found.text for found in search(database, "moon")] == ["how far is the moon?"]
    again.close()


def test_a_request_has_its_place_behind_what_is_told_before_it(database: Path) -> None:
    session = Session.create(database)
    for text in ("how far is the moon?", "and the sun?"):
        request = HumanMessage(text)
        session.asked(request)
        session.append(SystemMessage("a tool"))
        session.append(request)
    session.asked(HumanMessage("and Mars?"))
    session.mend()  # the turn has broken off
    session.close()
    again = Session.open(database)
    types = [one.type for one in again.messages]
    assert types == ["system", "human", "system", "human", "human"]
    assert len(search(database, "moon")) == len(search(database, "mars")) == 1
    again.fork().close()
    again.close()


def test_a_result_that_was_there_is_kept_when_the_next_call_is_killed(database: Path) -> None:
    session = Session.create(database)
    session.append(HumanMessage("go"))
    calls = [{"name": "find", "args": {}, "id": id} for id in "abc"]
    session.append(AIMessage("", tool_calls=calls))
    session.call_started("a")
    session.call_finished(ToolMessage("found it", tool_call_id="a", name="find"))
    session.call_started("b")
    session.close()
    again = Session.open(database, session.id)
    assert [str(one.text) for one in again.messages[2:]] == [
        "found it",
        "interrupted, outcome unknown",
        "interrupted before it ran",
    ]
    again.close()


def test_sessions_are_searched_shown_exported_and_removed_by_the_command(
    state: Path, tmp_path: Path
) -> None:
    session = Session.create(state / "sessions.db")
    call = {"name": "calculate", "args": {"expression": "6 * 7"}, "id": "a"}
    session.append(HumanMessage("what is six times seven?"))
    session.append(AIMessage("", tool_calls=[call]))
    session.append(ToolMessage("42", tool_call_id="a", name="calculate"))
    session.append(AIMessage("It is 42\x1b[31m."))
    session.close()
    id = str(session.id)
    assert "what is six times seven?" in tinsmith("sessions", "search", "seven").stdout
    assert tinsmith("sessions", "search", "eight").returncode == 1
    shown = tinsmith("sessions", "show", id).stdout
    assert "**You**\n\nwhat is six times seven?" in shown
    assert '> calls `calculate` with `{"expression": "6 * 7"}`' in shown
    assert "> 42" in shown
    assert "\x1b" not in shown
    for name in ("talk.md", "talk.json"):
        done = tinsmith("sessions", "export", id, str(tmp_path / name))
        assert done.stdout.startswith("4 messages"), done.stderr
        assert tinsmith("sessions", "export", id, str(tmp_path / name)).returncode == 2
    assert json.loads((tmp_path / "talk.json").read_text())[2]["data"]["content"] == "42"
    assert tinsmith("sessions", "rm", id).returncode == 0
    done = tinsmith("sessions", "show", id)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_a_turn_keeps_the_request_before_it_looks_for_tools(database: Path) -> None:
    kept: list[str] = []

    class Looking(Offering):
        def announce(self, *args: Any, **named: Any) -> list[BaseMessage]:
            kept.extend(message.type for message in read(database, session.id))
            return [SystemMessage("a tool", additional_kwargs={"offer": ["x"]})]

    session = Session.create(database)
    agent = Agent(ScriptedEngine(say("Here.")), {}, session, Looking(None, 0))
    list(agent.send("hello"))
    assert kept == ["human"]
    assert [one.type for one in read(database, session.id)] == ["system", "human", "ai"]
    session.close()
