"""Sessions: every message, call and result in one SQLite file. History only grows.

The file is in WAL mode, so two programs may use it at once. What `append` and `call_started` wrote
outlives the process, `kill -9` included. A power cut may lose the last steps: the system is told to
write them when the log is folded into the file, not at each commit. It never damages the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import SessionError, UnknownName
from agent.events import Usage

if TYPE_CHECKING:
    from filelock import FileLock
    from langchain_core.messages import BaseMessage

VERSION = 1
SCHEMA = """
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
CREATE VIRTUAL TABLE words USING fts5(text, content='');
"""


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
    """A message with the words that were looked for."""

    session: int
    type: str
    """human, ai, tool or system."""
    written: float
    """Seconds since the epoch."""
    text: str


class Session:
    """One conversation. A call without a result is answered when it is opened again."""

    def __init__(self, database: sqlite3.Connection, path: Path | str, id: int) -> None:
        """Closes `database` when it cannot be gone on with. Raises SessionError."""
        self.id = id
        self._database = database
        self._lock: FileLock | None = None
        try:
            self._lock = _held(path, id)
            self.messages: list[BaseMessage] = self._read()
            self.answer_open_calls()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, path: Path | str) -> Session:
        """Begin a session in the file `path`, made when missing. Raises SessionError."""
        database = _connect(path)
        with _explained(path), database:
            row = database.execute("INSERT INTO sessions (started) VALUES (?)", (time.time(),))
        assert row.lastrowid is not None
        return cls(database, path, row.lastrowid)

    @classmethod
    def open(cls, path: Path | str, id: int | None = None) -> Session:
        """Go on with session `id`, or with the one in which something was said last.

        Raises UnknownName, SessionError; that too when another program has it open.
        """
        database = _connect(path)
        with _explained(path):
            known = [row[0] for row in database.execute("SELECT id FROM sessions ORDER BY id")]
            last = database.execute("SELECT session FROM messages ORDER BY id DESC LIMIT 1")
            found = last.fetchone() if id is None else (id,) if id in known else None
        if found is None:
            database.close()
            name = "latest" if id is None else str(id)
            raise UnknownName("session", name, map(str, known[-10:]))
        return cls(database, path, found[0])

    def append(self, message: BaseMessage, usage: Usage | None = None) -> None:
        """Add `message` at the end. It outlives this process when this returns."""
        from langchain_core.messages import message_to_dict

        spent = None if usage is None else json.dumps(asdict(usage))
        # escaped: a file's name or a pipe can hold halves of characters, which UTF-8 cannot
        written = json.dumps(message_to_dict(message))
        text = str(message.text).encode("utf-8", "replace").decode()
        with _explained("the session"), self._database as database:
            row = database.execute(
                "INSERT INTO messages (session, written, type, message, usage)"
                " VALUES (?, ?, ?, ?, ?)",
                (self.id, time.time(), message.type, written, spent),
            )
            database.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (row.lastrowid, text))
        self.messages.append(message)

    def call_started(self, id: str) -> None:
        with _explained("the session"), self._database as database:
            database.execute(
                "INSERT OR REPLACE INTO calls (id, session, started) VALUES (?, ?, ?)",
                (id, self.id, time.time()),
            )

    def call_finished(self, id: str) -> None:
        with _explained("the session"), self._database as database:
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
        with _explained("the session"):
            rows = self._database.execute("SELECT id FROM calls WHERE session = ?", (self.id,))
            started = {row[0] for row in rows}
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
        self._database.close()
        _free(self._lock)

    def _read(self) -> list[BaseMessage]:
        with _explained("the session"):
            rows = self._database.execute(
                "SELECT message FROM messages WHERE session = ? ORDER BY id", (self.id,)
            ).fetchall()
        if not rows:
            return []  # a new one waits for no import
        from langchain_core.messages import messages_from_dict

        with _understood(f"session {self.id}"):
            return messages_from_dict([json.loads(row[0]) for row in rows])


def sessions(path: Path) -> list[About]:
    """All sessions in which something was said, latest first."""
    database = _connect(path)
    with _explained(path):
        rows = database.execute(
            "SELECT session, count(*), max(written),"
            " (SELECT message FROM messages f WHERE f.session = m.session AND type = 'human'"
            "  ORDER BY id LIMIT 1)"
            " FROM messages m GROUP BY session ORDER BY max(id) DESC"
        ).fetchall()
    database.close()
    with _understood(str(path)):
        return [
            About(id, json.loads(first)["data"]["content"][:60] if first else "", count, updated)
            for id, count, updated, first in rows
        ]


def search(path: Path, text: str, count: int = 20) -> list[Found]:
    """Messages with all of these words, the best first (BM25). Raises SessionError."""
    asked = " ".join(f'"{word}"' for word in re.findall(r"\w+", text))
    if not asked:
        return []
    database = _connect(path)
    with contextlib.closing(database), _explained(path):
        rows = database.execute(
            "SELECT session, type, written, message FROM words JOIN messages ON id = words.rowid"
            " WHERE words MATCH ? ORDER BY rank LIMIT ?",
            (asked, count),
        ).fetchall()
    return [
        Found(session, type, written, said)
        for (session, type, written, _), said in zip(rows, _texts(rows), strict=True)
    ]


def read(path: Path, id: int) -> list[BaseMessage]:
    """What was said, also while another program has it open. Raises UnknownName, SessionError."""
    database = _connect(path)
    with contextlib.closing(database), _explained(path):
        rows = _rows(database, id)
    from langchain_core.messages import messages_from_dict

    with _understood(f"session {id}"):
        return messages_from_dict([json.loads(row[1]) for row in rows])


def remove(path: Path, id: int) -> int:
    """Delete a session for good; gives how many messages. Raises UnknownName, SessionError."""
    database = _connect(path)
    lock = _held(path, id)
    try:
        with _explained(path), database:
            rows = _rows(database, id)
            # the words are kept without their text, and leave only when they are given again
            gone = zip((row[0] for row in rows), _texts(rows), strict=True)
            database.executemany(
                "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", gone
            )
            for table in ("calls", "messages"):
                database.execute(f"DELETE FROM {table} WHERE session = ?", (id,))
            database.execute("DELETE FROM sessions WHERE id = ?", (id,))
    finally:
        database.close()
        _free(lock)
    return len(rows)


def _rows(database: sqlite3.Connection, id: int) -> list[tuple[int, str]]:
    """Number and text of each message as it is kept. Raises UnknownName."""
    rows = database.execute(
        "SELECT id, message FROM messages WHERE session = ? ORDER BY id", (id,)
    ).fetchall()
    if not rows:
        last = database.execute("SELECT DISTINCT session FROM messages ORDER BY id DESC LIMIT 10")
        raise UnknownName("session", str(id), [str(row[0]) for row in last])
    return rows


def _texts(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """Of messages, the last column of each row, as they stand in the index of words."""
    from langchain_core.messages import messages_from_dict

    with _understood("a message"):
        found = messages_from_dict([json.loads(row[-1]) for row in rows])
        return [str(message.text).encode("utf-8", "replace").decode() for message in found]


def _held(path: Path | str, id: int) -> FileLock | None:
    """Two programs that write one conversation would spoil it. Free again when a program ends."""
    if not isinstance(path, Path):
        return None
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(f".{path.name}.{id}.lock"), timeout=0, thread_local=False)
    with _explained(path):
        try:
            lock.acquire()
        except Timeout:
            raise SessionError(
                f"session {id} is open in another program; leave it there, or begin a new one: "
                "tinsmith chat"
            ) from None
    return lock


def _free(lock: FileLock | None) -> None:
    if lock is not None:
        # before it is free: afterwards it may be another program's
        with contextlib.suppress(OSError):  # Windows keeps a file that is open
            os.unlink(lock.lock_file)
        lock.release()


def _connect(path: Path | str) -> sqlite3.Connection:
    with _explained(path):
        if isinstance(path, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, timeout=10, check_same_thread=False)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")  # a commit costs no fsync
        database.execute("PRAGMA foreign_keys = ON")
        with database:
            database.execute("BEGIN IMMEDIATE")  # two programs may make the file at once
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in SCHEMA.split(";\n"):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {VERSION}")
    if version > VERSION:
        raise SessionError(
            f"{path} was written by a newer Tinsmith (version {version}, this one knows {VERSION});"
            " update Tinsmith, or move the file away to begin anew"
        )
    return database


@contextlib.contextmanager
def _explained(path: Path | str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise SessionError(
            f"{path} cannot be used: {error}; move it away to begin anew, or mend the cause"
        ) from error


@contextlib.contextmanager
def _understood(what: str) -> Iterator[None]:
    """Around reading what a row holds."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise SessionError(f"{what} is damaged: {type(error).__name__}: {error}") from error
