"""Examples as values: the rows of a file, what is wrong with some, what a recipe is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.specialists.plan import Task

ROLES: Mapping[Task, tuple[str, ...]] = {
    "classifier": ("text", "label"),
    "tagger": ("words", "tags"),
    "masked": ("text",),
    "embedder": ("first", "second", "score", "text", "label"),
    "causal": ("messages", "tools", "prompt", "answer"),
}
"""What a column can be. An embedder learns from pairs (with or without a score) or from texts with
labels, a causal model from conversations (with or without tools) or from prompts with answers."""
KINDS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".conll": "conll",
    ".iob": "conll",
    ".bio": "conll",
    ".txt": "",
}
"""By the ending of the file. "": told by the content."""
SAMPLE = 1000
"""Rows by which the content of a column is judged, spread over the file, which may be sorted."""
SHOWN = 12
"""Labels and line numbers that are shown."""
LONGEST = 80
"""Characters of a text or a label that are shown, on one line."""


def shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


@dataclass(frozen=True, slots=True)
class Problem:
    where: str
    """Such as "reviews.csv:17"; the name of the file when all of it is meant; "": the labels."""
    what: str
    """The kind, and after ": " what is particular to this row."""


@dataclass(frozen=True, slots=True)
class Record:
    line: int
    """From 1, in the file. Parquet, `datasets` and JSON by columns: the row. A folder: 1."""
    where: str
    """Such as "reviews.csv:17" or "pos/a.txt"."""
    values: Mapping[str, Any]
    """By column. One that a row of JSON lacks is lacking here."""


@dataclass(frozen=True)
class Table:
    path: Path
    kind: str
    """csv, tsv, jsonl, json, parquet, conll, folder or datasets."""
    columns: tuple[str, ...]
    """Of a file without a header: "1", "2" ..."""
    rows: list[Record]
    problems: list[Problem]
    """Rows that could not be read, and (`where` is the name of the file) a guessed encoding."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row, ready for a recipe."""

    where: str
    text: str = ""
    """Of a classifier, a masked model; the first text of an embedder."""
    labels: tuple[str, ...] = ()
    """Of a classifier (several, sorted, where that was asked for), or of an embedder."""
    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """One for each word: O, B-x or I-x."""
    second: str = ""
    """Of a pair for an embedder."""
    score: float | None = None
    """How alike the pair is, 0 to 1. None: alike."""
    messages: tuple[Mapping[str, Any], ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()


def columns_of(rows: Sequence[Record]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows for name in row.values))


def numbered(path: Path, kind: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    records = [Record(i, f"{path.name}:{i}", row) for i, row in enumerate(rows, 1)]
    return Table(path, kind, columns_of(records), records, [])


def rows_read(table: Table) -> int:
    """A problem with the name of the file is about all of it."""
    return len(table.rows) + sum(one.where != table.path.name for one in table.problems)


def by_kind(problems: Iterable[Problem]) -> list[str]:
    """A line for each kind of problem in each file, the most frequent first."""
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for one in problems:
        file, _, line = one.where.rpartition(":")
        kinds.setdefault((file if line.isdigit() else "", one.what.partition(": ")[0]), []).append(
            one
        )
    lines = []
    for (file, kind), group in sorted(kinds.items(), key=lambda one: -len(one[1])):
        shown = [one.where for one in group[:SHOWN]]
        if file:
            numbers = sorted(int(one.where.rpartition(":")[2]) for one in group)
            shown = [str(number) for number in numbers[:SHOWN]]
        more = " ..." if len(group) > SHOWN else ""
        if not group[0].where:
            details = ", ".join(one.what.partition(": ")[2] for one in group[:SHOWN])
            count = f"{len(group):,} " if len(group) > 1 else ""
            lines.append(f"{count}{kind}: {details}{more}")
        elif len(group) == 1:
            lines.append(f"{group[0].where}: {group[0].what}")
        elif file:
            lines.append(f"{len(group):,} rows of {file}: {kind} (lines {', '.join(shown)}{more})")
        else:
            lines.append(f"{len(group):,} files: {kind} ({', '.join(shown)}{more})")
    return lines
