"""Rows whose label is doubtful: of the texts nearest in meaning, most have another one.

Each row is judged by the labels of its neighbours, itself left out. A label is judged only where
neighbours can tell it: where its own rows mostly stand beside each other. A rare label that is
strewn among the rows of a common one would else be doubted as a whole. As in confident learning
(Northcutt et al. 2021), with neighbours in place of a trained model. How often a doubt is right:
`benchmarks/doubts.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NEIGHBOURS = 10
SHARPNESS = 4
"""Power of the cosine by which a neighbour counts: a nearer one for much more."""
CLEARLY = 0.5
"""By how much of the neighbours' weight another label must lead."""
TELLING, BETTER = 0.5, 0.05
"""Share of the neighbours' weight that a label must have among its own rows, on average; and by how
much more than among all rows."""
FEWEST = 5
"""Rows of a label, with fewer of which none of its rows is judged."""
BLOCK = 1024
"""Rows compared with all others at once."""


@dataclass(frozen=True)
class Doubts:
    rows: list[tuple[int, str]]
    """The places of doubtful rows with the label that their neighbours have, the most doubtful
    first."""
    judged: int
    """Rows that could be judged."""


def doubts(labels: Sequence[str], vectors: np.ndarray) -> Doubts:
    """`vectors`: unit vectors of the texts, shape (labels, dimension)."""
    import numpy as np

    usable = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    if len(usable) <= NEIGHBOURS:
        return Doubts([], 0)
    names, given = np.unique([labels[int(at)] for at in usable], return_inverse=True)
    vectors = vectors[usable]
    own, lead, other = (np.empty(len(usable)) for _ in range(3))
    for begin in range(0, len(usable), BLOCK):
        at = np.arange(begin, min(begin + BLOCK, len(usable)))
        here = np.arange(len(at))
        near = vectors[at] @ vectors.T
        near[here, at] = -1.0
        best = np.argpartition(-near, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        weights = np.take_along_axis(near, best, axis=1).clip(1e-3) ** SHARPNESS
        shares = np.zeros((len(at), len(names)))
        np.add.at(shares, (here[:, None], given[best]), weights)
        shares /= shares.sum(axis=1, keepdims=True)
        own[at] = shares[here, given[at]]
        shares[here, given[at]] = -1.0
        other[at] = shares.argmax(axis=1)
        lead[at] = shares.max(axis=1) - own[at]
    count = np.bincount(given)
    mean = np.bincount(given, weights=own) / count
    telling = (mean > TELLING) & (mean > count / len(usable) + BETTER) & (count >= FEWEST)
    judged = telling[given]
    found = np.flatnonzero(judged & (lead > CLEARLY))
    found = found[np.argsort(-lead[found], kind="stable")]
    return Doubts(
        [(int(usable[at]), str(names[int(other[at])])) for at in found], int(judged.sum())
    )
