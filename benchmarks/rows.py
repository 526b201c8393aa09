"""A task over rows: what a row costs beside the model, what is kept in memory, what a kill leaves.

    python -m benchmarks.rows                    # --only overhead, memory or kills

The overhead is that of a scripted model whose own time is taken out: reading the rows, a
conversation for each, its checks, the result on the disk. The kills are of `tinsmith run --each`
with two lanes and a tool in the place of the model, forked from a process that has its imports;
the moment is drawn evenly from one and a half times what the whole takes. After each the file is
looked at; the same command then goes on until all rows have results, which are compared with
those of a run that nobody disturbed.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import random
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from agent.engines.base import Choice, Sampling
from agent.engines.scripted import say
from agent.events import TextDelta
from agent.tasks.batch import Batch
from agent.tasks.columns import Columns
from agent.tasks.envelope import Envelope, timeless
from agent.tasks.lanes import Threads
from agent.tasks.means import Means
from agent.tasks.read import parse
from agent.tasks.results import Results
from agent.tasks.rows import Row, opened
from agent.tasks.selection import Selection
from benchmarks.kills import leave_with, wait
from benchmarks.loop_overhead import Timed

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

    from tools.spec import ToolSpec

ASKED = """
inputs: {text: {}}
prompt: "What is this about: {{ text }}"
checks: [{contains: bicycle}]
"""
CALLED = """
inputs: {number: {type: integer}}
steps:
  - {id: sum, tool: calculate, arguments: {expression: "{{ number }} * 3 + 1"}}
checks: [{matches: "[1-9]$"}]
"""
DIRECT = 400
"""Rows of a run that is killed; every eighth is another's copy, every tenth is wrong."""


class Endless(Timed):
    """Says the same to every row."""

    def reply(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[ToolSpec] = (),
        sampling: Sampling = Sampling(),  # noqa: B008  frozen
        choice: Choice = Choice(),  # noqa: B008  frozen
    ) -> Generator[TextDelta, None, AIMessage]:
        self.seen.clear()
        self._lines = [say("It is about a bicycle that was left in the rain.")]
        return (yield from super().reply(messages, tools, sampling, choice))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["overhead", "memory", "kills"])
    given = parser.parse_args(arguments)
    wrong = 0
    print("| what | how much |\n| --- | --- |")
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        os.environ["TINSMITH_HOME"] = place
        if given.only in (None, "overhead"):
            by_clock, by_processor = overhead(given.rows)
            print(f"| ms a row, {given.rows:,} rows, one lane | {by_clock:.2f} |")
            print(f"| of these of the processor | {by_processor:.2f} |", flush=True)
        if given.only in (None, "memory"):
            held, resident = growth(given.rows)
            print(f"| kB that Python holds more at row {given.rows:,} than at 100 | {held:.1f} |")
            print(f"| kB that the process has grown by | {resident:.0f} |", flush=True)
        if given.only in (None, "kills"):
            counts = killed(given.kills, random.Random(given.seed))
            for what, count in counts.items():
                print(f"| {what} | {count:,} |")
            wrong = sum(counts[what] for what in WRONG)
    return 1 if wrong else 0


def overhead(rows: int) -> tuple[float, float]:
    """Milliseconds a row, by the clock and by the processor; the model's are taken out."""
    with _batch(50) as (batch, lanes, _):
        batch.run(lanes)  # imports
    with _batch(rows) as (batch, lanes, engine):
        began, spent = time.perf_counter(), time.process_time()
        batch.run(lanes)
    seconds = time.perf_counter() - began - engine.seconds
    return seconds / rows * 1e3, (time.process_time() - spent - engine.seconds) / rows * 1e3


def growth(rows: int) -> tuple[float, float]:
    """Of memory from row 100 to the last one, in kB: what Python holds; what the process has."""
    seen: list[tuple[int, int]] = []
    process = psutil.Process()
    done = 0

    def hear(row: Row, envelope: Envelope) -> None:
        nonlocal done
        done += 1
        if done in (100, rows):
            gc.collect()
            seen.append((tracemalloc.get_traced_memory()[0], process.memory_info().rss))

    tracemalloc.start()
    try:
        with _batch(rows) as (batch, lanes, _):
            batch.run(lanes, hear)
    finally:
        tracemalloc.stop()
    (held, resident), (held_now, resident_now) = seen
    return (held_now - held) / 1e3, (resident_now - resident) / 1e3


