"""What is wrong with examples, found before anything heavy is loaded; and the held-out part.

table -> Examples   each row becomes an `Example`, or a problem with its line        (rows.py)
      -> once       the same text is kept once, or dropped if its rows contradict    (repeats.py)
      -> two parts  training and held-out: no text (query, first question) stands in both, no pair
                    the other way round
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools.errors import DataError, PlanError
from tools.specialists import spellings
from tools.specialists.columns import guess_columns, guess_task
from tools.specialists.data import (
    ROLES,
    SHOWN,
    Example,
    Problem,
    Table,
    by_kind,
    rows_read,
    shortened,
)
from tools.specialists.plan import NOUNS, Task
from tools.specialists.reading import read
from tools.specialists.repeats import content, query
from tools.specialists.rows import checked

HELD_OUT = 0.15
"""Share of the rows that is held out, where there is no file of held-out rows."""
FEWEST = 20
"""Rows for training, with fewer of which nothing is trained."""
FEWEST_OF_A_LABEL = 8


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
    file_sha256: str
    """Of the first file alone."""

    def describe(self) -> list[str]:
        """Lines for the plan: rows, labels with counts, and problems by kind."""
        return self.counts() + by_kind(self.problems)

    def counts(self) -> list[str]:
        lines = [
            f"{self.rows_read:,} rows read: {len(self.train):,} for training, "
            f"{len(self.held):,} held out"
        ]
        if self.labels:
            counts = Counter(x for one in self.train for x in _labels(one)).most_common()
            shown = ", ".join(f"{shortened(label)} {count:,}" for label, count in counts[:SHOWN])
            more = f" and {len(counts) - SHOWN:,} more" if len(counts) > SHOWN else ""
            what = "types of entities" if self.task == "tagger" else "labels"
            lines.append(f"{len(counts):,} {what}, with their training rows: {shown}{more}")
        return lines


def load(
    path: Path, task: Task | str, columns: Mapping[str, str], many: bool, held_out: Path | None
) -> Examples:
    """`examined`. Raises DataError, too, where they do not suffice to train on."""
    examples = examined(path, task, columns, many, held_out)
    if why := wanting(examples):
        causes = "".join(f"; {line}" for line in by_kind(examples.problems)[:3])
        raise DataError(f"{path.name}: {why}{causes}")
    return examples


def examined(
    path: Path, task: Task | str, columns: Mapping[str, str], many: bool, held_out: Path | None
) -> Examples:
    """The examples of a file or folder, checked and in two parts. A task of "" is guessed.

    The held-out part is `HELD_OUT` of the rows by a hash of their text (the first text of a pair,
    the first question of a conversation), so that it stays when rows are added or moved; or the
    file `held_out`, whose texts are then taken out of training.

    Raises DataError for a hopeless file, PlanError for columns that there are not. Other bad rows
    are reported in `problems`.
    """
    table = read(path)
    known = next((one for one in ROLES if one == task), None)
    if task and known is None:
        raise PlanError(f"no task named {task!r}; there are: {', '.join(ROLES)}")
    kind: Task = known or ("classifier" if many else guess_task(table, columns))
    if many and kind != "classifier":
        raise PlanError(f"several labels for one text are for a classifier, not for {NOUNS[kind]}")
    roles = guess_columns(table, kind, columns, many)
    rows, problems = checked(table, kind, roles, many)
    count = rows_read(table)
    if held_out is None:
        train: list[Example] = []
        held: list[Example] = []
        for one in rows:
            (held if is_held(one) else train).append(one)
        train, both = _apart(train, held)
    else:
        other = read(held_out)
        held, more = checked(other, kind, _same_columns(table, other, roles), many)
        train, both = _apart(rows, held)
        problems += more
        count += rows_read(other)
    problems += both + _spellings([*train, *held])
    held, about = _known_labels(train, held)
    problems += about
    return Examples(
        kind,
        train,
        held,
        _label_set(kind, train),
        problems,
        roles,
        count,
        _sha256([path] if held_out is None else [path, held_out]),
        _sha256([path]),
    )


def load_all(path: Path, task: Task, columns: Mapping[str, str], many: bool) -> Examples:
    """Every row of a file as a held-out one, to measure a specialist with.

    `columns`: those it was trained with, taken where the file has them. Raises DataError,
    PlanError.
    """
    table = read(path)
    there = set(columns.values()) <= set(table.columns)
    roles = guess_columns(table, task, columns if there else {}, many)
    rows, problems = checked(table, task, roles, many)
    if not rows:
        raise DataError(f"{path.name} has no row that can be used")
    labels = _label_set(task, rows)
    digest = _sha256([path])
    return Examples(task, [], rows, labels, problems, roles, rows_read(table), digest, digest)


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


def is_held(one: Example) -> bool:
    digest = hashlib.sha256(query(one).encode()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT * 2**64


def _apart(
    train: Iterable[Example], held: Iterable[Example]
) -> tuple[list[Example], list[Problem]]:
    places = {query(one): one.where for one in held}
    turned = {
        content(replace(one, text=one.second, second=one.text)): one.where
        for one in held
        if one.second
    }
    kept, problems = [], []
    for one in train:
        place = places.get(query(one)) or turned.get(content(one))
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
            what = "a label without a training row, left out of the held-out rows"
            problems.append(Problem(one.where, f"{what}: {shortened(unknown[0])}"))
        else:
            kept.append(one)
    for what, labels in (
        ("labels without a training row", map(shortened, sorted(tested - set(counts)))),
        (
            "labels without a held-out row, so not measured",
            map(shortened, sorted(set(counts) - tested)),
        ),
        (
            f"labels with fewer than {FEWEST_OF_A_LABEL} training rows",
            [f"{shortened(x)} ({n})" for x, n in sorted(counts.items()) if n < FEWEST_OF_A_LABEL],
        ),
    ):
        problems += [Problem("", f"{what}: {label}") for label in labels]
    return kept, problems


def _label_set(task: Task, train: Iterable[Example]) -> tuple[str, ...]:
    names = {label for one in train for label in _labels(one)}
    if task == "tagger":
        return tuple(sorted({"O", *(f"{x}-{name}" for x in "BI" for name in names)}))
    return tuple(sorted(names))


def _spellings(rows: Iterable[Example]) -> list[Problem]:
    counts = Counter(label for one in rows for label in _labels(one))
    return [
        Problem(
            "",
            f"{what}: {shortened(rare)} ({counts[rare]:,}) and {shortened(common)} "
            f"({counts[common]:,})",
        )
        for what, pairs in (
            ("labels that differ only in case or blanks", spellings.same(counts)),
            ("labels that differ in one letter", spellings.nearly(counts, FEWEST_OF_A_LABEL)),
        )
        for rare, common in pairs
    ]


def wanting(examples: Examples) -> str:
    """Why it is hopeless to train on them; "": it is not."""
    names = examples.labels
    if len(examples.train) < FEWEST:
        usable = len(examples.train)
        return f"{FEWEST} rows are needed for training, and only {usable} can be used: add rows"
    if len(names) == 1:
        only = shortened(names[0])
        return f"there is no label but {only!r}: add rows with another, or name another column"
    if not examples.held:
        return "no row is left to be held out: add rows, or give a file of held-out rows"
    return ""


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
