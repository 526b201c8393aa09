"""What is wrong with examples, found before anything heavy is loaded; and the held-out part.

table -> Examples   each row becomes an `Example`, or a problem with its line
      -> once       the same text is kept once, or dropped if its rows contradict each other
      -> two parts  training and held-out: no text (query, first question) stands in both
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools.errors import DataError, PlanError
from tools.specialists import data
from tools.specialists.data import Example, Problem, Record, Table
from tools.specialists.plan import Task

HELD_OUT = 0.15
"""Share of the rows that is held out, where there is no file of held-out rows."""
FEWEST = 20
"""Rows for training, with fewer of which nothing is trained."""
FEWEST_OF_A_LABEL = 8
SEVERAL = "|;,"
"""What separates labels in one column: the first of these that occurs in the column."""
SHOWN = 12
"""Labels and line numbers that are shown."""
SCHEME = re.compile(r"([BIESLUM])[-_](.+)")
"""BIO, and BIOES or BILOU. M is another name for I."""
STARTS = {"B": "B", "S": "B", "U": "B", "I": "I", "M": "I", "E": "I", "L": "I"}
UNREADABLE = "characters that are not valid Unicode"


@dataclass(frozen=True)
class Examples:
    task: Task
    train: list[Example]
    held: list[Example]
    labels: tuple[str, ...]
    """Sorted. Of a classifier, an embedder from labels; a tagger: O, and B-x, I-x for each type.
    Those that training has: held-out rows with others are left out of `held`."""
    problems: list[Problem]
    columns: Mapping[str, str]
    """By role, see `data.ROLES`."""
    rows_read: int
    """In both parts, those that could not be read included."""
    sha256: str
    """Of the file; of several: of their list, as `sha256sum` writes it."""

    def describe(self) -> list[str]:
        """Lines for the plan: rows, labels with counts, and problems by kind."""
        lines = [
            f"{self.rows_read:,} rows read: {len(self.train):,} for training, "
            f"{len(self.held):,} held out"
        ]
        if self.labels:
            counts = Counter(x for one in self.train for x in _labels(one)).most_common()
            shown = ", ".join(f"{label} {count:,}" for label, count in counts[:SHOWN])
            more = f" and {len(counts) - SHOWN:,} more" if len(counts) > SHOWN else ""
            what = "types of entities" if self.task == "tagger" else "labels"
            lines.append(f"{len(counts):,} {what}, with their training rows: {shown}{more}")
        return lines + _by_kind(self.problems)


def load(
    path: Path, task: Task | str, columns: Mapping[str, str], many: bool, held_out: Path | None
) -> Examples:
    """The examples of a file or folder, checked and in two parts. A task of "" is guessed.

    The held-out part is `HELD_OUT` of the rows by a hash of their text (the first text of a pair,
    the first question of a conversation), so that it stays when rows are added or moved; or the
    file `held_out`, whose texts are then taken out of training.

    Raises DataError for a hopeless file, PlanError for columns that there are not. Other bad rows
    are reported in `problems`.
    """
    table = data.read(path)
    known = next((one for one in data.ROLES if one == task), None)
    if task and known is None:
        raise PlanError(f"no task named {task!r}; there are: {', '.join(data.ROLES)}")
    kind: Task = known or ("classifier" if many else data.guess_task(table))
    if many and kind != "classifier":
        raise PlanError(f"several labels for one text are for a classifier, not for a {kind}")
    roles = data.guess_columns(table, kind, columns, many)
    rows, problems = _checked(table, kind, roles, many)
    read = _rows_read(table)
    if held_out is None:
        train: list[Example] = []
        held: list[Example] = []
        for one in rows:
            (held if _is_held(one) else train).append(one)
    else:
        other = data.read(held_out)
        held, more = _checked(other, kind, _same_columns(table, other, roles), many)
        train, both = _apart(rows, held)
        problems += more + both
        read += _rows_read(other)
    held, about = _known_labels(train, held)
    problems += about
    _demand(path, kind, train, held, problems)
    return Examples(
        kind,
        train,
        held,
        _label_set(kind, train),
        problems,
        roles,
        read,
        _sha256([path] if held_out is None else [path, held_out]),
    )


def load_all(path: Path, task: Task, columns: Mapping[str, str], many: bool) -> Examples:
    """Every row of a file as a held-out one, to measure a specialist with.

    `columns`: those it was trained with, taken where the file has them. Raises DataError,
    PlanError.
    """
    table = data.read(path)
    there = set(columns.values()) <= set(table.columns)
    roles = data.guess_columns(table, task, columns if there else {}, many)
    rows, problems = _checked(table, task, roles, many)
    if not rows:
        raise DataError(f"{path.name} has no row that can be used")
    labels = _label_set(task, rows)
    return Examples(task, [], rows, labels, problems, roles, _rows_read(table), _sha256([path]))


def _rows_read(table: Table) -> int:
    """A problem with the name of the file is about all of it."""
    return len(table.rows) + sum(one.where != table.path.name for one in table.problems)


def _same_columns(table: Table, other: Table, roles: Mapping[str, str]) -> dict[str, str]:
    if set(roles.values()) <= set(other.columns):
        return dict(roles)
    places = {role: table.columns.index(name) for role, name in roles.items()}
    if max(places.values()) >= len(other.columns):
        raise PlanError(
            f"{other.path.name} lacks the columns {', '.join(roles.values())} of "
            f"{table.path.name}; it has: {', '.join(other.columns)}"
        )
    return {role: other.columns[place] for role, place in places.items()}


# --- Rows ---


class _Unusable(Exception):
    """A row that cannot be an example; the message is the `what` of its problem."""


@dataclass(frozen=True)
class _Reading:
    """How the rows of one table are read."""

    table: Table
    roles: Mapping[str, str]
    many: bool
    separator: str
    """Of labels in one string."""
    lenient: bool
    """Tags in which an entity may begin with I- (IOB1)."""
    problems: list[Problem]
    """Where a row is used all the same."""

    def value(self, record: Record, role: str) -> Any:
        return record.values.get(self.roles[role])

    def text(self, record: Record, role: str) -> str:
        value = self.value(record, role)
        if isinstance(value, list | dict | bytes):
            raise _Unusable(f"not a text: {str(value)[:40]}")
        text = value if isinstance(value, str) else _label(value)
        if not text.strip():
            raise _Unusable("empty text" if role == "text" else f"empty {role}")
        return text


def _checked(
    table: Table, task: Task, roles: Mapping[str, str], many: bool
) -> tuple[list[Example], list[Problem]]:
    """The usable rows, each text once. Raises DataError if more than half of the rows are bad."""
    how = _Reading(
        table,
        roles,
        many,
        separator=_separator(table, roles) if many else "",
        lenient=task == "tagger" and _is_iob1(table, roles["tags"]),
        problems=list(table.problems),
    )
    rows = []
    for record in table.rows:
        try:
            one = ROWS[task](how, record)
            "".join((_content(one), *one.labels, *one.tags)).encode()
        except _Unusable as error:
            how.problems.append(Problem(record.where, str(error)))
        except UnicodeEncodeError:
            how.problems.append(Problem(record.where, UNREADABLE))
        else:
            rows.append(one)
    usable, repeated, contradicting = _once(rows, many)
    problems = how.problems + repeated + contradicting
    read = _rows_read(table)
    bad = read - len(rows) + len(contradicting)
    if 2 * bad > read:
        causes = "; ".join(_by_kind(problems)[:3])
        raise DataError(
            f"{bad:,} of the {read:,} rows of {table.path.name} cannot be used: {causes}. Columns: "
            + ", ".join(f"{role} is {name!r}" for role, name in roles.items())
        )
    return usable, problems


def _classified(how: _Reading, record: Record) -> Example:
    text = how.text(record, "text")
    value = how.value(record, "label")
    if how.many and isinstance(value, str):
        value = _parts(value, how.separator)
    values = value if isinstance(value, list) else [value]
    labels = sorted({label for one in values if (label := _label(one))})
    if not labels:
        raise _Unusable("no label")
    if len(labels) > 1 and not how.many:
        raise _Unusable(f"several labels, where one is expected: {', '.join(labels)}")
    return Example(record.where, text=text, labels=tuple(labels))


def _embedded(how: _Reading, record: Record) -> Example:
    if "first" not in how.roles:
        return _classified(how, record)
    first, second = how.text(record, "first"), how.text(record, "second")
    if "score" not in how.roles:
        return Example(record.where, text=first, second=second)
    value = how.value(record, "score")
    try:
        score = float(value)
    except (TypeError, ValueError):
        raise _Unusable(f"no score: {value!r}") from None
    if not 0 <= score <= 1:
        raise _Unusable(f"a score that is not from 0 to 1 (divide by the highest): {value}")
    return Example(record.where, text=first, second=second, score=score)


def _masked(how: _Reading, record: Record) -> Example:
    return Example(record.where, text=how.text(record, "text"))


def _tagged(how: _Reading, record: Record) -> Example:
    words = _strings(how.value(record, "words"))
    tags = _strings(how.value(record, "tags"))
    if not any(word.strip() for word in words):
        raise _Unusable("no words")
    if len(words) != len(tags):
        raise _Unusable(f"not as many words as tags: {len(words)} and {len(tags)}")
    if not all(word.strip() for word in words):
        raise _Unusable("an empty word")
    fixed: list[str] = []
    for i, tag in enumerate(tags):
        match = SCHEME.fullmatch(tag)
        if not match and tag != "O":
            raise _Unusable(f"a tag that is not O, B-x or I-x: {tag!r}")
        kind, name = (STARTS[match[1]], match[2]) if match else ("O", "")
        if kind == "I" and (not fixed or fixed[-1] not in (f"B-{name}", f"I-{name}")):
            kind = "B"
            if not how.lenient:
                conll = how.table.kind == "conll"
                where = f"{how.table.path.name}:{record.line + i}" if conll else record.where
                what = "an I- tag without a B- before it, taken as B-"
                how.problems.append(Problem(where, f"{what}: {tag}"))
        fixed.append(f"{kind}-{name}" if name else "O")
    return Example(record.where, words=tuple(words), tags=tuple(fixed))


def _conversation(how: _Reading, record: Record) -> Example:
    if "messages" not in how.roles:
        said = ("user", how.text(record, "prompt")), ("assistant", how.text(record, "answer"))
        messages = tuple({"role": role, "content": content} for role, content in said)
        return Example(record.where, messages=messages)
    found = _objects(how, record, "messages")
    if not found:
        raise _Unusable("no messages")
    for one in found:
        if one.get("role") not in ("system", "developer", "user", "assistant", "tool"):
            raise _Unusable(f"a message without a known role: {str(one)[:60]}")
        if not isinstance(one.get("content"), str) and not one.get("tool_calls"):
            raise _Unusable(f"a message without content: {str(one)[:60]}")
    if not any(
        one["role"] == "assistant" and (one.get("content") or one.get("tool_calls"))
        for one in found
    ):
        raise _Unusable("no message by the assistant, so nothing to learn")
    offered = _objects(how, record, "tools") if "tools" in how.roles else ()
    return Example(record.where, messages=found, tools=offered)


ROWS: Mapping[Task, Callable[[_Reading, Record], Example]] = {
    "classifier": _classified,
    "tagger": _tagged,
    "masked": _masked,
    "embedder": _embedded,
    "causal": _conversation,
}


def _label(value: Any) -> str:
    """1, 1.0 and "1" are the same label. "" for none."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    if isinstance(value, list | dict | bytes):
        raise _Unusable(f"not a label: {str(value)[:40]}")
    return "" if value is None else str(value)


