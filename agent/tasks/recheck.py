"""Results with other checks: the answers stay, and are checked as the task says now.

    recheck(task, means, Path("results.jsonl"), Path("checked.jsonl"))      # no model is asked

What a changed check costs is then a second, and not a run over all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agent.errors import UsageError
from agent.events import Usage
from agent.tasks.compare import indexed
from agent.tasks.envelope import Called, Done, Envelope, verdict
from agent.tasks.means import Means
from agent.tasks.results import claimed, line_of
from agent.tasks.run import check
from agent.tasks.task import Task, answers_alike
from tools.storage import replacing


def recheck(task: Task, means: Means, before: Path, now: Path) -> None:
    """Write to `now` the last result of each row of `before`, with the checks of `task`.

    A row that was not answered keeps what ended it. `means` gives the tools by whose parameters
    `accepted` judges. Raises UsageError, and writes nothing, when `before` holds results of other
    prompts, `now` is there, or a check looks at what results do not keep.
    """
    if task.form.outputs:
        raise UsageError(
            f"{task.file} writes files where the checks pass; only running the rows again does that"
        )
    with ExitStack() as stack:
        stack.enter_context(claimed(now))
        if now.exists():
            raise UsageError(f"{now} is there already; give another file to --out")
        found = stack.enter_context(indexed(before))
        with replacing(now) as file:
            for one in found.all():
                file.write(line_of(_anew(task, means, before, one)))


def _anew(task: Task, means: Means, file: Path, facts: dict[str, Any]) -> dict[str, Any]:
    where = f"{file}, the row {facts['at']}"
    if not answers_alike(facts["hash"], task.hash):
        raise UsageError(
            f"{where}: it comes of the task {facts['task']} ({facts['hash']}), whose answers those "
            f"of {task.file} ({task.hash}) need not be: more than the checks differs"
        )
    facts = {**facts, "task": task.name, "hash": task.hash}
    if facts["reason"] not in ("done", "checks"):
        return {**facts, "checks": []}
    try:
        checked = check(task, _envelope(facts), means)
    except UsageError as wrong:
        raise UsageError(f"{where}: {wrong}") from None
    reason, error = verdict(checked)
    made = [vars(one) for one in checked]
    return {**facts, "ok": reason == "done", "checks": made, "reason": reason, "error": error}


def _envelope(facts: Mapping[str, Any]) -> Envelope:
    """Raises UsageError for what is no part of an envelope."""
    try:
        return Envelope(
            facts["task"],
            facts["hash"],
            facts["inputs"],
            steps=tuple(Done(**one) for one in facts["steps"]),
            calls=tuple(Called(**one) for one in facts["calls"]),
            usage=Usage(**facts["usage"]),
        )
    except (KeyError, TypeError) as error:
        raise UsageError(f"it is damaged ({error!r}); run the row again") from None
