"""Training and use of a classifier: how fast, against the way the textbooks do it.

    TINSMITH_DATA=... python -m benchmarks.training_speed

Training: an epoch through the job's own Trainer, with dynamic padding, like lengths together and
bfloat16 where the processor has it, against every text padded to 128 tokens, 32 bits and random
order (on fewer rows, for it takes long: rows a second are compared); the same batch of 32. Beside
it bare transformers Trainer with the job's collator and order: what progress, checkpoints and the
stop cost in time and in memory, each in a process of its own. Use: 1,000 texts through `Classifier`
and through `transformers.pipeline` as it comes, and how many labels are the same.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent import catalog
from benchmarks.parts import data, path
from tools.quiet import quiet

WAYS = ("ours", "bare", "textbook")
WIDTH = 128
"""Tokens to which the textbook pads."""
TEXTBOOK_ROWS = 960


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=catalog.EMBEDDER)
    parser.add_argument("--rows", type=int, default=6920, help="to train on (default: all)")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--only", choices=("training", "use"))
    parser.add_argument("--way", choices=WAYS, help="(used by itself)")
    args = parser.parse_args()
    quiet()
    if args.way:
        print(json.dumps(once(args)))
        return
    if args.only != "use":
        training(args)
    if args.only != "training":
        use(args)


def training(args: argparse.Namespace) -> None:
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    rows: dict[str, int] = {}
    for turn in range(args.rounds):
        # in turn, and each first as often, so that a busy moment strikes all
        for way in WAYS if turn % 2 else reversed(WAYS):
            if way == "textbook" and turn:
                continue  # it takes minutes, and is far away
            command = [sys.executable, "-m", "benchmarks.training_speed", "--way", way]
            rows[way] = min(args.rows, TEXTBOOK_ROWS) if way == "textbook" else args.rows
            command += ["--base", args.base, "--rows", str(rows[way])]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[way].append(json.loads(done.stdout.splitlines()[-1]))
            print(way, found[way][-1], file=sys.stderr, flush=True)
    best = {way: min(some, key=lambda one: one["seconds"]) for way, some in found.items()}
    rate = {way: rows[way] / one["seconds"] for way, one in best.items()}
    for way, one in best.items():
        print(f"{way:10} {rate[way]:6.1f} rows/s, {one['memory'] / 1e9:.3f} GB")
    ours, bare = best["ours"], best["bare"]
    print(f"ours ÷ textbook: {rate['ours'] / rate['textbook']:.2f} times as fast")
    print(f"ours over bare Trainer: time {ours['seconds'] / bare['seconds'] - 1:+.1%}, ", end="")
    print(f"memory {ours['memory'] / bare['memory'] - 1:+.1%}")


def once(args: argparse.Namespace) -> dict[str, float]:
    """Seconds of an epoch, without loading, and the most memory of this process, in bytes."""
    import torch
    from transformers import Trainer

    from tools.specialists import classifier, compute
    from tools.specialists import training as job_training
    from tools.specialists.jobs import Job
    from tools.specialists.proposal import Wishes, propose
    from tools.storage import write_atomically

    folder = data("sst2")
    with tempfile.TemporaryDirectory() as home:
        proposal = propose(
            Path(home),
            Wishes(
                folder / "train.tsv",
                held_out=folder / "dev.tsv",
                base=str(path(args.base)),
                epochs=1,
                name="speed",
            ),
        )
        plan = proposal.plan
        examples = proposal.examples
        few = replace(examples, train=examples.train[: args.rows], held=examples.held[:64])
        torch.manual_seed(0)
        work = classifier.prepare(plan, few)
        place = Path(home) / "jobs" / "speed-1"
        first = {"plan": plan.as_json(), "state": "running", "created": "now"}
        write_atomically(place / "job.json", json.dumps(first))
        began = time.monotonic()
        if args.way == "ours":
            job_training.train(Job(place), plan, work)
        else:
            arguments = job_training._arguments(
                plan, work, place / "checkpoints", place / "tensorboard"
            )
            if args.way == "textbook":
                arguments.bf16, arguments.mixed_precision = False, "no"
            order = job_training.LengthGrouped([len(row["input_ids"]) for row in work.train], 32, 0)

            class Ordered(Trainer):  # type: ignore[misc]
                def _get_train_sampler(self, train_dataset: Any = None) -> Any:
                    return order

            trainer_class: Any = Ordered if args.way == "bare" else Trainer
            pad = {"input_ids": 0}

            def to_width(rows: Any) -> dict[str, torch.Tensor]:
                labels = torch.tensor([row["labels"] for row in rows])
                texts = [{k: v for k, v in row.items() if k != "labels"} for row in rows]
                batch = compute.padded([*texts, _blank()], pad)
                return {key: one[:-1] for key, one in batch.items()} | {"labels": labels}

            trainer = trainer_class(
                model=work.model,
                args=arguments,
                train_dataset=list(work.train),
                eval_dataset=list(work.held),
                data_collator=to_width if args.way == "textbook" else work.collate,
                compute_loss_func=work.loss,
                compute_metrics=work.judge,
            )
            trainer.train()
        seconds = time.monotonic() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "memory": most * (1 if sys.platform == "darwin" else 1024)}


def use(args: argparse.Namespace) -> None:
    import torch
    from transformers import pipeline

    from benchmarks.specialists import by_job
    from tools.specialists.classifier import Classifier
    from tools.specialists.proposal import Wishes

    every = [line.split("\t") for line in _lines(data("sst2") / "train.tsv")]
    texts = [text for _, text in every[-1000:]]
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "some.csv"
        with file.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows([["label", "text"], *every[:1500]])
        wishes = Wishes(file, name="use", base=str(path(args.base)), epochs=1)
        registry, one = by_job(Path(home), wishes)
        folder = registry.folder("use", one.version)
        began = time.monotonic()
        where = "cuda" if torch.cuda.is_available() else "cpu"
        theirs = pipeline("text-classification", model=str(folder), device=where)
        loaded = time.monotonic()
        given = [row["label"] for row in theirs(texts)]
        their_seconds = time.monotonic() - loaded
        classifier = Classifier(folder, path(args.base), one.labels, one.length)
        classifier.logits(texts[:8])
        ours = []
        for _ in range(args.rounds):
            began = time.monotonic()
            logits = classifier.logits(texts)
            ours.append(time.monotonic() - began)
        same = sum(one.labels[at] == b for at, b in zip(logits.argmax(axis=1), given, strict=True))
    print(
        f"1,000 texts: pipeline {their_seconds:.2f} s, ours {min(ours):.2f} s, "
        f"{their_seconds / min(ours):.2f} times as fast; {same} labels the same"
    )


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines()


def _blank() -> dict[str, list[int]]:
    return {"input_ids": [0] * WIDTH, "attention_mask": [0] * WIDTH}


if __name__ == "__main__":
    main()
