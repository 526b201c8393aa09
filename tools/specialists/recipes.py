"""The recipes by task, and what each of them is: five functions in a file of its own."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from tools.specialists.plan import Plan, Task

if TYPE_CHECKING:
    from tools.specialists.checks import Examples
    from tools.specialists.manifest import Manifest
    from tools.specialists.measured import Measured
    from tools.specialists.training import Work

MODULES: Mapping[Task, str] = {
    "classifier": "tools.specialists.classifier",
    "tagger": "tools.specialists.tagger",
    "masked": "tools.specialists.masked",
    "embedder": "tools.specialists.embedder",
    "causal": "tools.specialists.causal",
}


class Recipe(Protocol):
    LENGTH: int
    """Tokens at which a text is cut when the plan does not say."""
    BATCH: int
    """Rows of a batch when the plan does not say."""

    def epochs(self, rows: int, labels: int, batch: int) -> int:
        """The most that are of use; training ends earlier when nothing gets better."""

    def prepare(self, plan: Plan, examples: Examples) -> Work:
        """Load the base and encode the examples. Raises SpecialistError."""

    def save(self, work: Work, folder: Path, base: Path) -> None:
        """Write what has been trained on `base`, as a folder of safetensors."""

    def measure(
        self,
        folder: Path,
        base: Path,
        plan: Plan,
        examples: Examples,
        known: Manifest | None = None,
    ) -> Measured:
        """Load the saved folder as it will be used and try it on the held-out rows.

        `known`: of a version that is measured again: its labels and temperature stay, and it
        is not compared with what it was trained on again.
        """


def recipe_of(task: Task) -> Recipe:
    """Imports torch and transformers."""
    return cast(Recipe, cast(Any, importlib.import_module(MODULES[task])))
