"""Sessions: every message, call and result in one SQLite file. History only grows.

What `append`, `note` and `call_started` wrote outlives the process, `kill -9` included. To take
something back is to go on in a fork: another session, which begins with a copy of what stays. So
each session is whole by itself, and what was taken back is still there, in the one before.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import SessionError, UnknownName, UsageError
from agent.events import Usage
from agent.memory import window
from agent.memory.database import connect, explained

if TYPE_CHECKING:
    from filelock import FileLock
    from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage


@dataclass(frozen=True)
class About:
    """A line of the list of sessions."""

    id: int
    title: str
    """The user's first words."""
    messages: int
    updated: float
    """Seconds since the epoch."""
    parent: int | None
    """The session it was forked from."""


@dataclass(frozen=True)
class Found:
    """A message that was looked for."""

    session: int
    type: str
    """human, ai, tool or system."""
    written: float
    """Seconds since the epoch."""
    text: str


class Session:
    """One conversation. What was left unfinished is mended when it is opened again."""

    def __init__(self, database: sqlite3.Connection, path: Path | str, id: int) -> None:
        """Closes `database` when it cannot be gone on with. Raises SessionError."""
        self.id = id
        self._path = path
        self._database = database
        self._lock: FileLock | None = None
        self._asked: tuple[int, HumanMessage] | None = None
        """The row of a request that is no message yet."""
        try:
            self._lock = _held(path, id)
            self.messages: list[BaseMessage] = self._read()
            self._noted = self._pieces()
            """What is there of a reply that is no message yet."""
            self.mend()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, path: Path | str) -> Session:
        """Begin a session in the file `path`, made when missing. Raises SessionError."""
        database = connect(path)
        with explained(path), database:
            id = _begun(database)
        return cls(database, path, id)

    @classmethod
    def open(cls, path: Path | str, id: int | None = None) -> Session:
        """Go on with session `id`, or with the one in which something was said last.

        Raises UnknownName, SessionError; that too when another program has it open.
        """
        database = connect(path)
        with explained(path):
            known = [row[0] for row in database.execute("SELECT id FROM sessions ORDER BY id")]
            last = database.execute("SELECT session FROM messages ORDER BY id DESC LIMIT 1")
            found = last.fetchone() if id is None else (id,) if id in known else None
        if found is None:
            database.close()
            name = "latest" if id is None else str(id)
            raise UnknownName("session", name, map(str, known[-10:]))
        return cls(database, path, found[0])

    def asked(self, request: HumanMessage) -> None:
        """Keep from now on what the user has sent. The turn appends it when it has found out what
        is to be told before it, which may take a while."""
        with explained("the session"), self._database:
            self._asked = self._insert(request), request

    def append(self, message: BaseMessage, usage: Usage | None = None) -> None:
        """Add `message` at the end. It outlives this process when this returns."""
        from langchain_core.messages import ToolMessage

        asked = self._asked if self._asked and message is self._asked[1] else None
        with explained("the session"), self._database as database:
            if asked:
                self._withdraw(*asked)
            self._insert(message, usage)
            if self._noted:
                database.execute("DELETE FROM pieces WHERE session = ?", (self.id,))
            if isinstance(message, ToolMessage):  # it is kept twice no longer
                database.execute(
                    "UPDATE calls SET result = NULL WHERE session = ? AND id = ?",
                    (self.id, message.tool_call_id),
                )
        self._noted = ""
        if asked:
            self._asked = None
        self.messages.append(message)

    def _insert(self, message: BaseMessage, usage: Usage | None = None) -> int:
        """A row, and its words."""
        from langchain_core.messages import message_to_dict

        spent = None if usage is None else json.dumps(asdict(usage))
        # escaped: a file's name or a pipe can hold halves of characters, which UTF-8 cannot
        written = json.dumps(message_to_dict(message))
        row = self._database.execute(
            "INSERT INTO messages (session, written, type, message, usage) VALUES (?, ?, ?, ?, ?)",
            (self.id, time.time(), message.type, written, spent),
        ).lastrowid
        assert row is not None
        self._database.execute(
            "INSERT INTO words (rowid, text) VALUES (?, ?)", (row, _text(message))
        )
        return row

    def _withdraw(self, row: int, message: BaseMessage) -> None:
        self._database.execute(_FORGET_WORDS, (row, _text(message)))
        self._database.execute("DELETE FROM messages WHERE id = ?", (row,))

    def note(self, text: str) -> None:
        """What is there of a reply that is being written: kept, should this process be killed."""
        begun_anew = not text.startswith(self._noted)
        new = text if begun_anew else text[len(self._noted) :]
        with explained("the session"), self._database as database:
            if begun_anew:
                database.execute("DELETE FROM pieces WHERE session = ?", (self.id,))
            # a row for each piece: what is written must not grow with what is there
            database.execute(
                "INSERT INTO pieces (session, text) VALUES (?, ?)", (self.id, json.dumps(new))
            )
        self._noted = text

    def call_started(self, id: str) -> None:
        with explained("the session"), self._database as database:
            database.execute(
                "INSERT OR REPLACE INTO calls (id, session, started) VALUES (?, ?, ?)",
                (id, self.id, time.time()),
            )

    def call_finished(self, answer: ToolMessage) -> None:
        """It is the answer from now on, also when this process is killed before `append`."""
        from langchain_core.messages import message_to_dict

        result = json.dumps(message_to_dict(answer))
        now = time.time()
        with explained("the session"), self._database as database:
            database.execute(
                "INSERT INTO calls (id, session, started, finished, result) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (session, id) DO UPDATE"
                " SET finished = excluded.finished, result = excluded.result",
                (answer.tool_call_id, self.id, now, now, result),
            )

    def trace(self, turn: int, at: float, kind: str, facts: Mapping[str, Any]) -> None:
        """A fact of the user's `turn`, `at` seconds from its begin; `agent/trace` reads it."""
        with explained("the trace"), self._database as database:
            database.execute(
                "INSERT INTO traces (session, turn, at, kind, facts) VALUES (?, ?, ?, ?, ?)",
                (self.id, turn, at, kind, json.dumps(facts)),
            )

    def mend(self) -> None:
        """So that the talk can go on, whatever broke off: what there is of a reply becomes a
        message, and every call without a result is given one."""
        if self._asked is not None:
            self.append(self._asked[1])
        if not self.messages:
            return
        from langchain_core.messages import AIMessage

        if self._noted:
            self.append(AIMessage(self._noted, response_metadata={"finish": "interrupted"}))
        self._answer_open_calls()

    def fork(self, turns: int | None = None) -> Session:
        """Another session that begins with the first `turns` of the user's messages and what came
        of them, with their traces; None: with all. What they cost stays counted in this one,
        which must have no turn under way. Raises UsageError, SessionError.
        """
        starts = [*window.turns(self.messages), len(self.messages)]
        if turns is not None and not 0 <= turns < len(starts):
            raise UsageError(
                f"session {self.id} has {len(starts) - 1} messages of yours; there is no {turns}"
            )
        kept = self.messages[: starts[-1 if turns is None else turns]]
        with explained(self._path), self._database as database:
            begun = _begun(database, self.id)
            rows = database.execute(
                "SELECT id FROM messages WHERE session = ? ORDER BY id LIMIT ?",
                (self.id, len(kept)),
            ).fetchall()
            for (id,), message in zip(rows, kept, strict=True):
                copy = database.execute(
                    "INSERT INTO messages (session, written, type, message)"
                    " SELECT ?, written, type, message FROM messages WHERE id = ?",
                    (begun, id),
                ).lastrowid
                database.execute(
                    "INSERT INTO words (rowid, text) VALUES (?, ?)", (copy, _text(message))
                )
                database.execute(
                    "INSERT INTO vectors SELECT ?, vector FROM vectors WHERE message = ?",
                    (copy, id),
                )
            database.execute(
                "INSERT INTO traces (session, turn, at, kind, facts)"
                " SELECT ?, turn, at, kind, facts FROM traces"
                " WHERE session = ? AND turn <= ? ORDER BY id",
                (begun, self.id, sum(message.type == "human" for message in kept)),
            )
        return Session.open(self._path, begun)

    def usage(self, since: int = 0) -> Usage:
        """What the replies have cost that are message `since` or a later one."""
        with explained("the session"):
            rows = self._database.execute(
                "SELECT usage FROM messages WHERE session = ? ORDER BY id LIMIT -1 OFFSET ?",
                (self.id, since),
            ).fetchall()
        with understood(f"session {self.id}"):
            return sum((Usage(**json.loads(row[0])) for row in rows if row[0]), Usage())

    def close(self) -> None:
        self._database.close()
        _free(self._lock)

    def _answer_open_calls(self) -> None:
        from langchain_core.messages import AIMessage, ToolMessage

        answered = {m.tool_call_id for m in self.messages if isinstance(m, ToolMessage)}
        started = self._started()
        open_calls = [
            call
            for message in self.messages
            if isinstance(message, AIMessage)
            for call in message.tool_calls
            if call["id"] not in answered
        ]
        for call in open_calls:
            if result := started.get(str(call["id"])):
                self.append(result)
                continue
            begun = call["id"] in started
            text = "interrupted, outcome unknown" if begun else "interrupted before it ran"
            self.append(
                ToolMessage(text, tool_call_id=call["id"], name=call["name"], status="error")
            )

    def _started(self) -> Mapping[str, BaseMessage | None]:
        """The calls that were begun, by their ids, and what they gave."""
        from langchain_core.messages import messages_from_dict

        with explained("the session"):
            rows = self._database.execute(
                "SELECT id, result FROM calls WHERE session = ?", (self.id,)
            ).fetchall()
        with understood(f"session {self.id}"):
            return {
                id: messages_from_dict([json.loads(result)])[0] if result else None
                for id, result in rows
            }

    def _pieces(self) -> str:
        with explained("the session"):
            rows = self._database.execute(
                "SELECT text FROM pieces WHERE session = ? ORDER BY id", (self.id,)
            ).fetchall()
        with understood(f"session {self.id}"):
            return "".join(json.loads(row[0]) for row in rows)

    def _read(self) -> list[BaseMessage]:
        with explained("the session"):
            rows = self._database.execute(
                "SELECT message FROM messages WHERE session = ? ORDER BY id", (self.id,)
            ).fetchall()
        if not rows:
            return []  # a new one waits for no import
        from langchain_core.messages import messages_from_dict

        with understood(f"session {self.id}"):
            return messages_from_dict([json.loads(row[0]) for row in rows])


