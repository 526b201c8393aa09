"""Causal language model on conversations and tool calls: the agent's own model learns from talks.

The model's own chat template writes the conversation, and only what the assistant says is learnt.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tools.errors import SpecialistError, first_line
from tools.specialists import compute, gguf_adapter, methods, training
from tools.specialists.checks import Examples
from tools.specialists.manifest import Manifest
from tools.specialists.measured import Measured
from tools.specialists.plan import Plan
from tools.specialists.training import SILENT, Work

KIND = "AutoModelForCausalLM"
"""The auto class of transformers."""
LENGTH = 1024
BATCH = 4


def epochs(rows: int, labels: int, batch: int) -> int:
    return min(10, max(2, math.ceil(100 * batch / max(1, rows))))


def prepare(plan: Plan, examples: Examples) -> Work:
    base = Path(plan.base_path)
    tokenizer = compute.tokenizer(base)
    if tokenizer.chat_template is None:
        raise SpecialistError(f"{plan.base} has no chat template, so it cannot learn from talks")
    model = compute.load(KIND, base, dtype="float32", **methods.quantisation(plan))
    model.config.use_cache = False

    def encoded(some: Sequence[Any]) -> list[dict[str, Any]]:
        rows = [encode(tokenizer, one.messages, one.tools, plan.length) for one in some]
        return [row for row in rows if any(label != SILENT for label in row["labels"])]

    train, held = encoded(examples.train), encoded(examples.held)
    if not train or not held:
        raise SpecialistError(
            f"nothing is left to learn when conversations are cut at {plan.length} tokens: no "
            "answer of the assistant begins before; a larger --length takes more memory"
        )
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    fill = {"input_ids": pad, "labels": SILENT}
    return Work(
        model=methods.apply(model, plan),
        tokenizer=tokenizer,
        train=train,
        held=held,
        collate=lambda rows: compute.padded(rows, fill),
        metric="loss",
        loss=training.of_next_tokens,
    )


def save(work: Work, folder: Path, base: Path) -> None:
    """Of an adapter also the file that llama.cpp reads."""
    work.model.config.use_cache = True
    training.save(work, folder, base)
    if methods.is_adapter(folder):
        with contextlib.suppress(SpecialistError):  # an architecture that cannot be written yet
            gguf_adapter.write(folder, base, folder / gguf_adapter.FILE)


def measure(
    folder: Path,
    base: Path,
    plan: Plan,
    examples: Examples,
    known: Manifest | None = None,
) -> Measured:
    """Loss and perplexity of what the assistant says in the held-out conversations."""
    model = methods.load(KIND, folder, base)
    mine = _loss(model, compute.tokenizer(folder), examples, plan)
    measured = Measured("loss", _numbers(mine))
    if known:
        return measured
    before = compute.load(KIND, base, dtype="float32")
    theirs = _loss(before, compute.tokenizer(base), examples, plan)
    return measured.beside("base", _numbers(theirs))


def _numbers(loss: float) -> dict[str, float]:
    return {"loss": loss, "perplexity": math.exp(min(50.0, loss))}


def encode(
    tokenizer: Any,
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]],
    length: int,
) -> dict[str, Any]:
    """Tokens of a conversation; `labels` are SILENT outside of what the assistant says.

    Raises SpecialistError when the template refuses the conversation.
    """

    def written(some: Sequence[Mapping[str, Any]], begin: bool) -> str:
        try:
            text: str = tokenizer.apply_chat_template(
                list(some),
                tools=list(tools) or None,
                tokenize=False,
                add_generation_prompt=begin,
            )
        except Exception as error:  # a template is a program of the model's makers
            raise SpecialistError(
                f"the model's chat template refuses a conversation: {first_line(error)}"
            ) from error
        return text

    whole = written(messages, False)
    spans = []
    for at, message in enumerate(messages):
        if message["role"] != "assistant" or not at:
            continue  # what is said before any question is given, not learnt
        asked = written(messages[:at], True)
        if not whole.startswith(asked):
            continue  # some templates leave parts of earlier turns out; these are not learnt
        until = written(messages[: at + 1], False)
        same = (a == b for a, b in zip(whole, until, strict=False))
        end = sum(itertools.takewhile(bool, same))
        spans.append((len(asked), len(whole[:end].rstrip())))
    given = tokenizer(
        whole,
        add_special_tokens=False,
        return_offsets_mapping=True,
        truncation=True,
        max_length=length,
    )
    ids = given["input_ids"]
    labels = [
        token if any(begin <= first < end for begin, end in spans) else SILENT
        for token, (first, _) in zip(ids, given["offset_mapping"], strict=True)
    ]
    return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": labels}


def _loss(model: Any, tokenizer: Any, examples: Examples, plan: Plan) -> float:
    rows = [encode(tokenizer, one.messages, one.tools, plan.length) for one in examples.held]
    model = model.to(compute.device()).eval()
    loss, count = 0.0, 0
    for row in rows:
        ids = torch.tensor([row["input_ids"]], device=model.device)
        labels = torch.tensor(row["labels"][1:], device=model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0].float()
        logits = logits[-len(row["input_ids"]) :][:-1]  # behind virtual tokens, if there are any
        there = labels != SILENT
        loss += float(
            torch.nn.functional.cross_entropy(logits[there], labels[there], reduction="sum")
        )
        count += int(there.sum())
    if not count:
        raise SpecialistError(
            f"no answer of the assistant begins within {plan.length} tokens, so there is nothing "
            "to measure"
        )
    return loss / count
