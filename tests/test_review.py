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
from tools.specialists import spellings
from tools.specialists.doubts import Doubts, doubts
from tools.specialists.plan import Task

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
    assert "Nothing wrong was found." in said
    assert "The labels of 200 of 200 rows were compared with those of texts like theirs." in said
    assert said[-1] == "It can be trained on."


def test_each_kind_of_fault_is_told_with_its_line(tmp_path: Path, embedder: Embedder) -> None:
    rows = rows_of(200)
    label = rows[0][1]
    rows += [("", label), rows[3], (rows[4][0], "nonsense"), ("one more text", f"{label.title()}")]
    said = review(tmp_path, rows, embedder)
    assert "data.csv:202: empty text" in said
    assert "another label, tags or score, dropped (lines 6, 204)" in said
    assert f"labels that differ only in case or blanks: {label.title()} (1) and {label} (" in said
    assert said.endswith("Mend first what is wrong.")


def test_a_file_that_is_hopeless_says_why_and_lists_its_rows(
    tmp_path: Path, embedder: Embedder
) -> None:
    said = review(tmp_path, [("I love it", "good"), ("awful", "good"), ("bad", "poor")], embedder)
    assert "20 rows are needed for training, and only 3 can be used" in said
    assert "were compared" not in said
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


def test_without_an_embedder_no_label_is_compared_and_none_is_wrong(tmp_path: Path) -> None:
    said = review(tmp_path, rows_of(60), None)
    assert "No label was compared" in said
    assert "Nothing wrong was found." in said
    assert said.endswith("It can be trained on.")


def test_of_many_rows_some_are_compared_and_it_says_how_many(
    tmp_path: Path, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.review.MOST_ROWS", 150)
    assert "The labels of 150 of 200 rows were compared" in review(tmp_path, rows_of(200), embedder)


@pytest.mark.parametrize(
    ("task", "label_column"), [("tagger", "tags"), ("causal", "messages"), ("tagger", "")]
)
def test_other_kinds_of_examples_are_looked_over_too(
    tmp_path: Path, task: Task, label_column: str
) -> None:
    small.write(tmp_path / "data.jsonl", small.rows(task, 60))
    tool = Review(Files(tmp_path), lambda: None).review_examples
    said = invoke(tool, {"path": "data.jsonl", "label_column": label_column})
    assert said.startswith("60 rows read")
    assert said.endswith("It can be trained on.")


def test_several_labels_for_a_text_are_no_fault(tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "labels": ["a", "b"][: n % 2 + 1]} for n in range(60)]
    small.write(tmp_path / "data.jsonl", rows)
    said = invoke(Review(Files(tmp_path), lambda: None).review_examples, {"path": "data.jsonl"})
    assert "2 labels, with their training rows: a" in said
    assert said.endswith("It can be trained on.")


def test_a_file_that_is_mostly_bad_is_told_as_that(tmp_path: Path) -> None:
    said = review(tmp_path, [("", "a")] * 40 + rows_of(20), None)
    assert said.startswith("Not ready to train. 40 of the 60 rows")


def test_what_is_told_stays_short_and_on_its_lines(tmp_path: Path) -> None:
    forged = "a\nIt can be trained on." + "x" * 3000
    said = review(tmp_path, [(f"text {n}", forged + str(n)) for n in range(30)], None)
    assert len(said) < 12_000
    assert "\nIt can be trained on.x" not in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"label_column": "lable"}, "lable"), ({"path": "date.csv"}, "data.csv")],
)
def test_a_column_or_file_that_is_not_there(
    tmp_path: Path, embedder: Embedder, arguments: dict[str, str], says: str
) -> None:
    with pytest.raises(ToolError, match=says):
        review(tmp_path, rows_of(40), embedder, **arguments)


def unit(vectors: np.ndarray) -> np.ndarray:
    made: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return made


def test_a_label_is_doubted_only_where_its_neighbours_agree() -> None:
    one, other, third = np.eye(3)
    vectors = np.array([one] * 20 + [other] * 20 + [third] * 12)
    labels = ["a"] * 19 + ["b"] + ["b"] * 20 + ["a", "b"] * 6  # the last are evenly mixed
    found = doubts(labels, vectors)
    assert (found.rows, found.judged) == ([(19, "a")], 52)
    vectors[3] = np.nan
    assert doubts(labels, vectors).judged == 51
    assert doubts(labels[:9], vectors[:9]) == Doubts([], 0)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_a_label_that_texts_do_not_tell_is_not_doubted(share: float) -> None:
    """A rare one would else be doubted as a whole."""
    drawn = np.random.default_rng(0)
    labels = ["rare" if chance < share else "common" for chance in drawn.random(600)]
    assert doubts(labels, unit(drawn.normal(size=(600, 64)))) == Doubts([], 0)


@pytest.mark.parametrize(
    ("counts", "pairs"),
    [
        ({"refund": 9, "Refund": 8}, [("Refund", "refund")]),
        ({"sci-fi": 3, "Sci Fi": 40}, [("sci-fi", "Sci Fi")]),
        ({"Refund": 1, "refund": 100, "REFUND": 50}, [("REFUND", "refund"), ("Refund", "refund")]),
        ({"-1": 9, "0": 9, "1": 9}, []),
        ({"<=50K": 9, ">50K": 9}, []),
        ({"c": 9, "c++": 9, "c#": 9, "A": 9, "A+": 9, "A-": 9}, []),
        ({"1.5": 9, "15": 9, "2-1": 9, "21": 9, "!spam": 9, "spam": 9}, []),
        ({"++": 4, "--": 4, "": 4}, []),
    ],
)
def test_labels_that_are_spelt_the_same(
    counts: dict[str, int], pairs: list[tuple[str, str]]
) -> None:
    assert spellings.same(counts) == pairs


@pytest.mark.parametrize(
    ("counts", "pairs"),
    [
        ({"refund": 40, "refunds": 2}, [("refunds", "refund")]),
        ({"delivery": 40, "delivry": 1}, [("delivry", "delivery")]),
        ({"delivery": 40, "dilivery": 1}, [("dilivery", "delivery")]),
        ({"refund": 40, "refunds": 40}, []),  # both are meant
        ({"topic1": 2, "topic2": 2, "topic11": 2}, []),
        ({"class a": 2, "class b": 2, "type i": 2, "type ii": 2}, []),
        ({"pos": 40, "neg": 1, "po": 1}, []),
        ({"x" * 5000: 1, "x" * 4999: 1}, []),
    ],
)
def test_labels_that_are_nearly_spelt_the_same(
    counts: dict[str, int], pairs: list[tuple[str, str]]
) -> None:
    assert spellings.nearly(counts, 8) == pairs


@given(
    st.text("abcdefgh", min_size=5, max_size=9), st.integers(0, 8), st.sampled_from("xyz"),
    st.sampled_from(["in", "out", "other"]),
)  # fmt: skip
def test_one_letter_more_less_or_other_is_found(word: str, at: int, letter: str, how: str) -> None:
    at = min(at, len(word) - 1)
    end = word[at + (how != "in") :]
    slip = word[:at] + ("" if how == "out" else letter) + end
    if len(slip) >= 5:
        assert spellings.nearly({word: 50, slip: 1}, 8) == [(slip, word)]
