from __future__ import annotations

import math
import random
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as options
from hypothesis import strategies as st
from scipy.special import softmax
from seqeval.metrics import f1_score as seqeval_f1
from sklearn.metrics import (  # type: ignore[import-untyped]
    accuracy_score,
    f1_score,
    ndcg_score,
    precision_recall_fscore_support,
)

from tools.specialists import metrics
from tools.specialists.manifest import Manifest
from tools.specialists.measured import beats

LABELS = ["a", "b", "c", "d"]
ANSWERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)
TAGS = ["O", "B-x", "I-x", "B-y", "I-y"]


@given(ANSWERS)
def test_classification_is_as_scikit_learn_has_it(answers: list[tuple[int, int]]) -> None:
    truth, said = zip(*answers, strict=True)
    mine = metrics.classification(truth, said, LABELS)
    there = sorted(set(truth))
    assert mine["accuracy"] == pytest.approx(accuracy_score(truth, said))
    assert mine["macro_f1"] == pytest.approx(
        f1_score(truth, said, labels=there, average="macro", zero_division=0)
    )
    each = precision_recall_fscore_support(truth, said, labels=range(4), zero_division=0)
    for at, (label, rates) in enumerate(mine["per_label"].items()):
        assert rates["rows"] == truth.count(at)
        if at in there:
            found = [each[n][at] for n in range(3)]
            assert [rates["precision"], rates["recall"], rates["f1"]] == pytest.approx(found)
        else:
            assert rates["f1"] is None, label


def test_the_confusion_has_the_truth_in_rows() -> None:
    found = metrics.classification([0, 0, 1], [1, 0, 1], ["a", "b"])
    assert found["confusion"] == [[1, 1], [0, 1]]


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_several_labels_are_as_scikit_learn_has_them(seed: int, rows: int) -> None:
    chance = np.random.default_rng(seed)
    truth, said = chance.random((rows, 4)) > 0.6, chance.random((rows, 4)) > 0.5
    mine = metrics.multi_label(truth, said, LABELS)
    there = np.flatnonzero(truth.any(axis=0))
    assert mine["accuracy"] == pytest.approx(accuracy_score(truth, said))
    if len(there):
        assert mine["micro_f1"] == pytest.approx(
            f1_score(truth, said, average="micro", zero_division=0)
        )
        assert mine["macro_f1"] == pytest.approx(
            f1_score(truth, said, labels=there, average="macro", zero_division=0)
        )


@given(st.lists(st.lists(st.tuples(*[st.sampled_from(TAGS)] * 2), min_size=1), min_size=1))
@options(max_examples=50)
def test_entities_are_as_seqeval_has_them(sentences: list[list[tuple[str, str]]]) -> None:
    truth = [[a for a, _ in one] for one in sentences]
    said = [[b for _, b in one] for one in sentences]
    found = metrics.entities(truth, said)
    if found["per_label"]:
        assert found["entity_f1"] == pytest.approx(seqeval_f1(truth, said, zero_division=0))
    else:
        assert found["entity_f1"] == 0


def test_an_entity_counts_only_when_it_is_whole_and_of_its_type() -> None:
    truth = [["B-x", "I-x", "O", "B-y"], ["B-x", "O"]]
    said = [["B-x", "O", "O", "B-y"], ["B-y", "O"]]
    found = metrics.entities(truth, said)
    assert found["precision"] == found["recall"] == pytest.approx(1 / 3)
    assert found["word_accuracy"] == pytest.approx(4 / 6)
    assert found["per_label"]["x"] == {"precision": 0, "recall": 0, "f1": 0, "rows": 2}


def test_without_any_entity_there_is_nothing_to_find() -> None:
    assert metrics.entities([["O", "O"]], [["O", "O"]])["entity_f1"] == 0


def test_calibration_error_by_hand() -> None:
    sure = np.array([0.9, 0.9, 0.9, 0.9, 0.5, 0.5])
    right = np.array([1, 1, 1, 0, 1, 1], bool)
    # one bin: 0.9 against 0.75 in four of six rows; another: 0.5 against 1 in two of six
    assert metrics.calibration_error(sure, right) == pytest.approx(4 / 6 * 0.15 + 2 / 6 * 0.5)
    assert metrics.calibration_error(np.ones(3), np.ones(3, bool)) == 0


