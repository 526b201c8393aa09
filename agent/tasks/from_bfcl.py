"""A file of the Berkeley Function-Calling Leaderboard becomes a task and its rows.

Single turns in Python and live data are taken. Java and JavaScript have types of their own, and
several turns, memory and web search need functions that really run; those are refused by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.errors import UsageError
from agent.tasks import brought
from agent.tasks.imported import Imported

CATEGORY = re.compile(r"^BFCL_v\d+_(?P<name>\w+)$")
TAKEN = (
    *("simple", "simple_python", "multiple", "parallel", "parallel_multiple", "irrelevance"),
    *("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple"),
    *("live_irrelevance", "live_relevance"),
)
ANSWERS = "possible_answer"
"""The folder, beside a file, in which the file of its answers has the same name."""
TASK = """\
# Made from {file} by `tinsmith tasks import bfcl`.
name: {name}
description: "Berkeley Function-Calling Leaderboard: {category}, {count} requests"
inputs:
  question: {{type: string}}
  functions: {{type: functions}}  # of each row, looked at and not run
{extra}prompt: "{{{{ question }}}}"
sampling: {{max_tokens: 512}}
checks:
  - name: right call
    {check}
eval:
  rows: {rows}
"""


def read(file: Path) -> Imported:
    """Raises UsageError for a file that cannot be taken at all."""
    category = _category(file)
    answers = None
    if "relevance" not in category:  # nor in "irrelevance"
        answers = _answers(file)
    left_out: list[str] = []
    rows = [
        row
        for line, found in _lines(file)
        if (row := _row(f"{file}:{line}", found, answers, left_out)) is not None
    ]
    if not rows:
        raise UsageError("\n".join([f"no row of {file} can be taken", *left_out]))
    name = f"bfcl-{category.replace('_', '-')}"
    extra, check = "", "no_calls: true"
    if answers is not None:
        extra, check = "  accepted: {type: list}\n", 'accepted: "{{ accepted }}"'
    elif category == "live_relevance":
        check = "no_calls: true\n    not: true  # any call will do"
    text = TASK.format(
        file=file.name, name=name, category=category.replace("_", " "), count=len(rows),
        extra=extra, check=check, rows=f"{name}.jsonl",
    )  # fmt: skip
    return Imported({name: text}, {name: rows}, tuple(left_out))


def to_schema(node: Mapping[str, Any]) -> dict[str, Any]:
    """JSON's, of a parameter as the leaderboard describes it."""
    schema = {key: value for key, value in node.items() if key not in ("type", "optional")}
    if node["type"] != "any":
        schema["type"] = TYPES.get(node["type"], node["type"])
    if "properties" in node:
        schema["properties"] = {
            name: to_schema(child) for name, child in node["properties"].items()
        }
        schema["additionalProperties"] = False
    if "items" in node:
        schema["items"] = to_schema(node["items"])
    return schema


TYPES = {"dict": "object", "float": "number", "tuple": "array"}


def _category(file: Path) -> str:
    found = CATEGORY.match(file.stem)
    if not found:
        raise UsageError(f"{file}: a file of the leaderboard is named BFCL_v4_CATEGORY.json")
    if found["name"] not in TAKEN:
        raise UsageError(
            f"{file}: {found['name']} cannot be taken; there are: {', '.join(TAKEN)}. Other "
            "languages have types of their own, several turns and memory need functions that run"
        )
    return found["name"]


def _answers(file: Path) -> dict[str, Any]:
    beside = file.parent / ANSWERS / file.name
    if not beside.is_file():
        raise UsageError(f"{file}: its answers are not there; they are looked for in {beside}")
    return {str(found.get("id")): found.get("ground_truth") for _, found in _lines(beside)}


def _lines(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: {error.reason}") from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{file}:{number}: it is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise UsageError(f"{file}:{number}: it is no object")
        yield number, found


def _row(
    where: str, found: Mapping[str, Any], answers: Mapping[str, Any] | None, left_out: list[str]
) -> dict[str, Any] | None:
    """None: it cannot be taken, and `left_out` says why."""
    try:
        turns = found["question"]
        row = {
            "id": str(found["id"]),
            "question": turns[0][-1]["content"],
            "functions": [
                {**function, "parameters": to_schema(function["parameters"])}
                for function in found["function"]
            ],
        }
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        left_out.append(f"{where} is left out: it is no row of the leaderboard ({error!r})")
        return None
    if len(turns) > 1 or len(turns[0]) > 1:
        count = f"{len(turns)} turns" if len(turns) > 1 else f"{len(turns[0])} messages"
        left_out.append(f"{where} is left out: it has {count}; a task asks with one")
        return None
    if why := brought.misfit("functions", row["functions"]):
        left_out.append(f"{where} is left out: it {why}")
        return None
    if answers is not None:
        if not answers.get(row["id"]):
            left_out.append(f"{where} is left out: {row['id']} has no answer")
            return None
        row["accepted"] = answers[row["id"]]
    return row
