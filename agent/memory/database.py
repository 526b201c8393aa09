"""The file of the sessions: made, opened, and brought up from the version of an older Tinsmith.

It is in WAL mode, so two programs may use it at once. What was committed outlives the process,
`kill -9` included. A power cut may lose the last steps: the system is told to write them when the
log is folded into the file, not at each commit. It never damages the file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from agent.errors import SessionError

FIRST = """
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
FORKS_PIECES_VECTORS = """
ALTER TABLE sessions ADD COLUMN parent INTEGER REFERENCES sessions(id) ON DELETE SET NULL;
ALTER TABLE calls ADD COLUMN result TEXT;
CREATE TABLE pieces (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
    text TEXT NOT NULL
);
CREATE TABLE vectors (
    message INTEGER PRIMARY KEY REFERENCES messages(id) ON DELETE CASCADE,
    vector BLOB
);
"""
TRACES = """
CREATE TABLE traces (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
    turn INTEGER NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    facts TEXT NOT NULL
);
CREATE INDEX traces_of ON traces(session, turn, id);
"""
NUMBERS = """
CREATE TABLE removed (last INTEGER NOT NULL);
INSERT INTO removed VALUES (0);
CREATE TRIGGER keep_number AFTER DELETE ON sessions
    BEGIN UPDATE removed SET last = max(last, old.id); END;
"""
"""What tells of a session by its number, such as a fact, must never mean another one."""
STEPS = (FIRST, FORKS_PIECES_VECTORS, TRACES, NUMBERS)
"""Each makes the next version of the one before; the first begins with an empty file."""
VERSION = len(STEPS)


def connect(path: Path | str) -> sqlite3.Connection:
    """The file at `path`, made when missing and brought up when older. Raises SessionError."""
    with explained(path):
        if isinstance(path, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, timeout=10, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")  # a commit costs no fsync
            database.execute("PRAGMA foreign_keys = ON")
            _bring_up(database, path)
        except BaseException:
            database.close()
            raise
    return database


def _bring_up(database: sqlite3.Connection, path: Path | str) -> None:
    saved = False
    while (version := _version(database)) < VERSION:
        with database:
            database.execute("BEGIN IMMEDIATE")  # two programs may be about it at once
            version = _version(database)
            if version >= VERSION:
                return
            if version and not saved:
                _back_up(Path(path), version)
            saved = True  # or made just now, of nothing
            for statement in STEPS[version].split(";\n"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {version + 1}")
    if version > VERSION:
        raise SessionError(
            f"{path} was written by a newer Tinsmith (version {version}, this one knows {VERSION});"
            " update Tinsmith, or move the file away to begin anew"
        )


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def _back_up(path: Path, version: int) -> None:
    """A copy beside the file, which has its name only once it is whole.

    For the one program that may write the file just now, so nothing changes under it.
    """
    target = path.with_name(f"{path.name}.v{version}.bak")
    half = target.with_name(f".{target.name}.half")
    half.unlink(missing_ok=True)  # of a program that was killed
    try:
        with (
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(sqlite3.connect(half)) as copy,
        ):
            copy.execute("PRAGMA journal_mode = OFF")  # half a copy is thrown away, not mended
            source.backup(copy)
        shutil.copymode(path, half)
        with half.open("rb+") as file:
            os.fsync(file.fileno())
        half.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            half.unlink()
        raise


@contextlib.contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Raises SessionError for what SQLite or the system say of the file."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if _is_full(error):
            raise SessionError(
                f"{path} cannot grow, the disk is full: make room and go on; "
                "what was written before is kept"
            ) from error
        raise SessionError(
            f"{path} cannot be used: {error}; move it away to begin anew, or mend the cause"
        ) from error


def _is_full(error: sqlite3.Error | OSError) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOSPC
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
