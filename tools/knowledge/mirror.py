"""The words of a collection in SQLite FTS5 (BM25), and which files it holds: a file for each.

It can be made again from the store at any time, and is, wherever their revisions differ: after a
program was killed between the two, when somebody else wrote into a server, when it is damaged.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.errors import DocumentError
from tools.knowledge.store import Stored

VERSION = 1
"""Of the schema. A file of another version is made again."""
MOST_WORDS = 32
"""Of a question."""
OFTEN = 1 / 3
"""A word that more of the passages hold hardly tells them apart, and takes the most time."""
MOST_OF_A_WORD = 2.2
"""What bm25() gives for one word, at most, in units of its rarity (k1 + 1)."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS revision (revision TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS passages (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, file TEXT NOT NULL, sha256 TEXT NOT NULL,
    kind TEXT NOT NULL, modified INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    heading TEXT NOT NULL, parts INTEGER NOT NULL, text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS passages_by_file ON passages (file);
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
BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Damaged(DocumentError):
    """The mirror was thrown away; the next look at the collection makes it again."""


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

    file: str = ""
    """A part of the path."""
    kind: str = ""
    since: float = 0.0
    """Seconds since 1970: files changed later only."""

    def where(self, names: Sequence[str]) -> dict[str, Any] | None:
        """As Chroma's filter, which knows no parts of paths: `names` are the files with it."""
        rules: list[dict[str, Any]] = []
        if self.file:
            rules.append({"file": {"$in": list(names)}})
        if self.kind:
            rules.append({"kind": self.kind})
        if self.since:
            rules.append({"modified": {"$gte": self.since}})
        if len(rules) > 1:
            return {"$and": rules}
        return rules[0] if rules else None

    def rule(self) -> tuple[str, list[str | float]]:
        """As the end of a WHERE, and its values."""
        rules: list[tuple[str, str | float]] = [
            ("instr(file, ?)", self.file), ("kind = ?", self.kind), ("modified >= ?", self.since)
        ]  # fmt: skip
        given = [(rule, value) for rule, value in rules if value]
        return "".join(f" AND {rule}" for rule, _ in given), [value for _, value in given]


