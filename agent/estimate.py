"""What a model needs, before it is loaded: weights, key-value cache, overhead.

Read from the headers of its files, so that nothing heavy is imported: GGUF
(https://github.com/ggml-org/ggml/blob/master/docs/gguf.md) and safetensors
(https://huggingface.co/docs/safetensors), of which the shapes are enough.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

from agent.errors import DoesNotFit, ModelError

Bits = Literal[4, 8, 16, 32]

LEAST_CONTEXT = 2048
"""Tokens; with fewer no conversation with tools is possible."""
GGUF_OVERHEAD = 300 << 20
"""Bytes that llama.cpp's buffers and Python take besides."""
TORCH_OVERHEAD = 800 << 20
"""Bytes that torch, its kernels and one chunk of activations take besides."""
PARAMETER_BYTES: dict[Bits, float] = {
    4: 0.5 + 1 / 64 + 4 / (64 * 256),  # nf4; a byte of scale for 64 weights, 4 for 256 of those
    8: 1.0,
    16: 2.0,
    32: 4.0,
}
BROKEN = (OSError, struct.error, LookupError, ValueError, TypeError, AttributeError, OverflowError)
"""What reading a header raises when it is not what its format says."""


@dataclass(frozen=True)
class Estimate:
    name: str
    weights: int
    """Bytes."""
    per_token: int
    """Bytes of key-value cache."""
    overhead: int
    """Bytes."""
    trained: int
    """Tokens the model was trained to read."""
    lanes: int = 1
    """Replies that are written at once, each with a cache of its own."""

    def need(self, context: int) -> int:
        """Bytes for a window of `context` tokens."""
        return self.weights + self.overhead + self._cache(context)

    def of_lanes(self, wanted: int, context: int, free: int) -> Estimate:
        """The same for so many lanes, or for as many as `free` bytes hold with this window.

        `context`: 0 for the least that is sensible.
        """
        left = free - self.weights - self.overhead
        most = left // (self.per_token * max(context, LEAST_CONTEXT))
        return replace(self, lanes=max(1, min(wanted, most)))

    def window(self, wanted: int, free: int) -> int:
        """Tokens of context: `wanted`, or what the model and half of the memory left over allow.

        `wanted`: 0 for as many as is sensible; `free`: bytes. Raises DoesNotFit with what would.
        """
        left = free - self.weights - self.overhead
        most = max(0, left // self._cache(1))
        if most < LEAST_CONTEXT or wanted > most:
            need = self.need(max(wanted, LEAST_CONTEXT))
            advice = (
                f"a context of {most} would fit"
                if most >= LEAST_CONTEXT
                else "take a smaller model or fewer bits (tinsmith models recommend)"
            )
            raise DoesNotFit(
                f"{self.name} needs {need / 1e9:.1f} GB ({self.weights / 1e9:.1f} GB of it "
                f"weights) and {free / 1e9:.1f} GB are free; {advice}"
            )
        if wanted:
            return min(wanted, self.trained)
        return max(LEAST_CONTEXT, min(self.trained, left // 2 // self._cache(1)))

    def describe(self, context: int, free: int) -> str:
        times = f"{self.lanes} times " if self.lanes > 1 else ""
        return (
            f"{self.name}: {self.weights / 1e9:.2f} GB of weights, "
            f"{self._cache(context) / 1e9:.2f} GB for {times}{context} tokens, "
            f"{self.overhead / 1e9:.1f} GB besides; {free / 1e9:.1f} GB are free"
        )

    def _cache(self, context: int) -> int:
        return context * self.per_token * self.lanes


def estimate(path: Path, bits: Bits = 16) -> Estimate:
    """Of a GGUF file, or of a folder of safetensors loaded with `bits`. Raises ModelError."""
    return _of_folder(path, bits) if path.is_dir() else _of_gguf(path)


def _of_gguf(path: Path) -> Estimate:
    try:
        facts = _gguf_header(path)
        kind = facts["general.architecture"]
        layers = _count(facts, f"{kind}.block_count")
        heads = f"{kind}.attention.head_count"
        most, every = _heads(facts, heads, layers)
        if f"{heads}_kv" in facts:
            _, every = _heads(facts, f"{heads}_kv", layers)
        if f"{kind}.attention.key_length" in facts:
            size = _count(facts, f"{kind}.attention.key_length")
        else:
            size = _count(facts, f"{kind}.embedding_length") // most
        if not size:
            raise ValueError(f"{kind}.embedding_length is less than the heads")
        per_token = every * size * 2 * 2
        trained = _count(facts, f"{kind}.context_length")
        weights = path.stat().st_size
    except BROKEN as error:
        raise ModelError(f"{path} is not a GGUF file that can be read: {error}") from error
    return Estimate(path.name, weights, per_token, GGUF_OVERHEAD, trained)


def _of_folder(path: Path, bits: Bits) -> Estimate:
    try:
        config = json.loads((path / "config.json").read_text("utf-8"))
        config = config.get("text_config") or config
        weights = sum(_tensor_bytes(*tensor, bits) for tensor in _tensors(path))
        heads = _count(config, "num_attention_heads")
        grouped = config.get("num_key_value_heads") is not None
        kv_heads = _count(config, "num_key_value_heads") if grouped else heads
        given = config.get("head_dim") is not None
        size = _count(config, "head_dim") if given else _count(config, "hidden_size") // heads
        if not size:
            raise ValueError("hidden_size is less than num_attention_heads")
        value = 4 if bits == 32 else 2
        per_token = _count(config, "num_hidden_layers") * kv_heads * size * 2 * value
        trained = _count(config, "max_position_embeddings")
    except (*BROKEN, RecursionError) as error:
        raise ModelError(
            f"{path} is not a folder of a Hugging Face model that can be read: {error!r}; it needs "
            "config.json and *.safetensors"
        ) from error
    if not weights:
        raise ModelError(f"{path} has no *.safetensors; other formats of weights are not loaded")
    return Estimate(f"{path.name} at {bits} bits", weights, per_token, TORCH_OVERHEAD, trained)


def _count(facts: Mapping[str, Any], key: str) -> int:
    """A number that is one at least. Raises KeyError, ValueError."""
    value = facts[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{key} is {value!r}")
    return value


def _heads(facts: Mapping[str, Any], key: str, layers: int) -> tuple[int, int]:
    """The most that a layer has, and those of all layers.

    Given as one number, or as a list of one for each layer: some have none, but not all.
    """
    value = facts[key]
    if not isinstance(value, list):
        return _count(facts, key), _count(facts, key) * layers
    if not any(value) or not all(isinstance(one, int) and one >= 0 for one in value):
        raise ValueError(f"{key} is {value!r}")
    return max(value), sum(value)


def _tensor_bytes(name: str, shape: list[int], bits: Bits) -> int:
    """bitsandbytes quantises linear layers, but not the embeddings and the output."""
    linear = len(shape) == 2 and name.endswith(".weight")
    kept = any(part in name for part in ("embed", "lm_head", "wte", "wpe", "output.weight"))
    stored: Bits = 16 if bits < 16 and (kept or not linear) else bits
    scales = 4 * shape[0] if stored == 8 else 0
    return round(math.prod(shape) * PARAMETER_BYTES[stored]) + scales


def _tensors(path: Path) -> Iterator[tuple[str, list[int]]]:
    for file in sorted(path.glob("*.safetensors")):
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > 100 << 20:  # the format's own limit
                raise ValueError(f"{file.name} is not a safetensors file")
            header = json.loads(stream.read(length))
            if not isinstance(header, dict):
                raise ValueError(f"the header of {file.name} is no object")
        for name, tensor in header.items():
            if name != "__metadata__":
                yield name, tensor["shape"]


def _gguf_header(path: Path) -> dict[str, Any]:
    """The metadata up to the vocabulary, which takes long to read and is not needed."""
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
    if length > os.fstat(file.fileno()).st_size:
        raise ValueError(f"a text of {length} bytes is longer than the file")
    return file.read(length).decode("utf-8", "replace")


_STRING, _ARRAY = 8, 9
_FORMS = dict(enumerate(("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<?")))
_FORMS |= {10: "<Q", 11: "<q", 12: "<d"}
