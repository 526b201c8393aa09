"""The rows that a task is run over: read one at a time, each with its place and its identity.

    with opened(Path("reviews.csv")) as source:
        for row in source.rows():           # as often as one likes; in constant memory
            ...

JSON lines, CSV, TSV and Parquet; `-` is JSON lines from standard input, which are put into a
temporary file, so that they too can be read more than once.
"""

from __future__ import annotations

import csv
import datetime
import decimal
import hashlib
import json
import math
import re
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal, NoReturn

from agent.errors import UsageError

Kind = Literal["jsonl", "csv", "tsv", "parquet"]
KINDS: Mapping[str, Kind] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
}
"""By the ending of the file."""
STDIN = "-"
LONGEST = 16_000_000
"""Bytes of a row, and characters of a field."""
AT_ONCE = 256
"""Rows of Parquet that are in memory."""
NO_UTF8 = "it is not UTF-8; save the file as text in UTF-8"
BAD_BYTES = re.compile("[\udc80-\udcff]")
"""What Python decodes undecodable bytes to (PEP 383)."""


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    """From 1, among the rows of the file; those that are wrong count."""
    where: str
    """Such as "reviews.csv:17": the line at which it begins; of Parquet the number of the row."""
    values: Mapping[str, Any]
    """By column, as JSON holds it."""
    content: str
    """A digest of the values, whatever their order; of a row that is wrong, of its text."""
    wrong: str = ""
    """Why it cannot be used; `values` is then what could be read of it."""
    copy: int = 1
    """The how manieth of the rows of this content it is, from 1."""

    @property
    def id(self) -> str:
        """The same wherever the row stands, in whatever file: its content, and which copy it is."""
        return self.content if self.copy == 1 else f"{self.content}-{self.copy}"


@dataclass(frozen=True)
class Source:
    """Rows that can be read any number of times."""

    name: str
    """The file's; "-" of standard input."""
    kind: Kind
    file: IO[bytes]

    @property
    def is_text(self) -> bool:
        """Whether every value is a text, of which a task's inputs may want numbers."""
        return self.kind in ("csv", "tsv")

    def rows(self) -> Iterator[Row]:
        """All of them, from the first, in order. One at a time: they share the file.

        One that cannot be read is there too, and says in `wrong` why. Raises UsageError where none
        can be read: no header, no Parquet.
        """
        readers = {"jsonl": _json_lines, "csv": _delimited, "tsv": _delimited, "parquet": _parquet}
        self.file.seek(0)
        with closing(_Copies()) as copies:
            for number, row in enumerate(readers[self.kind](self), 1):
                yield replace(row, number=number, copy=copies.count(row.content))


@contextmanager
def opened(file: str | Path) -> Iterator[Source]:
    """Raises UsageError."""
    name = str(file)
    if name == STDIN:
        with tempfile.TemporaryFile() as kept:
            while piece := sys.stdin.buffer.read(1 << 20):
                kept.write(piece)
            yield Source(name, "jsonl", kept)
        return
    kind = KINDS.get(Path(file).suffix.lower())
    if kind is None:
        raise UsageError(
            f"{name}: rows are read from files that end in {', '.join(KINDS)}, or as JSON lines "
            "from standard input (-)"
        )
    try:
        stream = Path(file).open("rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror or error}") from error
    with stream:
        _refuse_other(name, kind, stream)
        yield Source(name, kind, stream)


def content_of(values: Mapping[str, Any]) -> str:
    """A digest of what a row holds; equal for equal values, whatever the order of the columns.

    Raises ValueError for a number that JSON cannot hold.
    """
    written = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return _digest(written.encode())


def _digest(written: bytes) -> str:
    return hashlib.sha256(written).hexdigest()[:16]


class _Copies:
    """How often each content was there. SQLite puts on the disk what there are too many of."""

    def __init__(self) -> None:
        # threads that take turns may advance one iterator
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.execute(
            "CREATE TABLE seen (content TEXT PRIMARY KEY, count INTEGER) WITHOUT ROWID"
        )
        self._database.execute("BEGIN")

    def count(self, content: str) -> int:
        row = self._database.execute(
            "INSERT INTO seen VALUES (?, 1)"
            " ON CONFLICT (content) DO UPDATE SET count = count + 1 RETURNING count",
            (content,),
        ).fetchone()
        return int(row[0])

    def close(self) -> None:
        self._database.close()


def _refuse_other(name: str, kind: Kind, file: IO[bytes]) -> None:
    """Raises UsageError for a file that is not what its name says."""
    from tools.specialists.encoding import BOMS, MAGIC

    begin = file.read(16)
    is_parquet = begin.startswith(b"PAR1")
    if kind == "parquet":
        if not is_parquet:
            raise UsageError(f"{name} is no Parquet file")
        return
    what = next((what for magic, what in MAGIC.items() if begin.startswith(magic)), "")
    coded = next((code for mark, code in BOMS.items() if begin.startswith(mark)), "utf-8-sig")
    if what or coded != "utf-8-sig":
        what = what or f"in {coded.upper()}"
        raise UsageError(f"{name} is {what}; save it as text in UTF-8")


