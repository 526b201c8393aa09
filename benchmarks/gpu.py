"""The transformers engine with weights in the shape of a real model, made at random: for a GPU.

    python -m benchmarks.gpu --tokenizer qwen2.5-coder-0.5b-hf --shape 7b --bits 4 --bits 8

Speed and memory do not depend on what the weights say. For each `bits`: seconds to load, memory
beside the estimate, time to the first token of a fresh and of a grown prompt, tokens a second, the
share of the memory bandwidth reached (weights read once a token, against a copy of 1 GiB), and the
ratios to `generate` of `transformers_speed`. The folder of weights is made once, in --folder.
`gpu.md` says what has been measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.engines.base import Sampling
from agent.engines.transformers import TransformersModel
from agent.estimate import estimate
from benchmarks import parts
from benchmarks.transformers_speed import chat, measure

SHAPES: dict[str, dict[str, int]] = {
    # Qwen2.5-7B-Instruct, config.json
    "7b": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
    },
    # to try the script on any machine
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
}
PROMPT = 1000
"""Tokens of the prompt."""


def make(shape: str, tokenizer: Path, folder: Path) -> Path:
    """Random weights of `shape` with the tokenizer of another model, as a Hugging Face folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config

    words = AutoTokenizer.from_pretrained(tokenizer, local_files_only=True)
    config = Qwen2Config(
        **SHAPES[shape],
        vocab_size=152064,
        max_position_embeddings=32768,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        eos_token_id=words.eos_token_id,
    )
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def bandwidth() -> float:
    """Bytes a second that a copy within the device's memory reads and writes."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    source = torch.empty(1 << 30, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(5):
        _finish()
        started = time.perf_counter()
        target.copy_(source)
        _finish()
        best = min(best, time.perf_counter() - started)
    return 2 * source.numel() / best


def _finish() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def first_token(model: TransformersModel, ids: Sequence[int]) -> float:
    """Seconds until the first token."""
    started = time.perf_counter()
    next(model.generate(list(ids), None, Sampling(), 1))
    return time.perf_counter() - started


def row(folder: Path, bits: Any, tokens: int, peak: float) -> list[str]:
    import torch

    started = time.perf_counter()
    model = parts.token_model(str(folder), bits)
    assert isinstance(model, TransformersModel)
    loading = time.perf_counter() - started
    weights = model.module.get_memory_footprint()
    guess = estimate(folder, bits).weights
    ids = model.encode(chat("word " * PROMPT))[:PROMPT]
    first_token(model, ids)  # kernels are chosen at their first use
    model.forget()
    fresh = first_token(model, ids)
    grown = first_token(model, [*ids, *model.encode("and what follows from all this?")])
    lines = measure(model, tokens, rounds=3)
    rate = lines[0][1]
    most = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    model.close()
    return [
        str(bits),
        f"{loading:.0f}",
        f"{weights / 1e9:.2f}",
        f"{abs(guess / weights - 1):.1%}",
        f"{most / 1e9:.2f}" if most else "-",
        f"{fresh * 1e3:.0f}",
        f"{grown * 1e3:.0f}",
        f"{rate:.1f}",
        f"{weights * rate / peak:.0%}",
        *(f"{ratio:.2f}" for _, _, ratio in lines),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", required=True, help="a folder's name or path")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="7b")
    parser.add_argument("--bits", type=int, action="append", choices=(4, 8, 16))
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--folder", type=Path, help="keep the weights here")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary) / f"random-{given.shape}"
        if not folder.exists():
            print(f"making weights in {folder}", file=sys.stderr)
            make(given.shape, parts.path(given.tokenizer), folder)
        peak = bandwidth()
        head = ("bits", "load, s", "weights, GB", "estimate off", "most memory, GB",
                f"first token of {PROMPT}, ms", "of a grown prompt, ms", "tokens/s",
                "bandwidth reached", "text ÷ generate", "call ÷ generate",
                "second turn ÷ generate")  # fmt: skip
        print(f"memory bandwidth of a copy: {peak / 1e9:.0f} GB/s\n")
        print("| " + " | ".join(head) + " |\n" + "| --- " * len(head) + "|")
        for bits in given.bits or (4, 8, 16):
            print("| " + " | ".join(row(folder, bits, given.tokens, peak)) + " |", flush=True)


if __name__ == "__main__":
    main()
