"""Where the work is done, in which precision, and how to put texts through a model quickly."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import PlanError, SpecialistError, first_line

if TYPE_CHECKING:
    import torch

Report = Callable[[int, int], None]
"""Told how many texts are done, of how many."""
TOKENS = 4096
"""Of one forward pass in use, padding included: few long texts or many short ones."""


def silent(done: int, total: int) -> None:
    pass


def device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def places() -> int:
    """Processes that can train side by side: one for a GPU, else one for a core."""
    import torch

    return torch.cuda.device_count() or max(2, os.cpu_count() or 1)


def free() -> int:
    """Bytes of memory that are free where the training will be."""
    return _memory()[0]


def total() -> int:
    """Bytes of memory that are there, free or not."""
    return _memory()[1]


def _memory() -> tuple[int, int]:
    import psutil
    import torch

    if torch.cuda.is_available():
        there: tuple[int, int] = torch.cuda.mem_get_info()
        return there
    memory = psutil.virtual_memory()
    return memory.available, memory.total


def has_bf16(where: str) -> bool:
    """Whether bfloat16 is faster there, and not emulated."""
    import torch

    if where == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if where == "cpu":
        found = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return bool(found)
    return False


def speed() -> float:
    """Floating-point operations a second in a large matrix product, in the precision of training.

    Takes about a tenth of a second.
    """
    import torch

    where = device()
    kind = torch.bfloat16 if has_bf16(where) else torch.float32
    matrix = torch.ones(1024, 1024, dtype=kind, device=where)
    matrix @ matrix
    began, times = time.perf_counter(), 0
    while time.perf_counter() - began < 0.1:
        (matrix @ matrix).sum().item()  # waits for a GPU
        times += 1
    return times * 2 * 1024**3 / (time.perf_counter() - began)


def refuse_pickles(folder: Path) -> None:
    """Raises PlanError when `folder` is no model of safetensors; a pickle can run code."""
    if not (folder / "config.json").is_file():
        raise PlanError(f"{folder} is not a folder of a Hugging Face model: it has no config.json")
    if any(folder.glob("*.safetensors")):
        return
    pickles = [
        file.name for pattern in ("*.bin", "*.pt", "*.ckpt") for file in folder.glob(pattern)
    ]
    what = f"its weights are in {pickles[0]}, a pickle," if pickles else "it has no *.safetensors"
    raise PlanError(f"{folder} cannot be loaded: {what} and only safetensors are")


def load(kind: str, folder: Path, **options: Any) -> Any:
    """A model through transformers' auto class `kind`, safetensors only, nothing from the network.

    Raises SpecialistError.
    """
    import transformers
    from safetensors import SafetensorError

    broken = (OSError, ValueError, KeyError, RuntimeError, AttributeError, SafetensorError)
    refuse_pickles(folder)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        return getattr(transformers, kind).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, **options
        )
    except broken as error:
        raise SpecialistError(f"{folder} cannot be loaded: {first_line(error)}") from error


def load_for_sentences(kind: str, folder: Path) -> Any:
    """A model through sentence-transformers' class `kind`, likewise; in 16 bits where the processor
    has them, which halves the time.

    Raises SpecialistError.
    """
    import sentence_transformers
    import transformers
    from safetensors import SafetensorError

    transformers.utils.logging.set_verbosity_error()  # it tells of heads that nobody needs
    transformers.utils.logging.disable_progress_bar()
    where = device()
    dtype = "bfloat16" if has_bf16(where) else "float32"
    try:
        return getattr(sentence_transformers, kind)(
            str(folder),
            device=where,
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": dtype},
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise SpecialistError(first_line(error)) from error


def tokenizer(folder: Path) -> Any:
    import transformers

    try:
        return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise SpecialistError(f"{folder} has no tokenizer: {first_line(error)}") from error


def batches(lengths: Sequence[int], tokens: int = TOKENS) -> list[list[int]]:
    """Positions of texts of these lengths, like beside like, each batch at most `tokens` padded."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    made: list[list[int]] = []
    for at in order:
        if not made or (len(made[-1]) + 1) * max(1, lengths[made[-1][0]]) > tokens:
            made.append([])
        made[-1].append(at)
    return made


def padded(
    rows: Sequence[Mapping[str, Sequence[int]]], fill: Mapping[str, int]
) -> dict[str, torch.Tensor]:
    """Integer rows as tensors (rows, longest), filled up with `fill`, by default 0."""
    import torch

    width = max(len(row["input_ids"]) for row in rows)
    return {
        key: torch.tensor(
            [[*row[key], *[fill.get(key, 0)] * (width - len(row[key]))] for row in rows]
        )
        for key in rows[0]
    }


def outputs(
    model: Any,
    rows: Sequence[Mapping[str, Sequence[int]]],
    fill: Mapping[str, int],
    report: Report = silent,
) -> Iterator[tuple[list[int], Any]]:
    """For batch after batch the positions of its rows in `rows`, and what the model gives."""
    import torch

    done = 0
    where = next(model.parameters()).device
    for batch in batches([len(row["input_ids"]) for row in rows]):
        inputs = padded([rows[at] for at in batch], fill)
        with torch.inference_mode():
            given = model(**{key: tensor.to(where) for key, tensor in inputs.items()})
        yield batch, given
        done += len(batch)
        report(done, len(rows))