class Mirror:
    """Raises DocumentError when its file cannot be used, Damaged when it is to be made again."""

    def __init__(self, file: Path) -> None:
        """Nothing is opened or made yet."""
        self._file = file
        self._counts: dict[str, int] = {}
        """How many passages hold a word; under "" how many there are."""
        self._counted = ""
        """The revision in which they were counted."""

    def revision(self) -> str:
        """Of the store, when this was last made equal to it."""
        with self._opened() as database:
            return _revision(database)

    def change(self, revision: str, new: Iterable[Stored], gone: Iterable[str]) -> None:
        with self._opened() as database:
            database.executemany("DELETE FROM passages WHERE id = ?", ((id,) for id in gone))
            database.executemany(
                f"INSERT OR IGNORE INTO passages ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                map(_row, new),
            )
            database.execute("DELETE FROM revision")
            database.execute("INSERT INTO revision VALUES (?)", (revision,))

    def remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            Path(f"{self._file}{end}").unlink(missing_ok=True)

    def ids(self, file: str = "") -> set[str]:
        """Of the passages of a file; of all."""
        with self._opened() as database:
            asked = "SELECT id FROM passages" + (" WHERE file = ?" if file else "")
            return {id for (id,) in database.execute(asked, [file] if file else [])}

    def names(self, part: str) -> list[str]:
        """Of the files with `part` in their path."""
        with self._opened() as database:
            found = database.execute(
                "SELECT DISTINCT file FROM passages WHERE instr(file, ?)", (part,)
            )
            return [name for (name,) in found]

    def files(self) -> list[File]:
        with self._opened() as database:
            found = database.execute(
                "SELECT file, min(sha256), min(kind), max(modified), count(*), "
                "count(DISTINCT sha256) = 1 AND count(*) = max(parts) FROM passages "
                "GROUP BY file ORDER BY file"
            )
            return [File(a, b, c, d, e, bool(whole)) for a, b, c, d, e, whole in found]

    def get(self, ids: Sequence[str]) -> dict[str, Stored]:
        marks = ", ".join("?" * len(ids))
        with self._opened() as database:
            found = database.execute(f"SELECT {COLUMNS} FROM passages WHERE id IN ({marks})", ids)
            return {row[0]: _stored(row) for row in found}

    def best(self, question: str, count: int, wanted: Wanted) -> list[str]:
        """Ids by BM25 (Robertson et al. 1995), the best first.

        Scored are only the passages with one of the rarer words, as many words as it takes to be
        sure that the others alone lift none among the best (MaxScore, Turtle and Flood 1995).
        """
        asked = list(dict.fromkeys(_WORD.findall(question.lower())))[:MOST_WORDS]
        with self._opened() as database:
            words, most = self._weighed(database, asked)
            held = itertools.accumulate(self._counts[word] for word in words)
            needed = next((n for n, sum in enumerate(held, 1) if sum >= count), len(words))
            scored = 0
            found: list[tuple[str, float]] = []
            while needed > scored:
                scored = needed
                found = _ranked(database, words[:scored], words[scored:], count, wanted)
                if len(found) < count:
                    needed = min(2 * scored, len(words))
                    continue
                while sum(most[needed:]) >= found[-1][1]:
                    needed += 1
        return [id for id, _ in found]

    def _weighed(
        self, database: sqlite3.Connection, asked: Sequence[str]
    ) -> tuple[list[str], list[float]]:
        """The words that some passage holds, the rarest first, and the most that each can add.

        What is held more often than `OFTEN` is left out, unless nothing else is asked.
        """
        revision = _revision(database)
        if self._counted != revision:
            self._counts, self._counted = {}, revision
        of = self._count(database, "SELECT count(*) FROM passages", "")
        held = {
            word: self._count(database, "SELECT count(*) FROM words WHERE words MATCH ?", word)
            for word in asked
        }
        there = sorted((word for word in asked if held[word]), key=lambda word: held[word])
        words = [word for word in there if held[word] <= of * OFTEN] or there
        rarity = [math.log((of - held[word] + 0.5) / (held[word] + 0.5)) for word in words]
        return words, [MOST_OF_A_WORD * max(1e-6, one) for one in rarity]

    def _count(self, database: sqlite3.Connection, asked: str, word: str) -> int:
        if word not in self._counts:
            values = [_any([word])] if word else []
            self._counts[word] = database.execute(asked, values).fetchone()[0]
        return self._counts[word]

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=30)) as database, database:
                database.execute("PRAGMA synchronous = NORMAL")  # a commit costs no fsync
                version = database.execute("PRAGMA user_version").fetchone()[0]
                if version not in (0, VERSION):
                    raise Damaged(f"{self._file} is of another version; it is made again")
                if version == 0:
                    database.execute("PRAGMA journal_mode = WAL")
                    database.executescript(f"{SCHEMA}PRAGMA user_version = {VERSION}")
                yield database
        except Damaged:
            self.remove()
            raise
        except (sqlite3.DatabaseError, OSError) as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in BROKEN:
                self.remove()
                raise Damaged(f"{self._file} is damaged; it is made again") from error
            raise DocumentError(
                f"{self._file} cannot be used: {error}; is the disk full?"
            ) from error


def _ranked(
    database: sqlite3.Connection,
    either: Sequence[str],
    also: Sequence[str],
    count: int,
    wanted: Wanted,
) -> list[tuple[str, float]]:
    """Ids and scores of the `count` best passages with a word of `either`; `also` adds to them."""
    asked = _any(either)
    times = 1
    if also:  # FTS5 has no words that may be there: so each of them counts twice
        asked, times = f"({asked}) AND ({_any([*either, *also, *also])})", 2
    rule, values = wanted.rule()
    joined = " CROSS JOIN passages ON row = words.rowid" if rule else ""  # it costs a look-up a row
    found = database.execute(  # bm25(words), and not words.rank, which counts all words twice
        "SELECT id, score FROM (SELECT words.rowid AS at, -bm25(words) AS score "
        f"FROM words{joined} WHERE words MATCH ?{rule} ORDER BY score DESC, at LIMIT ?) "
        "CROSS JOIN passages ON row = at ORDER BY score DESC, at",
        (asked, *values, count),
    )
    return [(id, score / times) for id, score in found]


def _any(words: Iterable[str]) -> str:
    return " OR ".join(f'"{word}"' for word in words)


def _revision(database: sqlite3.Connection) -> str:
    found = database.execute("SELECT revision FROM revision").fetchone()
    return found[0] if found else ""


def _row(one: Stored) -> tuple[str | int | float, ...]:
    return (one.id, *(one.facts[name] for name in FACTS), one.text)


def _stored(row: Sequence[Any]) -> Stored:
    return Stored(row[0], row[-1], dict(zip(FACTS, row[1:-1], strict=True)))


_WORD = re.compile(r"\w+")
