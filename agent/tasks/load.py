"""What a task is run with, loaded: the model, the tools that it names, the judge of what fits."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent import app
from agent.offering import Embedder, Offering
from agent.tasks.means import OFFER_ALL, Means, refuse
from agent.tasks.task import Task
from tools.quiet import quiet

if TYPE_CHECKING:
    import numpy as np
    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool

    from agent.settings import Settings

KNOWN = 2000
"""Texts whose vectors are kept."""


def settings_for(task: Task, given: Mapping[str, object]) -> Settings:
    """Which model: what was given, else what the task says, else the user's own settings."""
    form = task.form
    said = {"model": form.model or None, "engine": form.engine, "bits": form.bits,
            "context": form.context}  # fmt: skip
    chosen = {key: value for key, value in given.items() if value is not None}
    return app.settings_of({**said, **chosen})


def named_by(
    task: Task, paths: Sequence[Path], tell: Callable[[str], None]
) -> tuple[Mapping[str, BaseTool], Mapping[str, BaseMessage]]:
    """The tools there are, those of `paths` too, and what the model is told of each skill.

    Nothing is looked for where the task names none. `tell` hears which tools cannot be used. Raises
    TaskFileError where the task names what is not there.
    """
    tools, skills = _tools_for(task, paths, tell), skills_for(task)
    refuse(task, tools, skills)
    return tools, skills


def _tools_for(
    task: Task, paths: Sequence[Path], tell: Callable[[str], None]
) -> Mapping[str, BaseTool]:
    if not task.tools():
        app.refuse_missing(paths)
        return {}
    box = app.toolbox(paths, app.is_trusted(app.project_tools()))
    for problem in box.problems:
        tell(str(problem))
    return box.tools


def skills_for(task: Task) -> Mapping[str, BaseMessage]:
    """What the model is told of each skill there is, for a task that names some."""
    if not task.form.skills:
        return {}
    from agent.skills.telling import in_full

    return {name: in_full(skill) for name, skill in app.shelf().found().skills.items()}


def load(
    task: Task,
    settings: Settings,
    tools: Mapping[str, BaseTool],
    skills: Mapping[str, BaseMessage],
    tell: Callable[[str], None] = lambda line: None,
) -> Means:
    """The caller closes `means.engine`. Raises ModelError, EngineError, UsageError."""
    return load_lanes(task, settings, tools, skills, 1, tell)[0]


def load_lanes(
    task: Task,
    settings: Settings,
    tools: Mapping[str, BaseTool],
    skills: Mapping[str, BaseMessage],
    lanes: int,
    tell: Callable[[str], None] = lambda line: None,
) -> Sequence[Means]:
    """`load`, for up to so many threads: each has one to itself. The caller closes all engines, the
    first one last."""
    quiet()
    embedder = app.load_embedder() if offers(task) else None
    judge = judge_with(Shared(embedder) if embedder else None)
    engines = app.load_engines(settings, lanes, tell)
    return [Means(engine, tools, skills, judge) for engine in engines]


class Shared:
    """An embedder for several threads, which knows texts again: those of the tools are the same for
    every row."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._lock = threading.Lock()
        self._known: OrderedDict[str, np.ndarray] = OrderedDict()

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        import numpy as np

        with self._lock:
            new = list(dict.fromkeys(text for text in texts if text not in self._known))
            if new:
                self._known.update(zip(new, self._embedder.embed(new), strict=True))
            vectors = [self._known[text] for text in texts]
            for text in texts:
                self._known.move_to_end(text)
            while len(self._known) > KNOWN:
                self._known.popitem(last=False)
        return np.stack(vectors)


def offers(task: Task) -> bool:
    """Whether the model may call anything."""
    kinds = (one.type for one in task.form.inputs.values())
    return bool(task.form.tools) or "functions" in kinds


def judge_with(embedder: Embedder | None) -> Callable[[], Offering]:
    return lambda: Offering(embedder, OFFER_ALL)
