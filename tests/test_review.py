"""A file of examples, looked over before anything is trained on it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.embedder import SentenceEmbedder
from tests import small
from tools.base import ToolError
from tools.files import Files
from tools.review import FEW, MOST_DOUBTS, Embedder, Review
from tools.running import invoke
from tools.specialists.data import Example
from tools.specialists.doubts import doubtful
from tools.specialists.spellings import alike

Rows = Sequence[tuple[str, str]]


@pytest.fixture(scope="module")
def embedder(minilm: Path) -> Embedder:
    return SentenceEmbedder(minilm)


def rows_of(count: int) -> list[tuple[str, str]]:
    return [(str(row["text"]), str(row["label"])) for row in small.rows("classifier", count)]


def review(folder: Path, rows: Rows, embedder: Embedder | None, **arguments: str) -> str:
    with (folder / "data.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    tool = Review(Files(folder), lambda: embedder).review_examples
    return invoke(tool, {"path": "data.csv", **arguments})


def test_a_clean_file_can_be_trained_on(tmp_path: Path, embedder: Embedder) -> None:
    said = review(tmp_path, rows_of(200), embedder).splitlines()
    assert said[0].startswith("200 rows read")
    assert "Nothing is wrong." in said
    assert said[-1] == "It can be trained on."


def test_each_kind_of_fault_is_told_with_its_line(tmp_path: Path, embedder: Embedder) -> None:
    rows = rows_of(200)
    label = rows[0][1]
    rows += [("", label), rows[3], (rows[4][0], "nonsense"), ("one more text", f"{label.title()}")]
    said = review(tmp_path, rows, embedder)
    assert "data.csv:202: empty text" in said
    assert "another label, tags or score, dropped (lines 6, 204)" in said
    assert f"labels that differ only in spelling: {label.title()} (1) and {label} (" in said
    assert said.endswith("Mend first what is wrong.")


def test_a_file_that_is_hopeless_says_why_and_lists_its_rows(
    tmp_path: Path, embedder: Embedder
) -> None:
    said = review(tmp_path, [("I love it", "good"), ("awful", "good"), ("bad", "poor")], embedder)
    assert "3 usable rows are left for training, and 20 are needed" in said
    assert "data.csv:3: 'awful' is 'good'" in said
    assert said.endswith("Not ready to train. Mend first what is wrong.")
    assert "The rows" not in review(tmp_path, rows_of(FEW + 1), embedder)


def test_wrong_labels_are_doubted_and_others_hardly(tmp_path: Path, embedder: Embedder) -> None:
    rows = rows_of(300)
    names = sorted({label for _, label in rows})
    wrong = range(0, 300, 50)
    for at in wrong:
        rows[at] = (rows[at][0], next(name for name in names if name != rows[at][1]))
    said = [line for line in review(tmp_path, rows, embedder).splitlines() if "like it" in line]
    assert len(said) <= MOST_DOUBTS
    found = {int(line.partition(":")[2].partition(":")[0]) - 2 for line in said}
    assert found == {*wrong}


def test_without_an_embedder_it_says_that_no_label_was_compared(tmp_path: Path) -> None:
    assert "that needs an embedder" in review(tmp_path, rows_of(60), None)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"label_column": "lable"}, "lable"), ({"path": "date.csv"}, "data.csv")],
)
def test_a_column_or_file_that_is_not_there(
    tmp_path: Path, embedder: Embedder, arguments: dict[str, str], says: str
) -> None:
    with pytest.raises(ToolError, match=says):
        review(tmp_path, rows_of(40), embedder, **arguments)


def test_a_label_is_doubted_only_where_its_neighbours_agree() -> None:
    one, other = np.eye(2)
    vectors = np.array([one] * 12 + [other] * 12, dtype=np.float32)
    labels = ["a"] * 11 + ["b"] + ["b"] * 6 + ["a"] * 6  # the second dozen is evenly mixed
    rows = [Example(str(at), text="x", labels=(label,)) for at, label in enumerate(labels)]
    assert [(row.where, other) for row, other in doubtful(rows, vectors)] == [("11", "a")]
    assert doubtful(rows[:9], vectors[:9]) == []


@pytest.mark.parametrize(
    ("counts", "pairs"),
    [
        ({"refund": 9, "Refund": 9}, [("Refund", "refund")]),
        ({"sci-fi": 3, "Sci Fi": 40}, [("sci-fi", "Sci Fi")]),
        ({"refund": 40, "refunds": 2}, [("refunds", "refund")]),
        ({"delivery": 40, "delivry": 1}, [("delivry", "delivery")]),
        ({"delivery": 40, "dilivery": 1}, [("dilivery", "delivery")]),
        ({"refund": 40, "refunds": 40}, []),  # both are meant
        ({"topic1": 2, "topic2": 2, "topic11": 2}, []),
        ({"pos": 40, "neg": 1, "po": 1}, []),
        ({"++": 4, "--": 4}, []),
    ],
)
def test_labels_that_are_likely_one(counts: dict[str, int], pairs: list[tuple[str, str]]) -> None:
    assert alike(counts, 8) == pairs


@given(
    st.text("abcdefgh", min_size=5, max_size=9), st.integers(0, 8), st.sampled_from("xyz"),
    st.sampled_from(["in", "out", "other"]),
)  # fmt: skip
def test_one_letter_more_less_or_other_is_found(word: str, at: int, letter: str, how: str) -> None:
    at = min(at, len(word) - 1)
    end = word[at + (how != "in") :]
    slip = word[:at] + ("" if how == "out" else letter) + end
    if len(slip) >= 5:
        assert alike({word: 50, slip: 1}, 8) == [(slip, word)]
