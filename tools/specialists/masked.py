"""Masked language modelling (Devlin et al. 2019): a base gets used to a kind of text.

15 % of the tokens are hidden and guessed. What comes of it fills in [MASK], and is a better base
for the other recipes on such text.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tools.errors import SpecialistError
from tools.specialists import classifier, compute, methods, training
from tools.specialists.checks import Examples
from tools.specialists.manifest import Manifest
from tools.specialists.measured import Measured
from tools.specialists.plan import Plan
from tools.specialists.training import SILENT, Work

KIND = "AutoModelForMaskedLM"
"""The auto class of transformers."""
LENGTH = 256
BATCH = 32
HIDDEN = 0.15


def epochs(rows: int, labels: int, batch: int) -> int:
    return min(20, max(3, math.ceil(600 * batch / max(1, rows))))


def prepare(plan: Plan, examples: Examples) -> Work:
    base = Path(plan.base_path)
    tokenizer = compute.tokenizer(base)
    refuse_maskless(tokenizer, plan.base)
    model = compute.load(KIND, base, dtype="float32")
    return Work(
        model=methods.apply(model, plan),
        tokenizer=tokenizer,
        train=classifier.encode(tokenizer, [one.text for one in examples.train], plan.length),
        held=classifier.encode(tokenizer, [one.text for one in examples.held], plan.length),
        collate=_Masking(tokenizer, plan.seed),
        metric="loss",
        loss=training.of_tokens,
    )


save = training.save


def measure(
    folder: Path,
    base: Path,
    plan: Plan,
    examples: Examples,
    known: Manifest | None = None,
) -> Measured:
    """Perplexity of the hidden tokens, the same ones for the specialist and for its base."""
    texts = [example.text for example in examples.held]
    model = methods.load(KIND, folder, base)
    mine = _perplexity(model, compute.tokenizer(folder), texts, plan)
    measured = Measured("perplexity", {"perplexity": mine})
    if known:
        return measured
    before = compute.load(KIND, base, dtype="float32")
    theirs = _perplexity(before, compute.tokenizer(base), texts, plan)
    return measured.beside("base", {"perplexity": theirs})


@dataclass(frozen=True)
class Filling:
    word: str
    confidence: float
    text: str
    """The text with the word in it."""


class Filler:
    """A masked language model in use."""

    def __init__(self, folder: Path, base: Path) -> None:
        """Raises SpecialistError."""
        self._tokenizer = compute.tokenizer(folder)
        refuse_maskless(self._tokenizer, folder.name)
        self._model = methods.load(KIND, folder, base).to(compute.device()).eval()

    def fill(self, text: str, count: int = 5) -> list[Filling]:
        """The likeliest words for the one [MASK] (or ___) in `text`. Raises SpecialistError."""
        mask = self._tokenizer.mask_token
        asked = text.replace("[MASK]", mask).replace("<mask>", mask).replace("___", mask)
        if asked.count(mask) != 1:
            raise SpecialistError(
                f"there are {asked.count(mask)} gaps in {text!r}; write [MASK] for the one word "
                "to be found"
            )
        given = self._tokenizer(asked, return_tensors="pt", truncation=True)
        where = self._model.device
        with torch.inference_mode():
            logits = self._model(**{key: one.to(where) for key, one in given.items()}).logits
        at = (given["input_ids"][0] == self._tokenizer.mask_token_id).nonzero()
        if not len(at):
            raise SpecialistError("the text is too long: its gap lies behind what the model reads")
        sure_of = logits[0, at[0, 0]].float().softmax(dim=-1)
        sure_of[self._tokenizer.all_special_ids] = 0.0  # no words
        best = sure_of.topk(min(count, len(sure_of)))
        found = []
        for sure, token in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            word = self._tokenizer.decode([token]).strip()
            found.append(Filling(word, sure, asked.replace(mask, word)))
        return found


def refuse_maskless(tokenizer: Any, base: str) -> None:
    if tokenizer.mask_token is None:
        raise SpecialistError(
            f"{base} cannot fill gaps: its vocabulary has no mask; take an encoder such as BERT"
        )


class _Masking:
    """Hides tokens, by chance that hangs on the seed and the batch alone: a training that goes on
    from a checkpoint hides the same ones."""

    def __init__(self, tokenizer: Any, seed: int) -> None:
        from transformers import DataCollatorForLanguageModeling

        self._tokenizer = tokenizer
        self._seed = seed
        self._special = torch.tensor(tokenizer.all_special_ids)
        self._hide = DataCollatorForLanguageModeling(tokenizer, mlm=True, mlm_probability=HIDDEN)

    def __call__(self, rows: Sequence[Any]) -> dict[str, torch.Tensor]:
        fill = {"input_ids": self._tokenizer.pad_token_id or 0}
        batch = compute.padded(rows, fill)
        self._hide.generator = torch.Generator().manual_seed(
            zlib.crc32(batch["input_ids"].numpy().tobytes()) + self._seed
        )
        special = torch.isin(batch["input_ids"], self._special)
        hidden, labels = self._hide.torch_mask_tokens(batch["input_ids"].clone(), special)
        return batch | {"input_ids": hidden, "labels": labels}


def _perplexity(model: Any, tokenizer: Any, texts: Sequence[str], plan: Plan) -> float:
    rows = classifier.encode(tokenizer, texts, plan.length)
    hide = _Masking(tokenizer, plan.seed)
    model = model.to(compute.device()).eval()
    loss, count = 0.0, 0
    for batch in compute.batches([len(row["input_ids"]) for row in rows]):
        inputs = {
            key: one.to(model.device) for key, one in hide([rows[at] for at in batch]).items()
        }
        labels = inputs.pop("labels")
        with torch.inference_mode():
            logits = model(**inputs).logits.float()
        there = labels != SILENT
        loss += float(
            torch.nn.functional.cross_entropy(logits[there], labels[there], reduction="sum")
        )
        count += int(there.sum())
    if not count:
        raise SpecialistError("the texts are so short that no token was hidden: nothing to measure")
    return math.exp(min(50.0, loss / count))
