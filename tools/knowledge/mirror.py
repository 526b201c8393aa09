"""The words of the store in SQLite FTS5 (BM25), and which files it holds.

It can be made again from the store at any time, and is, wherever their revisions differ: after a
program was killed between the two, or when somebody else wrote into a server.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.knowledge.store import Stored

MOST_WORDS = 32
"""Of a question."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS revisions (collection TEXT PRIMARY KEY, revision TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS passages (
    row INTEGER PRIMARY KEY, collection TEXT NOT NULL, id TEXT NOT NULL, file TEXT NOT NULL,
    sha256 TEXT NOT NULL, kind TEXT NOT NULL, modified INTEGER NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, heading TEXT NOT NULL, parts INTEGER NOT NULL, text TEXT NOT NULL,
    UNIQUE (collection, id)
);
CREATE INDEX IF NOT EXISTS passages_by_file ON passages (collection, file);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    heading, text, content='passages', content_rowid='row', tokenize='porter unicode61'
);
CREATE TRIGGER IF NOT EXISTS added AFTER INSERT ON passages BEGIN
    INSERT INTO words (rowid, heading, text) VALUES (new.row, new.heading, new.text);
END;
CREATE TRIGGER IF NOT EXISTS removed AFTER DELETE ON passages BEGIN
    INSERT INTO words (words, rowid, heading, text)
    VALUES ('delete', old.row, old.heading, old.text);
END;
"""
COLUMNS = "id, file, sha256, kind, modified, first, last, heading, parts, text"
FACTS = ("file", "sha256", "kind", "modified", "first", "last", "heading", "of")
"""Of `Stored`, in the order of the columns between the id and the text."""


@dataclass(frozen=True)
class File:
    name: str
    """Its absolute path."""
    sha256: str
    kind: str
    modified: int
    """Seconds since 1970."""
    passages: int
    whole: bool
    """All passages of one reading are there, and none of another."""


@dataclass(frozen=True)
class Wanted:
    """Which passages are searched."""

    files: tuple[str, ...] | None = None
    """Absolute paths. None: any."""
    kind: str = ""
    since: float = 0.0
    """Seconds since 1970: files changed later only."""

    def where(self) -> dict[str, Any] | None:
        """As Chroma's filter."""
        rules: list[dict[str, Any]] = []
        if self.files is not None:
            rules.append({"file": {"$in": list(self.files)}})
        if self.kind:
            rules.append({"kind": self.kind})
        if self.since:
            rules.append({"modified": {"$gte": self.since}})
        if len(rules) > 1:
            return {"$and": rules}
        return rules[0] if rules else None


class Mirror:
    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        with closing(self._connect()) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(SCHEMA)

    def revision(self, collection: str) -> str:
        """Of the store, when this was last made equal to it."""
        with closing(self._connect()) as database:
            found = database.execute(
                "SELECT revision FROM revisions WHERE collection = ?", (collection,)
            ).fetchone()
        return found[0] if found else ""

    def change(
        self, collection: str, revision: str, new: Iterable[Stored], gone: Iterable[str]
    ) -> None:
        with closing(self._connect()) as database, database:
            database.executemany(
                "DELETE FROM passages WHERE collection = ? AND id = ?",
                ((collection, id) for id in gone),
            )
            database.executemany(
                f"INSERT OR IGNORE INTO passages (collection, {COLUMNS}) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ((collection, *_row(one)) for one in new),
            )
            database.execute(
                "INSERT OR REPLACE INTO revisions VALUES (?, ?)", (collection, revision)
            )

    def forget(self, collection: str) -> None:
        with closing(self._connect()) as database, database:
            database.execute("DELETE FROM passages WHERE collection = ?", (collection,))
            database.execute("DELETE FROM revisions WHERE collection = ?", (collection,))

    def ids(self, collection: str, file: str = "") -> set[str]:
        wanted = "collection = ?" + (" AND file = ?" if file else "")
        with closing(self._connect()) as database:
            found = database.execute(
                f"SELECT id FROM passages WHERE {wanted}", (collection, *([file] if file else []))
            )
            return {id for (id,) in found}

    def files(self, collection: str) -> list[File]:
        with closing(self._connect()) as database:
            found = database.execute(
                "SELECT file, min(sha256), min(kind), max(modified), count(*), "
                "count(DISTINCT sha256) = 1 AND count(*) = max(parts) FROM passages "
                "WHERE collection = ? GROUP BY file ORDER BY file",
                (collection,),
            )
            return [File(a, b, c, d, e, bool(whole)) for a, b, c, d, e, whole in found]

    def get(self, collection: str, ids: Sequence[str]) -> dict[str, Stored]:
        marks = ", ".join("?" * len(ids))
        with closing(self._connect()) as database:
            found = database.execute(
                f"SELECT {COLUMNS} FROM passages WHERE collection = ? AND id IN ({marks})",
                (collection, *ids),
            )
            return {row[0]: _stored(row) for row in found}

    def best(self, collection: str, question: str, count: int, wanted: Wanted) -> list[str]:
        """Ids by BM25 (Robertson et al. 1995), the best first."""
        words = list(dict.fromkeys(_WORD.findall(question.lower())))
        if not words:
            return []
        clauses: list[str] = ["collection = ?"]
        values: list[str | float] = [collection]
        if wanted.files is not None:
            clauses.append(f"file IN ({', '.join('?' * len(wanted.files))})")
            values += wanted.files
        if wanted.kind:
            clauses.append("kind = ?")
            values.append(wanted.kind)
        if wanted.since:
            clauses.append("modified >= ?")
            values.append(wanted.since)
        with closing(self._connect()) as database:
            asked = " OR ".join(f'"{word}"' for word in words[:MOST_WORDS])
            found = database.execute(
                "SELECT id FROM words JOIN passages ON row = words.rowid WHERE words MATCH ? AND "
                f"{' AND '.join(clauses)} ORDER BY words.rank LIMIT ?",
                (asked, *values, count),
            )
            return [id for (id,) in found]

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._file, timeout=30)


def _row(one: Stored) -> tuple[str | int | float, ...]:
    return (one.id, *(one.facts[name] for name in FACTS), one.text)


def _stored(row: Sequence[Any]) -> Stored:
    return Stored(row[0], row[-1], dict(zip(FACTS, row[1:-1], strict=True)))


_WORD = re.compile(r"\w+")
