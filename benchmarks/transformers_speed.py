"""Our token loop beside `model.generate`, over the same loaded weights.

    python -m benchmarks.transformers_speed --model qwen2.5-coder-0.5b-hf --bits 16 --bits 4

Three things, in alternating rounds: greedy text after the same prompt; a call under a grammar, for
`generate` with the same grammar as a logits processor; a second turn, for which `generate` reads
the conversation anew. At 32 bits the two texts must be equal.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from agent import grammar
from agent.engines.base import Sampling
from agent.engines.drawing import Rules
from agent.engines.transformers import TransformersModel
from benchmarks import parts

if TYPE_CHECKING:
    import torch

STORY = "Tell the story of a lighthouse keeper who finds a letter, in about two thousand words."
WEATHER = "What will the weather be in Kristiansand from Friday to Sunday, in Celsius?"
SCHEMA = {
    "type": "object",
    "properties": {
        "location": {"type": "string", "enum": ["Kristiansand", "Trondheim", "Stavanger"]},
        "first_day": {"type": "string", "enum": ["Monday", "Friday"]},
        "number_of_days": {"type": "integer", "minimum": 1, "maximum": 9},
        "temperature_unit": {"type": "string", "enum": ["Celsius", "Fahrenheit"]},
    },
    "required": ["location", "first_day", "number_of_days", "temperature_unit"],
    "additionalProperties": False,
}


class Masked:
    """The same grammar for `generate`: one mask a token, no forced tokens."""

    def __init__(self, model: TransformersModel, lark: str, prompt: int) -> None:
        self._rules = Rules(model.tables, lark)
        self._prompt = prompt

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if ids.shape[1] > self._prompt:
            self._rules.consume([int(ids[0, -1])])
        allowed = self._rules.mask()[: scores.shape[1]].to(scores.device)
        return scores.masked_fill(~allowed, float("-inf"))


def chat(text: str) -> str:
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"


def generate(
    model: TransformersModel, ids: Sequence[int], tokens: int, lark: str | None = None
) -> list[int]:
    """What `model.generate` writes, greedily."""
    import torch
    from transformers import LogitsProcessorList

    processors = LogitsProcessorList([Masked(model, lark, len(ids))] if lark else [])
    given = torch.tensor([list(ids)], device=model.device)
    said: list[int] = model.module.generate(
        given,
        attention_mask=torch.ones_like(given),
        max_new_tokens=tokens,
        do_sample=False,
        repetition_penalty=1.0,
        logits_processor=processors,
        eos_token_id=sorted(model.end_tokens),
        pad_token_id=min(model.end_tokens),
    )[0].tolist()
    return said[len(ids) :]


def ours(
    model: TransformersModel, ids: Sequence[int], tokens: int, lark: str | None = None
) -> list[int]:
    """The same from our loop."""
    return [
        token
        for piece in model.generate(list(ids), lark, Sampling(), tokens)
        for token in piece.tokens
    ]


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def fresh(model: TransformersModel, work: Callable[[], list[int]]) -> Callable[[], list[int]]:
    def run() -> list[int]:
        model.forget()
        return work()

    return run


def compare(
    rounds: int, baseline: Callable[[], list[int]], engine: Callable[[], list[int]]
) -> tuple[float, float, float]:
    """Median seconds of the baseline and of ours, and the median of the rounds' ratios."""
    baseline(), engine()
    pairs = [(seconds(baseline), seconds(engine)) for _ in range(rounds)]
    return (
        statistics.median(one for one, _ in pairs),
        statistics.median(two for _, two in pairs),
        statistics.median(one / two for one, two in pairs),
    )


def measure(model: TransformersModel, tokens: int, rounds: int) -> list[tuple[str, float, float]]:
    """Name, ours in tokens a second, and ours ÷ `generate`, for each of the three."""
    story = model.encode(chat(STORY))
    said = generate(model, story, tokens)
    _, our_seconds, ratio = compare(
        rounds,
        lambda: generate(model, story, tokens),
        fresh(model, lambda: ours(model, story, tokens)),
    )
    lines = [("text", len(said) / our_seconds, ratio)]
    lark = grammar.arguments(grammar.HERMES, "weather", SCHEMA)
    weather = model.encode(chat(WEATHER) + '<tool_call>\n{"name": "weather", "arguments":')
    written = generate(model, weather, tokens, lark)
    _, our_seconds, ratio = compare(
        rounds,
        lambda: generate(model, weather, tokens, lark),
        fresh(model, lambda: ours(model, weather, tokens, lark)),
    )
    lines.append(("call under a grammar", len(written) / our_seconds, ratio))
    second = [*story, *said, *model.encode("<|im_end|>\n" + chat("And then?"))]

    def again() -> list[int]:
        model.forget()
        model.logprobs([*story, *said], [0])
        return []

    times = []
    for _ in range(rounds):
        again()
        times.append(
            (
                seconds(lambda: generate(model, second, 8)),
                seconds(lambda: ours(model, second, 8)),
            )
        )
    ratio = statistics.median(one / two for one, two in times)
    lines.append(("second turn, 8 tokens", 8 / statistics.median(t for _, t in times), ratio))
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a name or the path of a folder")
    parser.add_argument("--bits", type=int, action="append", choices=(4, 8, 16, 32))
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(arguments)
    print("| bits | what | our tokens a second | ÷ generate | same text |\n" + "| --- " * 5 + "|")
    for bits in given.bits or (16, 4):
        model = parts.token_model(given.model, bits)
        assert isinstance(model, TransformersModel)
        ids = model.encode(chat(STORY))
        equal = ours(model, ids, given.tokens) == generate(model, ids, given.tokens)
        for name, rate, ratio in measure(model, given.tokens, given.rounds):
            print(f"| {bits} | {name} | {rate:.1f} | {ratio:.2f} | {'yes' if equal else 'no'} |")
        model.close()


if __name__ == "__main__":
    main()
