"""Doubtful labels of a data set: how often is the doubt right?

    TINSMITH_DATA=folder python -m benchmarks.doubts

Of 2,000 rows of SST-2, of as many where one label is rare, and of 3,000 of CLINC150, drawn at
random, one in twenty is given another label, drawn at random, too. What `review_examples` doubts is
compared with that. A label that was wrong before counts as a wrong doubt.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import numpy as np

from benchmarks import parts
from tools.review import MOST_DOUBTS
from tools.specialists.doubts import doubts

WRONG = 0.05
SEED = 0


def main() -> None:
    embedder = parts.embedder()
    print("| rows | labels | made wrong | judged | doubted | of them right | the first "
          f"{MOST_DOUBTS} right | of the wrong ones found |")  # fmt: skip
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    good = [one for one in _sst2() if one[1] == "1"]
    bad = [one for one in _sst2() if one[1] == "0"]
    for name, rows in (
        ("SST-2", _sst2()[:2000]),
        ("SST-2, one label rare", _shuffled([*good[:1850], *bad[:150]])),
        ("CLINC150", _clinc150()[:3000]),
    ):
        vectors = embedder.embed([text for text, _ in rows])
        print(f"| {name}, {len(rows):,} {_line(rows, vectors)}")


def _line(rows: Sequence[tuple[str, str]], vectors: np.ndarray) -> str:
    drawn = random.Random(SEED)
    labels = sorted({label for _, label in rows})
    wrong: set[int] = set()
    given = []
    for number, (_, label) in enumerate(rows):
        if drawn.random() < WRONG:
            label = drawn.choice([one for one in labels if one != label])
            wrong.add(number)
        given.append(label)
    doubted = doubts(given, vectors)
    found = [at in wrong for at, _ in doubted.rows]
    return (
        f"| {len(labels)} | {len(wrong)} | {doubted.judged} | {len(found)} | "
        f"{sum(found) / max(1, len(found)):.0%} | {sum(found[:MOST_DOUBTS])} | "
        f"{sum(found) / len(wrong):.0%} |"
    )


def _sst2() -> list[tuple[str, str]]:
    lines = (parts.data("sst2") / "train.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t", 1) for line in lines]
    return _shuffled([(text, label) for label, text in rows])


def _clinc150() -> list[tuple[str, str]]:
    file = parts.data("clinc150") / "data_full.json"
    return _shuffled(
        [(text, label) for text, label in json.loads(file.read_text("utf-8"))["train"]]
    )


def _shuffled(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    random.Random(SEED).shuffle(rows)
    return rows


if __name__ == "__main__":
    main()
