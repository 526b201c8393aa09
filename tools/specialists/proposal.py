"""From a file and a few wishes to a plan that can be agreed to. Bad data is refused here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools.errors import PlanError, SpecialistError
from tools.specialists import bases, checks, compute, methods
from tools.specialists.checks import Examples
from tools.specialists.plan import NOUNS, Method, Plan, Task
from tools.specialists.registry import Registry

PROMOTED = "promoted"
"""As a base: go on from the promoted version of the same name."""
CHARACTERS = 4.0
"""Of a token, about."""
EFFICIENCY = 0.25
"""Of the speed of a large matrix product that training small models reaches, about."""
LIBRARIES = 700 << 20
"""Bytes that torch and transformers take by themselves."""
SIZED_FOR = 384
"""The hidden size that `methods.RATES` are for; larger models take smaller steps."""


@dataclass(frozen=True)
class Wishes:
    """What the user asked for. Empty and 0: not given."""

    data: Path
    name: str = ""
    task: Task | None = None
    columns: Mapping[str, str] | None = None
    many: bool = False
    held_out: Path | None = None
    base: str = ""
    method: Method = "full"
    layers: int = 0
    epochs: int = 0
    batch: int = 0
    accumulate: int = 1
    rate: float = 0.0
    length: int = 0
    seed: int = 0
    processes: int = 1
    ray: bool = False


@dataclass(frozen=True)
class Proposal:
    plan: Plan
    examples: Examples
    minutes: float
    """Of training, at most; about."""
    memory: int
    """Bytes, about."""
    free: int
    """Bytes, where the training will be."""
    there: int
    """Bytes, free or not."""
    beats: str
    """What it will be measured against."""

    @property
    def fits(self) -> bool:
        return self.memory <= self.free

    @property
    def waits(self) -> bool:
        """Whether there would be room if others, such as a chat model, made some."""
        return self.free < self.memory <= self.there

    def describe(self) -> str:
        plan = self.plan
        method = {"full": "all weights", "head": "head only"}.get(plan.method, plan.method)
        if plan.layers:
            method = "the last layer" if plan.layers == 1 else f"the last {plan.layers} layers"
        start = f"version {plan.came_from} of {plan.name}" if plan.came_from else plan.base
        lines = [
            f"{plan.name}: {NOUNS[plan.task]} from {plan.data}",
            *self.examples.describe(),
            *self._remarks(),
            f"base      {start}, {method}",
            f"training  at most {plan.epochs} epochs of {len(self.examples.train)} rows, "
            f"{plan.batch * plan.accumulate * plan.processes} at once, learning rate {plan.rate:g}",
            f"takes     up to {_minutes(self.minutes)}, {self.memory / 1e9:.1f} GB of memory of "
            f"{self.free / 1e9:.1f} GB that are free{'' if self.fits else ': TOO LITTLE'}",
            f"measured  on {len(self.examples.held)} held-out rows against {self.beats}",
        ]
        return "\n".join(lines)

    def _remarks(self) -> list[str]:
        if self.plan.task == "masked":
            return [
                "no column of labels is recognised (it needs at least two values that recur): it "
                "learns the language of the texts alone; --label COLUMN names one"
            ]
        return []


def propose(home: Path, wishes: Wishes) -> Proposal:
    """Read and check the data, and settle everything that was not said; no weights are loaded.

    Raises PlanError, DataError.
    """
    _refuse_nonsense(wishes)
    registry = Registry(home)
    examples = checks.load(
        wishes.data, wishes.task or "", wishes.columns or {}, wishes.many, wishes.held_out
    )
    name = wishes.name or _name(wishes.data)
    plan = Plan(
        name=name,
        task=examples.task,
        data=str(wishes.data.absolute()),
        sha256=examples.sha256,
        held_out=str(wishes.held_out.absolute()) if wishes.held_out else "",
        columns=dict(examples.columns),
        many=wishes.many,
        method=wishes.method,
        layers=wishes.layers,
        epochs=wishes.epochs,
        batch=wishes.batch,
        accumulate=wishes.accumulate,
        rate=wishes.rate,
        length=wishes.length,
        seed=wishes.seed,
        processes=wishes.processes,
        ray=wishes.ray,
    )
    methods.refuse_mismatch(plan)
    plan = _with_base(registry, home, plan, wishes.base)
    facts = bases.facts(Path(plan.base_path))
    plan = _settled(plan, examples, facts)
    before = registry.promoted(name)
    beats = "the base" if plan.task in ("masked", "embedder", "causal") else "the commonest label"
    if plan.task == "tagger":
        beats = "finding nothing"
    if before is not None:
        other = registry.manifest(name, before)
        if (other.task, other.many) != (plan.task, plan.many):
            what = f"{NOUNS[other.task]}{' of several labels' if other.many else ''}"
            raise PlanError(f"{name} is {what} already; take another --name")
        beats += f" and version {before}, which is promoted"
    minutes, memory = _cost(plan, examples, facts)
    return Proposal(plan, examples, minutes, memory, compute.free(), compute.total(), beats)


def _with_base(registry: Registry, home: Path, plan: Plan, wanted: str) -> Plan:
    if wanted != PROMOTED:
        base = wanted or bases.default(home, plan.task)
        return replace(plan, base=base, base_path=str(bases.folder_of(home, base)))
    version = registry.promoted(plan.name)
    if version is None:
        raise PlanError(f"no version of {plan.name} is promoted, so there is none to go on from")
    before = registry.manifest(plan.name, version)
    folder = registry.folder(plan.name, version)
    if methods.is_adapter(folder):
        raise PlanError(
            f"version {version} of {plan.name} is an adapter ({before.method}), which cannot be "
            f"a base; train from {before.base} again"
        )
    return replace(plan, base=before.base, base_path=str(folder), came_from=version)


def _settled(plan: Plan, examples: Examples, facts: Mapping[str, int]) -> Plan:
    from tools.specialists.recipes import recipe_of

    recipe = recipe_of(plan.task)
    batch = plan.batch or recipe.BATCH
    rate = plan.rate or methods.RATES[plan.method] * min(1.0, (SIZED_FOR / facts["hidden"]) ** 2)
    if not plan.rate and plan.came_from:
        rate /= 2  # what it has learnt should not be thrown over
    together = batch * plan.accumulate * plan.processes
    return replace(
        plan,
        batch=batch,
        rate=float(f"{rate:.2g}"),
        length=min(plan.length or recipe.LENGTH, facts["reads"]),
        epochs=plan.epochs or recipe.epochs(len(examples.train), len(examples.labels), together),
    )


def _cost(plan: Plan, examples: Examples, facts: Mapping[str, int]) -> tuple[float, int]:
    """Minutes and bytes, about: six operations for a weight and token, 16 bytes for a weight."""
    lengths = [min(plan.length, _characters(one) / CHARACTERS) for one in examples.train]
    tokens = sum(lengths) * plan.epochs
    outside = facts["words"] * facts["hidden"]
    inner = max(facts["weights"] - outside, facts["weights"] // 10)
    if plan.task in ("masked", "causal"):
        inner += outside
    passes = 6 if plan.method == "full" else 4
    seconds = tokens * inner * passes / (compute.speed() * EFFICIENCY) + 20
    held = {"full": 16.0, "qlora": 1.5}.get(plan.method, 6.0)
    widest = plan.batch * min(plan.length, max(lengths)) * facts["hidden"] * facts["layers"] * 40
    memory = int(facts["weights"] * held + widest + LIBRARIES)
    if compute.device() == "cpu":
        return seconds / 60, memory * plan.processes  # which share the processor and the memory
    return seconds / 60 / plan.processes, memory


def _characters(example: Any) -> int:
    return (
        len(example.text)
        + len(example.second)
        + sum(len(word) + 1 for word in example.words)
        + sum(len(str(message.get("content") or "")) for message in example.messages)
    )


def _name(data: Path) -> str:
    """From the file's: "Product Reviews.csv" is "product-reviews"."""
    name = re.sub(r"[^a-z0-9]+", "-", data.stem.lower()).strip("-")[:40]
    return name or "specialist"


