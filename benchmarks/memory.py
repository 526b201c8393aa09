"""What the weights take at 4, 8 and 16 bits, beside what was estimated before loading.

    python -m benchmarks.memory --model qwen2.5-coder-0.5b-hf

Each is loaded in a process of its own. "weights" is what the model's tensors take. "process" is
what the process grew by, on a GPU what the GPU's memory grew by; "pages of files" is the part of it
that is mapped from the disk, which the system takes back when others need it (Linux only).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.estimate import Bits, estimate
from benchmarks import parts

BITS: tuple[Bits, ...] = (4, 8, 16)


def child(model: str, bits: Bits) -> None:
    """Load, read a few tokens, print what it took, in bytes."""
    import psutil
    import torch

    from agent.engines.transformers import TransformersModel

    process = psutil.Process()
    gpu = torch.cuda.is_available()
    before, mapped_before = process.memory_info().rss, _mapped()
    loaded = parts.token_model(model, bits)
    assert isinstance(loaded, TransformersModel)
    loaded.logprobs(loaded.encode("How much is it?"), [0])
    took = torch.cuda.memory_allocated() if gpu else process.memory_info().rss - before
    mapped = 0 if gpu else _mapped() - mapped_before
    weights = loaded.module.get_memory_footprint()
    print(json.dumps({"weights": weights, "process": took, "mapped": mapped}))


def _mapped() -> int:
    """Bytes of this process's memory that are pages of files; 0 where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text("utf-8")
    except OSError:
        return 0
    found = re.search(r"^RssFile:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a name or the path of a folder")
    parser.add_argument("--child", type=int, choices=BITS, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        child(given.model, given.child)
        return
    found = {bits: _measured(given.model, bits) for bits in BITS}
    print(
        "| bits | weights, GB | estimated | off by | ÷ 16 bits | estimated | process, GB"
        " | of it pages of files |"
    )
    print("| --- " * 8 + "|")
    sixteen = estimate(parts.path(given.model), 16).weights
    for bits in BITS:
        weights = found[bits]["weights"]
        guess = estimate(parts.path(given.model), bits).weights
        print(
            f"| {bits} | {weights / 1e9:.3f} | {guess / 1e9:.3f} | {abs(guess / weights - 1):.1%}"
            f" | {weights / found[16]['weights']:.2f} | {guess / sixteen:.2f}"
            f" | {found[bits]['process'] / 1e9:.2f} | {found[bits]['mapped'] / 1e9:.2f} |"
        )


def _measured(model: str, bits: Bits) -> dict[str, int]:
    command = [sys.executable, "-m", "benchmarks.memory", "--model", model, "--child", str(bits)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    if done.returncode:
        sys.exit(f"{bits} bits: {done.stderr.strip()[-500:]}")
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
