"""Bytes become text: in UTF-8, or in what they are most like; what is no text is named."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tools.errors import DataError
from tools.specialists.data import Problem, Table

MAGIC = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\x28\xb5\x2f\xfd": "a zstandard file",
    b"\x89PNG": "a picture",
    b"PAR1": "Parquet",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "a database",
}
BOMS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",  # before UTF-16, whose mark it begins with
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
BAD_BYTES = re.compile("[\udc80-\udcff]")
"""What Python decodes undecodable bytes to (PEP 383)."""


def decoded(path: Path, name: str, notes: list[Problem]) -> str:
    """The text; undecodable bytes as BAD_BYTES. Raises DataError for what is no text."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}") from error
    encoding = next((value for bom, value in BOMS.items() if raw.startswith(bom)), "")
    if not encoding:
        what = next((what for magic, what in MAGIC.items() if raw.startswith(magic)), "")
        if not what and b"\0" in raw:
            what = "a binary file, or UTF-16 without a byte order mark"
        if what:
            raise DataError(f"{name} is {what}, not text: save it as CSV or JSONL in UTF-8")
        encoding = _encoding(raw)
        if encoding != "utf-8":
            notes.append(Problem(name, f"read as {encoding}, since it is not UTF-8"))
    try:
        return raw.decode(encoding, "surrogateescape")
    except UnicodeDecodeError as error:  # half a character of UTF-16 or UTF-32
        raise DataError(
            f"{name} is not {encoding}, as its first bytes say: {error.reason}"
        ) from error


def _encoding(raw: bytes) -> str:
    """UTF-8 also for a file in which more characters are UTF-8 than are not: a few bytes broke."""
    text = raw.decode("utf-8", "surrogateescape")
    bad = len(BAD_BYTES.findall(text))
    if not bad or len(re.findall("[^\0-\x7f\udc80-\udcff]", text)) > bad:
        return "utf-8"
    from charset_normalizer import from_bytes

    odd = [line for line in raw.split(b"\n") if not line.isascii()]
    best = from_bytes(b"\n".join(odd)[:50_000]).best()  # ASCII says nothing and takes time
    return best.encoding if best else "cp1252"


def without_bad_bytes(table: Table) -> Table:
    rows, problems = [], list(table.problems)
    for row in table.rows:
        if BAD_BYTES.search(json.dumps(row.values, ensure_ascii=False)):
            problems.append(Problem(row.where, "bytes that are not valid in the file's encoding"))
        else:
            rows.append(row)
    return Table(table.path, table.kind, table.columns, rows, problems)


def lines_of(text: str) -> list[str]:
    """Not `splitlines`, which also breaks at characters inside of texts, such as U+2028."""
    if "\n" not in text:
        return text.split("\r")
    return [line.removesuffix("\r") for line in text.split("\n")]
