"""Sentence embedder: texts that belong together come to lie close, through sentence-transformers.

From pairs by in-batch negatives (MultipleNegativesRankingLoss, Henderson et al. 2017), from pairs
with a score by CoSENT, from labelled texts by batch-hard triplets (Hermans et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tools.errors import SpecialistError, first_line
from tools.specialists import classifier, compute, methods, metrics
from tools.specialists.checks import Examples
from tools.specialists.manifest import Manifest
from tools.specialists.measured import Measured
from tools.specialists.plan import Plan
from tools.specialists.training import Work

LENGTH = 256
BATCH = 32
AT = 10


def epochs(rows: int, labels: int, batch: int) -> int:
    return min(20, max(2, math.ceil(200 * batch / max(1, rows))))


def prepare(plan: Plan, examples: Examples) -> Work:
    base = Path(plan.base_path)
    sentences = load(base)
    transformer = sentences[0]
    if getattr(transformer.model, "pooler", None) is not None:
        transformer.model.pooler.requires_grad_(False)  # it has no part in a mean of tokens
    transformer.model = methods.apply(transformer.model, plan)
    tokenizer = sentences.tokenizer
    kind = _kind(examples)

    def encoded(some: Sequence[Any]) -> list[dict[str, Any]]:
        rows = classifier.encode(tokenizer, [one.text for one in some], plan.length)
        if kind == "labels":
            number = {label: at for at, label in enumerate(examples.labels)}
            return [
                row | {"label": number[one.labels[0]]} for row, one in zip(rows, some, strict=True)
            ]
        second = classifier.encode(tokenizer, [one.second for one in some], plan.length)
        return [
            row
            | {f"second_{key}": value for key, value in other.items()}
            | ({"label": one.score} if kind == "scores" else {})
            for row, other, one in zip(rows, second, some, strict=True)
        ]

    fill = {"input_ids": tokenizer.pad_token_id or 0}

    def collate(rows: Sequence[Any]) -> dict[str, Any]:
        texts = [{key: row[key] for key in ("input_ids", "attention_mask")} for row in rows]
        batch: dict[str, Any] = compute.padded(texts, fill)
        if kind != "labels":
            others = [{key: row[f"second_{key}"] for key in texts[0]} for row in rows]
            batch |= {f"second_{key}": one for key, one in compute.padded(others, fill).items()}
        # without any labels the Trainer would not ask for a loss
        batch["labels"] = torch.tensor([row.get("label", 0) for row in rows])
        return batch

    return Work(
        model=_Together(sentences, kind),
        tokenizer=tokenizer,
        train=encoded(examples.train),
        held=encoded(examples.held),
        collate=collate,
        metric="loss",
    )


def save(work: Work, folder: Path, base: Path) -> None:
    """A folder that sentence-transformers loads; an adapter is added into the weights."""
    sentences = work.model.sentences
    model = sentences[0].model
    if hasattr(model, "merge_and_unload"):
        sentences[0].model = model.merge_and_unload()
    sentences.save(str(folder), create_model_card=False)


def measure(
    folder: Path,
    base: Path,
    plan: Plan,
    examples: Examples,
    known: Manifest | None = None,
) -> Measured:
    """nDCG@10 of finding, for each held-out text, its partner (or those with its label)."""
    measured = Measured("ndcg@10", {"ndcg@10": _ndcg(load(folder), examples)})
    if known:
        return measured
    return measured.beside("base", {"ndcg@10": _ndcg(load(base), examples)})


def load(folder: Path) -> Any:
    """A SentenceTransformer, safetensors only. Raises SpecialistError."""
    from sentence_transformers import SentenceTransformer

    compute.refuse_pickles(folder)
    try:
        return SentenceTransformer(
            str(folder),
            device=compute.device(),
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": "float32"},
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise SpecialistError(f"{folder} cannot be loaded: {first_line(error)}") from error


class _Together(torch.nn.Module):
    """The embedder and its loss as one module, as the Trainer wants it."""

    def __init__(self, sentences: Any, kind: str) -> None:
        from sentence_transformers.sentence_transformer import losses

        super().__init__()
        made = {
            "pairs": losses.MultipleNegativesRankingLoss,
            "scores": losses.CoSENTLoss,
            "labels": losses.BatchHardSoftMarginTripletLoss,
        }
        self.loss = made[kind](sentences)

    @property
    def sentences(self) -> Any:
        return self.loss.model if hasattr(self.loss, "model") else self.loss.sentence_embedder

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        second_input_ids: torch.Tensor | None = None,
        second_attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        features = [{"input_ids": input_ids, "attention_mask": attention_mask}]
        if second_input_ids is not None and second_attention_mask is not None:
            features.append(
                {"input_ids": second_input_ids, "attention_mask": second_attention_mask}
            )
        return {"loss": self.loss(features, labels)}


def _kind(examples: Examples) -> str:
    one = (examples.train or examples.held)[0]
    if one.labels:
        return "labels"
    return "pairs" if one.score is None else "scores"


def _ndcg(sentences: Any, examples: Examples) -> float:
    held = examples.held

    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.asarray(
            sentences.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        )

    first = embed([one.text for one in held])
    if _kind(examples) == "labels":
        close = first @ first.T
        np.fill_diagonal(close, -np.inf)  # a text always finds itself
        right = np.array([[a.labels == b.labels for b in held] for a in held])
        np.fill_diagonal(right, False)
    else:
        seconds = list(dict.fromkeys(one.second for one in held))
        close = first @ embed(seconds).T
        pairs = {(one.text, one.second) for one in held if one.score is None or one.score >= 0.5}
        right = np.array([[(one.text, other) in pairs for other in seconds] for one in held])
    best = np.argsort(-close, axis=1, kind="stable")[:, :AT]
    ranked = [[bool(row[at]) for at in places] for row, places in zip(right, best, strict=True)]
    asked = [at for at, row in enumerate(right) if row.any()]
    return metrics.ndcg([ranked[at] for at in asked], [int(right[at].sum()) for at in asked], AT)
