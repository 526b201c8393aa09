"""The database of sessions: what it keeps, who may write it, what a damaged one says."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from agent.errors import SessionError, UnknownName
from agent.memory.sessions import Session, read, remove, search, sessions
from tests.test_cli import tinsmith

ROOT = Path(__file__).parent.parent
HOLD = """
import sys
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


def test_an_open_session_is_not_removed_but_can_be_read(database: Path) -> None:
    session = Session.create(database)
    session.append(HumanMessage("stay"))
    with pytest.raises(SessionError, match="open in another program"):
        remove(database, session.id)
    assert [str(message.text) for message in read(database, session.id)] == ["stay"]
    session.close()


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