def _minutes(minutes: float) -> str:
    if minutes < 1.5:
        return f"{max(10, round(minutes * 6) * 10)} seconds"
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"


def _refuse_nonsense(wishes: Wishes) -> None:
    from tools.specialists.manifest import checked_name

    if wishes.name:
        try:
            checked_name(wishes.name)
        except SpecialistError as error:
            raise PlanError(str(error)) from error
    for key, least in (("epochs", 0), ("batch", 0), ("accumulate", 1), ("length", 0)):
        if getattr(wishes, key) < least:
            raise PlanError(f"--{key} {getattr(wishes, key)}: it is at least 1")
    if not 0 <= wishes.seed < 2**32:
        raise PlanError(f"--seed {wishes.seed}: it is from 0 to {2**32 - 1}")
    if wishes.layers < 0:
        raise PlanError(f"--layers {wishes.layers}: it is at least 1")
    if not 0 <= wishes.rate < 1:
        raise PlanError(f"--rate {wishes.rate}: a learning rate is between 0 and 1, such as 1e-4")
    if wishes.processes < 1:
        raise PlanError(f"--processes {wishes.processes}: it is at least 1")
    most = compute.places()
    if wishes.processes > most and not wishes.ray:
        raise PlanError(f"--processes {wishes.processes}: this machine has room for {most}")
    if 0 < wishes.length < 8:
        raise PlanError(f"--length {wishes.length}: it is at least 8 tokens")