@contextlib.contextmanager
def _batch(rows: int) -> Iterator[tuple[Batch, Threads, Endless]]:
    file, out = Path("rows.jsonl"), Path("results.jsonl")
    texts = (f"Message {number}: my chain keeps slipping, what now?" for number in range(rows))
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    out.unlink(missing_ok=True)
    task = parse(ASKED, Path("asked.task.yaml"))
    columns = Columns(task)
    engine = Endless()
    with opened(file) as source, Results(out, columns) as results:
        batch = Batch(source, columns, Selection(), results)
        yield batch, Threads(task, [Means(engine)]), engine
        results.sort()
        assert results.reasons() == {"done": rows}


WRONG = ("rows lost", "rows with two results", "results that differ", "lines that were no result")
"""Of each there should be none."""


def killed(kills: int, chance: random.Random) -> Counter[str]:
    _import_all()
    Path("called.task.yaml").write_text(CALLED)
    Path("script.jsonl").touch()
    Path("rows.jsonl").write_text("".join(_lines()))
    out = Path("results.jsonl")
    out.unlink(missing_ok=True)
    _go(60.0)  # the first one is slow
    out.unlink()
    began = time.perf_counter()
    _go(60.0)
    whole = time.perf_counter() - began
    wanted = _read(out)
    assert len(wanted) == DIRECT, f"an undisturbed run gave {len(wanted)} of {DIRECT} results"
    out.unlink()
    counts: Counter[str] = Counter(dict.fromkeys(("kills", "runs that went on to their end"), 0))
    counts.update(dict.fromkeys(WRONG, 0))
    while counts["kills"] < kills:
        ended = _go(chance.uniform(0, 1.5 * whole))  # so that some come to their end
        counts["kills"] += not ended
        counts.update(_looked_at(out))
        if ended or (counts["kills"] == kills and _go(60.0)):
            found = _read(out)
            counts["runs that went on to their end"] += 1
            counts["rows lost"] += len(wanted.keys() - found.keys())
            counts["results that differ"] += sum(
                found[id] != one for id, one in wanted.items() if id in found
            )
            counts["results that differ"] += list(found) != list(wanted)
            out.unlink()
        if counts["kills"] % 10 == 0 and not ended:
            print(f"{counts['kills']}/{kills} kills", file=sys.stderr, flush=True)
    return counts


def _go(seconds: float) -> bool:
    """The command, killed after so many seconds; gives whether it had ended before."""
    words = ["run", "called.task.yaml", "--each", "rows.jsonl", "--out", "results.jsonl",
             "--lanes", "2", "--engine", "scripted", "--script", "script.jsonl"]  # fmt: skip
    begun = time.perf_counter()
    child = os.fork()
    if not child:
        with open(os.devnull, "w") as nowhere:
            sys.stdout = sys.stderr = nowhere
            leave_with(words)
    return wait(child, begun + seconds)


def _looked_at(out: Path) -> Counter[str]:
    """What a kill has left."""
    counts: Counter[str] = Counter()
    if not out.exists():
        counts["killed before the first result"] += 1
        return counts
    *whole, torn = out.read_bytes().split(b"\n")
    counts["lines that were torn"] += bool(torn)
    ids: Counter[str] = Counter()
    for line in whole:
        try:
            ids[json.loads(line)["id"]] += 1
        except (ValueError, KeyError):
            counts["lines that were no result"] += 1
    counts["rows with two results"] += sum(count > 1 for count in ids.values())
    counts["rows that had results when it was killed"] += len(ids)
    return counts


def _read(out: Path) -> dict[str, Any]:
    found = [json.loads(line) for line in out.read_text().splitlines()]
    return {one["id"]: timeless(one) for one in found}


def _lines() -> Iterator[str]:
    for number in range(DIRECT):
        if number % 10 == 3:
            yield json.dumps({"number": f"no number {number}"}) + "\n"
        elif number % 8 == 0:
            yield json.dumps({"number": 8}) + "\n"
        else:
            yield json.dumps({"number": number, "label": str(number)}) + "\n"


def _import_all() -> None:
    """What the command imports; no thread may be there when this process forks."""
    import filelock  # noqa: F401
    import jsonschema  # noqa: F401

    from agent import app, cli  # noqa: F401
    from agent.commands import counting  # noqa: F401
    from agent.prompts import render
    from agent.tasks import load  # noqa: F401

    app.toolbox([], trusted=False)
    render("system")


if __name__ == "__main__":
    sys.exit(main())