def sessions(path: Path, count: int = -1) -> list[About]:
    """The `count` latest sessions in which something was said, latest first; -1: all."""
    database = connect(path)
    with explained(path):
        rows = database.execute(
            "SELECT session, count(*), max(written),"
            " (SELECT message FROM messages f WHERE f.session = m.session AND type = 'human'"
            "  ORDER BY id LIMIT 1),"
            " (SELECT parent FROM sessions s WHERE s.id = m.session)"
            " FROM messages m GROUP BY session ORDER BY max(id) DESC LIMIT ?",
            (count,),
        ).fetchall()
    database.close()
    with understood(str(path)):
        return [
            About(
                id, json.loads(first)["data"]["content"][:60] if first else "", number, updated, of
            )
            for id, number, updated, first, of in rows
        ]


def search(path: Path, text: str, count: int = 20) -> list[Found]:
    """Messages with all of these words, the best first (BM25). Raises SessionError."""
    asked = " ".join(f'"{word}"' for word in re.findall(r"\w+", text))
    if not asked:
        return []
    database = connect(path)
    with contextlib.closing(database), explained(path):
        rows = database.execute(
            "SELECT session, type, written, message FROM words JOIN messages ON id = words.rowid"
            " WHERE words MATCH ? ORDER BY rank",
            (asked,),
        )
        return distinct(rows, count)


