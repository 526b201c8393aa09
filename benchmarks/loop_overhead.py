"""The loop's own time for a step: a scripted model, a tool that does nothing, a real journal.

    python -m benchmarks.loop_overhead

A step is one reply with one call, its tool run and its result written down.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from agent.engines.base import Choice, Sampling
from agent.engines.scripted import ScriptedEngine, call, say
from agent.events import TextDelta, TurnEnded
from agent.loop import Agent, Limits
from agent.offering import Offering
from benchmarks import parts
from tools.base import tool

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

    from tools.spec import ToolSpec

STEPS = 11


@tool
def note(number: int) -> str:
    """Take note of a number."""
    return "noted"


class Timed(ScriptedEngine):
    """Knows the seconds that went into its replies."""

    seconds = 0.0

    def reply(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[ToolSpec] = (),
        sampling: Sampling = Sampling(),  # noqa: B008  frozen
        choice: Choice = Choice(),  # noqa: B008  frozen
    ) -> Generator[TextDelta, None, AIMessage]:
        begun = time.perf_counter()
        message = yield from super().reply(messages, tools, sampling, choice)
        self.seconds += time.perf_counter() - begun
        return message


def measure() -> float:
    """Seconds a step, replies taken out, in a new conversation of one turn with `STEPS` steps."""
    script = [*(call("note", number=number) for number in range(STEPS)), say("done")]
    engine = Timed(*script)
    with parts.session() as session:
        agent = Agent(
            engine,
            {"note": note},
            session,
            Offering(None, offer_all=8),
            limits=Limits(steps=STEPS + 1),
        )
        begun = time.perf_counter()
        *_, end = agent.send("take note")
        seconds = (time.perf_counter() - begun - engine.seconds) / STEPS
    assert isinstance(end, TurnEnded)
    assert end.steps == STEPS + 1, f"the turn ended early: {end.reason}"
    return seconds


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=30)
    given = parser.parse_args(arguments)
    measure()  # imports
    seconds = [measure() for _ in range(given.turns)]
    print("| turns of 11 steps | ms a step, median | slowest turn |\n| --- | --- | --- |")
    print(f"| {given.turns} | {statistics.median(seconds) * 1e3:.2f} | {max(seconds) * 1e3:.2f} |")


if __name__ == "__main__":
    main()
