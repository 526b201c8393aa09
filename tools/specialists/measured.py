"""What was measured of a specialist on held-out rows, beside its baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tools.specialists.manifest import LOWER_IS_BETTER, Manifest
from tools.specialists.metrics import wilson

FEWEST = 10
"""Held-out rows, with fewer of which nothing is used unasked."""
MOST_DRAWN = 40
"""Labels in a picture of the confusion; with more nobody can read it."""


@dataclass(frozen=True)
class Measured:
    metric: str
    """The one that decides, a key of `metrics`."""
    metrics: Mapping[str, Any]
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By name, each with a value of `metric`."""
    labels: tuple[str, ...] = ()
    threshold: float | None = None
    temperature: float = 1.0

    def beside(self, name: str, scores: Mapping[str, float]) -> Measured:
        return replace(self, baselines={**self.baselines, name: scores})

    def draw(self, folder: Path) -> None:
        """`confusion.png`, where there is a confusion."""
        confusion = self.metrics.get("confusion")
        if not confusion or len(self.labels) > MOST_DRAWN:
            return
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        size = 2.5 + 0.45 * len(self.labels)
        figure = Figure(figsize=(size + 1, size), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        shares = [[cell / max(1, sum(row)) for cell in row] for row in confusion]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(self.labels)), self.labels, rotation=60, ha="right")
        axes.set_yticks(range(len(self.labels)), self.labels)
        axes.set_xlabel("said")
        axes.set_ylabel("true")
        for row, cells in enumerate(confusion):
            for column, cell in enumerate(cells):
                if cell:
                    shade = "white" if shares[row][column] > 0.5 else "black"
                    axes.text(column, row, str(cell), ha="center", va="center", color=shade)
        figure.savefig(folder / "confusion.png", dpi=120)


def beats(one: Manifest) -> bool:
    """Whether it is better than every baseline, and not by the luck of a few rows.

    A share of right rows has to lie above the baseline with its whole 95 % interval.
    """
    others = [float(scores[one.metric]) for scores in one.baselines.values()]
    if one.metric in LOWER_IS_BETTER:
        return all(one.score < other for other in others)
    mine = one.score
    if one.metric == "accuracy":
        mine = wilson(mine, one.held_rows)[0]
    return one.held_rows >= FEWEST and all(mine > other for other in others)