def _parts(value: str, separator: str) -> list[Any]:
    listed = _listed(value)
    if listed is not None:
        return listed
    return list(value.split(separator)) if separator else [value]


def _separator(table: Table, roles: Mapping[str, str]) -> str:
    values = [row.values.get(roles["label"]) for row in table.rows]
    joined = "".join(one for one in values if isinstance(one, str) and _listed(one) is None)
    return next((one for one in SEVERAL if one in joined), "")


def _listed(value: str) -> list[Any] | None:
    if not value.lstrip().startswith("["):
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None  # a text that begins with a bracket
    return found if isinstance(found, list) else None


def _strings(value: Any) -> list[str]:
    """Words or tags: a list, a list as JSON, or separated by white space."""
    if isinstance(value, str):
        listed = _listed(value)
        value = value.split() if listed is None else listed
    if not isinstance(value, list):
        raise _Unusable(f"not a list: {str(value)[:40]!r}")
    return [one if isinstance(one, str) else _label(one) for one in value]


def _objects(how: _Reading, record: Record, role: str) -> tuple[Mapping[str, Any], ...]:
    value = how.value(record, role)
    if isinstance(value, str) and value.strip():
        value = _listed(value)
        if value is None:
            raise _Unusable(f"{role} that are not JSON")
    if not value:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _Unusable(f"{role} that are not a list of objects: {str(value)[:60]}")
    if how.table.kind in ("parquet", "datasets"):
        value = _without_nulls(value)
    return tuple(value)


