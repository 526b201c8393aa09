"""What `tinsmith eval` has found, in lines and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from agent.cut import cut
from agent.tasks.evaluation import Pair, Scored, Share, compared
from agent.tasks.task import Task

WIDE = 90
"""Characters of an input, an answer, a reason."""
MOST = 12
"""Tools, or checks, that are shown; all of them are in the JSON."""
LEAST = 3
"""Rows in which a tool was called, for its share to say something."""
Measured = Mapping[str, Mapping[str, Any]]
"""By the name of a file of results: rows, seconds, memory."""


def as_dict(task: Task, rows: str, scored: Sequence[Scored], measured: Measured) -> dict[str, Any]:
    return {
        "task": task.name,
        "hash": task.hash,
        "rows": rows,
        "models": [_model(one, measured) for one in scored],
        "pairs": [{**asdict(one), "differ": one.differ} for one in compared(scored)],
    }


def _model(one: Scored, measured: Measured) -> dict[str, Any]:
    return {
        "model": one.model,
        "results": str(one.file),
        **one.share.as_dict(),
        "not_counted": one.unasked,
        "reasons": dict(one.reasons),
        "right_by_label_only": one.labelled,
        "checks": {name: share.as_dict() for name, share in one.checks.items()},
        "tools": {name: share.as_dict() for name, share in one.tools.items()},
        "tokens_read": round(one.read, 1),
        "tokens_written": round(one.written, 1),
        "seconds": round(_seconds(one, measured), 3),
        "seconds_alone": round(one.seconds, 3),
        "memory": measured.get(one.file.name, {}).get("memory"),
        "wrong": [asdict(wrong) for wrong in one.wrong],
    }


def lines(
    task: Task, rows: str, scored: Sequence[Scored], pairs: Sequence[Pair], measured: Measured
) -> Iterator[str]:
    if not scored:
        yield "no row has a result"
        return
    yield f"{task.name} over {rows}: a row is right when all its checks pass"
    yield ""
    head = ("model", "right", "of", "accuracy", "95 %", "tokens read", "written", "s a row",
            "memory")  # fmt: skip
    yield from _table([head, *(_line(one, measured) for one in scored)])
    for one in scored:
        if one.unasked:
            yield f"{one.model}: {one.unasked:,} rows are not counted, such as ones without a label"
        if one.labelled:
            yield f"{one.model}: {one.labelled:,} of the wrong rows only fail checks of the file"
        if others := {why: n for why, n in one.reasons.items() if why not in ("done", "checks")}:
            told = ", ".join(f"{count:,} {why}" for why, count in others.items())
            yield f"{one.model}: counted as wrong without an answer: {told}"
    if pairs:
        yield ""
    for pair in pairs:
        yield _told(pair)
    yield from _shares("check", [one.checks for one in scored], scored)
    yield from _shares("tool called", [one.tools for one in scored], scored)
    for one in scored:
        yield from _wrong(one)


def _line(one: Scored, measured: Measured) -> tuple[str, ...]:
    memory = measured.get(one.file.name, {}).get("memory")
    return (
        one.model,
        f"{one.share.right:,}",
        f"{one.share.rows:,}",
        f"{one.share.value:.1%}",
        _interval(one.share),
        f"{one.read:.0f}",
        f"{one.written:.0f}",
        f"{_seconds(one, measured):.2f}",
        f"{memory / 1e9:.1f} GB" if memory else "-",
    )


def _seconds(one: Scored, measured: Measured) -> float:
    """Of the clock, for each row; where that was not noted, those that a row took."""
    found = measured.get(one.file.name)
    return float(found["seconds"] / found["rows"]) if found and found["rows"] else one.seconds


def _interval(share: Share) -> str:
    low, high = share.interval
    return f"{low:.1%} to {high:.1%}"


def _told(pair: Pair) -> str:
    if not pair.rows:
        return f"{pair.better} and {pair.other} have no rows in common"
    split = (
        f"{pair.only_better:,} rows only {pair.better} has right, {pair.only_other:,} only "
        f"{pair.other}"
    )
    chance = f"p = {pair.chance:.2g}" if pair.chance >= 0.001 else "p < 0.001"
    overlap = "their intervals overlap" if pair.overlap else "their intervals do not overlap"
    if pair.differ:
        return f"{pair.better} is better than {pair.other}: {split} ({chance}); {overlap}"
    return (
        f"{pair.better} and {pair.other} cannot be told apart on these rows: {split} ({chance}); "
        f"{overlap}"
    )


def _shares(
    what: str, found: Sequence[Mapping[str, Share]], scored: Sequence[Scored]
) -> Iterator[str]:
    everything = dict.fromkeys(name for one in found for name in one)
    names = [
        name
        for name in everything
        if what == "check" or any(one[name].rows >= LEAST for one in found if name in one)
    ][:MOST]
    if not names or (what == "check" and len(everything) == 1):  # the table has said it
        return
    yield ""
    table = [(what, *(cell for one in scored for cell in (one.model, "95 %")))]
    for name in names:
        cells = []
        for one in found:
            share = one.get(name)
            cells += (
                [f"{share.right:,} of {share.rows:,}", _interval(share)] if share else ["-", ""]
            )
        table.append((name, *cells))
    yield from _table(table)
    if left := len(everything) - len(names):
        yield f"and {left:,} more: --json"


def _wrong(one: Scored) -> Iterator[str]:
    if not one.wrong:
        return
    yield ""
    left = one.share.rows - one.share.right - len(one.wrong)
    rest = f"; {left:,} more in {one.file}" if left else f"; all of it in {one.file}"
    yield f"wrong with {one.model}{rest}"
    for row in one.wrong:
        given = ", ".join(f"{name}: {_short(value)}" for name, value in row.inputs.items())
        yield f"  {row.at}  {_cut(given, 2 * WIDE)}"
        yield f"    answered {_short(row.answer)}"
        yield f"    {_cut(row.why, 2 * WIDE)}"


def _short(value: object) -> str:
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str, most: int = WIDE) -> str:
    return cut(" ".join(text.split()), most)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        yield "  ".join(cells).rstrip()
