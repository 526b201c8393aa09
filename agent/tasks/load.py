"""What a task is run with, loaded: the model, the tools that it names, the judge of what fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent import app
from agent.offering import Embedder, Offering
from agent.tasks.run import OFFER_ALL, Means
from agent.tasks.task import Task
from tools.quiet import quiet

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from agent.settings import Settings


def settings_for(task: Task, given: Mapping[str, object]) -> Settings:
    """Which model: what was given, else what the task says, else the user's own settings."""
    form = task.form
    said = {"model": form.model or None, "engine": form.engine, "bits": form.bits,
            "context": form.context}  # fmt: skip
    chosen = {key: value for key, value in given.items() if value is not None}
    return app.settings_of({**said, **chosen})


def tools_for(
    task: Task, paths: Sequence[Path], tell: Callable[[str], None]
) -> Mapping[str, BaseTool]:
    """Nothing is imported for a task that names no tools. `tell` hears what cannot be used."""
    if not task.tools():
        app.refuse_missing(paths)
        return {}
    box = app.toolbox(paths, app.is_trusted(app.project_tools()))
    for problem in box.problems:
        tell(str(problem))
    return box.tools


def load(
    task: Task,
    settings: Settings,
    tools: Mapping[str, BaseTool],
    tell: Callable[[str], None] = lambda line: None,
) -> Means:
    """The caller closes `means.engine`. Raises ModelError, EngineError, UsageError."""
    quiet()
    embedder = app.load_embedder() if offers(task) else None
    engine = app.load_engine(settings, tell)
    return Means(engine, tools, judge_with(embedder))


def offers(task: Task) -> bool:
    """Whether the model may call anything."""
    kinds = (one.type for one in task.form.inputs.values())
    return bool(task.form.tools) or "functions" in kinds


def judge_with(embedder: Embedder | None) -> Callable[[], Offering]:
    return lambda: Offering(embedder, OFFER_ALL)
