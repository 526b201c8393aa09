"""Specialists at work: found in the registry, loaded once, tried on a file of rows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import PlanError, SpecialistError
from tools.specialists import bases, checks
from tools.specialists.checks import Examples
from tools.specialists.manifest import Manifest
from tools.specialists.plan import NOUNS, Plan, Task
from tools.specialists.registry import Registry

if TYPE_CHECKING:
    from tools.specialists.classifier import Classifier
    from tools.specialists.masked import Filler
    from tools.specialists.measured import Measured
    from tools.specialists.tagger import Tagger

KEPT = 3
"""Models that stay in memory."""


def unseen(one: Manifest, file: Path) -> Examples:
    """The rows of a file that a specialist may be measured on: those it was not trained on.

    Raises SpecialistError when it was trained on all of them, beside another held-out file.
    """
    try:
        examples = checks.load_all(file, one.task, one.settings.get("columns", {}), one.many)
    except PlanError as error:
        raise PlanError(
            f"{file.name} does not have the right answers to measure {NOUNS[one.task]} with: "
            f"{error}; tinsmith specialists label {one.name} {file.name} tells what it says"
        ) from error
    if examples.sha256 == one.data_sha256:
        return replace(examples, held=[row for row in examples.held if checks.is_held(row)])
    if examples.sha256 == one.settings.get("trained_on_sha256"):
        raise SpecialistError(
            f"{one.name}@{one.version} was trained on every row of {file.name}; measure it on rows "
            "that it has not seen, such as its held-out file"
        )
    return examples


class Specialists:
    """Those of one state folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.registry = Registry(home)
        self._loaded: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._lock = threading.Lock()

    def classifier(self, reference: str) -> tuple[Classifier, Manifest]:
        """Raises SpecialistError, as all of these do."""

        def load(folder: Path, one: Manifest) -> Any:
            from tools.specialists.classifier import Classifier

            base = bases.of_version(self.registry, one)
            return Classifier(folder, base, one.labels, one.length, one.many)

        return self._ready(reference, "classifier", load)

    def tagger(self, reference: str) -> tuple[Tagger, Manifest]:
        def load(folder: Path, one: Manifest) -> Any:
            from tools.specialists.tagger import Tagger

            return Tagger(folder, bases.of_version(self.registry, one), one.labels, one.length)

        return self._ready(reference, "tagger", load)

    def filler(self, reference: str) -> tuple[Filler, Manifest]:
        def load(folder: Path, one: Manifest) -> Any:
            from tools.specialists.masked import Filler

            return Filler(folder, bases.of_version(self.registry, one))

        return self._ready(reference, "masked", load)

    def evaluate(self, reference: str, file: Path) -> tuple[Measured, Manifest, int]:
        """What it does on the rows of a file that have a known answer, and how many there are.

        Of the file that it was trained on, the held-out rows alone.
        """
        from tools.specialists.recipes import recipe_of

        name, version = self.registry.find(reference)
        one = self.registry.manifest(name, version)
        examples = unseen(one, file)
        folder = self.registry.folder(name, version)
        plan = Plan(
            name,
            one.task,
            str(file),
            many=one.many,
            base=one.base,
            length=one.length,
            batch=16,
            seed=int(one.settings.get("seed", 0)),
        )
        base = bases.of_version(self.registry, one)
        measured = recipe_of(one.task).measure(folder, base, plan, examples, one)
        return measured, one, len(examples.held)

    def _ready(
        self, reference: str, task: Task, load: Callable[[Path, Manifest], Any]
    ) -> tuple[Any, Manifest]:
        name, version = self.registry.find(reference)
        one = self.registry.manifest(name, version)
        if one.task != task:
            raise SpecialistError(f"{name} is {NOUNS[one.task]}, and {NOUNS[task]} is needed")
        folder = self.registry.folder(name, version)
        key = (str(folder), one.created)  # a number can come again when versions were removed
        with self._lock:  # tools that only read run side by side
            if key not in self._loaded:
                self._loaded[key] = load(folder, one)
                while len(self._loaded) > KEPT:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(key)
            return self._loaded[key], one
