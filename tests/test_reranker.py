"""A cross-encoder over what was found: tiny ones, whose scores mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import small
from tests.test_cli import tinsmith
from tools.errors import DocumentError
from tools.knowledge.library import Hit, Library

QUESTION = "how does the parcel refund twice?"


@pytest.fixture
def search(state: Path, tmp_path: Path) -> Callable[[str, int], list[Hit]]:
    """What is found with a reranker of this name in six short files."""
    small.bert(state / "models" / "all-minilm-l6-v2")
    for number, text in enumerate(
        ["parcel late", "refund money", "card twice paid", "shelf", "the courier and door", "how"]
    ):
        (tmp_path / f"{number}.txt").write_text(text)
    files = sorted(tmp_path.glob("*.txt"))
    Library(state, "", "all-minilm-l6-v2").add(files)

    def found(reranker: str, count: int = 9) -> list[Hit]:
        return Library(state, "", "all-minilm-l6-v2", reranker).search(QUESTION, count=count)

    return found


def test_a_reranker_decides_the_order(search: Callable[..., list[Hit]], state: Path) -> None:
    for name, sign in (("likes", 1.0), ("dislikes", -1.0)):
        small.cross_encoder(state / "models" / name, sign)
    plain, one, other = search(""), search("likes"), search("dislikes")
    assert {hit.id for hit in one} == {hit.id for hit in plain}
    assert [hit.id for hit in one] == [hit.id for hit in reversed(other)]
    assert [hit.score for hit in one] == sorted((hit.score for hit in one), reverse=True)
    assert search("dislikes", 1)[0].id == one[-1].id  # also one that was not among the first


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: None, "no reranker: .*'bad'"),
        (small.bert, "BertForMaskedLM gives no single score of a pair"),
        (lambda folder: small.cross_encoder(folder, labels=3), "gives no single score"),
        (lambda folder: _without_weights(folder), r"has no \*\.safetensors"),
        (lambda folder: _with_broken_weights(folder), "is no reranker"),
        (lambda folder: _with_broken_config(folder), "is no reranker"),
    ],
)
def test_what_is_no_reranker_is_told(
    search: Callable[..., list[Hit]], state: Path, make: Callable[[Path], object], why: str
) -> None:
    make(state / "models" / "bad")
    with pytest.raises(DocumentError, match=f"{why}.*tinsmith config unset reranker"):
        search("bad")


def _without_weights(folder: Path) -> None:
    (small.cross_encoder(folder) / "model.safetensors").unlink()


def _with_broken_weights(folder: Path) -> None:
    (small.cross_encoder(folder) / "model.safetensors").write_bytes(b"nonsense")


def _with_broken_config(folder: Path) -> None:
    (small.cross_encoder(folder) / "config.json").write_text("{")


def test_the_setting_names_it(search: Callable[..., list[Hit]]) -> None:
    assert tinsmith("config", "set", "reranker", "nowhere").returncode == 0
    done = tinsmith("docs", "search", "refund")
    assert done.returncode == 1
    assert "no reranker" in done.stderr
    assert "Traceback" not in done.stderr
