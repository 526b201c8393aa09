"""Whether a new fact takes the place of an old one: how often that is seen, and how often wrongly.

    python -m benchmarks.facts

`facts.tsv` holds pairs that were written for this project: of two facts that say the same, of which
the newer replaces the older, and that stand beside each other. The rules in
`tools/knowledge/contradiction.py` were made while looking at all of them: "held out" was new to
the first rules (17 of 20, 3 of 20 wrongly), "of a review" are pairs that a reviewer wrote to break
them.
"""

from __future__ import annotations

import csv
from pathlib import Path

from benchmarks import parts
from tools.knowledge.contradiction import takes_the_place

PAIRS = Path(__file__).with_name("facts.tsv")


def main() -> None:
    embedder = parts.embedder()
    with PAIRS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    old, new = (embedder.embed([row[key] for row in rows]) for key in ("old", "new"))
    taken = [
        takes_the_place(row["new"], row["old"], float(one @ other))
        for row, one, other in zip(rows, old, new, strict=True)
    ]
    for name in dict.fromkeys(row["set"] for row in rows):
        counts = []
        for relation in ("same", "replaces", "beside"):
            found = [
                took
                for row, took in zip(rows, taken, strict=True)
                if (row["set"], row["relation"]) == (name, relation)
            ]
            counts.append(f"{relation} {sum(found)} of {len(found)}")
        print(f"{name}, taken to replace the older: {', '.join(counts)}")


if __name__ == "__main__":
    main()
