"""Results as a table: a row of the data a line, what was answered beside it, for a spreadsheet.

for line in csv_lines(Path("results.jsonl")):      # the first one names the columns
    print(line)
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.errors import UsageError
from agent.tasks.compare import indexed

ENDED = ("reason", "error")
MOST = 200
"""Columns of an answer's keys; where there are more, it stands in one as JSON."""


def csv_lines(file: Path) -> Iterator[str]:
    """Without line ends, but for those in quotes. Raises UsageError.

    Beside the columns of the data: `answer`, or of an answer with keys `answer.KEY` for each;
    `reason`, which is "done" where all is right; `error`. A name that the data has already gets a
    line below. Cells stand as they were answered: a spreadsheet may take one that begins with = for
    a formula.
    """
    with indexed(file) as found:
        own: dict[str, None] = {}
        parts: dict[str, None] = {}
        for facts in found.all():
            own |= dict.fromkeys(facts["row"])
            if len(parts) <= MOST:
                parts |= dict.fromkeys(_parts(facts["answer"]))
        if not found.count():
            raise UsageError(f"{file} holds no results")
        split = _parts if len(parts) <= MOST else _whole
        ours = [*(parts if len(parts) <= MOST else _whole(None)), *ENDED]
        yield _line([*own, *_free(ours, own)])
        for facts in found.all():
            made = {**split(facts["answer"]), **{key: facts[key] for key in ENDED}}
            yield _line([facts["row"].get(one) for one in own] + [made.get(one) for one in ours])


def _parts(answer: Any) -> dict[str, Any]:
    if isinstance(answer, Mapping):
        return {f"answer.{key}": one for key, one in answer.items()}
    return _whole(answer)


def _whole(answer: Any) -> dict[str, Any]:
    return {"answer": answer}


def _free(names: Sequence[str], taken: Iterable[str]) -> Iterator[str]:
    gone = {*taken}
    for name in names:
        while name in gone:
            name += "_"
        gone.add(name)
        yield name


def _line(values: Sequence[Any]) -> str:
    written = io.StringIO()
    # csv quotes the line ends that it knows of
    csv.writer(written, lineterminator="\r\n").writerow([_cell(value) for value in values])
    return written.getvalue().removesuffix("\r\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
