"""What a table is for, and which of its columns is the text, which the label ..."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tools.errors import PlanError
from tools.specialists.data import ROLES, SAMPLE, Table
from tools.specialists.plan import NOUNS, Task

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


def guess_task(table: Table, given: Mapping[str, str]) -> Task:
    """By the names of the columns, then by what is in them; it has the roles that are `given`.

    Raises PlanError where none fits.
    """
    fitting = [task for task, roles in ROLES.items() if set(given) <= set(roles)]
    try:
        guessed = _by_columns(table)
    except PlanError:
        if not given or not fitting:
            raise
        return fitting[0]
    return guessed if guessed in fitting or not fitting else fitting[0]


def _by_columns(table: Table) -> Task:
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
    if other and not any(normal(name) in KNOWN for name in (text, other)):
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
            (f"role for a column of {NOUNS[task]}", role, ROLES[task]),
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
    if len(distinct) > max(200, 0.9 * len(values)) and all(number(x) is not None for x in distinct):
        raise PlanError(
            f"{column!r} is no column of labels: it holds {len(distinct)} different numbers in "
            f"{len(values)} rows; name another: there are {', '.join(table.columns)}"
        )


def normal(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def _named(columns: Sequence[str], names: Sequence[str]) -> str:
    there = {normal(name): name for name in reversed(columns)}
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
        strings = [value for value in values if isinstance(value, str) and number(value) is None]
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
    name = normal(column)
    if name in IDS or name.endswith("_id"):
        return True
    texts = {str(value) for value in values}
    one_each = len(texts) == len(values) > 1
    return one_each and all(re.fullmatch(r"\d+|[0-9a-f]{8}[0-9a-f-]{8,}", one) for one in texts)


def number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
