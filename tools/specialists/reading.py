"""Reading examples: files in eight formats become one `Table`.

Its rows come with their true line; rows that cannot be read are its problems. Nothing is ever
unpickled. What is wrong with the *content* of rows is a matter of `checks.py`.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from tools.errors import DataError
from tools.specialists import delimited, json_rows, stored
from tools.specialists.data import KINDS, SAMPLE, Problem, Table
from tools.specialists.encoding import BAD_BYTES, decoded, lines_of, without_bad_bytes

TEXTS = {
    "csv": delimited.read,
    "tsv": delimited.read,
    "jsonl": json_rows.read_lines,
    "json": json_rows.read,
    "conll": stored.read_conll,
}
"""How each kind that is text is read."""
TAG = re.compile(r"O|[BIESLUM]-\S+")


def read(path: Path) -> Table:
    """All rows of a file or folder. Raises DataError for what is missing, empty or not readable.

    A folder is one saved by `datasets`, or has a sub-folder of .txt or .md files for each label.
    """
    if not path.exists():
        near = difflib.get_close_matches(path.name, _names_beside(path), n=1)
        raise DataError(f"no file {path}" + (f"; did you mean {near[0]!r}?" if near else ""))
    if path.is_dir():
        return _filled(stored.read_folder(path))
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        endings = ", ".join(KINDS)
        raise DataError(
            f"{path.name}: not a format for examples; there are: {endings}, or a folder"
        )
    if kind == "parquet":
        return _filled(stored.read_parquet(path))
    notes: list[Problem] = []
    text = decoded(path, path.name, notes)
    if not text.strip():
        raise DataError(f"{path.name} is empty")
    if kind == "jsonl" and text.lstrip().startswith("["):
        kind = "json"  # named .jsonl
    table = TEXTS[kind or _kind_of(text)](path, text)
    if BAD_BYTES.search(text):
        table = without_bad_bytes(table)
    return _filled(Table(path, table.kind, table.columns, table.rows, notes + table.problems))


def _names_beside(path: Path) -> list[str]:
    return [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []


def _filled(table: Table) -> Table:
    if not table.rows:
        first = next((f": {p.where}: {p.what}" for p in table.problems), "")
        raise DataError(f"{table.path.name} has no rows that can be read{first}")
    return table


def _kind_of(text: str) -> str:
    head = text.lstrip()[:1]
    if head == "[":
        return "json"
    if head == "{":
        return "jsonl"
    lines = [line.split() for line in lines_of(text)[:SAMPLE] if line.strip()]
    tagged = sum(len(fields) > 1 and bool(TAG.fullmatch(fields[-1])) for fields in lines)
    if tagged > 0.9 * len(lines):
        return "conll"
    return "tsv" if "\t" in lines_of(text)[0] else "csv"
