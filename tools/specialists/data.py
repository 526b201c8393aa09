"""Reading examples: files in eight formats become one table, whose columns get their roles.

    read(path) -> Table     rows with their true line, and problems: the rows that cannot be read
    guess_task(table)       what such a table is for
    guess_columns(table)    which column is the text, which the label ...

Nothing is ever unpickled. What is wrong with the *content* of rows is a matter of `checks.py`.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.errors import DataError, PlanError
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

NAMES: Mapping[str, Sequence[str]] = {
    role: names.split()
    for role, names in {
        "text": "text review sentence content comment body message utterance tweet post document "
        "texts description input query question abstract headline title",
        "label": "label labels category categories class topic topics intent sentiment emotion "
        "tag target stars rating genre",
        "words": "words tokens word token",
        "tags": "tags ner_tags ner labels entities pos_tags",
        "messages": "messages conversation conversations dialogue dialog",
        "tools": "tools functions",
        "prompt": "prompt instruction",
        "answer": "answer completion response output",
        "score": "score similarity similarity_score",
    }.items()
}
"""By role, the names that a column is known by, the surest first."""
PAIRS = (
    ("first", "second"),
    ("query", "positive"),
    ("anchor", "positive"),
    ("sentence1", "sentence2"),
    ("text1", "text2"),
    ("question1", "question2"),
    ("question", "answer"),
    ("query", "document"),
    ("query", "passage"),
    ("query", "answer"),
)
IDS = {"id", "ids", "idx", "index", "uid", "uuid", "guid", "key", "row", "line", "unnamed:_0"}
KNOWN = {*IDS, *(name for names in (*NAMES.values(), *PAIRS) for name in names)}

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
ONE_COLUMN = "\x1f"
"""The delimiter of a file without one: a character that no text has."""
SAMPLE = 1000
"""Rows by which the content of a column is judged, spread over the file, which may be sorted."""
BAD_BYTES = re.compile("[\udc80-\udcff]")
"""What Python decodes undecodable bytes to (PEP 383)."""
TAG = re.compile(r"O|[BIESLUM]-\S+")


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


# --- Reading ---


def read(path: Path) -> Table:
    """All rows of a file or folder. Raises DataError for what is missing, empty or not readable.

    A folder is one saved by `datasets`, or has a sub-folder of .txt or .md files for each label.
    """
    if not path.exists():
        near = difflib.get_close_matches(path.name, _names_beside(path), n=1)
        raise DataError(f"no file {path}" + (f"; did you mean {near[0]!r}?" if near else ""))
    if path.is_dir():
        return _filled(_read_folder(path))
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        endings = ", ".join(KINDS)
        raise DataError(
            f"{path.name}: not a format for examples; there are: {endings}, or a folder"
        )
    if kind == "parquet":
        return _filled(_read_parquet(path))
    notes: list[Problem] = []
    text = _decoded(path, path.name, notes)
    if not text.strip():
        raise DataError(f"{path.name} is empty")
    if kind == "jsonl" and text.lstrip().startswith("["):
        kind = "json"  # named .jsonl
    table = TEXTS[kind or _kind_of(text)](path, text)
    if BAD_BYTES.search(text):
        table = _without_bad_bytes(table)
    return _filled(Table(path, table.kind, table.columns, table.rows, notes + table.problems))


def _names_beside(path: Path) -> list[str]:
    return [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []


def _filled(table: Table) -> Table:
    if not table.rows:
        first = next((f": {p.where}: {p.what}" for p in table.problems), "")
        raise DataError(f"{table.path.name} has no rows that can be read{first}")
    return table


def _decoded(path: Path, name: str, notes: list[Problem]) -> str:
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


def _without_bad_bytes(table: Table) -> Table:
    rows, problems = [], list(table.problems)
    for row in table.rows:
        if BAD_BYTES.search(json.dumps(row.values, ensure_ascii=False)):
            problems.append(Problem(row.where, "bytes that are not valid in the file's encoding"))
        else:
            rows.append(row)
    return Table(table.path, table.kind, table.columns, rows, problems)


def _kind_of(text: str) -> str:
    head = text.lstrip()[:1]
    if head == "[":
        return "json"
    if head == "{":
        return "jsonl"
    lines = [line.split() for line in _lines(text)[:SAMPLE] if line.strip()]
    tagged = sum(len(fields) > 1 and bool(TAG.fullmatch(fields[-1])) for fields in lines)
    if tagged > 0.9 * len(lines):
        return "conll"
    return "tsv" if "\t" in _lines(text)[0] else "csv"


def _lines(text: str) -> list[str]:
    """Not `splitlines`, which also breaks at characters inside of texts, such as U+2028."""
    if "\n" not in text:
        return text.split("\r")
    return [line.removesuffix("\r") for line in text.split("\n")]


# --- Delimited text ---


def _read_delimited(path: Path, text: str) -> Table:
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
    known = [_normal(name) in KNOWN for name in first]
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
    if not rows or any(_number(name) is not None for name in first):
        return False
    if len(set(first)) < len(first) or not all(
        re.fullmatch(r"\w+([ _./-]\w+){0,3}", x) for x in first
    ):
        return False
    return any(
        len(set(column)) <= len(column) / 2  # would be labels, and the first one is not among them
        or all(_number(value) is not None for value in column)
        or len(name) < sum(map(len, column)) / len(column) / 2
        for name, column in zip(first, below, strict=True)
    )


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for i, raw in enumerate(names):
        name = raw.strip() or str(i + 1)
        found.append(name if name not in found else f"{name} ({i + 1})")
    return tuple(found)


# --- JSON ---


def _read_jsonl(path: Path, text: str) -> Table:
    rows, problems = [], []
    for line, raw in enumerate(_lines(text), 1):
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
    return Table(path, "jsonl", _columns(rows), rows, problems)


def _read_json(path: Path, text: str) -> Table:
    """A list of objects; {"train": such a list}; {name: object}; {column: list of values}."""
    start = len(text) - len(text.lstrip())
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise DataError(f"{path.name}:{error.lineno}: not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: not JSON that can be read: {error}") from error
    if text[end:].strip():
        return _read_jsonl(path, text)  # named .json, as many are
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
            return _numbered(path, "json", by_row)
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
    return Table(path, "json", _columns(rows), rows, problems)


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


def _columns(rows: Sequence[Record]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows for name in row.values))


def _numbered(path: Path, kind: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    records = [Record(i, f"{path.name}:{i}", row) for i, row in enumerate(rows, 1)]
    return Table(path, kind, _columns(records), records, [])


# --- CoNLL, Parquet and folders ---


def _read_conll(path: Path, text: str) -> Table:
    """A sentence is a row, at the line of its first word. The tag is the last column."""
    rows: list[Record] = []
    problems: list[Problem] = []
    words: list[str] = []
    tags: list[str] = []
    bad: Problem | None = None
    for line, raw in enumerate([*_lines(text), ""], 1):
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


def _read_parquet(path: Path) -> Table:
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
    return _numbered(path, "parquet", _with_names(rows, features))


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
    return _numbered(path, "datasets", _with_names(rows, saved.features.to_dict()))


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


def _read_folder(path: Path) -> Table:
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
            text = _decoded(file, where, notes)
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
    return _without_bad_bytes(Table(path, "folder", ("text", "label"), rows, problems))


TEXTS = {
    "csv": _read_delimited,
    "tsv": _read_delimited,
    "jsonl": _read_jsonl,
    "json": _read_json,
    "conll": _read_conll,
}
"""How each kind that is text is read."""


# --- What the columns are ---


def guess_task(table: Table) -> Task:
    """By the names of the columns, then by what is in them. Raises PlanError where none fits."""
    named = {role: _named(table.columns, NAMES[role]) for role in NAMES}
    if named["words"] and named["tags"]:
        return "tagger"
    if named["messages"] or (named["prompt"] and named["answer"]):
        return "causal"
    if named["text"] and named["label"]:
        return "classifier"
    if _pair(table.columns):
        return "embedder"
    text = named["text"] or _text(table, [])
    if text and (named["label"] or _label(table, [text])):
        return "classifier"
    other = _text(table, [text]) if text else ""
    if other and not any(_normal(name) in KNOWN for name in (text, other)):
        return "embedder"
    if text:
        return "masked"
    raise PlanError(
        f"{table.path.name}: the columns {', '.join(table.columns)} do not say what to train; "
        f"name the task, one of {', '.join(ROLES)}, and its columns"
    )


def guess_columns(table: Table, task: Task, given: Mapping[str, str], many: bool) -> dict[str, str]:
    """The column of each role that is needed; those given are kept.

    Raises PlanError for a role or column that there is not, a role for which none is found, and a
    column of labels that holds measurements or numbers of rows. With `many`, a column named
    "labels" is taken before one named "label".
    """
    _check_given(table, task, given)
    label = ["labels", *NAMES["label"], "tags"] if many else NAMES["label"]
    roles: Sequence[str] = ROLES[task]
    found = dict(given)
    if task == "embedder":
        pairs = _pair_columns(table, given, label)
        roles = ("text", "label") if pairs is None else ("first", "second")
        found = found if pairs is None else pairs
    if task == "causal":
        found, roles = _causal_columns(table, given)
    found = _complete(table, found, roles, label)
    if "label" in found:
        _check_label(table, found["label"])
    return found


def _pair_columns(
    table: Table, given: Mapping[str, str], label: Sequence[str]
) -> dict[str, str] | None:
    """For an embedder; None where texts with labels are meant."""
    if {"text", "label"} & set(given):
        return None
    found = dict(given)
    if not {"first", "second"} & set(given):
        pair = _pair(table.columns)
        if not pair:
            text = _text(table, [])
            other = _text(table, [text])
            named = _named(table.columns, NAMES["text"]) and _named(table.columns, label)
            if named or not other or _label(table, [text]):
                return None
            pair = dict(
                zip(
                    ("first", "second"), sorted((text, other), key=table.columns.index), strict=True
                )
            )
        found |= pair
    if "score" not in found and (score := _named(_free(table, found), NAMES["score"])):
        found["score"] = score
    return found


def _causal_columns(
    table: Table, given: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """What there is, and the roles that are needed."""
    found = dict(given)
    if "messages" not in found and not {"prompt", "answer"} & set(given):
        messages = _named(_free(table, found), NAMES["messages"])
        found |= {"messages": messages} if messages else {}
    if "messages" not in found:
        return found, ("prompt", "answer")
    if "tools" not in found and (tools := _named(_free(table, found), NAMES["tools"])):
        found["tools"] = tools
    return found, ("messages",)


def _complete(
    table: Table, found: dict[str, str], roles: Sequence[str], label: Sequence[str]
) -> dict[str, str]:
    names = {**NAMES, "label": label}
    for role in roles:
        if role not in found and (name := _named(_free(table, found), names.get(role, ()))):
            found[role] = name
    by_content = {"text": _text, "first": _text, "second": _text, "label": _label}
    for role in roles:
        if role not in found and role in by_content:
            found[role] = by_content[role](table, found.values())
        if not found.get(role):
            raise PlanError(
                f"{table.path.name}: no column is recognised as {role!r}; name it: there are "
                f"{', '.join(table.columns)}"
            )
    return found


def _check_given(table: Table, task: Task, given: Mapping[str, str]) -> None:
    for role, column in given.items():
        for what, value, there in (
            (f"role for a column of a {task}", role, ROLES[task]),
            (f"column in {table.path.name}", column, table.columns),
        ):
            if value not in there:
                near = difflib.get_close_matches(value, there, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise PlanError(f"no {what} named {value!r}; {hint}there are: {', '.join(there)}")
    twice = [name for name, count in Counter(given.values()).items() if count > 1]
    if twice:
        raise PlanError(f"the column {twice[0]!r} cannot have two roles")


def _check_label(table: Table, column: str) -> None:
    values = [row.values.get(column) for row in table.rows]
    values = [value for value in values if value is not None and value != ""]
    distinct = {str(value) for value in values}
    if len(distinct) > max(200, 0.9 * len(values)) and all(
        _number(x) is not None for x in distinct
    ):
        raise PlanError(
            f"{column!r} is no column of labels: it holds {len(distinct)} different numbers in "
            f"{len(values)} rows; name another: there are {', '.join(table.columns)}"
        )


def _normal(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def _named(columns: Sequence[str], names: Sequence[str]) -> str:
    there = {_normal(name): name for name in reversed(columns)}
    return next((there[name] for name in names if name in there), "")


def _pair(columns: Sequence[str]) -> dict[str, str]:
    for first, second in PAIRS:
        found = _named(columns, [first]), _named(columns, [second])
        if all(found):
            return {"first": found[0], "second": found[1]}
    return {}


def _free(table: Table, found: Mapping[str, str]) -> list[str]:
    return [name for name in table.columns if name not in found.values()]


def _text(table: Table, taken: Any) -> str:
    """The column with the longest and most varied strings, "" if there is none."""
    best, most = "", 0.0
    for column in table.columns:
        values = _values(table, column)
        strings = [value for value in values if isinstance(value, str) and _number(value) is None]
        if column in taken or _is_id(column, values) or len(strings) <= len(values) / 2:
            continue
        distinct = len(set(strings)) / len(strings)
        size = sum(map(len, strings)) / len(strings) * distinct
        if distinct > 0.2 and size > most:
            best, most = column, size
    return best


def _label(table: Table, taken: Any) -> str:
    """The column with the fewest short values that recur, "" if there is none."""
    best, fewest = "", math.inf
    for column in table.columns:
        values = [str(value) for value in _values(table, column)]
        distinct = len(set(values))
        if column in taken or distinct < 2 or distinct > len(values) / 2:
            continue
        if _is_id(column, values) or sum(map(len, values)) / len(values) > 60:
            continue
        if distinct < fewest:
            best, fewest = column, distinct
    return best


def _values(table: Table, column: str) -> list[Any]:
    step = max(1, len(table.rows) // SAMPLE)
    values = [row.values.get(column) for row in table.rows[::step]]
    return [value for value in values if value is not None and value != ""]


def _is_id(column: str, values: Sequence[Any]) -> bool:
    name = _normal(column)
    if name in IDS or name.endswith("_id"):
        return True
    texts = {str(value) for value in values}
    one_each = len(texts) == len(values) > 1
    return one_each and all(re.fullmatch(r"\d+|[0-9a-f]{8}[0-9a-f-]{8,}", one) for one in texts)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
