"""How right a model is, from a file of results, and whether two of them can be told apart.

scored = score(Path("triage.eval/qwen2.5-coder-0.5b.jsonl"), *labelled(task))
pairs = compared([scored, other])
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.cut import cut
from agent.tasks.form import Check
from agent.tasks.labels import CHECK as LABEL
from agent.tasks.meaning import KINDS
from agent.tasks.results import lines
from agent.tasks.task import Task
from tools.specialists.metrics import holm, sign_test, wilson

SHOWN = 5
"""Wrong rows that are shown."""
CHANCE = 0.05
"""Under which two models differ."""
LONGEST = 48
"""Characters of a check's name."""
NO_TOOL = "(no tool)"


@dataclass(frozen=True)
class Share:
    """So many right rows of so many, with the 95 % interval (Wilson)."""

    right: int
    rows: int

    @property
    def value(self) -> float:
        return self.right / self.rows if self.rows else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.value, self.rows)

    def as_dict(self) -> dict[str, Any]:
        low, high = self.interval
        return {"right": self.right, "rows": self.rows, "accuracy": self.value,
                "low": low, "high": high}  # fmt: skip


@dataclass(frozen=True)
class Wrong:
    at: str
    inputs: Mapping[str, Any]
    """Of the task; and the labels, by their columns."""
    answer: Any
    """Where the model called a function and said nothing, the calls."""
    why: str
    failed: int
    """Checks; 0 where the row did not come so far."""


