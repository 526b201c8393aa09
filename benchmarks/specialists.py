"""How good specialists get on real data, with the defaults, through the job that users start.

    TINSMITH_DATA=... python -m benchmarks.specialists --data sst2 --data clinc150 --data wnut17
    TINSMITH_DATA=... python -m benchmarks.specialists --data sst2 --epochs 1
    TINSMITH_DATA=... python -m benchmarks.specialists --data sst2 --method head --method lora ...

sst2: accuracy on dev. clinc150: accuracy on the test rows in scope, and how many out of scope are
found when 5 % of those in scope may be taken for such; epochs, temperature and threshold come from
its val rows. wnut17: entity F1 on dev, beside the same base trained as transformers' own example
(`run_ner.py`: learning rate 5e-5, batches of 8 in random order, 32 bits) for as many epochs.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import catalog
from benchmarks.parts import data, path
from tools.quiet import quiet

if TYPE_CHECKING:
    from tools.specialists.manifest import Manifest
    from tools.specialists.proposal import Wishes
    from tools.specialists.registry import Registry

LOST = 0.05
"""Of the texts in scope, that may be taken for out of scope."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", action="append", choices=("sst2", "clinc150", "wnut17"), required=True
    )
    parser.add_argument("--base", default=catalog.EMBEDDER)
    parser.add_argument("--method", action="append", default=[])
    parser.add_argument("--epochs", type=int, default=0, help="0: auto")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    quiet()
    for name in args.data:
        for method in args.method or ["full"]:
            run = {"sst2": sst2, "clinc150": clinc150, "wnut17": wnut17}[name]
            run(args, method)


def sst2(args: argparse.Namespace, method: str) -> None:
    folder = data("sst2")
    train, dev = folder / "train.tsv", folder / "dev.tsv"
    with trained(args, method, train, held_out=dev) as (registry, one):
        weights = registry.folder(one.name, one.version).glob("*.safetensors")
        size = sum(file.stat().st_size for file in weights) / 1e6
        found = f"accuracy {one.metrics['accuracy']:.4f}, {size:.1f} MB"
        report("sst2", method, one, found)


