"""Turns as one HTML page: no script, nothing from elsewhere, everything in it escaped."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.events import Usage
from agent.repl.clean import clean
from agent.trace import tree
from agent.trace.turn import Step, Turn

TEMPLATE = "page.html.j2"


@dataclass(frozen=True)
class Span:
    """A part of a bar. `left` and `width` are per cent of it."""

    kind: str
    left: float
    width: float
    title: str


@dataclass(frozen=True)
class Bar:
    label: str
    spans: tuple[Span, ...]


def page(turns: Sequence[Turn]) -> str:
    """Of turns of one session; there is at least one."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_without_controls,
    )
    environment.filters |= {
        "seconds": tree.seconds,
        "cost": tree.cost,
        "when": lambda at: time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)),
        "json": lambda value: json.dumps(value, ensure_ascii=False, indent=2),
    }
    written = environment.get_template(TEMPLATE).render(
        turns=turns, timeline=timeline, tokens=tokens, tree=tree
    )
    return written.encode("utf-8", "replace").decode()  # a file's name may hold half a character


def timeline(turn: Turn) -> list[Bar]:
    """Where the time of a turn went."""
    whole = max(turn.seconds, 1e-9)
    bars = []
    for number, step in enumerate(turn.steps, 1):
        bars.append(_bar(f"step {number}", _reply(step), whole))
        for call in step.calls:
            if call.began is None:
                continue
            waited = sum(one.seconds for one in call.asked)
            parts = [("waiting", call.began - waited, waited), ("tool", call.began, call.seconds)]
            bars.append(_bar(call.name, parts, whole))
    return bars


def tokens(usage: Usage) -> Bar:
    """Which tokens of a prompt were cached, which had to be read, and how many were written."""
    counts = [
        ("cached", usage.cached), ("reading", usage.prefilled), ("writing", usage.generated)
    ]  # fmt: skip
    total = sum(count for _, count in counts) or 1
    spans, left = [], 0.0
    for kind, count in counts:
        width = 100 * count / total
        spans.append(Span(kind, left, width, f"{count:,} tokens {kind}"))
        left += width
    return Bar("", tuple(spans))


def _reply(step: Step) -> Iterator[tuple[str, float, float]]:
    """The parts of a reply: kind, begin and seconds."""
    at = step.began
    end = step.replied_at if step.replied_at is not None else step.ended
    for kind, length in (
        ("reading", step.usage.prefill_seconds), ("writing", step.usage.decode_seconds)
    ):  # fmt: skip
        yield kind, at, length
        at += length
    yield "rest", at, max(0.0, end - at)


def _bar(label: str, parts: Any, whole: float) -> Bar:
    return Bar(
        label,
        tuple(
            Span(kind, 100 * min(begin, whole) / whole, 100 * min(length, whole) / whole,
                 f"{kind}: {tree.seconds(length)}")
            for kind, begin, length in parts
            if length > 0
        ),
    )  # fmt: skip


def _without_controls(value: Any) -> Any:
    return clean(value) if type(value) is str else value  # not of Markup, which is escaped already
