"""LoRA on a small chat model: does the held-out loss fall, and do both engines say the same?

    python -m benchmarks.talk_lora --base smollm2-135m-hf

The conversations are made here: a shop's assistant that answers in one fixed style, 240 of them,
15 % held out. The adapter is then used by the transformers engine (on the folder) and by llama.cpp
(on the GGUF file that the folder was made of), with greedy text for held-out questions.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path

from benchmarks.parts import CONTEXT, path
from benchmarks.specialists import by_job
from tools.quiet import quiet

THINGS = (
    "tent",
    "helmet",
    "lamp",
    "jacket",
    "pump",
    "saddle",
    "stove",
    "rucksack",
    "bottle",
    "map",
)
ASKED = (
    "Do you have a {thing}?",
    "How much is a {thing}?",
    "I am looking for a {thing}.",
    "Can I bring the {thing} back?",
    "Where is my {thing}?",
    "Is the {thing} waterproof?",
)
SAID = "Ahoy! About the {thing}: we will look into it at once. Fair winds!"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="smollm2-135m-hf")
    parser.add_argument("--method", default="lora", choices=("lora", "qlora"))
    parser.add_argument("--asked", type=int, default=8, help="questions put to both engines")
    args = parser.parse_args()
    quiet()
    from tools.specialists import checks
    from tools.specialists.proposal import Wishes

    folder = path(args.base)
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "talks.jsonl"
        file.write_text("\n".join(map(json.dumps, talks())), "utf-8")
        wishes = Wishes(file, name="talk", base=str(folder), method=args.method, epochs=2)
        registry, one = by_job(Path(home), wishes)
        before = one.baselines["base"]["loss"]
        print(
            f"{args.base}, {args.method}: loss on {one.held_rows} held-out conversations "
            f"{before:.3f} before, {one.score:.3f} after, {one.seconds:.0f} s"
        )
        made = registry.folder("talk", one.version)
        held = checks.load(file, "causal", {}, False, None).held[: args.asked]
        asked = [str(example.messages[0]["content"]) for example in held]
        compare(folder, made, asked)


def talks() -> list[dict[str, object]]:
    """Conversations of two messages."""
    chance = random.Random(7)
    found: dict[str, dict[str, object]] = {}
    while len(found) < 240:
        thing = f"{chance.choice(('red', 'blue', 'old', 'small', 'new'))} {chance.choice(THINGS)}"
        question = chance.choice(ASKED).format(thing=thing)
        messages = [
            {"role": "user", "content": question},
            {"role": "assistant", "content": SAID.format(thing=thing)},
        ]
        found[question] = {"messages": messages}
    return list(found.values())


def compare(folder: Path, made: Path, asked: list[str]) -> None:
    """Greedy text of both engines with the adapter, and of one without."""
    from langchain_core.messages import HumanMessage

    from agent.engines.base import Sampling
    from agent.engines.llamacpp import LlamaModel
    from agent.engines.local import LocalEngine
    from agent.engines.transformers import TransformersModel

    gguf = next(folder.with_name(folder.name.removesuffix("-hf")).glob("*.gguf"))
    said: dict[str, list[str]] = {}
    for name, load in (
        ("transformers", lambda: TransformersModel(folder, CONTEXT, 32, adapter=made)),
        ("llamacpp", lambda: LlamaModel(gguf, CONTEXT, adapter=made / "adapter.gguf")),
        ("without", lambda: LlamaModel(gguf, CONTEXT)),
    ):
        engine = LocalEngine(name, load())
        said[name] = []
        for question in asked:
            reply = engine.reply([HumanMessage(question)], (), Sampling(max_tokens=32))
            while True:
                try:
                    next(reply)
                except StopIteration as end:
                    said[name].append(str(end.value.text).strip())
                    break
        engine.close()
    same = sum(a == b for a, b in zip(said["transformers"], said["llamacpp"], strict=True))
    new = sum(a != b for a, b in zip(said["without"], said["llamacpp"], strict=True))
    print(f"greedy text: {same} of {len(asked)} the same in both engines, {new} other than without")
    for question, *texts in zip(asked, said["transformers"], said["llamacpp"], strict=True):
        print(f"  {question!r}: {texts[0]!r} {'==' if texts[0] == texts[1] else texts[1]!r}")


if __name__ == "__main__":
    main()
