"""The Berkeley Function-Calling Leaderboard through our own loop, one turn, by its own rules.

    python -m benchmarks.bfcl --model qwen2.5-coder-0.5b --category multiple --category irrelevance

A row's functions become tools whose calls are looked at and not run; a turn ends with the first
reply. With `--offered 100` a row's own functions stand among those of other rows. Rows are kept in
--out, so a run that was stopped goes on where it was. Data: TINSMITH_DATA (see README.md).
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.engines.base import Sampling
from agent.events import Notice, TextDelta, ToolStarted, TurnEnded, Usage
from agent.loop import Agent, Limits
from agent.offering import Offering
from agent.settings import Settings
from benchmarks import parts
from benchmarks.bfcl_check import CATEGORIES, Row, check, load, to_spec
from tools.spec import ToolSpec
from tools.specialists.metrics import wilson

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from agent.engines.base import Engine

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Reply:
    calls: list[Call]
    usage: Usage = field(default_factory=Usage)
    """Known for replies with a call; text is not read to its end."""
    failure: str = ""
    """Why there was no reply."""


@dataclass(frozen=True)
class Outcome:
    """One row of --out."""

    id: str
    category: str
    model: str
    offered: int
    """Tools among which the row's own stood; 0: they alone."""
    kind: str
    """A `bfcl_check.Kind`, or "not called", "called", "invalid", "failed"."""
    reason: str
    calls: list[Call]
    seconds: float
    cached: int
    prefilled: int
    generated: int


def first_reply(
    engine: Engine, offering: Offering, specs: Sequence[ToolSpec], question: str
) -> Reply:
    """What the loop makes of `question` when these tools are there: its first reply."""

    from langchain_core.messages import AIMessage

    with parts.session() as session:
        tools = {spec.name: as_tool(spec) for spec in specs}
        sampling = Sampling(max_tokens=Settings().max_tokens)
        agent = Agent(engine, tools, session, offering, sampling=sampling, limits=Limits(steps=2))
        failure = ""
        with closing(agent.send(question)) as events:
            for event in events:
                if isinstance(event, ToolStarted):
                    message = session.messages[-1]
                    assert isinstance(message, AIMessage)
                    calls = [(call["name"], call["args"]) for call in message.tool_calls]
                    return Reply(calls, engine.usage)
                if isinstance(event, TextDelta) and event.kind == "answer":
                    return Reply([])  # our engines write text or calls, never both
                if isinstance(event, Notice):
                    failure = event.text
                if isinstance(event, TurnEnded) and event.reason == "failed":
                    return Reply([], failure=failure)
        return Reply([])


def as_tool(spec: ToolSpec) -> BaseTool:
    """A tool with this schema that does nothing."""
    from langchain_core.tools import StructuredTool

    return StructuredTool(
        name=spec.name,
        description=spec.description,
        args_schema=dict(spec.parameters),
        func=lambda **arguments: "",
    )


def judge(row: Row, specs: Sequence[ToolSpec], reply: Reply) -> tuple[str, str]:
    """The kind of the outcome and its reason."""
    if reply.failure:
        return "failed", reply.failure
    for call in reply.calls:
        if reason := invalid(call, specs):
            return "invalid", reason
    if not row.answer:
        return ("called", reply.calls[0][0]) if reply.calls else ("right", "")
    if not reply.calls:
        return "not called", ""
    verdict = check(row, reply.calls)
    return verdict.kind, verdict.reason


def invalid(call: Call, specs: Sequence[ToolSpec]) -> str:
    """Why the call breaks the schema of its tool; "" when it does not."""
    import jsonschema

    name, arguments = call
    schemas = {spec.name: spec.parameters for spec in specs}
    if name not in schemas:
        return f"there is no {name}"
    try:
        jsonschema.validate(arguments, schemas[name])
    except jsonschema.ValidationError as error:
        return f"{name}: {error.message}"
    return ""


