"""Our llamacpp engine beside a bare `xllamacpp.Server`, and what the grammar costs.

    python -m benchmarks.llamacpp_speed --model qwen2.5-coder-0.5b

Both write the same greedy text after the same prompt; rounds alternate, so that a machine that
gets slower meanwhile slows both. The grammar's share is taken on the bare server: decode time a
token under a grammar against decode time a token without one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent import grammar
from agent.engines.base import Choice, Sampling
from agent.engines.llamacpp import PREFILL_CHUNK
from agent.engines.local import LocalEngine
from agent.engines.template import ChatTemplate
from benchmarks import parts

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = "Tell the story of a lighthouse keeper who finds a letter, in about two thousand words."
SCHEMA = {
    "type": "object",
    "properties": {"numbers": {"type": "array", "items": {"type": "integer"}, "minItems": 200}},
    "required": ["numbers"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Rate:
    """Tokens and seconds of one reply."""

    tokens: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.tokens / self.seconds


class Bare:
    """`xllamacpp.Server` called in this process, nothing of ours in between."""

    def __init__(self, path: Path) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = parts.CONTEXT
        params.n_parallel = 1
        params.n_batch = params.n_ubatch = PREFILL_CHUNK
        params.verbosity = 0
        self._server = xllamacpp.Server(params)

    def decode(self, prompt: str, tokens: int, rules: str | None = None) -> Rate:
        """Write up to `tokens` greedy tokens; the time is the server's own, decoding alone."""
        last: dict[str, Any] = {}

        def take(part: Any) -> bool:
            last.update(part if isinstance(part, dict) else json.loads(part))
            return False

        self._server.handle_completions(self._request(prompt, tokens, rules), take)
        timings = last["timings"]
        return Rate(timings["predicted_n"], timings["predicted_ms"] / 1000)

    def whole(self, prompt: str, tokens: int) -> Rate:
        """The same, with the wall clock from the call to its end."""
        begun = time.perf_counter()
        rate = self.decode(prompt, tokens)
        return Rate(rate.tokens, time.perf_counter() - begun)

    def _request(self, prompt: str, tokens: int, rules: str | None) -> dict[str, Any]:
        request: dict[str, Any] = {
            "prompt": prompt,
            "n_predict": tokens,
            "temperature": 0.0,
            "stream": True,
            "cache_prompt": True,
        }
        return request if rules is None else {**request, "grammar": rules}


def ours(engine: LocalEngine, tokens: int) -> Rate:
    """The wall clock of a whole reply, to be set against `Bare.whole`."""
    from langchain_core.messages import HumanMessage

    begun = time.perf_counter()
    reply = engine.reply([HumanMessage(QUESTION)], (), Sampling(max_tokens=tokens), Choice("text"))
    for _ in reply:
        pass
    return Rate(engine.usage.generated, time.perf_counter() - begun)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a name or a path of a GGUF file")
    parser.add_argument("--tokens", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    from langchain_core.messages import HumanMessage

    model = parts.token_model(given.model)
    engine = LocalEngine(given.model, model)
    bare = Bare(parts.path(given.model))
    template = ChatTemplate(model.chat_template, grammar.HERMES, model.bos, model.eos)
    prompt = template.render([HumanMessage(QUESTION)], ())
    free = grammar.text(grammar.HERMES, model.encode, model.end_tokens, tools=True)
    numbers = grammar.arguments(grammar.HERMES, "numbers", SCHEMA)
    # llguidance keeps the tables of one model only: the servers take turns at grammars, not steps
    speeds = _rounds(
        given.rounds,
        (
            lambda: bare.whole(prompt, given.tokens),
            lambda: ours(engine, given.tokens),
        ),
    )
    model.close()
    grammars = _rounds(
        given.rounds,
        (
            lambda: bare.decode(prompt, given.tokens),
            lambda: bare.decode(prompt, given.tokens, free),
            lambda: bare.decode(prompt, given.tokens, numbers),
        ),
    )
    print("| | tokens a second, median | |\n| --- | --- | --- |")
    print(f"| bare xllamacpp | {_middle(speeds, 0):.1f} | |")
    print(f"| our engine | {_middle(speeds, 1):.1f} | {_ratio(speeds, 1):.3f} of bare |")
    print(f"| decoding, no grammar | {_middle(grammars, 0):.1f} | |")
    for column, name in ((1, "grammar of free text"), (2, "grammar of a call")):
        share = 1 - _ratio(grammars, column)
        print(f"| {name} | {_middle(grammars, column):.1f} | {share:.1%} of decode time |")


def _rounds(count: int, measures: Sequence[Callable[[], Rate]]) -> list[list[float]]:
    """Tokens a second: one row a round, one column a measure. A first round warms up."""
    for measure in measures:
        measure()
    found = []
    for number in range(1, count + 1):
        found.append([measure().per_second for measure in measures])
        parts.progress(number, count, "rounds")
    return found


def _middle(rounds: Sequence[Sequence[float]], column: int) -> float:
    return statistics.median(row[column] for row in rounds)


def _ratio(rounds: Sequence[Sequence[float]], column: int) -> float:
    """Median of the rounds' own ratios to their first column."""
    return statistics.median(row[column] / row[0] for row in rounds)


if __name__ == "__main__":
    main()
