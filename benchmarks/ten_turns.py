"""Ten turns with a tool call each: is anything computed twice?

    python -m benchmarks.ten_turns --model qwen2.5-coder-0.5b --model PATH/TO/FOLDER

Counts every token that the model processed in the tenth turn, whatever the loop asked it (whether
a tool fits, which one, the call, the answer), and divides by the tokens that the turn added to the
conversation. Beside it what `generate` without a kept cache would process: the whole prompt again
for each reply.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.engines.base import Sampling
from agent.engines.local import LocalEngine
from agent.engines.token_model import Finish, Piece, TokenModel
from agent.events import ToolFinished, TurnEnded, Usage
from agent.loop import Agent
from agent.offering import Offering
from agent.settings import Settings
from benchmarks import parts
from tools.base import tool

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from agent.offering import Embedder

GOODS = ("apples", "bread", "candles", "dates", "eggs", "flour", "grapes", "honey", "ink", "jam")


@tool(examples=["how many lemons do we have in stock?"])
def stock(article: str) -> str:
    """How many of an article are in stock.

    Args:
        article: the article's name
    """
    return f"{len(article) * 7} {article} in stock"


class Metered:
    """A `TokenModel` that remembers the usage which its owner resets."""

    def __init__(self, model: TokenModel) -> None:
        self._model = model
        self._before = Usage()
        self.unread = 0
        """Last tokens of continuations: drawn, but only the next prompt takes them through."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(
        self, prompt: Sequence[int], grammar: str | None, sampling: Sampling, max_tokens: int
    ) -> Generator[Piece, None, Finish]:
        self.unread += max_tokens > 0
        return (yield from self._model.generate(prompt, grammar, sampling, max_tokens))

    @property
    def reading(self) -> tuple[int, int] | None:
        return self._model.reading

    @property
    def usage(self) -> Usage:
        return self._model.usage

    @usage.setter
    def usage(self, value: Usage) -> None:
        self._before += self._model.usage
        self._model.usage = value

    @property
    def total(self) -> Usage:
        """Since the model was loaded."""
        return self._before + self._model.usage


@dataclass(frozen=True)
class Turn:
    called: bool
    new: int
    """Tokens by which the conversation grew."""
    processed: int
    """Tokens that went through the model, read or written."""
    uncached: int
    """Tokens that `generate` would have processed."""
    largest: int
    """Tokens of the longest prompt."""


def measure(model: TokenModel, embedder: Embedder | None, turns: int) -> list[Turn]:
    metered = Metered(model)
    engine = LocalEngine("measured", metered)
    found: list[Turn] = []
    with parts.session() as session:
        offering = Offering(embedder, Settings().offer_all)
        sampling = Sampling(max_tokens=Settings().max_tokens)
        agent = Agent(engine, {"stock": stock}, session, offering, sampling=sampling)
        agent.warm()
        length = _length(engine, agent, session.messages)
        for article in GOODS[:turns]:
            before, unread = metered.total, metered.unread
            known = len(session.messages)
            events = list(agent.send(f"How many {article} do we have in stock?"))
            end = events[-1]
            assert isinstance(end, TurnEnded)
            if end.reason == "failed":
                sys.exit(f"turn {len(found) + 1} failed: {events[-2]}")
            spent = metered.total
            prompts = [
                _length(engine, agent, session.messages[:at])
                for at in range(known, len(session.messages))
                if session.messages[at].type == "ai"
            ]
            written = end.usage.generated
            grown = _length(engine, agent, session.messages)
            found.append(
                Turn(
                    called=any(isinstance(event, ToolFinished) for event in events),
                    new=grown - length,
                    processed=spent.prefilled
                    - before.prefilled
                    + spent.generated
                    - before.generated
                    - (metered.unread - unread),
                    uncached=sum(prompts) + written,
                    largest=max(prompts),
                )
            )
            length = grown
    return found


def _length(engine: LocalEngine, agent: Agent, messages: Sequence[BaseMessage]) -> int:
    from langchain_core.messages import SystemMessage

    from agent.prompts import render

    return engine.count_tokens([SystemMessage(render("system")), *messages], agent.specs())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", required=True, help="repeatable")
    parser.add_argument("--turns", type=int, default=len(GOODS), choices=range(1, len(GOODS) + 1))
    given = parser.parse_args(arguments)
    embedder = parts.embedder()
    print("| model | turn | called | prompt | new | processed | ratio | without a cache |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in given.model:
        model = parts.token_model(name)
        found = measure(model, embedder, given.turns)
        called = f"{sum(turn.called for turn in found)} of {len(found)} turns"
        for number, turn in enumerate(found, 1):
            if number not in (1, len(found)):
                continue
            print(
                f"| {name} | {number} | {called} | {turn.largest} | {turn.new} | {turn.processed}"
                f" | {turn.processed / turn.new:.3f} | {turn.uncached} |"
            )
        model.close()


if __name__ == "__main__":
    main()
