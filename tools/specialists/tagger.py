"""Entity tagging: a tag for each word, BIO, through transformers' AutoModelForTokenClassification.

A word's first token carries its tag, and the others are SILENT. A sentence that is too long is cut
between words, so every word gets a tag. In use the tags are the likeliest sequence that BIO allows
(Viterbi 1967).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import log_softmax

from tools.specialists import compute, methods, metrics, training
from tools.specialists.checks import Examples
from tools.specialists.compute import Report, silent
from tools.specialists.manifest import Manifest
from tools.specialists.measured import Measured
from tools.specialists.plan import Plan
from tools.specialists.training import SILENT, Work

KIND = "AutoModelForTokenClassification"
"""The auto class of transformers."""
LENGTH = 256
BATCH = 16
WORD = re.compile(r"[@#]?\w+(?:[-.]\w+)*|['’]\w+|[^\w\s]")


@dataclass(frozen=True)
class Entity:
    text: str
    kind: str
    start: int
    """Characters before it."""
    end: int
    confidence: float
    """Of its least certain word, from 0 to 1."""


@dataclass(frozen=True)
class Piece:
    """As much of a sentence as the model reads at once."""

    row: dict[str, Any]
    first: list[int]
    """Where each word's first token is."""


def epochs(rows: int, labels: int, batch: int) -> int:
    return min(30, max(5, math.ceil(600 * batch / max(1, rows))))


def prepare(plan: Plan, examples: Examples) -> Work:
    base = Path(plan.base_path)
    tokenizer = compute.tokenizer(base)
    names = dict(enumerate(examples.labels))
    number = {tag: at for at, tag in names.items()}
    model = compute.load(
        KIND,
        base,
        num_labels=len(names),
        id2label=names,
        label2id=number,
        dtype="float32",  # of weights; a base may be kept in 16 bits, too coarse for small steps
        ignore_mismatched_sizes=True,
        **methods.quantisation(plan),
    )
    model = methods.apply(model, plan)
    length = methods.longest(model, plan.length)

    def encoded(some: Sequence[Any]) -> list[dict[str, Any]]:
        rows = []
        for example in some:
            at = 0
            for piece in pieces(tokenizer, example.words, length):
                labels = [SILENT] * len(piece.row["input_ids"])
                for first in piece.first:
                    labels[first] = number[example.tags[at]]
                    at += 1
                rows.append(piece.row | {"labels": labels})
        return rows

    fill = {"input_ids": tokenizer.pad_token_id or 0, "labels": SILENT}
    return Work(
        model=model,
        tokenizer=tokenizer,
        train=encoded(examples.train),
        held=encoded(examples.held),
        collate=lambda rows: compute.padded(rows, fill),
        metric="entity_f1",
        loss=training.of_tokens,
        judge=_judge(examples.labels),
    )


save = training.save


class Tagger:
    """A trained tagger in use."""

    def __init__(self, folder: Path, base: Path, labels: Sequence[str], length: int) -> None:
        """`base`: what an adapter belongs to. Raises SpecialistError."""
        self.labels = tuple(labels)
        self._tokenizer = compute.tokenizer(folder)
        where = compute.device()
        options = {"num_labels": len(labels), "ignore_mismatched_sizes": True}
        model = methods.load(KIND, folder, base, **options).to(where).eval()
        self._length = methods.longest(model, length)
        self._model = model.to(torch.bfloat16) if compute.has_bf16(where) else model
        self._allowed = _transitions(self.labels)

    def tags(
        self, sentences: Sequence[Sequence[str]], report: Report = silent
    ) -> list[list[tuple[str, float]]]:
        """For each word of each sentence its tag and how sure it is."""
        cut = [list(pieces(self._tokenizer, words, self._length)) for words in sentences]
        flat = [piece for some in cut for piece in some]
        scores: list[np.ndarray] = [np.zeros((0, 0))] * len(flat)
        fill = {"input_ids": self._tokenizer.pad_token_id or 0}
        rows = [piece.row for piece in flat]
        virtual = methods.virtual_tokens(self._model)
        for batch, out in compute.outputs(self._model, rows, fill, report):
            logits = out.logits.float().cpu().numpy()
            for at, one in zip(batch, logits, strict=True):
                scores[at] = log_softmax(one[virtual:][flat[at].first], axis=1)
        tagged, at = [], 0
        for some in cut:
            together = scores[at : at + len(some)]
            at += len(some)
            tagged.append(self._best(np.concatenate(together)) if together else [])
        return tagged

    def entities(self, texts: Sequence[str], report: Report = silent) -> list[list[Entity]]:
        """Those of each text, with the characters where they begin and end."""
        words = [list(WORD.finditer(text)) for text in texts]
        tagged = self.tags([[word[0] for word in some] for some in words], report)
        return [
            list(_entities(text, some, tags))
            for text, some, tags in zip(texts, words, tagged, strict=True)
        ]

    def _best(self, scores: np.ndarray) -> list[tuple[str, float]]:
        """`scores`: log-probabilities, (words, tags)."""
        begin = np.array([0.0 if not tag.startswith("I-") else -np.inf for tag in self.labels])
        path = scores[0] + begin
        back = np.zeros(scores.shape, int)
        for at in range(1, len(scores)):
            ways = path[:, None] + self._allowed
            back[at] = ways.argmax(axis=0)
            path = ways.max(axis=0) + scores[at]
        best = [int(path.argmax())]
        for at in range(len(scores) - 1, 0, -1):
            best.append(int(back[at, best[-1]]))
        best.reverse()
        return [(self.labels[tag], float(np.exp(scores[at, tag]))) for at, tag in enumerate(best)]


