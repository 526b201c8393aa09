"""Examples as others store them: CoNLL, Parquet, folders of `datasets` and folders of texts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.errors import DataError
from tools.specialists.data import Problem, Record, Table, numbered
from tools.specialists.encoding import decoded, lines_of, without_bad_bytes


def read_conll(path: Path, text: str) -> Table:
    """A sentence is a row, at the line of its first word. The tag is the last column."""
    rows: list[Record] = []
    problems: list[Problem] = []
    words: list[str] = []
    tags: list[str] = []
    bad: Problem | None = None
    for line, raw in enumerate([*lines_of(text), ""], 1):
        fields = [one.strip() for one in raw.split("\t")]
        if len(fields) == 1:
            fields = re.split(" +", raw.strip(" "))  # a word may hold a no-break space
        if raw.strip() and fields[0] != "-DOCSTART-":
            if len(fields) < 2 or not fields[0] or not fields[-1]:
                bad = bad or Problem(
                    f"{path.name}:{line}", f"a word or a tag is missing: {raw!r:.40}"
                )
            words.append(fields[0])
            tags.append(fields[-1])
            continue
        if bad:
            problems.append(bad)
        elif words:
            first = line - len(words)
            rows.append(Record(first, f"{path.name}:{first}", {"words": words, "tags": tags}))
        words, tags, bad = [], [], None
    return Table(path, "conll", ("words", "tags"), rows, problems)


def read_parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path).read()
        rows = table.to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"{path.name} cannot be read as Parquet: {first}") from error
    about = (table.schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        features = json.loads(about)["info"]["features"]
    except (ValueError, KeyError, TypeError):
        features = {}  # not written by `datasets`, so that labels are what they are
    return numbered(path, "parquet", _with_names(rows, features))


def read_folder(path: Path) -> Table:
    if (path / "dataset_dict.json").exists() or (path / "dataset_info.json").exists():
        return _read_saved(path)
    rows = []
    problems: list[Problem] = []
    for file in sorted(path.glob("*/*")):
        if file.suffix.lower() not in {".txt", ".md"} or file.parent.name.startswith("."):
            continue
        where = f"{file.parent.name}/{file.name}"
        notes: list[Problem] = []
        try:
            text = decoded(file, where, notes)
        except DataError as error:
            problems.append(Problem(where, f"a file that cannot be read: {error}"))
            continue
        problems += [Problem(path.name, f"{note.where} {note.what}") for note in notes]
        rows.append(Record(1, where, {"text": text, "label": file.parent.name}))
    if not rows and not problems:
        there = ", ".join(sorted(one.name for one in path.iterdir())[:8]) or "nothing"
        raise DataError(
            f"the folder {path.name} has no sub-folders of .txt or .md files, one for each label, "
            f"and was not saved by `datasets`; in it: {there}"
        )
    return without_bad_bytes(Table(path, "folder", ("text", "label"), rows, problems))


def _read_saved(path: Path) -> Table:
    import datasets

    try:
        saved = datasets.load_from_disk(str(path))
        if isinstance(saved, datasets.DatasetDict):
            if "train" not in saved:
                raise DataError(f"{path.name} has no split 'train'; it has: {', '.join(saved)}")
            saved = saved["train"]
        rows = saved.with_format("arrow")[:].to_pylist()  # does not decode pictures
    except (OSError, ValueError, KeyError, TypeError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"{path.name} cannot be read by `datasets`: {first}") from error
    return numbered(path, "datasets", _with_names(rows, saved.features.to_dict()))


def _with_names(rows: list[dict[str, Any]], features: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`datasets` keeps a label as its number, and the names in the description of the column."""
    for column, feature in features.items():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else {}
        names = inner.get("names") if isinstance(inner, dict) else None
        if not isinstance(names, list):
            continue
        for row in rows:
            value = row.get(column)
            row[column] = (
                [_name(one, names) for one in value]
                if isinstance(value, list)
                else _name(value, names)
            )
    return rows


def _name(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, int):
        return names[value] if 0 <= value < len(names) else None  # -1: none is known
    return value
