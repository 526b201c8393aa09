"""Rows whose label is doubtful: of the texts nearest in meaning, most have another one.

Each row is judged by the labels of its neighbours, itself left out, and a label is doubted where
another has clearly more of their weight (as in cleanlab's confident learning, with neighbours in
place of a trained model). How often the doubt is right: `benchmarks/doubts.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.specialists.data import Example

if TYPE_CHECKING:
    import numpy as np

NEIGHBOURS = 10
SHARPNESS = 4
"""Power of the cosine by which a neighbour counts: a nearer one for much more."""
CLEARLY = 0.5
"""By how much of the neighbours' weight another label must lead."""
FEWEST = 5
"""Rows of a label, with fewer of which none of its rows is judged."""
BLOCK = 1024
"""Rows compared with all others at once."""


def doubtful(rows: Sequence[Example], vectors: np.ndarray) -> list[tuple[Example, str]]:
    """Rows with the label that their neighbours have instead, the most doubtful first.

    `rows`: each with one label. `vectors`: unit vectors of their texts, shape (rows, dimension).
    """
    import numpy as np

    if len(rows) <= NEIGHBOURS:
        return []
    labels, given = np.unique([one.labels[0] for one in rows], return_inverse=True)
    enough = np.bincount(given) >= FEWEST
    found: list[tuple[float, int, int]] = []
    for begin in range(0, len(rows), BLOCK):
        at = np.arange(begin, min(begin + BLOCK, len(rows)))
        near = vectors[at] @ vectors.T
        near[np.arange(len(at)), at] = -1.0
        best = np.argpartition(-near, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        weights = np.take_along_axis(near, best, axis=1).clip(1e-3) ** SHARPNESS
        shares = np.zeros((len(at), len(labels)))
        np.add.at(shares, (np.arange(len(at))[:, None], given[best]), weights)
        shares /= shares.sum(axis=1, keepdims=True)
        own = shares[np.arange(len(at)), given[at]]
        shares[np.arange(len(at)), given[at]] = -1.0
        lead = shares.max(axis=1) - own
        others = shares.argmax(axis=1)
        found += [
            (float(lead[i]), int(at[i]), int(others[i]))
            for i in np.flatnonzero((lead > CLEARLY) & enough[given[at]])
        ]
    found.sort(key=lambda one: (-one[0], one[1]))
    return [(rows[row], str(labels[other])) for _, row, other in found]