def clinc150(args: argparse.Namespace, method: str) -> None:
    every = json.loads((data("clinc150") / "data_full.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as place:
        for part in ("train", "val"):
            with (Path(place) / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([["text", "intent"], *every[part]])
        train, val = (Path(place) / f"{part}.csv" for part in ("train", "val"))
        with trained(args, method, train, held_out=val) as (registry, one):
            classifier = _classifier(registry, one)
            texts = [text for part in ("test", "oos_test") for text, _ in every[part]]
            sure = classifier.confidences(texts, one.temperature)
            inside = len(every["test"])
            said = [one.labels[at] for at in sure[:inside].argmax(axis=1)]
            right = sum(a == b for a, (_, b) in zip(said, every["test"], strict=True)) / inside
            best = sure.max(axis=1)
            import numpy as np

            limit = float(np.quantile(best[:inside], LOST))
            report(
                "clinc150",
                method,
                one,
                f"test accuracy {right:.4f}, out of scope found at {LOST:.0%} false alarms "
                f"{(best[inside:] < limit).mean():.4f} (with the manifest's threshold "
                f"{(best[inside:] < (one.threshold or 0)).mean():.4f}, false alarms "
                f"{(best[:inside] < (one.threshold or 0)).mean():.4f})",
            )


def wnut17(args: argparse.Namespace, method: str) -> None:
    folder = data("wnut17")
    train, dev = folder / "wnut17train.conll", folder / "emerging.dev.conll"
    with trained(args, method, train, task="tagger", held_out=dev) as (registry, one):
        from tools.specialists import metrics
        from tools.specialists.tagger import Tagger

        words, tags = sentences(dev)
        model = registry.folder(one.name, one.version)
        tagger = Tagger(model, path(args.base), one.labels, one.length)
        said = [[tag for tag, _ in some] for some in tagger.tags(words)]
        ours = metrics.entities(tags, said)["entity_f1"]
        epochs = int(one.settings["epochs"])
        theirs, seconds = example(path(args.base), train, dev, epochs, args.seed)
        report("wnut17", method, one, f"entity F1 on all of dev {ours:.4f}")
        print(f"wnut17     transformers' example, {epochs} epochs: {theirs:.4f}, {seconds:.0f} s")


@contextmanager
def trained(
    args: argparse.Namespace, method: str, file: Path, **wishes: Any
) -> Iterator[tuple[Registry, Manifest]]:
    """A specialist in a state folder that vanishes, by a job."""
    from tools.specialists.proposal import Wishes

    with tempfile.TemporaryDirectory() as home:
        wanted = Wishes(
            file,
            name="bench",
            base=str(path(args.base)),
            method=method,  # type: ignore[arg-type]  # checked by the plan
            epochs=args.epochs,
            seed=args.seed,
            **wishes,
        )
        yield by_job(Path(home), wanted)


def by_job(home: Path, wishes: Wishes) -> tuple[Registry, Manifest]:
    """Start a job and wait for it, saying how far it is; ends the program when it fails."""
    from tools.specialists.jobs import ALIVE, Jobs
    from tools.specialists.proposal import propose
    from tools.specialists.registry import Registry

    proposal = propose(home, wishes)
    print(proposal.describe(), file=sys.stderr)
    job = Jobs(home).start(proposal.plan)
    said: object = None
    while job.state in ALIVE:
        time.sleep(1)
        job = job.reread()
        now = job.progress()
        if now.held != said:
            said = now.held
            scores = " ".join(f"{key} {value:.4f}" for key, value in (now.held or {}).items())
            print(f"step {now.step} of {now.of}, {scores}", file=sys.stderr, flush=True)
    if job.state != "done":
        sys.exit(f"{job.state}: {job.stage}")
    registry = Registry(home)
    return registry, registry.manifest(wishes.name, job.version)


def report(data: str, method: str, one: Manifest, result: str) -> None:
    share = float(one.settings["trained_share"])
    print(
        f"{data:10} {method:7} {result}, {one.seconds:.0f} s, at most {one.settings['epochs']} "
        f"epochs, {share:.2%} of the weights trained",
        flush=True,
    )


def sentences(file: Path) -> tuple[list[list[str]], list[list[str]]]:
    """Words and tags of all sentences of a CoNLL file, as they stand."""
    words: list[list[str]] = []
    tags: list[list[str]] = []
    for block in file.read_text("utf-8").split("\n\n"):
        pairs = [line.split("\t") for line in block.splitlines() if line.strip()]
        if pairs:
            words.append([pair[0] for pair in pairs])
            tags.append([pair[-1].strip() for pair in pairs])
    return words, tags


def example(base: Path, train: Path, dev: Path, epochs: int, seed: int) -> tuple[float, float]:
    """Entity F1 and seconds of transformers' examples/pytorch/token-classification/run_ner.py."""
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    from tools.specialists import metrics

    set_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    words, tags = sentences(train)
    names = sorted({tag for some in tags for tag in some})
    number = {tag: at for at, tag in enumerate(names)}

    def encoded(words: list[list[str]], tags: list[list[str]]) -> list[dict[str, Any]]:
        rows = []
        for some, true in zip(words, tags, strict=True):
            row = tokenizer(some, truncation=True, is_split_into_words=True)
            places, labels, before = row.word_ids(), [], None
            for place in places:
                first = place is not None and place != before
                labels.append(number.get(true[place], -100) if first else -100)
                before = place
            rows.append({**row, "labels": labels})
        return rows

    model = AutoModelForTokenClassification.from_pretrained(base, num_labels=len(names))
    dev_words, dev_tags = sentences(dev)
    held = encoded(dev_words, dev_tags)
    with tempfile.TemporaryDirectory() as place:
        arguments = TrainingArguments(
            output_dir=place,
            num_train_epochs=epochs,
            per_device_train_batch_size=8,
            learning_rate=5e-5,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=seed,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=encoded(words, tags),
            data_collator=DataCollatorForTokenClassification(tokenizer),
        )
        began = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - began
        given = trainer.predict(held)
    said = given.predictions.argmax(axis=-1)
    pairs = [
        [(names[b], names[a]) for a, b in zip(row, true, strict=True) if b != -100]
        for row, true in zip(said, given.label_ids, strict=True)
    ]
    f1 = metrics.entities(
        [[true for true, _ in some] for some in pairs], [[one for _, one in some] for some in pairs]
    )["entity_f1"]
    return float(f1), seconds


def _classifier(registry: Registry, one: Manifest) -> Any:
    from tools.specialists.classifier import Classifier

    folder = registry.folder(one.name, one.version)
    return Classifier(folder, Path(one.base), one.labels, one.length)


if __name__ == "__main__":
    main()