def measure(
    folder: Path,
    base: Path,
    plan: Plan,
    examples: Examples,
    known: Manifest | None = None,
) -> Measured:
    tagger = Tagger(folder, base, known.labels if known else examples.labels, plan.length)
    tagged = tagger.tags([example.words for example in examples.held])
    truth = [example.tags for example in examples.held]
    numbers = metrics.entities(truth, [[tag for tag, _ in some] for some in tagged])
    sure = [one for some in tagged for one in some]
    right = [
        tag == true
        for some, tags in zip(tagged, truth, strict=True)
        for (tag, _), true in zip(some, tags, strict=True)
    ]
    numbers["calibration_error"] = metrics.calibration_error(
        np.array([confidence for _, confidence in sure]), np.array(right)
    )
    # the likeliest tag of all, O, finds no entity
    return Measured("entity_f1", numbers, {"every word O": {"entity_f1": 0.0}})


def pieces(tokenizer: Any, words: Sequence[str], length: int) -> Iterator[Piece]:
    """`words` encoded in as many pieces as it takes; no word is lost, none is parted."""
    before, after = _specials(tokenizer)
    begin, room = 0, length - len(before) - len(after)
    space = " " if "ByteLevel" in repr(tokenizer.backend_tokenizer.pre_tokenizer) else ""
    spaced = [space + word for word in words]  # such a vocabulary has most words with their space
    ids = tokenizer(spaced, add_special_tokens=False)["input_ids"] if words else []
    # a word that the tokenizer knows nothing of is one unknown token, a giant is cut
    nothing = [tokenizer.unk_token_id or 0]
    parts = [(one or nothing)[:room] for one in ids]
    while begin < len(words):
        end, taken = begin, 0
        while end < len(words) and taken + len(parts[end]) <= room:
            taken += len(parts[end])
            end += 1
        some = [token for part in parts[begin:end] for token in part]
        whole = [*before, *some, *after]
        at, first = len(before), []
        for part in parts[begin:end]:
            first.append(at)
            at += len(part)
        yield Piece({"input_ids": whole, "attention_mask": [1] * len(whole)}, first)
        begin = end


def _specials(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and behind a text."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    at = next(at for at in range(len(whole)) if whole[at : at + len(bare)] == bare)
    return whole[:at], whole[at + len(bare) :]


def _transitions(labels: Sequence[str]) -> np.ndarray:
    """0 where the second tag may follow the first, else minus infinity."""
    allowed = np.zeros((len(labels), len(labels)))
    for column, tag in enumerate(labels):
        if tag.startswith("I-"):
            for row, before in enumerate(labels):
                if before[2:] != tag[2:] or before == "O":
                    allowed[row, column] = -np.inf
    return allowed


def _entities(
    text: str, words: Sequence[re.Match[str]], tags: Sequence[tuple[str, float]]
) -> Iterator[Entity]:
    at = 0
    while at < len(words):
        tag = tags[at][0]
        end = at + 1
        if tag != "O":
            while end < len(words) and tags[end][0] == f"I-{tag[2:]}":
                end += 1
            begins, ends = words[at].start(), words[end - 1].end()
            sure = min(confidence for _, confidence in tags[at:end])
            yield Entity(text[begins:ends], tag[2:], begins, ends, sure)
        at = end


def _judge(labels: Sequence[str]) -> Any:
    def judge(given: Any) -> dict[str, float]:
        truth = given.label_ids
        said = given.predictions[:, -truth.shape[1] :].argmax(axis=-1)  # behind virtual tokens
        pairs = [
            [(labels[b], labels[a]) for a, b in zip(row, true, strict=True) if b != SILENT]
            for row, true in zip(said, truth, strict=True)
        ]
        numbers = metrics.entities(
            [[true for true, _ in some] for some in pairs], [[a for _, a in some] for some in pairs]
        )
        return {key: numbers[key] for key in ("entity_f1", "precision", "recall")}

    return judge
