"""The rows of a table become `Example`s, or problems with their line."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tools.errors import DataError
from tools.specialists.data import Example, Problem, Record, Table, by_kind, rows_read
from tools.specialists.plan import Task
from tools.specialists.repeats import content, once

SEVERAL = "|;,"
"""What separates labels in one column: the first of these that occurs in the column."""
SCHEME = re.compile(r"([BIESLUM])[-_](.+)")
"""BIO, and BIOES or BILOU. M is another name for I."""
STARTS = {"B": "B", "S": "B", "U": "B", "I": "I", "M": "I", "E": "I", "L": "I"}
SEVERAL_LABELS = "several labels, where one is expected"
UNREADABLE = "characters that are not valid Unicode"


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
        text = text_of(value)
        if not text.strip():
            raise _Unusable("empty text" if role == "text" else f"empty {role}")
        return text


def text_of(value: Any) -> str:
    """A cell as a text; "" for what is none."""
    if isinstance(value, list | dict | bytes):
        return ""
    return value if isinstance(value, str) else _label(value)


def checked(
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
            "".join((content(one), *one.labels, *one.tags)).encode()
        except _Unusable as error:
            how.problems.append(Problem(record.where, str(error)))
        except UnicodeEncodeError:
            how.problems.append(Problem(record.where, UNREADABLE))
        else:
            rows.append(one)
    usable, repeated, contradicting = once(rows, many)
    problems = how.problems + repeated + contradicting
    read = rows_read(table)
    bad = read - len(rows) + len(contradicting)
    if 2 * bad > read:
        causes = "; ".join(by_kind(problems)[:3])
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
        raise _Unusable(f"{SEVERAL_LABELS}: {', '.join(labels)}")
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
