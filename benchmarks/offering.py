"""The right tool among 100 offered, against the row's own two to four.

    python -m benchmarks.offering --model qwen2.5-coder-0.5b --limit 100

Rows of the leaderboard's `multiple` through our own loop; only the name of the call counts here.
Rows are kept in --out, two for each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.offering import Offering
from agent.settings import Settings
from benchmarks import parts
from benchmarks.bfcl import among, first_reply
from benchmarks.bfcl_check import CATEGORIES, Row, load, to_spec
from tools.spec import ToolSpec
from tools.specialists.metrics import wilson

CROWD = 100


@dataclass(frozen=True)
class Outcome:
    id: str
    model: str
    offered: int
    """0: the row's own tools alone."""
    called: str
    """Name of the first call; "" for none."""
    expected: str


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a name or a path")
    parser.add_argument("--limit", type=int, help="only the first rows")
    parser.add_argument("--seed", type=int, default=0, help="of the draw of the others")
    parser.add_argument("--out", type=Path, help="keep the rows here, and go on from there")
    given = parser.parse_args(arguments)
    folder = parts.data("bfcl")
    rows = list(load(folder, "multiple"))[: given.limit]
    others = [row for category in CATEGORIES for row in load(folder, category)]
    engine = parts.engine(given.model)
    offering = Offering(parts.embedder(), Settings().offer_all)
    kept = {}
    for line in parts.lines(given.out):
        if line["model"] != engine.name:
            sys.exit(f"{given.out} holds rows of {line['model']!r}; name another --out")
        kept[line["id"], line["offered"]] = Outcome(**line)
    outcomes: list[Outcome] = []
    for done, row in enumerate(rows, 1):
        crowds: dict[int, list[ToolSpec]] = {
            0: [to_spec(function) for function in row.functions],
            CROWD: among(row, others, CROWD, given.seed),
        }
        for offered, specs in crowds.items():
            if (row.id, offered) not in kept:
                calls = first_reply(engine, offering, specs, row.question).calls
                called = calls[0][0] if calls else ""
                one = Outcome(row.id, engine.name, offered, called, _expected(row))
                parts.keep(given.out, asdict(one))
                kept[row.id, offered] = one
            outcomes.append(kept[row.id, offered])
        parts.progress(done, len(rows), "rows")
    print(table(outcomes))


def table(outcomes: Sequence[Outcome]) -> str:
    lines = [
        "| offered | rows | right tool | 95 % | wrong tool | not called |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    shares = []
    for offered in (0, CROWD):
        some = [one for one in outcomes if one.offered == offered]
        right = sum(one.called == one.expected for one in some)
        silent = sum(not one.called for one in some)
        low, high = wilson(right / max(1, len(some)), len(some))
        shares.append(right / len(some))
        lines.append(
            f"| {offered or 'its own 2 to 4'} | {len(some)} | {shares[-1]:.1%}"
            f" | {low:.1%} to {high:.1%} | {len(some) - right - silent} | {silent} |"
        )
    return "\n".join(lines) + f"\n\npoints lost among {CROWD}: {(shares[0] - shares[1]) * 100:.1f}"


def _expected(row: Row) -> str:
    return next(iter(row.answer))


if __name__ == "__main__":
    main()
