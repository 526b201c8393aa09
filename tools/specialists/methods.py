"""How much of the base is trained: all of it, its head, or a small adapter beside it.

LoRA (Hu et al. 2021), QLoRA (Dettmers et al. 2023), prefix tuning (Li and Liang 2021) and prompt
tuning (Lester et al. 2021) are peft's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import PlanError
from tools.specialists import compute
from tools.specialists.plan import NOUNS, Method, Plan, Task

if TYPE_CHECKING:
    from torch import nn

WORKS: Mapping[Method, tuple[Task, ...]] = {
    "full": ("classifier", "tagger", "masked", "embedder", "causal"),
    "head": ("classifier", "tagger", "masked", "embedder", "causal"),
    "lora": ("classifier", "tagger", "masked", "embedder", "causal"),
    "qlora": ("classifier", "tagger", "causal"),
    "prefix": ("causal",),  # encoders of transformers 5 take no keys and values from outside
    "prompt": ("classifier", "tagger", "causal"),
}
HEADLESS: tuple[Task, ...] = ("embedder", "causal")
"""Whose base has no head of its own to train: "head" is then its last layers."""
RATES: Mapping[Method, float] = {
    "full": 1.5e-4, "head": 2e-3, "lora": 1e-3, "qlora": 1e-3, "prefix": 1e-2, "prompt": 3e-2,
}  # fmt: skip
"""Peak learning rates for a small encoder; the fewer weights, the larger."""
NEW_HEADS = ("pre_classifier", "head")
"""Of DistilBERT and ModernBERT."""
RANK = 16
VIRTUAL_TOKENS = 20
TYPES: Mapping[Task, str] = {
    "classifier": "SEQ_CLS", "tagger": "TOKEN_CLS", "causal": "CAUSAL_LM",
}  # fmt: skip
"""peft's names of the tasks whose heads it knows; it trains those beside the adapter."""


def refuse_mismatch(plan: Plan) -> None:
    """Raises PlanError when the method does not work with the task."""
    if plan.task not in WORKS[plan.method]:
        working = [method for method, tasks in WORKS.items() if plan.task in tasks]
        raise PlanError(
            f"method {plan.method!r} does not work with {NOUNS[plan.task]}; these do: "
            f"{', '.join(working)}"
        )
    if plan.method == "head" and plan.task in HEADLESS and not plan.layers:
        raise PlanError(
            f"{NOUNS[plan.task]} has no head to train alone; say how many of the last layers to "
            "train, with --layers 2"
        )
    if plan.layers and plan.method != "head":
        raise PlanError(f"--layers goes with --method head, not with {plan.method}")


def quantisation(plan: Plan) -> dict[str, Any]:
    """What `from_pretrained` is told: with qlora the base is held in 4 bits (nf4)."""
    if plan.method != "qlora":
        return {}
    import torch
    from transformers import BitsAndBytesConfig

    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
            llm_int8_skip_modules=["classifier", "score", "lm_head", ".*pooler", *NEW_HEADS],
        )
    }


def apply(model: Any, plan: Plan) -> Any:
    """`model` with what is not to be trained frozen, or wrapped into a `peft.PeftModel`."""
    if plan.method == "full":
        return model
    if plan.method == "head":
        _freeze_all_but_the_end(model, plan.layers)
        return model
    if plan.method == "prompt" and hasattr(model, "score"):
        raise PlanError(
            f"method 'prompt' does not work with the base {plan.base}, which decides at the last "
            "token of a text; take lora"
        )
    import peft

    kind, heads = TYPES.get(plan.task), _heads(model, plan.task)
    config: peft.PeftConfig
    if plan.method == "prefix":
        config = peft.PrefixTuningConfig(
            task_type=kind, num_virtual_tokens=VIRTUAL_TOKENS, modules_to_save=heads or None
        )
    elif plan.method == "prompt":
        config = peft.PromptTuningConfig(
            task_type=kind, num_virtual_tokens=VIRTUAL_TOKENS, modules_to_save=heads or None
        )
    else:
        if plan.method == "qlora":
            model = peft.prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
                model, use_gradient_checkpointing=False
            )
        config = peft.LoraConfig(
            task_type=kind,
            r=RANK,
            lora_alpha=2 * RANK,
            lora_dropout=0.05,
            target_modules=_linear_layers(model),
            modules_to_save=heads or None,
        )
    try:
        return peft.get_peft_model(model, config)
    except (ValueError, AttributeError, KeyError) as error:
        raise PlanError(
            f"method {plan.method!r} does not work with the base {plan.base}: {error}"
        ) from error


