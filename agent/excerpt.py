"""The text of a file, its table or the list of a folder, as far as there is room for it."""

from __future__ import annotations

import bisect
import csv
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.errors import DataError, DocumentError, first_line
from tools.knowledge import formats

if TYPE_CHECKING:
    from tools.knowledge.passages import Block

READ = 4 << 20
"""Bytes of a file of text that are read; of the rest only the lines are counted."""
ROWS = 200
"""Of a Parquet file, that are read."""
TABLES = {".csv", ".tsv", ".tab", ".jsonl", ".ndjson"}
"""Endings of tables that are text."""
LONGEST_NAME = 40
"""Characters of a column's name."""
SHOWN = 30
"""Columns that are named."""


@dataclass(frozen=True)
class Content:
    text: str
    unit: str
    """What is counted: lines, rows, characters, items."""
    count: int
    """How many the whole has."""
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    """At which line each row of the text begins, where rows are counted."""
    is_all: bool = True
    """False: the file has more than `text`."""


@dataclass(frozen=True)
class Excerpt:
    text: str
    about: str
    """Such as "lines 1 to 40 of 300"."""
    whole: bool
    next_line: int
    """At which line of the text it goes on."""


def content(place: Path) -> Content:
    """Raises DocumentError for what holds no text, OSError."""
    if place.is_dir():
        return _listing(place)
    if not stat.S_ISREG(place.stat().st_mode):
        raise DocumentError(f"{place.name} is not an ordinary file")
    kind = formats.kind_of(place)
    if kind in ("pdf", "word", "html"):
        text = _prose(formats.blocks(place))
        return Content(text, "characters", len(text))
    if place.suffix.lower() == ".parquet":
        return _parquet(place)
    return _text(place)


def excerpt(whole: Content, most: int) -> Excerpt:
    """At most `most` characters, up to the end of a line."""
    text = whole.text.rstrip("\n")
    fits = len(text) <= most
    if not fits:
        end = text.rfind("\n", 0, most + 1)
        text = text[: end if end > most // 2 else most]
    lines = text.count("\n") + 1
    rows = len(whole.rows)
    if not fits and rows:  # up to where another one begins, unless even the first is cut
        rows = max(1, bisect.bisect_right(whole.rows, lines + 1) - 1)
        if rows < len(whole.rows) and whole.rows[rows] <= lines:
            lines = whole.rows[rows] - 1
            text = "\n".join(text.split("\n")[:lines])
    if fits and whole.is_all:
        about = f"{whole.count:,} {whole.unit if whole.count != 1 else whole.unit[:-1]}"
    else:
        shown = {"rows": rows, "characters": len(text)}.get(whole.unit, lines)
        about = f"{whole.unit} 1 to {shown:,} of {whole.count:,}"
    if whole.columns:
        more = len(whole.columns) - SHOWN
        # outside the fence: a name is one short line there, whatever the file calls it
        short = [" ".join(name.split())[:LONGEST_NAME] for name in whole.columns[:SHOWN]]
        named = ", ".join(short) + (f" and {more} more" if more > 0 else "")
        about += f"; columns: {named}"
    return Excerpt(text, about, fits and whole.is_all, lines + 1)


def _listing(folder: Path) -> Content:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda one: (not one.is_dir(), one.name))
        names = [one.name + ("/" if one.is_dir() else "") for one in found]
    return Content("\n".join(names), "items", len(names))


def _prose(blocks: list[Block]) -> str:
    """With each heading where it begins."""
    parts: list[str] = []
    under: tuple[str, ...] = ()
    for block in blocks:
        if block.heading != under and block.heading:
            parts.append("#" * len(block.heading) + f" {block.heading[-1]}")
        under = block.heading
        parts.append(block.text)
    return "\n\n".join(parts)


def _text(place: Path) -> Content:
    with place.open("rb") as file:
        raw = file.read(READ)
        is_all = len(raw) < READ
        if not is_all:
            raw = raw[: raw.rfind(b"\n") + 1 or READ]
        text = formats.text_in(raw, place.name)
        lines = text.count("\n") + (not text.endswith("\n") and bool(text))
        if not is_all:
            file.seek(len(raw))
            while more := file.read(1 << 20):
                lines += more.count(b"\n")
    if place.suffix.lower() in TABLES and (table := _table(place, text)):
        columns, rows = table
        # where a row has one line, as most have
        count = len(rows) if is_all else lines - (rows[0] - 1 if rows else 0)
        return Content(text, "rows", count, columns, rows, is_all)
    return Content(text, "lines", lines, is_all=is_all)


def _table(place: Path, text: str) -> tuple[tuple[str, ...], tuple[int, ...]] | None:
    """Columns, and the line of each row; None when it is no table after all."""
    from tools.specialists.data import KINDS
    from tools.specialists.reading import TEXTS

    try:
        table = TEXTS[KINDS[place.suffix.lower()]](place, text)
    except DataError:
        return None
    return (table.columns, tuple(row.line for row in table.rows)) if table.rows else None


def _parquet(place: Path) -> Content:
    """Its first rows as CSV."""
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(place)
        columns = tuple(file.schema_arrow.names)
        batch = next(file.iter_batches(batch_size=ROWS), None)
        found = batch.to_pylist() if batch is not None else []
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DocumentError(
            f"{place.name} cannot be read as Parquet: {first_line(error)}"
        ) from error
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    rows: list[int] = []
    for row in found:
        rows.append(out.getvalue().count("\n") + 1)
        writer.writerow([row[column] for column in columns])
    count = file.metadata.num_rows
    return Content(out.getvalue(), "rows", count, columns, tuple(rows), len(found) == count)
