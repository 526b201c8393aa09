"""The database of sessions: what it keeps, who may write it, what a damaged one says."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from agent.errors import SessionError, UnknownName
from agent.memory.sessions import Session, sessions

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
