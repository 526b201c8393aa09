"""Examples in JSONL and JSON, each with the line at which it begins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.errors import DataError
from tools.specialists.data import Problem, Record, Table, columns_of, numbered
from tools.specialists.encoding import lines_of


def read_lines(path: Path, text: str) -> Table:
    rows, problems = [], []
    for line, raw in enumerate(lines_of(text), 1):
        if not raw.strip():
            continue
        where = f"{path.name}:{line}"
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError) as error:
            problems.append(Problem(where, f"not JSON: {error}"))
            continue
        if isinstance(value, dict):
            rows.append(Record(line, where, value))
        else:
            problems.append(Problem(where, f"not a JSON object: {raw.strip()[:40]}"))
    return Table(path, "jsonl", columns_of(rows), rows, problems)


def read(path: Path, text: str) -> Table:
    """A list of objects; {"train": such a list}; {name: object}; {column: list of values}."""
    start = len(text) - len(text.lstrip())
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise DataError(f"{path.name}:{error.lineno}: not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: not JSON that can be read: {error}") from error
    if text[end:].strip():
        return read_lines(path, text)  # named .json, as many are
    if isinstance(value, dict):
        lists = {k: v for k, v in value.items() if isinstance(v, list) and v}
        of_rows = {k: v for k, v in lists.items() if all(isinstance(one, dict) for one in v)}
        key = next((k for k in ("train", "data", "rows", "examples") if k in of_rows), "")
        if not key and len(of_rows) == 1 and len(lists) == 1:
            key = next(iter(of_rows))
        if key:
            start = next(at for name, at, _ in _members(text, start) if name == key)
        elif len(lists) == len(value) and len({len(v) for v in lists.values()}) == 1:
            by_row = [
                dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)
            ]
            return numbered(path, "json", by_row)
        elif not all(isinstance(one, dict) for one in value.values()):
            raise DataError(
                f"{path.name}: an object with {', '.join(list(value)[:8]) or 'nothing'}, in which "
                "no rows are to be seen: make it a list of objects"
            )
    elif not isinstance(value, list):
        raise DataError(f"{path.name}: {str(value)[:40]!r} is not a list of objects")
    rows, problems, line, seen = [], [], 1, 0
    for _, at, one in _members(text, start):
        line, seen = line + text.count("\n", seen, at), at
        where = f"{path.name}:{line}"
        if isinstance(one, dict):
            rows.append(Record(line, where, one))
        else:
            problems.append(Problem(where, f"not a JSON object: {str(one)[:40]}"))
    return Table(path, "json", columns_of(rows), rows, problems)


def _members(text: str, at: int) -> Iterator[tuple[str, int, Any]]:
    """Of the list or object that begins at `at`: key ("" in a list), where the value begins, value.

    The text is known to be JSON. `json` alone does not say where a value stands.
    """
    decoder = json.JSONDecoder()
    keyed = text[at] == "{"
    at += 1
    while text[at := _after_gap(text, at)] not in "]}":
        key = ""
        if keyed:
            key, at = decoder.raw_decode(text, at)
            at = _after_gap(text, at)
        value, end = decoder.raw_decode(text, at)
        yield key, at, value
        at = end


def _after_gap(text: str, at: int) -> int:
    while text[at] in " \t\r\n,:":
        at += 1
    return at