def distinct(rows: Iterable[tuple[int, str, float, str]], count: int) -> list[Found]:
    """The first `count` of messages as they are kept; one that forks have copied counts once."""
    found: dict[tuple[float, str], tuple[int, str, float, str]] = {}
    for row in rows:
        found.setdefault(row[2:], row)
        if len(found) == count:
            break
    return [
        Found(session, type, written, text)
        for (session, type, written, _), text in zip(
            found.values(), texts(found.values()), strict=True
        )
    ]


def read(path: Path, id: int) -> list[BaseMessage]:
    """What was said, also while another program has it open. Raises UnknownName, SessionError."""
    database = connect(path)
    with contextlib.closing(database), explained(path):
        rows = _rows(database, id)
    from langchain_core.messages import messages_from_dict

    with understood(f"session {id}"):
        return messages_from_dict([json.loads(row[1]) for row in rows])


def remove(path: Path, id: int) -> int:
    """Delete a session for good; gives how many messages. Raises UnknownName, SessionError."""
    database = connect(path)
    lock = _held(path, id)
    try:
        with explained(path), database:
            rows = _rows(database, id)
            gone = zip((row[0] for row in rows), texts(rows), strict=True)
            database.executemany(_FORGET_WORDS, gone)
            for table in ("calls", "messages"):
                database.execute(f"DELETE FROM {table} WHERE session = ?", (id,))
            database.execute("DELETE FROM sessions WHERE id = ?", (id,))
    finally:
        database.close()
        _free(lock)
    return len(rows)


_FORGET_WORDS = "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)"
"""They are kept without their text, and leave only when it is given again."""


def _rows(database: sqlite3.Connection, id: int) -> list[tuple[int, str]]:
    """Number and text of each message as it is kept. Raises UnknownName."""
    rows = database.execute(
        "SELECT id, message FROM messages WHERE session = ? ORDER BY id", (id,)
    ).fetchall()
    if not rows:
        last = database.execute("SELECT DISTINCT session FROM messages ORDER BY id DESC LIMIT 10")
        raise UnknownName("session", str(id), [str(row[0]) for row in last])
    return rows


def texts(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """Of messages, the last column of each row, as they stand in the index of words."""
    from langchain_core.messages import messages_from_dict

    with understood("a message"):
        return [_text(one) for one in messages_from_dict([json.loads(row[-1]) for row in rows])]


def _text(message: BaseMessage) -> str:
    """Without halves of characters, which SQLite does not take."""
    return str(message.text).encode("utf-8", "replace").decode()


def _begun(database: sqlite3.Connection, parent: int | None = None) -> int:
    """Of a new session, a number that none has had."""
    row = database.execute(
        "INSERT INTO sessions (id, started, parent) SELECT 1 + max((SELECT last FROM removed), "
        "(SELECT coalesce(max(id), 0) FROM sessions)), ?, ?",
        (time.time(), parent),
    )
    assert row.lastrowid is not None
    return row.lastrowid


def _held(path: Path | str, id: int) -> FileLock | None:
    """Two programs that write one conversation would spoil it. Free again when a program ends."""
    if not isinstance(path, Path):
        return None
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(f".{path.name}.{id}.lock"), timeout=0, thread_local=False)
    with explained(path):
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


@contextlib.contextmanager
def understood(what: str) -> Iterator[None]:
    """Around reading what a row holds."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise SessionError(f"{what} is damaged: {type(error).__name__}: {error}") from error
