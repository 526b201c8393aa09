"""Text classification: one label a text, or several.

A linear layer on the encoder's first token, as transformers' AutoModelForSequenceClassification
has it, so that what is trained here can be loaded anywhere.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import expit, softmax

from tools.specialists import compute, methods, metrics, training
from tools.specialists.checks import Examples
from tools.specialists.compute import Report, silent
from tools.specialists.manifest import Manifest
from tools.specialists.measured import Measured
from tools.specialists.plan import Plan
from tools.specialists.training import Work

KIND = "AutoModelForSequenceClassification"
"""The auto class of transformers."""
LENGTH = 256
BATCH = 32
SKEWED = 3.0
"""The largest label has so many times the rows of the smallest: labels are weighed then."""
SMOOTHING = 0.1
"""Of the true label's share that is spread over all (Szegedy et al. 2016)."""
NARROW = 0.25
"""Logits between the first two labels within which 16 bits might choose another one."""
UNDECIDED = 0.5
"""Confidence from which a label of several is said."""


def epochs(rows: int, labels: int, batch: int) -> int:
    """More labels need more, and few rows need at least some 200 steps."""
    return min(30, max(4 + labels // 25, math.ceil(200 * batch / max(1, rows))))


def prepare(plan: Plan, examples: Examples) -> Work:
    base = Path(plan.base_path)
    tokenizer = compute.tokenizer(base)
    names = dict(enumerate(examples.labels))
    model = compute.load(
        KIND,
        base,
        num_labels=len(names),
        id2label=names,
        label2id={label: at for at, label in names.items()},
        problem_type=("multi_label_classification" if plan.many else "single_label_classification"),
        dtype="float32",  # of weights; a base may be kept in 16 bits, too coarse for small steps
        ignore_mismatched_sizes=True,  # the head of a specialist with other labels
        **methods.quantisation(plan),
    )
    model.config.pad_token_id = tokenizer.pad_token_id
    model = methods.apply(model, plan)
    length = methods.longest(model, plan.length)
    number = {label: at for at, label in names.items()}

    def encoded(some: Sequence[Any]) -> list[dict[str, Any]]:
        rows = encode(tokenizer, [example.text for example in some], length)
        for row, example in zip(rows, some, strict=True):
            if plan.many:
                row["labels"] = [float(label in example.labels) for label in examples.labels]
            else:
                row["labels"] = number[example.labels[0]]
        return rows

    fill = {"input_ids": tokenizer.pad_token_id or 0}

    def collate(rows: Sequence[Any]) -> dict[str, torch.Tensor]:
        labels = torch.tensor([row["labels"] for row in rows])
        texts = [{k: v for k, v in row.items() if k != "labels"} for row in rows]
        return compute.padded(texts, fill) | {"labels": labels}

    weights = _weights(examples)
    return Work(
        model=model,
        tokenizer=tokenizer,
        train=encoded(examples.train),
        held=encoded(examples.held),
        collate=collate,
        metric="macro_f1" if plan.many or weights is not None else "accuracy",
        loss=_several if plan.many else _one(weights),
        judge=_judge(plan, examples),
    )


save = training.save


class Classifier:
    """A trained classifier in use."""

    def __init__(
        self, folder: Path, base: Path, labels: Sequence[str], length: int, many: bool = False
    ) -> None:
        """`base`: what an adapter belongs to. Raises SpecialistError."""
        self.labels = tuple(labels)
        self._many = many
        self._tokenizer = compute.tokenizer(folder)
        where = compute.device()
        options = {"num_labels": len(labels), "ignore_mismatched_sizes": True}
        exact = methods.load(KIND, folder, base, **options)
        exact.config.pad_token_id = self._tokenizer.pad_token_id
        self._exact = exact.to(where).eval()
        self.reads = methods.longest(exact, length)
        """Tokens at which a text is cut."""
        self._fast = self._exact
        if compute.has_bf16(where):
            self._fast = copy.deepcopy(self._exact).to(torch.bfloat16)

    def logits(self, texts: Sequence[str], report: Report = silent) -> np.ndarray:
        """Shape (len(texts), len(labels)). What is narrow is worked out again in 32 bits."""
        rows = encode(self._tokenizer, texts, self.reads)
        given = self._run(self._fast, rows, report)
        if self._fast is not self._exact:
            narrow = np.flatnonzero(self._margin(given) < NARROW)
            if len(narrow):
                given[narrow] = self._run(self._exact, [rows[at] for at in narrow], silent)
        return given

    def confidences(
        self, texts: Sequence[str], temperature: float = 1.0, report: Report = silent
    ) -> np.ndarray:
        """Of each label for each text, shape (len(texts), len(labels))."""
        return confidence(self.logits(texts, report), self._many, temperature)

    def _run(self, model: Any, rows: list[dict[str, Any]], report: Report) -> np.ndarray:
        given = np.zeros((len(rows), len(self.labels)), np.float32)
        fill = {"input_ids": self._tokenizer.pad_token_id or 0}
        for batch, out in compute.outputs(model, rows, fill, report):
            given[batch] = out.logits.float().cpu().numpy()
        return given

    def _margin(self, logits: np.ndarray) -> np.ndarray:
        if self._many or logits.shape[1] < 2:
            return np.asarray(np.abs(logits).min(axis=1))
        best = np.partition(logits, -2, axis=1)
        return np.asarray(best[:, -1] - best[:, -2])


def confidence(logits: np.ndarray, many: bool, temperature: float) -> np.ndarray:
    scaled = logits / temperature
    return np.asarray(expit(scaled) if many else softmax(scaled, axis=1))


def measure(
    folder: Path,
    base: Path,
    plan: Plan,
    examples: Examples,
    known: Manifest | None = None,
) -> Measured:
    own = tuple(known.labels if known else examples.labels)
    every = tuple(dict.fromkeys([*examples.labels, *own]))
    classifier = Classifier(folder, base, own, plan.length, plan.many)
    logits = classifier.logits([example.text for example in examples.held])
    if plan.many:
        return _measure_several(logits, own, every, examples)
    truth = [every.index(example.labels[0]) for example in examples.held]
    said = [every.index(own[at]) for at in logits.argmax(axis=1)]
    right = np.array(truth) == np.array(said)
    numbers = metrics.classification(truth, said, every)
    before = softmax(logits, axis=1).max(axis=1)
    if known:
        heat = known.temperature
        after = softmax(logits / heat, axis=1).max(axis=1)
    else:
        heat, after = _calibrated(logits, np.array(truth))
    numbers |= {
        "calibration_error": metrics.calibration_error(after, right),
        "calibration_error_before": metrics.calibration_error(before, right),
    }
    metric = "macro_f1" if _weights(examples) is not None else "accuracy"
    if known:
        metric = known.metric
    rows = examples.train or examples.held
    most = Counter(example.labels[0] for example in rows).most_common(1)[0][0]
    majority = metrics.classification(truth, [every.index(most)] * len(truth), every)
    return Measured(
        metric,
        numbers,
        {"majority label": {key: majority[key] for key in ("accuracy", "macro_f1")}},
        every,
        metrics.threshold(after, right),
        heat,
    )


def _calibrated(logits: np.ndarray, truth: np.ndarray) -> tuple[float, np.ndarray]:
    """The temperature, and the confidence that each half has by the temperature of the other:
    what was fitted to a row must not say how honest it is there."""
    after = np.zeros(len(truth))
    for half in (0, 1):
        fit, rest = slice(half, None, 2), slice(1 - half, None, 2)
        heat = metrics.temperature(logits[fit], truth[fit])
        after[rest] = softmax(logits[rest] / heat, axis=1).max(axis=1)
    return metrics.temperature(logits, truth), after


def encode(tokenizer: Any, texts: Sequence[str], length: int) -> list[dict[str, Any]]:
    given = tokenizer(list(texts), truncation=True, max_length=length, return_token_type_ids=False)
    return [
        {"input_ids": ids, "attention_mask": mask}
        for ids, mask in zip(given["input_ids"], given["attention_mask"], strict=True)
    ]


def explain(classifier: Classifier, text: str, temperature: float) -> list[tuple[str, float]]:
    """Each word, and how much the confidence in the label falls without it (Li et al. 2016)."""
    words = text.split()[: classifier.reads]  # what comes behind has no influence
    without = [" ".join(words[:at] + words[at + 1 :]) for at in range(len(words))]
    given = classifier.confidences([text, *without], temperature)
    label = int(given[0].argmax())
    falls = given[0, label] - given[1:, label]
    return list(zip(words, (float(fall) for fall in falls), strict=True))


def _weights(examples: Examples) -> torch.Tensor | None:
    """Of the labels in the loss, against the square root of their rows; None: not skewed."""
    count = Counter(label for example in examples.train for label in example.labels)
    rows = [max(1, count[label]) for label in examples.labels]
    if max(rows) < SKEWED * min(rows):
        return None
    weights: torch.Tensor = torch.tensor([1 / math.sqrt(one) for one in rows])
    mean = sum(weight * one for weight, one in zip(weights.tolist(), rows, strict=True)) / sum(rows)
    scaled: torch.Tensor = weights / mean
    return scaled


def _one(weights: torch.Tensor | None) -> Any:
    def loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        logits = outputs["logits"].float()
        there = weights.to(logits.device) if weights is not None else None
        each = torch.nn.functional.cross_entropy(
            logits, labels, reduction="none", label_smoothing=SMOOTHING
        )
        if there is not None:
            each = each * there[labels]
        mean: torch.Tensor = each.sum() / (num_items_in_batch or len(labels))
        return mean

    return loss


def _several(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
    each = torch.nn.functional.binary_cross_entropy_with_logits(
        outputs["logits"].float(), labels, reduction="none"
    )
    mean: torch.Tensor = each.sum() / (num_items_in_batch or labels.numel())
    return mean


def _judge(plan: Plan, examples: Examples) -> Any:
    def judge(given: Any) -> dict[str, float]:
        logits, truth = given.predictions, given.label_ids
        if plan.many:
            numbers = metrics.multi_label(truth > 0.5, logits > 0, examples.labels)
        else:
            numbers = metrics.classification(
                truth.tolist(), logits.argmax(axis=1).tolist(), examples.labels
            )
        return {key: numbers[key] for key in ("accuracy", "macro_f1")}

    return judge


def _measure_several(
    logits: np.ndarray, own: Sequence[str], every: Sequence[str], examples: Examples
) -> Measured:
    truth = np.array([[label in example.labels for label in every] for example in examples.held])
    said = np.zeros_like(truth)
    for at, label in enumerate(own):
        said[:, every.index(label)] = logits[:, at] > 0
    numbers = metrics.multi_label(truth, said, every)
    sure = expit(logits)
    mine = truth[:, [every.index(label) for label in own]]
    numbers["calibration_error"] = metrics.calibration_error(
        np.maximum(sure, 1 - sure).ravel(), ((logits > 0) == mine).ravel()
    )
    count = Counter(label for example in examples.train for label in example.labels)
    often = np.array([count[label] * 2 > len(examples.train) for label in every])
    majority = metrics.multi_label(truth, np.tile(often, (len(truth), 1)), every)
    scores = {key: majority[key] for key in ("accuracy", "micro_f1", "macro_f1")}
    made = Measured("macro_f1", numbers, {"labels of most rows": scores}, tuple(every))
    return replace(made, threshold=UNDECIDED)
