"""Rows of the Berkeley Function-Calling Leaderboard, Python `simple` and `multiple`, and its rules.

An accepted answer is `{function: {parameter: [value, ...]}}` (`agent/tasks/accepted.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.tasks import accepted
from agent.tasks.accepted import Kind, Verdict
from agent.tasks.from_bfcl import to_schema
from tools.spec import ToolSpec

__all__ = ["CATEGORIES", "Kind", "Row", "Verdict", "check", "load", "to_spec"]

CATEGORIES = ("multiple", "simple_python", "irrelevance")


@dataclass(frozen=True)
class Row:
    """One request of the leaderboard."""

    id: str
    question: str
    functions: tuple[Mapping[str, Any], ...]
    """As the leaderboard writes them."""
    answer: Mapping[str, Mapping[str, Sequence[Any]]]
    """{} where nothing should be called."""


def load(folder: Path, category: str) -> Iterator[Row]:
    """The rows of `BFCL_v4_<category>.json` in `folder`, with their accepted answers."""
    name = f"BFCL_v4_{category}.json"
    answers = {}
    if category != "irrelevance":
        lines = (folder / "possible_answer" / name).read_text("utf-8").splitlines()
        answers = {row["id"]: row["ground_truth"][0] for row in map(json.loads, lines)}
    for line in (folder / name).read_text("utf-8").splitlines():
        row = json.loads(line)
        question = row["question"][0][-1]["content"]
        yield Row(row["id"], question, tuple(row["function"]), answers.get(row["id"], {}))


def to_spec(function: Mapping[str, Any]) -> ToolSpec:
    """A function of the leaderboard as a tool. Names keep their dots."""
    parameters = to_schema(function["parameters"])
    return ToolSpec(function["name"], function["description"], parameters)


def check(row: Row, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> Verdict:
    """Judge the calls of one reply, each a name and its arguments; one is expected."""
    if len(calls) != 1:
        return Verdict("wrong count", f"{len(calls)} calls, one expected")
    parameters = {function["name"]: function["parameters"] for function in row.functions}
    return accepted.check(parameters, row.answer, calls[0])
