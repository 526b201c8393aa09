"""A worker of a cluster: it loads the model once and runs the rows that it is sent.

It needs what a machine needs that runs the task alone: this Tinsmith, the model (or the address of
its server), and the files that the task and its rows name, in the same places.
"""

from __future__ import annotations

import hashlib
import os
import queue
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent import app, prompts
from agent.errors import TinsmithError, UsageError
from agent.settings import Settings
from agent.tasks.envelope import Envelope
from agent.tasks.load import load_lanes, named_by
from agent.tasks.means import Means
from agent.tasks.run import run
from agent.tasks.task import Task
from tools.errors import ToolError


@dataclass(frozen=True)
class Order:
    """What a worker is for."""

    task: Task
    settings: Settings
    paths: tuple[Path, ...]
    """Of tools, beside those that the worker finds by itself."""
    folder: Path
    """In which the rows are run: relative paths start there."""
    lanes: int
    """Rows at once."""


@dataclass(frozen=True)
class Loaded:
    model: str
    lanes: int
    """Fewer than were wanted, where the memory does not hold so many."""
    basis: str
    """Equal where the same row has the same answer: a digest of the prompts and the weights."""


@dataclass(frozen=True)
class Refused:
    """Why a worker cannot do it. A value: an exception may not survive being sent."""

    error: str
    is_usage: bool


class Worker:
    """Lives in a process of its own. `run` is called by as many threads as there are lanes."""

    def __init__(self) -> None:
        self._means: list[Means] = []
        self._free: queue.SimpleQueue[Means] = queue.SimpleQueue()

    def where(self) -> str:
        return f"{socket.gethostname()}, process {os.getpid()}"

    def load(self, order: Order) -> Loaded | Refused:
        try:
            self._load(order)
            basis = _basis(order.settings)
        except (TinsmithError, ToolError, OSError) as error:
            return Refused(str(error) or type(error).__name__, getattr(error, "exit_code", 1) == 2)
        return Loaded(self._means[0].engine.name, len(self._means), basis)

    def run(self, given: Mapping[str, Any]) -> Envelope:
        means = self._free.get()
        try:
            return run(self._task, given, means)
        finally:
            self._free.put(means)

    def stop(self) -> None:
        for means in self._means:
            means.stop.now()

    def close(self) -> None:
        for means in reversed(self._means):  # the first owns the weights
            means.engine.close()

    def _load(self, order: Order) -> None:
        try:
            os.chdir(order.folder)
        except OSError as error:
            if _wants_files(order.task):
                raise UsageError(
                    f"{order.folder} cannot be entered ({error.strerror}), and {order.task.name} "
                    "works with files there; every worker needs that folder"
                ) from error
        tools, skills = named_by(order.task, order.paths, lambda line: None)
        means = load_lanes(order.task, order.settings, tools, skills, order.lanes)
        self._task = order.task
        self._means = [replace(one, folder=Path.cwd()) for one in means]
        for one in self._means:
            self._free.put(one)


def _wants_files(task: Task) -> bool:
    takes = any(one.type == "file" for one in task.form.inputs.values())
    return takes or bool(task.tools() or task.form.outputs)


def _basis(settings: Settings) -> str:
    found = hashlib.sha256()
    for name, file in prompts.files().items():
        found.update(f"{name}\n{file.read_text('utf-8')}\n".encode())
    if settings.engine != "scripted" and app.is_local(settings):
        path = app.weights_of(settings).path
        parts = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
        found.update(repr([one.stat().st_size for one in parts]).encode())
    return found.hexdigest()
