"""What is in a file of results, and what changed from one to another.

summary = summed(Path("results.jsonl"))
changes = compared(Path("old.jsonl"), Path("new.jsonl"))

Both read line by line; SQLite puts on the disk what is too much for the memory.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from agent.errors import UsageError
from agent.events import Usage
from agent.tasks.results import NOTE, index, lines_of

SHOWN = 10
"""Errors, and rows of each kind of change."""
KEPT = 1000
"""Different errors that are counted; of more, the rest together."""


@dataclass
class CheckCount:
    name: str
    """What the names of this check have in common, where they hold values of the rows."""
    passed: int = 0
    failed: int = 0


@dataclass
class ToolCount:
    calls: int = 0
    failed: int = 0


@dataclass
class Summary:
    file: str
    task: str
    hash: str
    models: list[str] = field(default_factory=list)
    rows: int = 0
    passed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    checks: list[CheckCount] = field(default_factory=list)
    """In the order of the task file."""
    tools: dict[str, ToolCount] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    """Of rows that failed otherwise than by a check; without the places of the rows."""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    """Of all rows, of which several may have run at once."""


@dataclass(frozen=True)
class Change:
    """Of a row that is in both files."""

    id: str
    at: str
    """In the second file."""
    row: Mapping[str, Any]
    before: Any
    """The answer."""
    now: Any
    why: str
    """Of one that fails now: what is wrong."""


@dataclass
class Changes:
    before: Summary
    """Of the rows that are in both files, as is `now`."""
    now: Summary
    both: int = 0
    """Rows that are in both files; `only_before` and `only_now` are in one of them."""
    only_before: int = 0
    only_now: int = 0
    same: int = 0
    """Rows of `both` whose answer and outcome are the same."""
    now_pass: int = 0
    now_fail: int = 0
    only_new_checks: int = 0
    """Fail now, but only checks that were not there before."""
    differ: int = 0
    """Neither, but with another answer."""
    examples: dict[str, list[Change]] = field(default_factory=dict)
    """The first of "now_pass", "now_fail", "only_new_checks", "differ"."""


def summed(file: Path) -> Summary:
    """Raises UsageError."""
    with indexed(file) as found:
        return found.summary()


def compared(before: Path, now: Path, shown: int = SHOWN) -> Changes:
    """`shown`: rows of each kind that are given. Raises UsageError."""
    with indexed(before) as old, indexed(now) as new:
        changes = Changes(old.summary(new), new.summary(old))
        for facts in new.all():
            earlier = old.one(facts["id"])
            if earlier is None:
                changes.only_now += 1
                continue
            changes.both += 1
            kind = _kind(earlier, facts)
            setattr(changes, kind, getattr(changes, kind) + 1)
            some = changes.examples.setdefault(kind, [])
            if kind != "same" and len(some) < shown:
                some.append(_change(earlier, facts))
        changes.examples.pop("same", None)
        changes.only_before = old.count() - changes.both
        return changes


def _kind(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if before["ok"] and not now["ok"]:
        known = {check.get("id") for check in before["checks"]}
        failed = {check.get("id") for check in now["checks"] if not check["passed"]}
        is_new = now["reason"] == "checks" and not failed & known
        return "only_new_checks" if is_new else "now_fail"
    if now["ok"] and not before["ok"]:
        return "now_pass"
    return "same" if before["answer"] == now["answer"] else "differ"


def _change(before: Mapping[str, Any], now: Mapping[str, Any]) -> Change:
    return Change(
        now["id"], now["at"], now["row"], before["answer"], now["answer"], now["error"] or ""
    )


class Indexed:
    """A file of results, each row once: with its last result."""

    def __init__(self, file: Path, stream: IO[bytes]) -> None:
        self._file = file
        self._stream = stream
        self._index = index()
        for number, start, raw, facts in lines_of(file, stream):
            if facts is not None:  # else it was torn by a kill
                noted = (facts["id"], facts["at"], start, len(raw), facts["reason"], number, True)
                self._index.execute(NOTE, noted)

    def close(self) -> None:
        self._index.close()

    def all(self) -> Iterator[dict[str, Any]]:
        for (start,) in self._index.execute("SELECT start FROM results ORDER BY start"):
            yield self._at(start)

    def one(self, id: str) -> dict[str, Any] | None:
        found = self._index.execute("SELECT start FROM results WHERE id = ?", (id,)).fetchone()
        return None if found is None else self._at(found[0])

    def has(self, id: str) -> bool:
        found = self._index.execute("SELECT 1 FROM results WHERE id = ?", (id,))
        return found.fetchone() is not None

    def count(self) -> int:
        return int(self._index.execute("SELECT count(*) FROM results").fetchone()[0])

    def summary(self, other: Indexed | None = None) -> Summary:
        """`other`: only of the rows that it has, too."""
        made: Summary | None = None
        for facts in self.all():
            made = made or Summary(str(self._file), facts["task"], facts["hash"])
            if other is None or other.has(facts["id"]):
                count(made, facts)
        if made is None:
            raise UsageError(f"{self._file} holds no results")
        return made

    def _at(self, start: int) -> dict[str, Any]:
        self._stream.seek(start)
        found: dict[str, Any] = json.loads(self._stream.readline())
        return found


@contextmanager
def indexed(file: Path) -> Iterator[Indexed]:
    """Raises UsageError."""
    try:
        stream = file.open("rb")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
    with stream:
        if not stream.seekable():
            raise UsageError(f"{file} is no file; results are read twice")
        try:
            found = Indexed(file, stream)
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
        with closing(found):
            yield found


def count(made: Summary, facts: Mapping[str, Any]) -> None:
    """Add a result to what is summed up."""
    made.rows += 1
    made.passed += bool(facts["ok"])
    _one_more(made.reasons, facts["reason"])
    made.seconds += facts["seconds"]
    made.usage += Usage(**facts["usage"])
    if facts["model"] and facts["model"] not in made.models:
        made.models.append(facts["model"])
    for at, check in enumerate(facts["checks"]):
        if at == len(made.checks):
            made.checks.append(CheckCount(check["name"]))
        so_far = made.checks[at]
        so_far.name = _common(so_far.name, check["name"])
        so_far.passed += check["passed"]
        so_far.failed += not check["passed"]
    for call in facts["calls"]:
        tool = made.tools.setdefault(call["name"], ToolCount())
        tool.calls += 1
        tool.failed += not call["ok"]
    if facts["error"] and facts["reason"] != "checks":
        said = facts["error"].removeprefix(f"{facts['at']}: ")
        _one_more(made.errors, said if said in made.errors or len(made.errors) < KEPT else "others")


def _common(one: str, other: str) -> str:
    """What two names begin with; the ellipsis stands for the rest."""
    if one == other:
        return one
    pairs = zip(one.removesuffix("…"), other, strict=False)
    return "".join(pair[0] for pair in itertools.takewhile(lambda x: x[0] == x[1], pairs)) + "…"


def _one_more(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