def _without_nulls(value: Any) -> Any:
    """Arrow fills every object up with the keys of all others."""
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return value


def _is_iob1(table: Table, column: str) -> bool:
    """Whether B- stands only between neighbours of one type (Ramshaw and Marcus, 1995).

    Raises DataError if no tag of the table is of a scheme that is known.
    """
    begins: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for record in table.rows:
        before = ""
        try:
            tags = _strings(record.values.get(column))
        except _Unusable:
            continue  # reported when the row is read
        for tag in tags:
            seen[tag] += 1
            match = SCHEME.fullmatch(tag)
            if match and match[2] != before:
                begins[STARTS[match[1]]] += 1
            before = match[2] if match else ""
    if not any(SCHEME.fullmatch(tag) for tag in seen):
        there = ", ".join(repr(tag) for tag, _ in seen.most_common(8))
        raise DataError(
            f"{table.path.name}: no tag is B-x or I-x, as in B-person, I-person, O; "
            f"there are: {there}"
        )
    return begins["I"] > 0 and not begins["B"]


# --- The same text again ---


def _content(one: Example) -> str:
    """All that is written, apart from what is to be learned of it; without regard to white space
    and case."""
    if one.messages:
        said = [{**x, "content": _normal(str(x.get("content") or ""))} for x in one.messages]
        return json.dumps([said, one.tools], ensure_ascii=False, sort_keys=True, default=str)
    return "\0".join(_normal(part) for part in (one.text, *one.words, one.second))


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())


