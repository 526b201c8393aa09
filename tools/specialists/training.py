"""What a job does: examples, model, training, measuring, a new version. Read `run` first.

transformers' Trainer trains. What is added: rows of like length share a batch and the order of the
batches hangs on seed and epoch alone, so that a training that was killed goes on as if it had not
been; checkpoints count only when they are whole; a stop saves first.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import math
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from tools.errors import SpecialistError
from tools.specialists import bases, checks, compute, methods
from tools.specialists import measured as measuring
from tools.specialists.average import Average
from tools.specialists.checks import Examples
from tools.specialists.data import Example
from tools.specialists.jobs import Job, Stopped, is_first, refuse_without_base
from tools.specialists.manifest import LOWER_IS_BETTER, Manifest
from tools.specialists.measured import Measured
from tools.specialists.plan import Plan
from tools.specialists.recipes import recipe_of
from tools.specialists.registry import Registry
from tools.storage import sync_folder, write_atomically

SILENT = -100
"""A label of a token that has no part in the loss."""
WHOLE = "whole"
"""A file in a checkpoint that was written after everything else: names and sizes of the others."""
PATIENCE = 3
"""Epochs without a better result until training ends; a third of all, where that is more."""
SAVE_SECONDS = 300.0
"""Between two checkpoints within a long epoch."""
GLANCE = 1.0
"""Seconds between two looks for a stop, and two lines of progress."""
STEPS_ALONE = 8
"""Of several processes, between two times that they agree on stopping or saving."""
SORTED_TOGETHER = 50
"""Batches' worth of rows among which like lengths are looked for."""
VERSIONS = ("torch", "transformers", "accelerate", "peft", "tokenizers", "safetensors")


@dataclass(frozen=True)
class Work:
    """What a recipe makes of a plan and its examples."""

    model: Any
    tokenizer: Any
    train: Sequence[Mapping[str, Any]]
    """Rows with "input_ids" and what the collator needs."""
    held: Sequence[Mapping[str, Any]]
    collate: Callable[[Sequence[Any]], Mapping[str, Any]]
    metric: str
    """The one by which the best epoch is chosen, a key of what `judge` gives, or "loss"."""
    loss: Callable[..., torch.Tensor] | None = None
    """Given the model's outputs, the labels and num_items_in_batch; None: the model's own."""
    judge: Callable[[Any], dict[str, float]] | None = None
    """Given an EvalPrediction. None: only the loss is measured, and no logits are kept."""


def run(job: Job, registry: Registry) -> None:
    """Train, measure and register. Raises SpecialistError, Stopped.

    In a training with several processes all call it; the first one measures and writes.
    """
    with job.errors():
        _run(job, registry)


def _run(job: Job, registry: Registry) -> None:
    plan, recipe = job.plan, recipe_of(job.plan.task)
    if job.version:  # it was killed between registering and ending
        job.done(_promoted_if_better(registry, plan.name, job.version))
        return
    first = is_first()
    job.say("reading the examples")
    examples = checks.load(
        Path(plan.data),
        plan.task,
        plan.columns,
        plan.many,
        Path(plan.held_out) if plan.held_out else None,
    )
    if plan.sha256 not in ("", examples.sha256):  # a half-trained one must not see others
        raise SpecialistError(
            f"{plan.data} has changed since this training was agreed to; train anew with: tinsmith "
            f"train {plan.data} --name {plan.name}"
        )
    refuse_without_base(job)
    job.say("loading the base")
    torch.manual_seed(plan.seed)
    work = recipe.prepare(plan, examples)
    seconds = train(job, plan, work)
    if not first:
        return
    made = job.folder / "specialist"
    shutil.rmtree(made, ignore_errors=True)
    share = methods.trained_share(work.model)
    recipe.save(work, made, Path(plan.base_path))
    del work
    job.say("measuring")
    base = Path(plan.base_path)
    measured = recipe.measure(made, base, plan, examples)
    measured = _beside_the_promoted(registry, plan, examples, measured)
    manifest = _manifest(plan, examples, measured, seconds, share)
    job.draw(made)
    measured.draw(made)
    version = registry.add(made, manifest).version
    job.made(version)
    job.done(_promoted_if_better(registry, plan.name, version))