def test_a_temperature_makes_the_overconfident_honest() -> None:
    chance = np.random.default_rng(0)
    honest = chance.normal(size=(4000, 3))
    truth = np.array([chance.choice(3, p=row) for row in softmax(honest, axis=1)])
    assert metrics.temperature(honest * 4, truth) == pytest.approx(4, rel=0.1)
    assert metrics.temperature(honest, truth) == pytest.approx(1, rel=0.1)


def test_a_few_rows_that_are_all_right_do_not_make_answers_certain() -> None:
    truth = np.arange(20) % 2
    logits = np.where(truth[:, None] == [0, 1], 1.0, -1.0)
    sure = softmax(logits / metrics.temperature(logits, truth), axis=1).max(axis=1)
    assert sure == pytest.approx(21 / 22, abs=0.01)


def test_no_rows_have_the_temperature_one() -> None:
    assert metrics.temperature(np.zeros((0, 3)), np.zeros(0, int)) == 1


def test_the_threshold_loses_so_many_of_the_right_answers() -> None:
    sure = np.linspace(0, 1, 101)
    assert metrics.threshold(sure, np.ones(101, bool), 0.05) == pytest.approx(0.05)
    assert metrics.threshold(sure, sure > 0.5, 0.1) == pytest.approx(0.559)
    assert metrics.threshold(sure, np.zeros(101, bool)) == 0
    assert metrics.threshold(np.full(101, 0.99), np.ones(101, bool)) == 0.9


def test_ndcg_by_hand() -> None:
    first_and_third = [True, False, True, False]
    ideal = 1 + 1 / math.log2(3)
    assert metrics.ndcg([first_and_third], [2]) == pytest.approx((1 + 1 / 2) / ideal)
    assert metrics.ndcg([[False], [True]], [1, 1]) == 0.5
    assert metrics.ndcg([], []) == 0


@given(st.lists(st.booleans(), min_size=2, max_size=30), st.integers(1, 12))
def test_ndcg_is_as_scikit_learn_has_it(found: list[bool], at: int) -> None:
    if any(found):
        theirs = ndcg_score([found], [list(range(len(found), 0, -1))], k=at)
        assert metrics.ndcg([found], [sum(found)], at) == pytest.approx(theirs)


@given(st.integers(0, 200), st.integers(1, 200))
def test_an_interval_is_around_its_share(right: int, rows: int) -> None:
    share = min(right, rows) / rows
    low, high = metrics.wilson(share, rows)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1


def test_the_wilson_interval_by_hand() -> None:
    assert metrics.wilson(0.9, 100) == pytest.approx((0.8256, 0.9448), abs=1e-4)
    assert metrics.wilson(0, 0) == (0, 1)


@pytest.mark.parametrize(
    ("metric", "score", "rows", "baseline", "better"),
    [
        ("loss", 1.0, 20, 2.0, True),
        ("loss", 1.0, 20, 0.5, False),
        ("accuracy", 0.9, 100, 0.5, True),
        ("accuracy", 0.55, 100, 0.5, False),  # luck would do
        ("accuracy", 1.0, 3, 0.1, False),
        ("entity_f1", 0.3, 50, 0.0, True),
        ("entity_f1", 0.3, 2, 0.0, False),
    ],
)
def test_a_version_beats_its_baselines_not_by_luck(
    metric: str, score: float, rows: int, baseline: float, better: bool
) -> None:
    one = manifest(metric, score, rows, {"base": {metric: baseline}})
    assert beats(one) == better


def manifest(
    metric: str, score: float, rows: int, baselines: dict[str, dict[str, float]]
) -> Manifest:
    """One of which only these count."""
    values: dict[str, Any] = dict.fromkeys((one.name for one in fields(Manifest)), "")
    values |= {"metric": metric, "metrics": {metric: score}, "held_rows": rows}
    return Manifest(**values | {"baselines": baselines})


def test_answers_by_chance_are_not_calibrated() -> None:
    chance = random.Random(1)
    right = np.array([chance.random() < 0.25 for _ in range(1000)])
    assert metrics.calibration_error(np.full(1000, 0.95), right) == pytest.approx(0.7, abs=0.05)
