"""Texts as vectors, by a sentence-transformers model: one that was pulled, or a specialist."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import DocumentError, SpecialistError
from tools.specialists import compute
from tools.specialists.compute import Report, silent

if TYPE_CHECKING:
    import numpy as np

TOGETHER = 512
"""Texts between two reports of progress; among them like lengths share a batch."""


class Vectors:
    """Loaded when first used."""

    def __init__(self, home: Path, name: str) -> None:
        """`name`: of a model in the state folder, or of a specialist that is an embedder."""
        self._home = home
        self._wanted = name

    @cached_property
    def name(self) -> str:
        """What is written into a collection. Of a specialist with its version: "faq@2"."""
        return self._found[0]

    @cached_property
    def dimension(self) -> int:
        return int(self._model.get_embedding_dimension())

    def embed(self, texts: Sequence[str], report: Report = silent) -> np.ndarray:
        """Unit vectors, 32-bit floats, shape (len(texts), dimension)."""
        import numpy as np

        order = sorted(range(len(texts)), key=lambda at: len(texts[at]), reverse=True)
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for begin in range(0, len(order), TOGETHER):
            some = order[begin : begin + TOGETHER]
            vectors[some] = (
                self._model.encode(
                    [texts[at] for at in some],
                    normalize_embeddings=True,
                    show_progress_bar=False,
                    convert_to_tensor=True,
                )
                .float()
                .cpu()
                .numpy()
            )
            report(min(begin + TOGETHER, len(texts)), len(texts))
        return vectors

    @cached_property
    def _found(self) -> tuple[str, Path]:
        from tools.specialists import bases
        from tools.specialists.registry import Registry

        registry = Registry(self._home)
        try:
            if self._wanted.partition("@")[0] in registry.names():
                name, version = registry.find(self._wanted)
                one = registry.manifest(name, version)
                if one.task == "embedder":
                    return f"{name}@{version}", registry.folder(name, version)
            return self._wanted, bases.folder_of(self._home, self._wanted)
        except SpecialistError as error:
            raise DocumentError(f"no embedder: {error}") from error

    @cached_property
    def _model(self) -> Any:
        folder = self._found[1]
        try:
            return compute.load_for_sentences("SentenceTransformer", folder)
        except SpecialistError as error:
            raise DocumentError(f"{folder} is no embedder: {error}") from error
