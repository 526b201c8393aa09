"""Disturbs a training from within, at the step of TEST_AT ("13 stop", "18 die optimizer.pt"), so
that tests do not hang on the clock: stopped, killed, or with no room left for large files.

TEST_FREE is a file with the number of bytes of memory that are free."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any


class _Late(MetaPathFinder):
    """Runs `_disturb` when tools.specialists.training has been imported."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != "tools.specialists.training":
            return None
        sys.meta_path.remove(self)
        spec: Any = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def then_disturb(module: Any) -> None:
            execute(module)
            _disturb(module)

        spec.loader.exec_module = then_disturb
        return spec


def _disturb(training: Any) -> None:
    step, what, where = (*os.environ["TEST_AT"].split(), "")[:3]
    at = int(step)

    class Progress(training._Progress):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == at and what == "stop":
                (self._job.folder / "stop").touch()
                self._looked -= 10  # as if the second were over
            if state.global_step == at and what == "full":
                import resource

                resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
            super().on_step_end(args, state, control)

    training._Progress = Progress
    if what == "die" and where == "measuring":
        say = training.Job.say

        def die(self: Any, stage: str) -> None:
            if stage == where:
                os.kill(os.getpid(), signal.SIGKILL)
            say(self, stage)

        training.Job.say = die
    elif what == "die":
        sys.addaudithook(_die_at(f"checkpoint-{at}", where))


def _die_at(folder: str, file: str) -> Any:
    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(args[0], str | os.PathLike):
            return
        place = Path(os.fspath(args[0]))
        if place.parent.name == folder and place.name == file:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


if os.environ.get("TEST_AT"):
    sys.meta_path.insert(0, _Late())
if os.environ.get("TEST_FREE"):
    import psutil

    there = psutil.virtual_memory

    def less() -> Any:
        return there()._replace(available=int(Path(os.environ["TEST_FREE"]).read_text()))

    psutil.virtual_memory = less
