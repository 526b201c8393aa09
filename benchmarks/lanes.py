"""Many replies at once inside one engine, beside the same engine with one lane.

    python -m benchmarks.lanes --model qwen2.5-coder-0.5b
    python -m benchmarks.lanes --model qwen2.5-coder-0.5b-hf --bits 16

Each row is a sentence that was written for this, out of which a few facts are to be extracted; all
rows share the instructions. Rounds alternate, each with a first line of its own, so that no cache
holds anything of it. Tokens processed are set against those that are new: the shared beginning
once, and what each row has of its own.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import grammar
from agent.engines.base import Sampling
from agent.engines.local import LocalEngine
from agent.engines.template import ChatTemplate
from agent.events import Usage
from benchmarks import parts

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from agent.engines.llamacpp import LlamaModel
    from agent.engines.transformers import TransformersModel
    from agent.estimate import Bits

CONTEXT = 1024
INSTRUCTIONS = """You work for hotel number {number}.
You read complaints that guests of a hotel have left at the desk and write down \
what is in them, for the person who has to mend it. Write one line for each complaint, in this \
order: the room, what is broken or missing, since when, and how angry the guest is, which is calm, \
annoyed or furious. Separate the four with semicolons. Write nothing else: no greeting, no \
explanation, no second line. If something is not said, write a dash for it.

Complaint: Good evening, this is room 12. There has been no soap since yesterday, no hurry though.
Line: 12; soap is missing; yesterday; calm
Complaint: For the third time: the window of 207 does not close! It has been like that since \
Sunday, and I will not pay for a room like this!
Line: 207; window does not close; Sunday; furious
Complaint: Could somebody look at the lamp over the desk, please? It flickers, which is a nuisance.
Line: -; lamp over the desk flickers; -; annoyed"""
THINGS = ("shower", "heating", "television", "door lock", "fridge", "air conditioning", "kettle")
FAULTS = ("does not work", "makes a terrible noise", "leaks", "cannot be switched off", "smells")
DAYS = ("Monday", "this morning", "last night", "Friday", "we came", "the day before yesterday")
MOODS = (
    "Could you please send somebody when it suits you?",
    "This is the second time that I tell you.",
    "I have never seen such a hotel and want my money back now!",
    "It is not urgent.",
    "I expect an answer today.",
)


@dataclass(frozen=True)
class Round:
    answers: list[str]
    seconds: float
    usage: Usage


def sentences(count: int) -> Iterator[str]:
    draw = random.Random(1)
    for _ in range(count):
        thing, fault = draw.choice(THINGS), draw.choice(FAULTS)
        yield (
            f"Complaint: The {thing} in {draw.randrange(100, 600)} {fault} since "
            f"{draw.choice(DAYS)}. {draw.choice(MOODS)}"
        )


def model(name: str, bits: Bits, lanes: int) -> LlamaModel | TransformersModel:
    path = parts.path(name)
    if path.is_dir():
        from agent.engines.transformers import TransformersModel

        return TransformersModel(path, CONTEXT, bits, lanes=lanes)
    from agent.engines.llamacpp import LlamaModel

    return LlamaModel(path, CONTEXT, lanes=lanes)


def prompt(number: int, row: str) -> list[BaseMessage]:
    from langchain_core.messages import HumanMessage, SystemMessage

    return [SystemMessage(INSTRUCTIONS.format(number=number)), HumanMessage(row)]


def run(engines: Sequence[LocalEngine], number: int, rows: Sequence[str], tokens: int) -> Round:
    """All rows, each lane taking the next one when it has done with one."""
    answers = [""] * len(rows)
    used = [Usage()] * len(engines)
    left = itertools.count()

    def work(lane: int) -> None:
        while (row := next(left)) < len(rows):
            messages = prompt(number, rows[row])
            reply = engines[lane].reply(messages, (), Sampling(max_tokens=tokens))
            answers[row] = "".join(delta.text for delta in reply)
            used[lane] += engines[lane].usage

    started = time.perf_counter()
    threads = [threading.Thread(target=work, args=(lane,)) for lane in range(len(engines))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Round(answers, time.perf_counter() - started, sum(used, Usage()))


def new_tokens(model: LlamaModel | TransformersModel, rows: Sequence[str]) -> int:
    """Of all prompts, what they share counted once."""
    template = ChatTemplate(model.chat_template, grammar.HERMES, model.bos, model.eos)
    prompts = [model.encode(template.render(prompt(1, row), ())) for row in rows]
    alike = itertools.takewhile(lambda tokens: len(set(tokens)) == 1, zip(*prompts, strict=False))
    shared = sum(1 for _ in alike)
    return shared + sum(len(ids) - shared for ids in prompts)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a name or a path")
    parser.add_argument("--bits", type=int, default=16, choices=(4, 8, 16, 32))
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=48, help="at most, of a reply")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(arguments)
    rows = list(sentences(given.rows))
    single, several = (model(given.model, given.bits, lanes) for lanes in (1, given.lanes))
    if len(several.lanes) < given.lanes:
        sys.exit(f"{given.model} cannot be batched")
    one = [LocalEngine(given.model, single)]
    many = [LocalEngine(given.model, lane) for lane in several.lanes]
    new = new_tokens(single, rows)
    run(one, 0, rows[:1], given.tokens)
    run(many, 0, rows[: given.lanes], given.tokens)
    ratios, read, equal, rates = [], [], [], []
    for number in range(1, given.rounds + 1):
        before = run(one, number, rows, given.tokens)
        now = run(many, number, rows, given.tokens)
        ratios.append(before.seconds / now.seconds)
        rates.append((len(rows) / before.seconds, len(rows) / now.seconds))
        read.append(now.usage.prefilled / new)
        same = sum(a == b for a, b in zip(before.answers, now.answers, strict=True))
        equal.append(same / len(rows))
        parts.progress(number, given.rounds, "rounds")
    single.close()
    several.close()
    print(
        "| lanes | rows | rows a second: one lane, all | ratio | processed ÷ new | same answers |"
    )
    print("|---" * 6 + "|")
    alone, together = (statistics.median(column) for column in zip(*rates, strict=True))
    print(
        f"| {given.lanes} | {len(rows)} | {alone:.2f}, {together:.2f} "
        f"| {statistics.median(ratios):.2f} | {statistics.median(read):.3f} "
        f"| {statistics.median(equal):.0%} |"
    )


if __name__ == "__main__":
    main()
