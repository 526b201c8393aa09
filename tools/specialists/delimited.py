"""Examples in CSV and TSV: which delimiter, where quotes end, whether there is a header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.specialists.columns import KNOWN, normal, number
from tools.specialists.data import KINDS, SAMPLE, Problem, Record, Table

ONE_COLUMN = "\x1f"
"""The delimiter of a file without one: a character that no text has."""


def read(path: Path, text: str) -> Table:
    csv.field_size_limit(2**31 - 1)
    lines = list(io.StringIO(text, newline=""))
    lines_with = [line for line in lines if line.strip()]
    delimiter, width = _delimiter(lines_with[:200], KINDS.get(path.suffix.lower(), ""))
    good: list[tuple[int, list[str]]] = []
    problems = []
    for line, fields in _fields(lines, delimiter, width):
        if not fields or (width > 1 and fields == [""]):
            continue
        if len(fields) == width:
            good.append((line, fields))
        else:
            what = f"the wrong number of columns: {len(fields)} where others have {width}"
            problems.append(Problem(f"{path.name}:{line}", what))
    columns = tuple(str(i + 1) for i in range(width))
    if good and _is_header(good[0][1], [fields for _, fields in good[1 : SAMPLE + 1]]):
        columns = _unique(good.pop(0)[1])
    rows = [
        Record(line, f"{path.name}:{line}", dict(zip(columns, fields, strict=True)))
        for line, fields in good
    ]
    return Table(path, "tsv" if delimiter == "\t" else "csv", columns, rows, problems)


def _delimiter(lines: Sequence[str], kind: str) -> tuple[str, int]:
    """It, and how many columns it makes: the one that divides most lines alike."""
    found = []
    for delimiter in "\t;|,":  # texts have commas more often than the others
        rows = [line.split(delimiter) for line in lines]
        if delimiter != "\t":
            rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
        width, count = Counter(len(row) for row in rows).most_common(1)[0]
        if width > 1 and len(rows[0]) > 1:
            if delimiter == "\t" and kind == "tsv":
                return delimiter, width
            found.append((count / len(rows), delimiter, width))
    share, delimiter, width = max(found, key=lambda one: one[0], default=(1.0, ONE_COLUMN, 1))
    if share < 0.9 and kind == "":  # lines of prose, in which there happen to be commas
        return ONE_COLUMN, 1
    return delimiter, width


def _fields(lines: Sequence[str], delimiter: str, width: int) -> Iterator[tuple[int, list[str]]]:
    """Records with the line that they begin at. A quote that is not closed costs its own line only:
    where reading strictly fails, the line stands for itself and reading begins anew after it."""
    at = 0
    while at < len(lines):
        base = at
        rest = (lines[i] for i in range(base, len(lines)))
        reader = csv.reader(rest, delimiter=delimiter, strict=True)
        while at < len(lines):
            try:
                fields = next(reader, [])
            except csv.Error:
                yield at + 1, _by_itself(lines[at], delimiter, width)
                at += 1
                break
            end = base + reader.line_num
            whole = [line.count("\t") == width - 1 for line in lines[at:end]]
            if delimiter == "\t" and whole[0] and any(whole[1:]):  # quotes open by chance
                yield at + 1, _by_itself(lines[at], delimiter, width)
                at += 1
                break
            yield at + 1, fields
            at = end


def _by_itself(line: str, delimiter: str, width: int) -> list[str]:
    plain = line.rstrip("\r\n").split(delimiter)
    if len(plain) == width:
        return plain
    return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])


def _is_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns. Labels recur below, names do not."""
    known = [normal(name) in KNOWN for name in first]
    if all(known):
        return True
    below = [[row[i].strip() for row in rows] for i in range(len(first))]
    if any(
        name.strip() and name.strip() in set(column)
        for name, column in zip(first, below, strict=True)
    ):
        return False
    if any(known):
        return True
    if not rows or any(number(name) is not None for name in first):
        return False
    if len(set(first)) < len(first) or not all(
        re.fullmatch(r"\w+([ _./-]\w+){0,3}", x) for x in first
    ):
        return False
    return any(
        len(set(column)) <= len(column) / 2  # would be labels, and the first one is not among them
        or all(number(value) is not None for value in column)
        or len(name) < sum(map(len, column)) / len(column) / 2
        for name, column in zip(first, below, strict=True)
    )


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for i, raw in enumerate(names):
        name = raw.strip() or str(i + 1)
        found.append(name if name not in found else f"{name} ({i + 1})")
    return tuple(found)
