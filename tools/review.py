"""What is wrong with a file of examples, told before anything is trained on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tools.base import ToolError, progress, tool
from tools.classify import data_files
from tools.errors import DataError, PlanError
from tools.files import Files
from tools.specialists import checks
from tools.specialists.checks import Examples
from tools.specialists.data import Example, by_kind, shortened
from tools.specialists.doubts import doubts
from tools.specialists.rows import SEVERAL_LABELS

if TYPE_CHECKING:
    import numpy as np

MOST_ROWS = 5000
"""Rows whose labels are compared with those of their neighbours; of more, so many spread evenly."""
MOST_DOUBTS = 10
"""Of which each is told."""
FEW = 30
"""Rows, up to which all are told."""
AT_ONCE = 256
"""Texts that are read between two steps of the progress bar."""


class Embedder(Protocol):
    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, shape (len(texts), dimension)."""
        ...


def _data(self: Review) -> Sequence[str]:
    return data_files(self._files.root)


class Review:
    """The tool that reviews, on files of one folder."""

    def __init__(self, files: Files, embedder: Callable[[], Embedder | None]) -> None:
        """`embedder`: None where there is none: no label is then doubted."""
        self._files = files
        self._embedder = embedder

    @tool(
        examples=[
            "is anything wrong with the examples in messages.csv?",
            "check the training data for mistakes",
            "look through the rows of examples.csv before training",
            "are there duplicates or wrong labels in tickets.csv?",
        ],
        choices={"path": _data},
        timeout=600,
    )
    def review_examples(self, path: str, label_column: str = "") -> str:
        """Check a file of examples before training: empty or repeated texts, wrong or rare labels.

        Args:
            path: the file of examples
            label_column: the column that is to be learnt
        """
        file = self._files.inside(path)
        if not file.exists():
            raise ToolError(f"there is no {path}; here are: {', '.join(_data(self)) or 'none'}")
        try:
            examples = _examined(file, label_column)
        except DataError as error:
            return f"Not ready to train. {error}"
        what = [f"The column {name!r} is the {role}." for role, name in examples.columns.items()]
        rows = [*examples.train, *examples.held]
        wanting = checks.wanting(examples)
        doubted, compared = self._doubts(rows)
        faults = [*([wanting] if wanting else []), *by_kind(examples.problems), *doubted]
        verdict = "Not ready to train." if wanting else "It can be trained on."
        if faults:
            verdict += " Mend first what is wrong."
        return "\n".join(
            [
                *examples.counts(),
                " ".join(what),
                "Wrong:" if faults else "Nothing wrong was found.",
                *(f"- {fault}" for fault in faults),
                *compared,
                *(_listed(rows) if len(rows) <= FEW else ()),
                verdict,
            ]
        )

    def _doubts(self, rows: Sequence[Example]) -> tuple[list[str], list[str]]:
        """Rows with a doubtful label, and how many were looked at; nothing of rows without one."""
        labelled = [one for one in rows if len(one.labels) == 1 and one.text]
        if len(rows) <= FEW or not labelled:
            return [], []
        embedder = self._embedder()
        if embedder is None:
            return [], ["No label was compared with those of texts like it: there is no embedder."]
        count = min(len(labelled), MOST_ROWS)
        some = [labelled[at * len(labelled) // count] for at in range(count)]
        found = doubts([one.labels[0] for one in some], _vectors(embedder, some))
        shown = [
            f"{_row(some[at])}, but texts like it are {shortened(other)!r}"
            for at, other in found.rows[:MOST_DOUBTS]
        ]
        more = len(found.rows) - len(shown)
        return shown + ([f"{more:,} more rows have a doubtful label"] if more else []), [
            f"The labels of {found.judged:,} of {len(labelled):,} rows were compared with those of "
            "texts like theirs."
        ]


def _examined(file: Path, label_column: str) -> Examples:
    """Raises DataError, PlanError."""
    columns = {"label": label_column} if label_column else {}
    try:
        found = checks.examined(file, "", columns, many=False, held_out=None)
    except PlanError:
        if not label_column:
            raise
        found = checks.examined(file, "", {}, many=False, held_out=None)
        if label_column not in found.columns.values():  # a role of another name, such as tags
            raise
        return found
    except DataError as error:
        if SEVERAL_LABELS not in str(error):
            raise
    else:
        if not any(SEVERAL_LABELS in one.what for one in found.problems):
            return found
    return checks.examined(file, "", columns, many=True, held_out=None)


def _vectors(embedder: Embedder, rows: Sequence[Example]) -> np.ndarray:
    import numpy as np

    parts = []
    for begin in range(0, len(rows), AT_ONCE):
        progress(begin, len(rows), "texts compared")
        parts.append(embedder.embed([one.text for one in rows[begin : begin + AT_ONCE]]))
    return np.concatenate(parts)


def _listed(rows: Sequence[Example]) -> list[str]:
    """For whoever reads: so few rows say too little of each other."""
    told = [_row(one) for one in rows if one.labels and one.text]
    return ["The rows, to see whether each label fits:", *told] if told else []


def _row(one: Example) -> str:
    labels = ", ".join(map(shortened, one.labels))
    return f"{one.where}: {shortened(one.text)!r} is {labels!r}"