def among(row: Row, others: Sequence[Row], total: int, seed: int) -> list[ToolSpec]:
    """The row's own tools and those of `others`, `total` together, in random order.

    No name comes twice. The same seed gives the same tools for the same row.
    """
    draw = random.Random(f"{seed} {row.id}")
    own = {function["name"]: function for function in row.functions}
    strangers = {
        function["name"]: function
        for other in others
        if other.id != row.id
        for function in other.functions
        if function["name"] not in own
    }
    if len(own) + len(strangers) < total:
        sys.exit(f"there are {len(own) + len(strangers)} functions, fewer than --offered {total}")
    drawn = draw.sample(sorted(strangers), total - len(own))
    specs = [
        to_spec(function) for function in [*own.values(), *(strangers[name] for name in drawn)]
    ]
    draw.shuffle(specs)
    return specs


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    folder = parts.data("bfcl")
    rows = {category: list(load(folder, category)) for category in CATEGORIES}
    categories = given.category or list(CATEGORIES)
    if given.offered and "irrelevance" in categories:
        sys.exit("--offered has no meaning for irrelevance: something among many may fit")
    engine = parts.engine(given.model, given.bits)
    offering = Offering(parts.embedder(), Settings().offer_all)
    kept = _kept(given.out, engine.name, given.offered)
    everyone = [row for some in rows.values() for row in some]
    outcomes: list[Outcome] = []
    try:
        for category in categories:
            chosen = _choose(rows[category], given.limit, given.sample)
            for done, row in enumerate(chosen, 1):
                if row.id not in kept:
                    specs = (
                        among(row, everyone, given.offered, given.sample or 0)
                        if given.offered
                        else [to_spec(function) for function in row.functions]
                    )
                    kept[row.id] = _run(engine, offering, specs, row, category, given.offered)
                    parts.keep(given.out, asdict(kept[row.id]))
                outcomes.append(kept[row.id])
                parts.progress(done, len(chosen), category)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
    print(table(outcomes))


def table(outcomes: Sequence[Outcome]) -> str:
    """One line a category, as Markdown."""
    kinds = ("wrong tool", "wrong required", "wrong optional", "wrong count", "not called")
    head = ("category", "rows", "right", "95 %", *kinds, "called", "invalid", "failed", "s/row")
    lines = [head, ["---"] * len(head)]
    for category in dict.fromkeys(one.category for one in outcomes):
        some = [one for one in outcomes if one.category == category]
        count = Counter(one.kind for one in some)
        low, high = wilson(count["right"] / len(some), len(some))
        seconds = sum(one.seconds for one in some) / len(some)
        lines.append(
            [
                category,
                str(len(some)),
                f"{count['right'] / len(some):.1%}",
                f"{low:.1%} to {high:.1%}",
                *(str(count[kind]) for kind in (*kinds, "called", "invalid", "failed")),
                f"{seconds:.1f}",
            ]
        )
    called = [one for one in outcomes if one.calls]
    read, written = (
        sum(getattr(one, count) for one in called) / max(len(called), 1)
        for count in ("prefilled", "generated")
    )
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return (
        f"{rows}\n\na reply with a call: {read:.0f} tokens read, {written:.0f} written, on average"
    )


def _run(
    engine: Engine,
    offering: Offering,
    specs: Sequence[ToolSpec],
    row: Row,
    category: str,
    offered: int,
) -> Outcome:
    begun = time.perf_counter()
    reply = first_reply(engine, offering, specs, row.question)
    seconds = time.perf_counter() - begun
    kind, reason = judge(row, specs, reply)
    usage = reply.usage
    return Outcome(
        row.id,
        category,
        engine.name,
        offered,
        kind,
        reason,
        reply.calls,
        round(seconds, 3),
        usage.cached,
        usage.prefilled,
        usage.generated,
    )


def _choose(rows: Sequence[Row], limit: int | None, seed: int | None) -> Sequence[Row]:
    if seed is None or limit is None or limit >= len(rows):
        return rows[:limit]
    return random.Random(seed).sample(rows, limit)


def _kept(out: Path | None, model: str, offered: int) -> dict[str, Outcome]:
    found = {}
    for line in parts.lines(out):
        one = Outcome(**{**line, "calls": [tuple(call) for call in line["calls"]]})
        if (one.model, one.offered) != (model, offered):
            sys.exit(
                f"{out} holds rows of {one.model!r} with --offered {one.offered}, this run is"
                f" {model!r} with {offered}; name another --out"
            )
        found[one.id] = one
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a name or a path")
    parser.add_argument("--bits", type=int, choices=(4, 8, 16, 32), default=16, help="of a folder")
    parser.add_argument("--category", action="append", choices=CATEGORIES, help="repeatable")
    parser.add_argument("--limit", type=int, help="rows of each category")
    parser.add_argument("--sample", type=int, metavar="SEED", help="draw the rows, not the first")
    parser.add_argument("--offered", type=int, default=0, help="tools in all, the row's among them")
    parser.add_argument("--out", type=Path, help="keep the rows here, and go on from there")
    return parser


if __name__ == "__main__":
    main()
