"""Results as a table: a row of the data a line, what was answered beside it, for a spreadsheet.

for line in csv_lines(Path("results.jsonl")):      # the first one names the columns
    print(line)
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.errors import UsageError
from agent.tasks.compare import indexed

ENDED = ("reason", "error")


def csv_lines(file: Path) -> Iterator[str]:
    """Without line ends, but for those in quotes. Raises UsageError.

    Beside the columns of the data: `answer`, or of an answer with keys `answer.KEY` for each;
    `reason`, which is "done" where all is right; `error`. A name that the data has already gets a
    line below.
    """
    with indexed(file) as found:
        own: dict[str, None] = {}
        parts: dict[str, None] = {}
        for facts in found.all():
            own |= dict.fromkeys(facts["row"])
            parts |= dict.fromkeys(_parts(facts["answer"]))
        if not parts:
            raise UsageError(f"{file} holds no results")
        named = {name: _free(name, own) for name in (*parts, *ENDED)}
        yield _line([*own, *named.values()])
        for facts in found.all():
            ours = {**_parts(facts["answer"]), **{key: facts[key] for key in ENDED}}
            yield _line([facts["row"].get(one) for one in own] + [ours.get(one) for one in named])


def _parts(answer: Any) -> dict[str, Any]:
    if isinstance(answer, Mapping):
        return {f"answer.{key}": one for key, one in answer.items()}
    return {"answer": answer}


def _free(name: str, taken: Mapping[str, None]) -> str:
    while name in taken:
        name += "_"
    return name


def _line(values: Sequence[Any]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow([_cell(value) for value in values])
    return written.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
