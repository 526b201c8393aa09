"""What was found, ordered anew by a cross-encoder: it reads question and passage together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import DocumentError, SpecialistError, first_line
from tools.specialists import compute

if TYPE_CHECKING:
    import numpy as np

WITHOUT = "search without one: tinsmith config unset reranker"


class Reranker:
    """Loaded when first used."""

    def __init__(self, home: Path, name: str) -> None:
        """`name`: of a model in the state folder, or a path."""
        self._home = home
        self._name = name

    def scores(self, question: str, texts: Sequence[str]) -> np.ndarray:
        """Logits, 32-bit floats, shape (len(texts),): the higher, the better a text answers.

        Raises DocumentError.
        """
        import numpy as np
        import torch

        found = self._model.predict(
            [(question, text) for text in texts],
            activation_fn=torch.nn.Identity(),  # near 1 a sigmoid in 16 bits cannot tell them apart
            show_progress_bar=False,
        )
        return np.asarray(found, np.float32)

    @cached_property
    def _model(self) -> Any:
        from tools.specialists import bases

        try:
            folder = bases.folder_of(self._home, self._name)
        except SpecialistError as error:
            raise DocumentError(f"no reranker: {error}; or {WITHOUT}") from error
        try:
            _refuse_others(folder)
            return compute.load_for_sentences("CrossEncoder", folder)
        except SpecialistError as error:
            raise DocumentError(f"{folder} is no reranker: {error}; {WITHOUT}") from error


def _refuse_others(folder: Path) -> None:
    """Raises SpecialistError for a model that would be given a head of random weights."""
    try:
        facts = json.loads((folder / "config.json").read_text("utf-8"))
        [kind, *_] = map(str, facts.get("architectures") or ["a model of no kind"])
        scores = len(facts.get("id2label") or "12")  # two, where it does not say
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise SpecialistError(f"its config.json cannot be read: {first_line(error)}") from error
    if not kind.endswith("ForSequenceClassification") or scores != 1:
        raise SpecialistError(f"{kind} gives no single score of a pair, as a cross-encoder does")
