"""What a GGUF model needs, before it is loaded: weights, key-value cache, overhead."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from agent.errors import DoesNotFit, ModelError

LEAST_CONTEXT = 2048
"""Tokens; with fewer no conversation with tools is possible."""
OVERHEAD = 300 << 20
"""Bytes that llama.cpp's buffers and Python take besides."""


@dataclass(frozen=True)
class Shape:
    """What the header of a GGUF file tells."""

    weights: int
    """Bytes."""
    trained: int
    """Tokens the model was trained to read."""
    per_token: int
    """Bytes of key-value cache, 16 bits a value."""


def shape(path: Path) -> Shape:
    """Raises ModelError when `path` is not a whole GGUF header."""
    try:
        facts = _header(path)
        kind = facts["general.architecture"]
        heads = facts[f"{kind}.attention.head_count"]
        kv_heads = facts.get(f"{kind}.attention.head_count_kv", heads)
        size = facts.get(f"{kind}.attention.key_length", facts[f"{kind}.embedding_length"] // heads)
        per_token = facts[f"{kind}.block_count"] * kv_heads * size * 2 * 2
        return Shape(path.stat().st_size, facts[f"{kind}.context_length"], per_token)
    except (OSError, KeyError, struct.error, ValueError, TypeError) as error:
        raise ModelError(f"{path} is not a GGUF file that can be read: {error}") from error


def window(path: Path, wanted: int, free: int | None = None) -> int:
    """Tokens of context: `wanted`, or what the model and half of the memory left over allow.

    `free`: bytes; None asks the system. Raises DoesNotFit with what would fit.
    """
    if free is None:
        import psutil

        free = psutil.virtual_memory().available
    model = shape(path)
    left = free - model.weights - OVERHEAD
    most = max(0, left // model.per_token)
    if most < LEAST_CONTEXT or wanted > most:
        need = model.weights + OVERHEAD + max(wanted, LEAST_CONTEXT) * model.per_token
        advice = (
            f"a context of {most} would fit" if most >= LEAST_CONTEXT else "take a smaller model"
        )
        raise DoesNotFit(
            f"{path.name} needs {need / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; {advice}"
        )
    if wanted:
        return min(wanted, model.trained)
    return max(LEAST_CONTEXT, min(model.trained, left // 2 // model.per_token))


def _header(path: Path) -> dict[str, Any]:
    """The metadata up to the vocabulary, which takes long to read and is not needed.

    Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """
    facts: dict[str, Any] = {}
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        _, _, count = struct.unpack("<IQQ", file.read(20))
        for _ in range(count):
            key = _string(file)
            (kind,) = struct.unpack("<I", file.read(4))
            if kind == _ARRAY:
                if key.startswith("tokenizer."):
                    break
                inner, length = struct.unpack("<IQ", file.read(12))
                facts[key] = [_value(file, inner) for _ in range(length)]
            else:
                facts[key] = _value(file, kind)
    return facts


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file)
    form = _FORMS[kind]
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _string(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    return file.read(length).decode("utf-8", "replace")


_STRING, _ARRAY = 8, 9
_FORMS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
