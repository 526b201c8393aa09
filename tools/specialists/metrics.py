"""How good a specialist is on rows that it has not seen. Pure numbers in, pure numbers out."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

BINS = 15
SURE = 0.9
"""The highest threshold of confidence."""


def classification(
    truth: Sequence[int], said: Sequence[int], labels: Sequence[str]
) -> dict[str, Any]:
    """Accuracy, macro F1, precision, recall and F1 of each label, and what is taken for what.

    A label without a held-out row has no numbers (None), and no part in the macro F1.
    """
    count = Counter(zip(truth, said, strict=True))
    confusion = [
        [count[row, column] for column in range(len(labels))] for row in range(len(labels))
    ]
    per_label = {
        label: _rates(confusion[at][at], sum(row[at] for row in confusion), sum(confusion[at]))
        for at, label in enumerate(labels)
    }
    right = sum(confusion[at][at] for at in range(len(labels)))
    seen = [one["f1"] for one in per_label.values() if one["rows"]]
    return {
        "accuracy": right / max(1, len(truth)),
        "macro_f1": sum(seen) / max(1, len(seen)),
        "per_label": per_label,
        "confusion": confusion,
    }


def multi_label(truth: np.ndarray, said: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """`truth` and `said`: booleans, (rows, labels). Accuracy is that of the whole set of a row."""
    per_label = {
        label: _rates(
            int((truth[:, at] & said[:, at]).sum()),
            int(said[:, at].sum()),
            int(truth[:, at].sum()),
        )
        for at, label in enumerate(labels)
    }
    micro = _rates(int((truth & said).sum()), int(said.sum()), int(truth.sum()))
    seen = [one["f1"] for one in per_label.values() if one["rows"]]
    return {
        "accuracy": float((truth == said).all(axis=1).mean()),
        "micro_f1": micro["f1"] or 0.0,
        "macro_f1": sum(seen) / max(1, len(seen)),
        "per_label": per_label,
    }


def entities(truth: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Entity-level precision, recall and F1 by seqeval's (that is, conlleval's) rules."""
    from seqeval.metrics import classification_report

    words = [pair for a, b in zip(truth, said, strict=True) for pair in zip(a, b, strict=True)]
    accuracy = sum(a == b for a, b in words) / max(1, len(words))
    if all(a == b == "O" for a, b in words):  # nothing to report of
        none = {"entity_f1": 0.0, "precision": 0.0, "recall": 0.0}
        return {**none, "word_accuracy": accuracy, "per_label": {}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of types that nobody found
        report = classification_report(
            [list(tags) for tags in truth],
            [list(tags) for tags in said],
            output_dict=True,
            zero_division=0,
        )
    per_label = {
        name: {
            "precision": float(one["precision"]),
            "recall": float(one["recall"]),
            "f1": float(one["f1-score"]),
            "rows": int(one["support"]),
        }
        for name, one in report.items()
        if not name.endswith(" avg")
    }
    micro = report["micro avg"]
    return {
        "entity_f1": float(micro["f1-score"]),
        "precision": float(micro["precision"]),
        "recall": float(micro["recall"]),
        "word_accuracy": accuracy,
        "per_label": per_label,
    }


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error in 15 equal bins (Guo et al. 2017): 0 is honest."""
    import numpy as np

    at = np.minimum((confidence * BINS).astype(int), BINS - 1)
    error = 0.0
    for one in range(BINS):
        inside = at == one
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(error)


def temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """By which the logits (rows, labels) are to be divided so that confidence is honest.

    Temperature scaling (Guo et al. 2017): the least cross-entropy on held-out rows. The true label
    counts as (n + 1) / (n + 2) of n rows (Platt 1999), or a few rows that are all right would make
    every answer certain.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    rows, labels = logits.shape
    if not rows or labels < 2:
        return 1.0
    weight = np.full(logits.shape, 1 / (rows + 2) / (labels - 1))
    weight[np.arange(rows), truth] = (rows + 1) / (rows + 2)
    wide = logits.astype(np.float64)

    def cross_entropy(log_of: float) -> float:
        scaled = wide / math.exp(log_of)
        return float((logsumexp(scaled, axis=1) - (weight * scaled).sum(axis=1)).mean())

    return math.exp(float(minimize_scalar(cross_entropy, bounds=(-3, 3), method="bounded").x))


def threshold(confidence: np.ndarray, right: np.ndarray, lost: float = 0.05) -> float:
    """Under which an answer is "unknown": so low that `lost` of the right answers are under it.

    Where nearly all are sure it is `SURE`, or those who are 99 % sure would be "unknown" for it.
    """
    import numpy as np

    kept = confidence[right.astype(bool)]
    return min(SURE, float(np.quantile(kept, lost))) if len(kept) else 0.0


def ndcg(ranked: Sequence[Sequence[bool]], relevant: Sequence[int], at: int = 10) -> float:
    """Mean nDCG (binary): for each query whether each found document is right, best first.

    `relevant`: how many right ones there are for each query.
    """
    scores = []
    for found, there in zip(ranked, relevant, strict=True):
        gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(found[:at]) if hit)
        best = sum(1 / math.log2(place + 2) for place in range(min(at, there)))
        scores.append(gain / best if best else 0.0)
    return sum(scores) / max(1, len(scores))


def wilson(right: float, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not rows:
        return 0.0, 1.0
    z = 1.96
    middle = (right + z * z / (2 * rows)) / (1 + z * z / rows)
    half = (
        z * math.sqrt(right * (1 - right) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    )
    return max(0.0, middle - half), min(1.0, middle + half)


def sign_test(only_one: int, only_other: int) -> float:
    """How likely so uneven a split is by chance, both ways (exact sign test, as McNemar's of two
    models on the same rows): of the rows that only one of the two had right, how many each."""
    rows = only_one + only_other
    tail = sum(math.comb(rows, at) for at in range(min(only_one, only_other) + 1))
    return min(1.0, 2 * tail / (1 << rows))


def holm(chances: Sequence[float]) -> list[float]:
    """The same chances when all of them are looked at (Holm 1979), in their order."""
    made = [0.0] * len(chances)
    highest = 0.0
    for at, place in enumerate(sorted(range(len(chances)), key=lambda one: chances[one])):
        highest = max(highest, min(1.0, chances[place] * (len(chances) - at)))
        made[place] = highest
    return made


def _rates(right: int, said: int, there: int) -> Mapping[str, Any]:
    if not there:
        return {"precision": None, "recall": None, "f1": None, "rows": 0}
    precision = right / said if said else 0.0
    recall = right / there
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return {"precision": precision, "recall": recall, "f1": f1, "rows": there}
