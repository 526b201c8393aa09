"""Sessions: every message, call and result in one SQLite file, durable when `append` returns.

The file is in WAL mode, so two programs may use it at once; one session is open in one of them.
History only grows.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import SessionError, UnknownName
from agent.events import Usage

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

MIGRATIONS = (
    """
    CREATE TABLE sessions (id INTEGER PRIMARY KEY, started REAL NOT NULL);
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES sessions(id),
        written REAL NOT NULL,
        type TEXT NOT NULL,
        message TEXT NOT NULL,
        usage TEXT
    );
    CREATE INDEX messages_of ON messages(session, id);
    CREATE TABLE calls (
        id TEXT NOT NULL,
        session INTEGER NOT NULL REFERENCES sessions(id),
        started REAL NOT NULL,
        finished REAL,
        PRIMARY KEY (session, id)
    );
    CREATE VIRTUAL TABLE words USING fts5(text, content='')
    """,
    """
    ALTER TABLE calls ADD COLUMN name TEXT NOT NULL DEFAULT '';
    ALTER TABLE calls ADD COLUMN arguments TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE sessions ADD COLUMN owner TEXT NOT NULL DEFAULT ''
    """,
)
"""What brings a file from version N to N + 1. Version 0 is an empty file."""

BUSY_SECONDS = 10.0


@dataclass(frozen=True)
class About:
    """A line of the list of sessions."""

    id: int
    title: str
    """The user's first words."""
    messages: int
    updated: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class Found:
    """A message that `search` found."""

    session: int
    type: str
    """human, ai, tool or system."""
    text: str
    written: float
    """Seconds since the epoch."""


class Session:
    """One conversation. A call without a result is answered when it is opened again."""

    def __init__(self, database: sqlite3.Connection, id: int, path: Path | str) -> None:
        self.id = id
        self._database = database
        self._path = path
        self.messages: list[BaseMessage] = self._read()
        self.answer_open_calls()

    @classmethod
    def create(cls, path: Path | str) -> Session:
        """Begin a session in the file `path`, made when missing; ":memory:" keeps it nowhere.

        Raises SessionError.
        """
        database = _connect(path)
        with _explained(path), database:
            row = database.execute(
                "INSERT INTO sessions (started, owner) VALUES (?, ?)", (time.time(), _me())
            )
        assert row.lastrowid is not None
        return cls(database, row.lastrowid, path)

    @classmethod
    def open(cls, path: Path | str, id: int | None = None) -> Session:
        """Go on with session `id`, or with the latest in which something was said.

        Raises UnknownName, and SessionError when another program has it open.
        """
        database = _connect(path)
        try:
            with _explained(path), database:
                database.execute("BEGIN IMMEDIATE")  # of two that open it at once, one gets it
                found = _choose(database, id)
                database.execute("UPDATE sessions SET owner = ? WHERE id = ?", (_me(), found))
            return cls(database, found, path)
        except BaseException:
            database.close()
            raise

    def append(self, message: BaseMessage, usage: Usage | None = None) -> None:
        """Add `message` at the end. It is on the disk when this returns. Raises SessionError."""
        from langchain_core.messages import message_to_dict

        spent = None if usage is None else json.dumps(asdict(usage))
        written = json.dumps(message_to_dict(message), ensure_ascii=False)
        with _explained(self._path), self._database as database:
            row = database.execute(
                "INSERT INTO messages (session, written, type, message, usage)"
                " VALUES (?, ?, ?, ?, ?)",
                (self.id, time.time(), message.type, written, spent),
            )
            database.execute(
                "INSERT INTO words (rowid, text) VALUES (?, ?)", (row.lastrowid, str(message.text))
            )
        self.messages.append(message)

    def call_started(self, id: str) -> None:
        """Note that the call `id` of the history is about to run. Raises SessionError."""
        from langchain_core.messages import AIMessage

        call = next(
            call
            for message in reversed(self.messages)
            if isinstance(message, AIMessage)
            for call in message.tool_calls
            if call["id"] == id
        )
        with _explained(self._path), self._database as database:
            database.execute(
                "INSERT OR REPLACE INTO calls (id, session, started, name, arguments)"
                " VALUES (?, ?, ?, ?, ?)",
                (id, self.id, time.time(), call["name"], json.dumps(call["args"])),
            )

    def call_finished(self, id: str) -> None:
        """Note that it is over, however it ended. Raises SessionError."""
        with _explained(self._path), self._database as database:
            database.execute(
                "UPDATE calls SET finished = ? WHERE session = ? AND id = ?",
                (time.time(), self.id, id),
            )

    def answer_open_calls(self) -> None:
        """Give every call without a result one, so that the talk can go on."""
        if not self.messages:
            return
        from langchain_core.messages import AIMessage, ToolMessage

        answered = {m.tool_call_id for m in self.messages if isinstance(m, ToolMessage)}
        with _explained(self._path):
            started = {
                row[0]
                for row in self._database.execute(
                    "SELECT id FROM calls WHERE session = ?", (self.id,)
                )
            }
        for message in list(self.messages):
            for call in message.tool_calls if isinstance(message, AIMessage) else ():
                if call["id"] in answered:
                    continue
                begun = call["id"] in started
                text = "interrupted, outcome unknown" if begun else "interrupted before it ran"
                answer = ToolMessage(
                    text, tool_call_id=call["id"], name=call["name"], status="error"
                )
                self.append(answer)

    def close(self) -> None:
        """Let another program open it. Closing twice does nothing."""
        try:
            with self._database as database:
                database.execute("UPDATE sessions SET owner = '' WHERE id = ?", (self.id,))
        except sqlite3.Error:
            pass  # closed already, or busy: an owner that is gone keeps nobody out
        self._database.close()

    def _read(self) -> list[BaseMessage]:
        with _explained(self._path):
            rows = self._database.execute(
                "SELECT message FROM messages WHERE session = ? ORDER BY id", (self.id,)
            ).fetchall()
        if not rows:
            return []
        from langchain_core.messages import messages_from_dict

        try:
            return messages_from_dict([json.loads(row[0]) for row in rows])
        except (ValueError, KeyError, TypeError) as error:
            raise SessionError(
                f"session {self.id} of {self._path} is damaged: {error}; begin a new one"
            ) from error


