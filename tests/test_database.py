"""The file of the sessions: brought up from an older version, whatever kills it meanwhile."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from agent.errors import SessionError
from agent.memory.database import VERSION, connect
from agent.memory.sessions import Session, search

ROOT = Path(__file__).parent.parent
FIRST = """
CREATE TABLE sessions (id INTEGER PRIMARY KEY, started REAL NOT NULL);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions(id),
    written REAL NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL, usage TEXT
);
CREATE INDEX messages_of ON messages(session, id);
CREATE TABLE calls (
    id TEXT NOT NULL, session INTEGER NOT NULL REFERENCES sessions(id), started REAL NOT NULL,
    finished REAL, PRIMARY KEY (session, id)
);
CREATE VIRTUAL TABLE words USING fts5(text, content='');
PRAGMA user_version = 1;
INSERT INTO sessions VALUES (1, 0);
INSERT INTO messages VALUES
    (1, 1, 0, 'human', '{"type": "human", "data": {"content": "my green shoes"}}', NULL),
    (2, 1, 0, 'ai', '{"type": "ai", "data": {"content": "", "tool_calls":
        [{"name": "erase", "args": {}, "id": "a"}]}}', NULL);
INSERT INTO words (rowid, text) VALUES (1, 'my green shoes'), (2, '');
INSERT INTO calls VALUES ('a', 1, 0, NULL);
"""
"""Version 1 as it was written, with a call that was under way."""

KILLED_AT_EACH_LINE = """
import os, shutil, signal, sys
from pathlib import Path
from agent.memory import database
from agent.memory.database import connect

first, place = Path(sys.argv[1]), Path(sys.argv[2])
line = 0
while True:
    folder = place / str(line)
    folder.mkdir()
    file = folder / "sessions.db"
    if first.exists():
        shutil.copy(first, file)
    child = os.fork()
    if not child:
        left = line

        def look(frame, event, argument):
            global left
            if frame.f_code.co_filename != database.__file__:
                return None
            if event == "line":
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return look

        sys.settrace(look)
        connect(file)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
    line += 1
"""


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A file of version 1."""
    file = tmp_path / "sessions.db"
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.executescript(FIRST)
    return file


def version(file: Path) -> int:
    with contextlib.closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found: int = database.execute("PRAGMA user_version").fetchone()[0]
        return found


def schema(file: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {"".join(row[0].split()) for row in rows}


def test_an_older_file_is_brought_up_and_kept_beside(first: Path) -> None:
    session = Session.open(first)
    assert [message.type for message in session.messages] == ["human", "ai", "tool"]
    assert session.messages[-1].text == "interrupted, outcome unknown"
    session.close()
    assert [one.text for one in search(first, "green")] == ["my green shoes"]
    assert version(first) == VERSION
    backup = first.with_name("sessions.db.v1.bak")
    assert version(backup) == 1
    with contextlib.closing(sqlite3.connect(backup)) as database:
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (2,)


def test_an_older_file_becomes_what_a_new_one_is(first: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.db"
    connect(new).close()
    connect(first).close()
    assert schema(first) == schema(new)
    assert not list(tmp_path.glob("new.db*.bak"))


def killed(first: Path, place: Path) -> list[Path]:
    """A folder for each line of the program; in each it was begun with `first`, and killed there.

    The last one was not killed.
    """
    place.mkdir()
    subprocess.run(
        [sys.executable, "-c", KILLED_AT_EACH_LINE, str(first), str(place)],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    folders = sorted(place.iterdir(), key=lambda one: int(one.name))
    assert len(folders) > 30
    return folders


def test_a_new_file_can_be_used_whatever_killed_its_making(tmp_path: Path) -> None:
    for folder in killed(tmp_path / "none.db", tmp_path / "killed"):
        session = Session.create(folder / "sessions.db")
        session.append(HumanMessage("hi"))
        session.close()
        assert version(folder / "sessions.db") == VERSION


def test_killed_at_any_line_it_is_the_old_or_the_new_one(first: Path, tmp_path: Path) -> None:
    found = []
    for folder in killed(first, tmp_path / "killed"):
        file = folder / "sessions.db"
        found.append(version(file))
        backup = folder / "sessions.db.v1.bak"
        assert not backup.exists() or version(backup) == 1
        session = Session.open(file)
        assert len(session.messages) == 3
        session.close()
        assert version(backup) == 1
        assert not list(folder.glob(".*.half"))
    assert found == sorted(found)
    assert set(found) == {*range(1, VERSION + 1)}


def test_two_programs_that_begin_at_once_bring_it_up_once(first: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from agent.memory.database import connect;"
        "sys.stdin.read(); connect(Path(sys.argv[1])).close()"
    )
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(first)],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(4)
    ]  # fmt: skip
    for one in programs:
        assert one.stdin is not None
        one.stdin.close()
    for one in programs:
        assert one.stderr is not None
        assert (one.wait(), one.stderr.read()) == (0, b"")
    assert version(first) == VERSION
    assert [file.name for file in first.parent.glob("*.bak")] == ["sessions.db.v1.bak"]


def test_a_newer_file_is_refused_and_left_alone(first: Path) -> None:
    with contextlib.closing(sqlite3.connect(first)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(SessionError, match="newer Tinsmith"):
        connect(first)
    assert version(first) == VERSION + 1


def test_without_room_for_the_copy_the_old_file_stays(first: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path;"
        "from agent.memory.database import connect;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); connect(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(first)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "SessionError" in done.stderr
    assert version(first) == 1
    assert [file.name for file in first.parent.glob("*") if "bak" in file.name] == []