def trained_share(model: nn.Module) -> float:
    """Of the weights, from 0 to 1. Weights in 4 bits count as what they stand for."""
    every = trained = 0
    for weight in model.parameters():
        count = weight.numel() * (2 if weight.__class__.__name__ == "Params4bit" else 1)
        every += count
        trained += count if weight.requires_grad else 0
    return trained / every


def is_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file()


def load(kind: str, folder: Path, base: Path, **options: Any) -> Any:
    """What was trained, for use, in 32 bits: whole weights, or the adapter of `folder` on `base`.

    `kind`: an auto class of transformers. `options`: of the base, to which an adapter's folder says
    nothing, such as the number of labels. LoRA is added into the weights. Raises SpecialistError.
    """
    if not is_adapter(folder):
        return compute.load(kind, folder, dtype="float32")
    import peft

    model = compute.load(kind, base, dtype="float32", **options)
    adapted = peft.PeftModel.from_pretrained(model, str(folder), local_files_only=True)
    if adapted.active_peft_config.peft_type == peft.PeftType.LORA:
        return adapted.merge_and_unload()
    return adapted


def virtual_tokens(model: Any) -> int:
    """How many positions the model gives before those of the text: with prompt tuning some."""
    config = getattr(model, "active_peft_config", None)
    if config is None or str(config.peft_type.value) != "PROMPT_TUNING":
        return 0
    return int(config.num_virtual_tokens)


def longest(model: Any, length: int) -> int:
    """Tokens of a text that the model reads: `length`, or what is left beside virtual ones."""
    virtual = virtual_tokens(model)
    if not virtual:
        return length
    return min(length, int(model.config.max_position_embeddings) - 2 - virtual)  # 2: RoBERTa's


def _freeze_all_but_the_end(model: nn.Module, layers: int) -> None:
    """What is outside the numbered layers and behind them is the head: pooler, classifier."""
    numbers = [int(found[1]) for name, _ in model.named_parameters() if (found := _layer(name))]
    last = max(numbers, default=-1)
    for name, weight in model.named_parameters():
        found = _layer(name)
        weight.requires_grad = (
            int(found[1]) > last - layers if found else "embed" not in name.lower()
        ) and weight.requires_grad


def _heads(model: Any, task: Task) -> list[str]:
    """Modules outside the base, which may be new: they are trained and kept beside the adapter.

    Without those that share their weights with the embeddings.
    """
    if task in HEADLESS:
        return []
    inner = model.base_model
    found = [
        name
        for name, child in model.named_children()
        if child is not inner and any(True for _ in child.parameters())
    ]
    if task == "masked":
        words = model.get_input_embeddings().weight
        found = [
            f"{head}.{name}" if name else head
            for head in found
            for name, module in model.get_submodule(head).named_modules()
            if (own := list(module.parameters(recurse=False)))
            and not any(one is words for one in own)
            and not any(module.children())
        ]
    if task == "classifier" and getattr(inner, "pooler", None) is not None:
        found.append("pooler")  # a base may come without
    return found


def _layer(name: str) -> re.Match[str] | None:
    return re.search(r"\b(?:layers?|h|blocks?|transformer\.layer)\.(\d+)\.", name)


def _linear_layers(model: nn.Module) -> list[str]:
    """Ends of the names of the linear layers inside the numbered layers."""
    found = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if _layer(f"{name}.") and module.__class__.__name__ in ("Linear", "Linear4bit", "Conv1D")
    }
    return sorted(found)