@dataclass(frozen=True)
class Scored:
    file: Path
    model: str
    share: Share
    """A row is right when all of its checks passed, its labels being some of them."""
    unasked: int
    """Rows that could not be given to the task, such as ones without a label: not counted."""
    reasons: Mapping[str, int]
    labelled: int
    """Rows whose labels are right and which fail another check."""
    checks: Mapping[str, Share]
    tools: Mapping[str, Share]
    """By tool: the rows in which it was called, those with no call last."""
    read: float
    """Tokens of a row that had to be processed, on average; those in the cache are no part."""
    written: float
    seconds: float
    """That a row took, on average. Several may have run at once."""
    wrong: Sequence[Wrong]
    """The worst: those that failed most checks."""
    by_row: Mapping[str, bool] = field(repr=False, default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """Two models on the rows that both have."""

    better: str
    other: str
    rows: int
    only_better: int
    """Rows that only this one had right."""
    only_other: int
    chance: float
    """Of so uneven a split by luck alone: exact sign test, by Holm's method when there are several
    pairs."""
    overlap: bool
    """Whether their intervals do."""

    @property
    def differ(self) -> bool:
        return self.chance < CHANCE


def score(
    file: Path, task: Task, labels: Mapping[str, str], chosen: Collection[str] | None = None
) -> Scored:
    """`task`: the one that the results are of. `labels`: by input, the column of a label. `chosen`:
    the ids of the rows that count; None: all. Raises UsageError."""
    count = Counter[str]()
    sums = Counter[str]()
    checks: dict[str, list[bool]] = {}
    tools: dict[str, list[bool]] = {}
    wrong: list[Wrong] = []
    by_row: dict[str, bool] = {}
    model, names = "", _names(task)
    for facts in _last(file):
        if chosen is not None and facts["id"] not in chosen:
            continue
        model = model or str(facts["model"] or "")
        count[facts["reason"]] += 1
        if facts["reason"] == "usage":
            continue
        right = facts["reason"] == "done"
        by_row[facts["id"]] = right
        for name, passed in _checked(task, names, facts):
            checks.setdefault(name, []).append(passed)
        for name in {call["name"] for call in facts["calls"]} or {NO_TOOL}:
            tools.setdefault(name, []).append(right)
        for key in ("prefilled", "generated"):
            sums[key] += facts["usage"][key]
        sums["milliseconds"] += round(1000 * facts["seconds"])
        fits = [one["passed"] for one in facts["checks"] if one["name"].startswith(LABEL)]
        count["labelled"] += bool(fits) and all(fits) and not right
        if not right:
            wrong.append(_wrong(facts, labels))
            wrong.sort(key=lambda one: (one.failed > 0, -one.failed))  # errors first
            del wrong[SHOWN:]
    rows = max(1, len(by_row))
    called = sorted(tools, key=lambda name: (name == NO_TOOL, -len(tools[name]), name))
    return Scored(
        file,
        model,
        Share(sum(by_row.values()), len(by_row)),
        count.pop("usage", 0),
        {reason: n for reason, n in count.items() if reason != "labelled"},
        count["labelled"],
        {name: Share(sum(found), len(found)) for name, found in checks.items()},
        {name: Share(sum(tools[name]), len(tools[name])) for name in called}
        if called != [NO_TOOL]
        else {},
        sums["prefilled"] / rows,
        sums["generated"] / rows,
        sums["milliseconds"] / 1000 / rows,
        tuple(wrong),
        by_row,
    )


def compared(scored: Sequence[Scored]) -> list[Pair]:
    """Each with each, the better one first."""
    pairs = []
    for one, other in itertools.combinations(scored, 2):
        both = one.by_row.keys() & other.by_row.keys()
        only = sum(one.by_row[row] and not other.by_row[row] for row in both)
        only_other = sum(other.by_row[row] and not one.by_row[row] for row in both)
        (low, high), (other_low, other_high) = one.share.interval, other.share.interval
        overlap = low <= other_high and other_low <= high
        names, split = (one.model, other.model), (only, only_other)
        if only_other > only:
            names, split = names[::-1], split[::-1]
        pairs.append(Pair(*names, len(both), *split, sign_test(*split), overlap))
    chances = holm([pair.chance for pair in pairs])
    return [
        Pair(one.better, one.other, one.rows, one.only_better, one.only_other, chance, one.overlap)
        for one, chance in zip(pairs, chances, strict=True)
    ]


def _last(file: Path) -> Iterator[dict[str, Any]]:
    """Of each row its last result."""
    at = {facts["id"]: number for number, _, _, facts in lines(file) if facts is not None}
    for number, _, _, facts in lines(file):
        if facts is not None and at[facts["id"]] == number:
            yield facts


def _checked(
    task: Task, names: Sequence[str], facts: Mapping[str, Any]
) -> Iterator[tuple[str, bool]]:
    """Of a row: what each check is called over all rows, and whether it was passed."""
    own = list(_brought(task, facts["inputs"]))
    for name, found in zip([*names, *own], facts["checks"], strict=False):
        yield name, found["passed"]


def _names(task: Task) -> list[str]:
    """Of the checks of the file, whatever a row puts into their templates; none comes twice."""
    names: list[str] = []
    for check in task.form.checks:
        name = check.name or _said(check)
        again = sum(one == name or one.startswith(f"{name} (") for one in names)
        names.append(f"{name} ({again + 1})" if again else name)
    return names


def _said(check: Check) -> str:
    kind = next((key for key in KINDS if getattr(check, key) is not None), "")
    value = json.dumps(getattr(check, kind), ensure_ascii=False, default=str) if kind else ""
    words = ["not" if check.negated else "", check.path or "", kind.replace("_", " ")]
    said = " ".join(filter(None, [*words, value if value != "true" else ""]))
    return cut(said, LONGEST)


def _brought(task: Task, given: Mapping[str, Any]) -> Iterator[str]:
    """Of the checks that a row brings, what they look at: their values are its own."""
    for name, one in task.form.inputs.items():
        for check in given.get(name) or () if one.type == "checks" else ():
            kind = next((key for key in KINDS if key in check), "path").replace("_", " ")
            yield check.get("name") or (f"not {kind}" if check.get("not") else kind)


def _wrong(facts: Mapping[str, Any], labels: Mapping[str, str]) -> Wrong:
    failed = [one for one in facts["checks"] if not one["passed"]]
    why = "; ".join(f"{one['name']}: {one['why']}" for one in failed) or facts["error"] or ""
    calls = [{"name": one["name"], "arguments": one["arguments"]} for one in facts["calls"]]
    answer = facts["answer"] if facts["answer"] is not None else calls or None
    given = {labels.get(name, name): one for name, one in facts["inputs"].items()}
    return Wrong(facts["at"], given, answer, why, len(failed))