def _promoted_if_better(registry: Registry, name: str, version: int) -> str:
    """Use the first version of a name at once, if it is surely better than its baselines."""
    one = registry.manifest(name, version)
    said = f"{name}@{version} is there"
    try:
        if registry.promoted(name) is None and measuring.beats(one):
            said = registry.promote(name, version)
    except SpecialistError as error:  # another program was faster; the version is there
        said += f"; {error}"
    return said


def train(job: Job, plan: Plan, work: Work) -> float:
    """Train to the end, or on from the last whole checkpoint; the best epoch's weights stay.

    Gives the seconds of all runs of this job. Raises Stopped.
    """
    checkpoints = job.folder / "checkpoints"
    last = _last_whole(checkpoints)
    arguments = _arguments(plan, work, checkpoints, job.folder / "tensorboard")
    if last and (epochs := _epochs_if_over(last)):
        arguments.num_train_epochs = epochs  # else one more than in a training that went through
    progress = _Progress(job)
    trainer = _Trainer(
        model=work.model,
        args=arguments,
        train_dataset=list(work.train),
        eval_dataset=sorted(work.held, key=_length, reverse=True),
        data_collator=work.collate,
        compute_loss_func=work.loss,
        compute_metrics=work.judge,
        callbacks=[progress, EarlyStoppingCallback(max(PATIENCE, plan.epochs // 3))],
    )
    progress.sampler, progress.average = trainer.sampler, trainer.average
    if last:
        trainer.average.load(last)
    trainer.remove_callback(PrinterCallback)
    job.say("training")
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    except torch.OutOfMemoryError as error:
        raise SpecialistError(
            f"the GPU's memory is full; with --batch {max(1, plan.batch // 2)} --accumulate "
            f"{plan.accumulate * 2} the result is the same and takes half of it"
        ) from error
    finally:
        if progress.first:
            _last_whole(checkpoints)  # one that was not finished only takes room
    trainer.average.settle()
    return progress.seconds


def save(work: Work, folder: Path, base: Path) -> None:
    """The weights, or the adapter, and the tokenizer."""
    work.model.save_pretrained(folder)
    work.tokenizer.save_pretrained(folder)
    if (config := folder / "adapter_config.json").exists():  # peft writes a path of this machine
        facts = json.loads(config.read_text("utf-8"))
        facts["base_model_name_or_path"] = base.name.replace("--", "/")
        config.write_text(json.dumps(facts, indent=2), "utf-8")


def of_tokens(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
    """Cross-entropy of labelled tokens, the mean over all of one step of the optimizer."""
    logits = outputs["logits"][:, -labels.shape[1] :]  # behind virtual tokens
    total = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), ignore_index=SILENT, reduction="sum"
    )
    count = (labels != SILENT).sum() if num_items_in_batch is None else num_items_in_batch
    mean: torch.Tensor = total / max(1, int(count))  # a batch may have no label at all
    return mean


def of_next_tokens(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
    """The same, where each token is to tell the next one."""
    logits = outputs["logits"][:, -labels.shape[1] :]
    return of_tokens({"logits": logits[:, :-1]}, labels[:, 1:], num_items_in_batch)


class _Trainer(Trainer):  # type: ignore[misc]  # transformers has no types
    """transformers' Trainer with batches of like length in an order of our own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sampler = LengthGrouped(
            [_length(row) for row in options["train_dataset"]],
            self.args.train_batch_size
            * self.args.world_size
            * self.args.gradient_accumulation_steps,
            self.args.seed,
        )
        self.average = Average(self.model)

    def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
        with self.average.in_place():
            measured: dict[str, float] = super().evaluate(*args, **options)
        return measured

    def _load_best_model(self) -> None:
        super()._load_best_model()
        self.average.load(Path(self.state.best_model_checkpoint))

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        return self.sampler

    def _get_eval_sampler(self, eval_dataset: Any) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(eval_dataset)  # sorted by length already


class LengthGrouped(torch.utils.data.Sampler[int]):
    """Every row once an epoch, in batches of like length, the batches in random order.

    `batch`: rows of one step of the optimizer. The order hangs on `seed` and `epoch` alone.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self.epoch = 0
        self._lengths = lengths
        self._batch = batch
        self._seed = seed

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        chance = random.Random(f"{self._seed} {self.epoch}")
        order = list(range(len(self._lengths)))
        chance.shuffle(order)
        together = self._batch * SORTED_TOGETHER
        whole: list[list[int]] = []
        rest: list[int] = []
        for begin in range(0, len(order), together):
            some = sorted(order[begin : begin + together], key=self._lengths.__getitem__)
            for at in range(0, len(some), self._batch):
                batch = some[at : at + self._batch]
                if len(batch) == self._batch:
                    whole.append(batch)
                else:
                    rest += batch  # only the last batch may be short, or all after it shift
        chance.shuffle(whole)
        for batch in whole:
            yield from batch
        yield from rest


class _Progress(TrainerCallback):  # type: ignore[misc]
    """Writes what is seen of the job, makes checkpoints count, and looks for a stop."""

    def __init__(self, job: Job) -> None:
        self.sampler: LengthGrouped | None = None
        self.average: Average | None = None
        self.seconds = 0.0
        """Of training, those before a stop included."""
        self._job = job
        self.first = is_first()
        self._looked = self._saved = self._began = time.monotonic()
        self._before = 0.0
        self._from = 0
        self._stop = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._before = self._job.seconds_at(state.global_step)
        self._from = state.global_step
        self._began = self._saved = time.monotonic()
        self._job.forget_after(state.global_step)

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        assert self.sampler is not None
        self.sampler.epoch = math.floor((state.epoch or 0.0) + 1e-6)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        assert self.average is not None
        self.average.look(state.global_step)
        now = time.monotonic()
        self.seconds = self._before + now - self._began
        looks, save = now - self._looked >= GLANCE, now - self._saved > SAVE_SECONDS
        if args.world_size > 1:  # all have to stop and save at the same step
            looks = looks and self.first
            if state.global_step % STEPS_ALONE:
                save = False
            else:
                wishes = torch.tensor([self._job.is_to_stop, save], device=args.device).float()
                torch.distributed.all_reduce(wishes)
                self._stop, save = (wishes > 0).tolist()
        elif looks:
            self._stop = self._job.is_to_stop
        if looks:
            self._looked = now
            steps = state.global_step - self._from
            rate = steps / (now - self._began)
            self._job.write(
                {
                    "step": state.global_step,
                    "of": state.max_steps,
                    "epoch": state.epoch,
                    "epochs": args.num_train_epochs,
                    "seconds": self.seconds,
                    "rows_per_second": rate
                    * args.train_batch_size
                    * args.world_size
                    * args.gradient_accumulation_steps,
                    "left": (state.max_steps - state.global_step) / rate,
                }
            )
        if state.global_step % round(state.max_steps / args.num_train_epochs):
            control.should_save = save or self._stop  # at an epoch's end it saves when it has
            # measured, or the measuring would be left out by whoever goes on from there

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise SpecialistError(
                f"the loss is {loss} at step {state.global_step}: training has come apart; try "
                f"half the learning rate, --rate {args.learning_rate / 2:g}"
            )
        if loss is not None and self.first:
            self._job.write({"step": state.global_step, "epoch": state.epoch, "loss": loss})

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if self.first and metrics:
            kept = {
                f"held_{key.removeprefix('eval_')}": value
                for key, value in metrics.items()
                if not key.endswith(("runtime", "per_second", "epoch"))
            }
            self._job.write(
                {"step": state.global_step, "epoch": state.epoch, "seconds": self.seconds, **kept}
            )

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._saved = time.monotonic()
        if args.world_size > 1:
            torch.distributed.barrier()  # each has written its state of chance
        if self.first:
            folder = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
            assert self.average is not None
            self.average.save(folder)
            sync_folder(folder)
            write_atomically(folder / WHOLE, json.dumps(_sizes(folder)))
        if self._stop:
            raise Stopped


def _arguments(plan: Plan, work: Work, checkpoints: Path, board: Path) -> TrainingArguments:
    """Those of the Trainer. One evaluation and one checkpoint an epoch."""
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(board)
    where = compute.device()
    several = plan.processes
    steps = math.ceil(len(work.train) / (plan.batch * several * plan.accumulate)) * plan.epochs
    return TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=plan.batch,
        per_device_eval_batch_size=64 if work.judge else plan.batch,
        gradient_accumulation_steps=plan.accumulate,
        num_train_epochs=plan.epochs,
        learning_rate=plan.rate,
        warmup_steps=max(1, steps // 10),
        lr_scheduler_type="linear",
        weight_decay=0.01,
        max_grad_norm=1.0,
        bf16=compute.has_bf16(where),
        use_cpu=where == "cpu",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=work.metric,
        greater_is_better=work.metric not in LOWER_IS_BETTER,
        prediction_loss_only=work.judge is None,
        restore_callback_states_from_checkpoint=True,
        logging_steps=max(1, min(20, steps // 20)),
        logging_nan_inf_filter=False,  # else a training that came apart looks well
        remove_unused_columns=False,
        dataloader_pin_memory=where == "cuda",
        ddp_find_unused_parameters=False,
        report_to=["tensorboard"],
        disable_tqdm=True,
        seed=plan.seed,
        label_names=["labels"],
    )


def _sha256_of(held: Sequence[Example]) -> str:
    """Of the held-out rows, whatever their order and their file."""
    rows = sorted(
        json.dumps(
            [
                *(one.text, one.second, one.score, one.labels),
                *(one.words, one.tags, one.messages, one.tools),
            ]
        )
        for one in held
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _last_whole(checkpoints: Path) -> Path | None:
    """The checkpoint to go on from; those that were not finished are deleted."""
    whole = []
    for folder in checkpoints.glob("checkpoint-*"):
        known = {}
        with contextlib.suppress(OSError, ValueError):
            known = json.loads((folder / WHOLE).read_text("utf-8"))
        if known and known == _sizes(folder):  # it may have been killed while it deleted this one
            whole.append(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return max(whole, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)


def _sizes(folder: Path) -> dict[str, int]:
    return {
        one.name: one.stat().st_size
        for one in folder.iterdir()
        if one.is_file() and one.name != WHOLE
    }


def _epochs_if_over(checkpoint: Path) -> int:
    """How many were trained, when the training had come to its end there; else 0."""
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    control = (state.stateful_callbacks or {}).get("TrainerControl", {})
    return round(state.epoch or 0) if control.get("args", {}).get("should_training_stop") else 0


def _length(row: Mapping[str, Any]) -> int:
    return len(row["input_ids"])


def _beside_the_promoted(
    registry: Registry, plan: Plan, examples: Examples, measured: Measured
) -> Measured:
    """With what the promoted version does on the same held-out rows."""
    with contextlib.suppress(SpecialistError):  # an old one that is broken must not cost the new
        if (version := registry.promoted(plan.name)) is None:
            return measured
        before = registry.manifest(plan.name, version)
        if before.task != plan.task or before.many != plan.many:
            return measured
        recipe = recipe_of(before.task)
        its_plan = dataclasses.replace(plan, length=before.length)
        theirs = recipe.measure(
            registry.folder(plan.name, version),
            bases.of_version(registry, before),
            its_plan,
            examples,
            before,
        )
        score = {measured.metric: theirs.metrics[measured.metric]}
        return measured.beside(f"version {version}", score)
    return measured


def _manifest(
    plan: Plan,
    examples: Examples,
    measured: Measured,
    seconds: float,
    share: float,
) -> Manifest:
    settings = {
        key: value
        for key, value in plan.as_json().items()
        if key in ("epochs", "batch", "accumulate", "rate", "length", "seed", "layers", "processes")
    }
    return Manifest(
        name=plan.name,
        version=1,  # the registry gives the real one
        task=plan.task,
        labels=examples.labels,
        many=plan.many,
        base=plan.base,
        method=plan.method,
        came_from=plan.came_from,
        data=Path(plan.data).name,
        data_sha256=examples.sha256,
        rows=len(examples.train),
        held_rows=len(examples.held),
        held_sha256=_sha256_of(examples.held),
        settings=settings
        | {
            "trained_share": share,
            "columns": dict(examples.columns),
            "trained_on_sha256": examples.file_sha256,
        },
        metric=measured.metric,
        metrics=measured.metrics,
        baselines=measured.baselines,
        threshold=measured.threshold,
        temperature=measured.temperature,
        length=plan.length,
        seconds=round(seconds, 1),
        versions={"python": sys.version.split()[0]}
        | {name: importlib.metadata.version(name) for name in VERSIONS},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        files={},
    )