def _query(one: Example) -> str:
    """What decides in which part a row stands."""
    if one.messages:
        asked = (x.get("content") for x in one.messages if x["role"] == "user")
        return _normal(next((x for x in asked if isinstance(x, str)), _content(one)))
    return _normal(" ".join(one.words) if one.words else one.text)


def _is_held(one: Example) -> bool:
    digest = hashlib.sha256(_query(one).encode()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT * 2**64


def _once(
    rows: Iterable[Example], many: bool
) -> tuple[list[Example], list[Problem], list[Problem]]:
    """Usable rows; problems of rows that repeat another; of rows that contradict another."""
    alike: dict[str, list[Example]] = {}
    for one in rows:
        alike.setdefault(_content(one), []).append(one)
    usable: list[Example] = []
    repeated: list[Problem] = []
    contradicting: list[Problem] = []
    for first, *others in alike.values():
        if many:
            labels = {label for one in (first, *others) for label in one.labels}
            first = replace(first, labels=tuple(sorted(labels)))
        elif any(_answer(one) != _answer(first) for one in others):
            what = "the same text with another label, tags or score, dropped"
            contradicting.append(Problem(first.where, f"{what}: see {others[0].where}"))
            contradicting += [Problem(x.where, f"{what}: see {first.where}") for x in others]
            continue
        usable.append(first)
        what = "a text again, kept once" + (" with all labels" if many else "")
        repeated += [Problem(x.where, f"{what}: see {first.where}") for x in others]
    return usable, repeated, contradicting


def _answer(one: Example) -> object:
    return one.labels, one.tags, one.score


# --- The two parts ---


def _apart(
    train: Iterable[Example], held: Iterable[Example]
) -> tuple[list[Example], list[Problem]]:
    places = {_query(one): one.where for one in held}
    kept, problems = [], []
    for one in train:
        place = places.get(_query(one))
        if place is None:
            kept.append(one)
        else:
            what = f"a text that is held out too, taken out of training: see {place}"
            problems.append(Problem(one.where, what))
    return kept, problems


def _labels(one: Example) -> tuple[str, ...]:
    """Of a tagger's: the types of entities, such as person."""
    return one.labels or tuple(sorted({tag[2:] for tag in one.tags if tag != "O"}))


def _known_labels(
    train: Iterable[Example], held: Sequence[Example]
) -> tuple[list[Example], list[Problem]]:
    """The held-out rows whose labels training has; what is wrong with labels."""
    counts = Counter(label for one in train for label in _labels(one))
    tested = {label for one in held for label in _labels(one)}
    kept, problems = [], []
    for one in held:
        unknown = [label for label in _labels(one) if label not in counts]
        if unknown:
            what = f"a label without a training row, left out of the held-out rows: {unknown[0]}"
            problems.append(Problem(one.where, what))
        else:
            kept.append(one)
    for what, labels in (
        ("labels without a training row", sorted(tested - set(counts))),
        ("labels without a held-out row, so not measured", sorted(set(counts) - tested)),
        (
            f"labels with fewer than {FEWEST_OF_A_LABEL} training rows",
            [f"{x} ({n})" for x, n in sorted(counts.items()) if n < FEWEST_OF_A_LABEL],
        ),
    ):
        problems += [Problem("", f"{what}: {label}") for label in labels]
    return kept, problems


def _label_set(task: Task, train: Iterable[Example]) -> tuple[str, ...]:
    names = {label for one in train for label in _labels(one)}
    if task == "tagger":
        return tuple(sorted({"O", *(f"{x}-{name}" for x in "BI" for name in names)}))
    return tuple(sorted(names))


def _demand(
    path: Path,
    task: Task,
    train: Sequence[Example],
    held: Sequence[Example],
    problems: Sequence[Problem],
) -> None:
    """Raises DataError where training is hopeless."""
    names = _label_set(task, train)
    why = ""
    if len(train) < FEWEST:
        why = f"{len(train)} usable rows are left for training, and {FEWEST} are needed: add rows"
    elif len(names) == 1:
        why = f"there is no label but {names[0]!r}: add rows with another, or name another column"
    elif not held:
        why = "no row is left to be held out: add rows, or give a file of held-out rows"
    if why:
        causes = "".join(f"; {line}" for line in _by_kind(problems)[:3])
        raise DataError(f"{path.name}: {why}{causes}")


def _by_kind(problems: Iterable[Problem]) -> list[str]:
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
            lines.append(f"{len(group):,} {kind}: {details}{more}")
        elif len(group) == 1:
            lines.append(f"{group[0].where}: {group[0].what}")
        elif file:
            lines.append(f"{len(group):,} rows of {file}: {kind} (lines {', '.join(shown)}{more})")
        else:
            lines.append(f"{len(group):,} files: {kind} ({', '.join(shown)}{more})")
    return lines


def _sha256(paths: Iterable[Path]) -> str:
    files = [
        (file, file.relative_to(path.parent).as_posix())
        for path in paths
        for file in (sorted(x for x in path.rglob("*") if x.is_file()) if path.is_dir() else [path])
    ]
    listing = []
    for file, name in files:
        with file.open("rb") as stream:
            listing.append((hashlib.file_digest(stream, "sha256").hexdigest(), name))
    if len(listing) == 1:
        return listing[0][0]
    return hashlib.sha256("".join(f"{x}  {name}\n" for x, name in listing).encode()).hexdigest()