def _row(where: str, values: Mapping[str, Any]) -> Row:
    return Row(0, where, values, content_of(values))


def _wrong(where: str, raw: bytes, why: str, values: Mapping[str, Any] | None = None) -> Row:
    return Row(0, where, values or {}, _digest(raw), why)


def _json_lines(source: Source) -> Iterator[Row]:
    line = 0
    while raw := source.file.readline(LONGEST):
        line += 1
        where = f"{source.name}:{line}"
        if len(raw) == LONGEST and not raw.endswith(b"\n"):
            yield _wrong(where, raw, f"it is longer than {LONGEST:,} bytes")
            while raw and not raw.endswith(b"\n"):
                raw = source.file.readline(LONGEST)
            continue
        if line == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        raw = raw.strip()
        if raw:
            yield _parsed(where, raw)


def _parsed(where: str, raw: bytes) -> Row:
    try:
        values = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        return _wrong(where, raw, NO_UTF8)
    except json.JSONDecodeError as error:
        return _wrong(where, raw, f"it is no JSON: {error.msg} (column {error.colno})")
    except (ValueError, RecursionError) as error:
        return _wrong(where, raw, f"it is no JSON that can be used: {error}")
    if not isinstance(values, dict):
        return _wrong(where, raw, 'it is no object, such as {"text": "…"}')
    try:
        return _row(where, values)
    except ValueError as error:  # 1e999
        return _wrong(where, raw, f"it holds a number that is too large: {error}")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value of JSON")


def _delimited(source: Source) -> Iterator[Row]:
    csv.field_size_limit(LONGEST)
    # not a wrapper around the file, which would close it
    lines = (raw.decode("utf-8", "surrogateescape") for raw in source.file)
    first = next(lines, "").removeprefix("\ufeff")
    delimiter = "\t" if source.kind == "tsv" else _delimiter(first)
    read = csv.reader(_after(first, lines), delimiter=delimiter, strict=True)
    columns = _header(source, next(_records(read), None))
    for begun, fields, problem in _records(read):
        where = f"{source.name}:{begun}"
        raw = json.dumps([*fields, problem]).encode()
        values = dict(zip(columns, fields, strict=False))
        if problem:
            yield _wrong(where, raw, f"it is no {source.kind.upper()}: {problem}", values)
        elif len(fields) != len(columns):
            why = f"it has {len(fields)} columns where the header has {len(columns)}"
            yield _wrong(where, raw, why, values)
        elif any(map(BAD_BYTES.search, fields)):
            yield _wrong(where, raw, NO_UTF8, values)
        else:
            yield _row(where, values)


def _after(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _delimiter(header: str) -> str:
    """Spreadsheets write semicolons where the comma stands in numbers."""
    return max(",;\t", key=header.count)


def _records(read: Any) -> Iterator[tuple[int, list[str], str]]:
    """The line at which each begins, its fields, and what is wrong with it; none that is blank."""
    while True:
        begun = read.line_num + 1
        try:
            fields = next(read)
        except StopIteration:
            return
        except csv.Error as error:  # reading goes on behind it
            quote = "" if "end of data" not in str(error) else "; a quote is never closed"
            said = "a line ends within a field" if "new-line" in str(error) else str(error)
            yield begun, [], f"{said}{quote}"
            continue
        if fields:
            yield begun, fields, ""


def _header(source: Source, found: tuple[int, list[str], str] | None) -> list[str]:
    if found is None:
        raise UsageError(f"{source.name} is empty; its first line must name the columns")
    line, columns, problem = found
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if problem or any(map(BAD_BYTES.search, columns)):
        raise UsageError(f"{source.name}:{line}: {problem or NO_UTF8}")
    if twice is not None:
        raise UsageError(f"{source.name}:{line}: two columns are named {twice!r}")
    return columns


def _parquet(source: Source) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        table = pyarrow.parquet.ParquetFile(source.file)
        for batch in table.iter_batches(AT_ONCE):
            for found in batch.to_pylist():
                number += 1
                where = f"{source.name}:{number}"
                try:
                    yield _row(where, {name: _plain(one) for name, one in found.items()})
                except (ValueError, TypeError) as error:
                    yield _wrong(where, repr(found).encode(), str(error))
    except (pyarrow.ArrowException, OSError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(f"{source.name}: row {number + 1} cannot be read: {first}") from error


def _plain(value: Any) -> Any:
    """As JSON holds it. Raises TypeError."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None  # so pandas writes what is missing
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8")
    raise TypeError(f"it holds a {type(value).__name__}, which no task can read")
