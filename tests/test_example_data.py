"""The example data is what its script makes, and keeps to its formats."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from examples.make_data import DATA, LABELS, TOPICS, write

FILES = ["sentiment.csv", "entities.conll", "topics.csv"]
TYPES = {"person", "place", "organisation", "product", "date"}
Tagged = list[tuple[str, str]]


def test_the_script_makes_the_files_that_are_shipped(tmp_path: Path) -> None:
    write(tmp_path)
    assert sorted(file.name for file in tmp_path.glob("*.c*")) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name
    assert sum((DATA / name).stat().st_size for name in FILES) < 500_000


@pytest.mark.parametrize(
    ("name", "header", "labels", "count"),
    [
        ("sentiment.csv", ["text", "label"], LABELS, 1500),
        ("topics.csv", ["text", "topic"], TOPICS, 2000),
    ],
)
def test_a_table_is_balanced_and_repeats_nothing(
    name: str, header: list[str], labels: list[str], count: int
) -> None:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        first, *rows = csv.reader(file)
    assert first == header
    assert len(rows) == count
    shares = Counter(label for _, label in rows)
    assert set(shares) == set(labels)
    assert max(shares.values()) - min(shares.values()) <= 1
    assert len({text.lower() for text, _ in rows}) == count
    assert not [text for text, _ in rows if set(text) & set("{}[]#|") or text != text.strip()]
    assert max(len(text.split()) for text, _ in rows) <= 60


def test_the_tags_are_bio_and_of_the_five_types() -> None:
    for sentence in _sentences():
        before = "O"
        for token, tag in sentence:
            assert token
            assert token == token.strip()
            mark, _, kind = tag.partition("-")
            assert tag == "O" or (mark in {"B", "I"} and kind in TYPES), sentence
            assert mark != "I" or before in {f"B-{kind}", f"I-{kind}"}, sentence
            before = tag


def test_there_are_many_entities_of_each_type_and_sentences_without_any() -> None:
    sentences = _sentences()
    assert len(sentences) == 1200
    assert len({" ".join(token for token, _ in each).lower() for each in sentences}) == 1200
    kinds = Counter(tag[2:] for each in sentences for _, tag in each if tag.startswith("B-"))
    assert set(kinds) == TYPES
    assert min(kinds.values()) > 200
    assert sum(all(tag == "O" for _, tag in each) for each in sentences) > 100


def test_no_day_is_left_untagged() -> None:
    days = {"yesterday", "today", "tomorrow", "tonight", "monday", "wednesday", "friday", "sunday"}
    missed = [
        each for each in _sentences() for token, tag in each if tag == "O" and token.lower() in days
    ]
    assert not missed


def _sentences() -> list[Tagged]:
    blocks = (DATA / "entities.conll").read_text("utf-8").strip().split("\n\n")
    return [[_pair(line) for line in block.split("\n")] for block in blocks]


def _pair(line: str) -> tuple[str, str]:
    token, tag = line.split("\t")
    return token, tag
