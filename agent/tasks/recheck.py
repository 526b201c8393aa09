"""Results with other checks: the answers stay, and are checked as the task says now.

    recheck(task, means, Path("results.jsonl"), Path("checked.jsonl"))      # no model is asked

So a changed check does not cost a run over all rows.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from agent.errors import TinsmithError, UsageError
from agent.tasks.compare import Indexed, Summary, count, indexed
from agent.tasks.envelope import Called, Done, Envelope
from agent.tasks.inputs import from_cell
from agent.tasks.means import Means
from agent.tasks.results import claimed, has_kinds, line_of, replacing
from agent.tasks.run import JUDGE_FAILED, check
from agent.tasks.task import Task, answers_alike

STEP: Mapping[str, Any] = {
    "id": str, "answer": object, "skipped": bool, "tries": int, "tokens": int,
    "seconds": int | float,
}  # fmt: skip


def recheck(task: Task, means: Means, before: Path, now: Path) -> Summary:
    """Write to `now` the last result of each row of `before`, with the checks of `task`.

    A row of which not all was answered keeps what ended it. `means` gives the tools by whose
    parameters `accepted` judges. A kill leaves nothing at `now`. Raises UsageError when `before`
    holds results of other prompts or none, `now` is there, or a check looks at what results do not
    keep; TinsmithError when `now` cannot be written.
    """
    if task.form.outputs:
        raise UsageError(
            f"{task.file} writes files where the checks pass; only running the rows again does that"
        )
    if os.path.lexists(now):
        raise UsageError(f"{now} is there already; give another file to --out")
    with ExitStack() as stack:
        found = stack.enter_context(indexed(before))
        stack.enter_context(claimed(now))
        try:
            return _written(task, means, before, found, now)
        except OSError as error:
            raise TinsmithError(f"{now} cannot be written: {error.strerror or error}") from error


def _written(task: Task, means: Means, before: Path, found: Indexed, now: Path) -> Summary:
    made: Summary | None = None
    with replacing(now, "checked") as file:
        for facts in found.all():
            checked = _anew(task, means, before, facts)
            file.write(line_of(checked))
            made = made or Summary(str(now), task.name, task.hash)
            count(made, checked)
        if made is None:
            raise UsageError(f"{before} holds no results")
    return made


def _anew(task: Task, means: Means, file: Path, facts: dict[str, Any]) -> dict[str, Any]:
    where = f"{file}, the row {facts['at']}"
    if not answers_alike(facts["hash"], task.hash):
        raise UsageError(
            f"{where}: it comes of the task {facts['task']} ({facts['hash']}), whose answers those "
            f"of {task.file} ({task.hash}) need not be: more than the checks differs, or an older "
            "Tinsmith made them"
        )
    facts = {**facts, "task": task.name, "hash": task.hash}
    try:
        facts["inputs"] = _with_columns(task, facts)
        if [one["id"] for one in _steps(facts)] != [step.id for step in task.steps]:
            return facts
        made = check(task, _envelope(facts), means)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    if made.reason == "interrupted":
        raise KeyboardInterrupt
    facts["inputs"] = dict(made.inputs)
    facts["checks"] = [asdict(one) for one in made.checks]
    is_of_a_check = facts["reason"] != "failed" or str(facts["error"]).startswith(JUDGE_FAILED)
    if is_of_a_check:  # else a tool that may not be called, which no check mends
        facts |= {"ok": made.ok, "reason": made.reason, "error": made.error}
    return facts


def _with_columns(task: Task, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a row, with those that only the checks have: they are its columns."""
    given = {name: one for name, one in facts["inputs"].items() if name in task.form.inputs}
    for name in task.form.inputs:
        if name in given or name not in facts["row"]:
            continue
        value = facts["row"][name]
        given[name] = from_cell(task, name, value) if isinstance(value, str) else value
    lacking = [name for name in task.needs() if given.get(name) is None]
    if lacking and facts["reason"] != "usage":
        raise UsageError(f"it has no column {lacking[0]!r} for the input of this name")
    return given


def _steps(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = facts.get("steps")
    if not isinstance(found, list) or not all(has_kinds(one, STEP) for one in found):
        raise UsageError("what it says of its steps is damaged; run the row again")
    return found


def _envelope(facts: Mapping[str, Any]) -> Envelope:
    return Envelope(
        facts["task"],
        facts["hash"],
        facts["inputs"],
        steps=tuple(Done(**_known(Done, one)) for one in facts["steps"]),
        calls=tuple(
            Called(**{"step": "", "result": "", "seconds": 0.0, **_known(Called, one)})
            for one in facts["calls"]
        ),
    )


def _known(kind: type[Done | Called], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Without what only a newer Tinsmith says."""
    names = {one.name for one in fields(kind)}
    return {key: one for key, one in facts.items() if key in names}
