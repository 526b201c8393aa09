"""pytest collects task files as tests: NAME.task.yaml, .yml and .md.

With a record beside it (NAME.task.record.jsonl) a task is replayed, so it needs no model; else it
is run with the real one, `--tinsmith-model` or the one that it names, and skipped where an input
has to be given. Outputs are written nowhere.
A run of pytest without task files imports nothing of this but the file itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from agent.settings import Settings
    from agent.tasks.envelope import Envelope
    from agent.tasks.means import Means
    from agent.tasks.task import Task

ENDINGS = (".task.yaml", ".task.yml", ".task.md")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tinsmith")
    group.addoption(
        "--tinsmith-model",
        metavar="NAME",
        help="run task files that have no record with this model",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if not file_path.name.endswith(ENDINGS):
        return None
    made: pytest.Collector = TaskFile.from_parent(parent, path=file_path)
    return made


class TaskFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        yield TaskItem.from_parent(self, name="run")


class TaskWrong(Exception):
    """What is to be read is in the message."""


class TaskItem(pytest.Item):
    def runtest(self) -> None:
        from agent.errors import TinsmithError
        from tools.errors import ToolError

        try:
            envelope = self._envelope()
        except (TinsmithError, ToolError) as error:
            raise TaskWrong(str(error)) from None
        if not envelope.ok:
            raise TaskWrong(_told(envelope))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        if isinstance(excinfo.value, TaskWrong):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"task {self.path.name}"

    def _envelope(self) -> Envelope:
        from agent.tasks.read import read
        from agent.tasks.run import run
        from agent.tasks.tape import replayed

        task = read(self.path)
        record = self.path.with_name(f"{self.path.stem}.record.jsonl")
        if record.exists():
            means, given = replayed(record, task, {})
            return run(task, given, means)
        if needs := task.needs():
            to_give = " ".join(f"--set {name}=…" for name in needs)
            pytest.skip(
                f"it has to be given {', '.join(needs)}, and no record gives it; to make one:"
                f" tinsmith run {self._typed(self.path)} {to_give} --record {self._typed(record)}"
            )
        return run(task, {}, self._means(task))

    def _typed(self, file: Path) -> str:
        """As it is typed where pytest was started."""
        return shlex.quote(os.path.relpath(file, self.config.invocation_params.dir))

    def _means(self, task: Task) -> Means:
        """Loaded once for all tasks that want the same model."""
        from agent import app
        from agent.tasks.load import judge_with, load, named_by, offers, settings_for
        from agent.tasks.means import Stop

        tools, skills = named_by(task, [], lambda line: None)
        settings = settings_for(task, {"model": self.config.getoption("--tinsmith-model")})
        loaded: dict[Settings, Means] = self.config.stash.setdefault(_LOADED, {})
        if settings not in loaded:
            for one in loaded.values():  # two would not fit into the memory of most machines
                one.engine.close()
            loaded.clear()
            loaded[settings] = load(task, settings, tools, skills)
        judge = judge_with(app.load_embedder() if offers(task) else None)
        return dataclasses.replace(
            loaded[settings], tools=tools, skills=skills, offering=judge, stop=Stop()
        )


_LOADED: pytest.StashKey[dict[Any, Any]] = pytest.StashKey()


def pytest_unconfigure(config: pytest.Config) -> None:
    for one in config.stash.get(_LOADED, {}).values():
        with contextlib.suppress(Exception):
            one.engine.close()


def _told(envelope: Envelope) -> str:
    """Why the task is not right: each check that failed, with what it saw."""
    failed = [f"{one.name}: {one.why}" for one in envelope.checks if not one.passed]
    lines = [f"{envelope.task}: {envelope.reason}", *failed]
    if not failed:
        lines.append(envelope.error or "")
    return "\n".join([*lines, f"the answer: {envelope.answer}"])