def sessions(path: Path) -> list[About]:
    """All sessions in which something was said, latest first. Raises SessionError."""
    if not path.exists():
        return []
    database = _connect(path)
    with _explained(path):
        rows = database.execute(
            "SELECT session, count(*), max(written),"
            " (SELECT message FROM messages f WHERE f.session = m.session AND type = 'human'"
            "  ORDER BY id LIMIT 1)"
            " FROM messages m GROUP BY session ORDER BY max(id) DESC"
        ).fetchall()
    database.close()
    return [About(id, _title(first), count, updated) for id, count, updated, first in rows]


def search(path: Path, words: str, limit: int = 20) -> list[Found]:
    """Messages of all sessions in which every word stands, the best first. Raises SessionError."""
    quoted = " ".join('"' + word.replace('"', '""') + '"' for word in words.split())
    if not quoted or not path.exists():
        return []
    database = _connect(path)
    with _explained(path):
        rows = database.execute(
            "SELECT m.session, m.message, m.written FROM words JOIN messages m"
            " ON m.id = words.rowid WHERE words MATCH ? ORDER BY rank LIMIT ?",
            (quoted, limit),
        ).fetchall()
    database.close()
    if not rows:
        return []
    from langchain_core.messages import messages_from_dict

    messages = messages_from_dict([json.loads(row[1]) for row in rows])
    return [
        Found(row[0], message.type, str(message.text), row[2])
        for row, message in zip(rows, messages, strict=True)
    ]


def _title(first: str | None) -> str:
    return " ".join(str(json.loads(first)["data"]["content"]).split())[:60] if first else ""


def _choose(database: sqlite3.Connection, id: int | None) -> int:
    """The session to open. Raises UnknownName, SessionError."""
    if id is None:
        row = database.execute("SELECT session FROM messages ORDER BY id DESC LIMIT 1").fetchone()
        if row is None:
            raise SessionError("there is no earlier session; begin one with: tinsmith chat")
        id = int(row[0])
    row = database.execute("SELECT owner FROM sessions WHERE id = ?", (id,)).fetchone()
    if row is None:
        known = database.execute("SELECT DISTINCT session FROM messages ORDER BY 1").fetchall()
        raise UnknownName("session", str(id), [str(one[0]) for one in known[-10:]])
    if _is_alive(row[0]):
        raise SessionError(
            f"session {id} is open in another Tinsmith (process {row[0].split()[0]}); "
            "leave that one first, or begin a new session"
        )
    return id


def _me() -> str:
    """This process: its id, and when it began, because ids are used again."""
    import psutil

    return f"{os.getpid()} {psutil.Process().create_time()}"


def _is_alive(owner: str) -> bool:
    """Whether another process that is still running has written `owner`."""
    import psutil

    if not owner or owner == _me():
        return False
    id, began = owner.split()
    try:
        process = psutil.Process(int(id))
        return f"{process.create_time()}" == began and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _connect(path: Path | str) -> sqlite3.Connection:
    with _explained(path):
        if isinstance(path, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA foreign_keys = ON")
            _migrate(database, path)
        except BaseException:
            database.close()
            raise
    return database


def _migrate(database: sqlite3.Connection, path: Path | str) -> None:
    if _version(database) < len(MIGRATIONS):
        with database:
            database.execute("BEGIN IMMEDIATE")  # two programs may make the file at once
            for script in MIGRATIONS[_version(database) :]:
                for statement in script.split(";"):
                    database.execute(statement)
            database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    elif _version(database) > len(MIGRATIONS):
        raise SessionError(
            f"{path} was written by a newer Tinsmith (version {_version(database)}, this one knows"
            f" {len(MIGRATIONS)}); update Tinsmith, or move the file away to begin anew"
        )


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def _explained(path: Path | str) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:  # locked, full, read-only: not the file's fault
        raise SessionError(f"{path} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise SessionError(
            f"{path} is damaged: {error}; move it away to begin anew, or put a copy back"
        ) from error
    except OSError as error:
        raise SessionError(f"{path} cannot be used: {error.strerror}") from error
