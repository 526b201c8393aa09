"""What a model needs, read from headers that may be broken."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from agent.errors import ModelError
from agent.estimate import estimate

FACTS = {
    "general.architecture": "llama",
    "llama.block_count": 4,
    "llama.context_length": 2048,
    "llama.embedding_length": 512,
    "llama.attention.head_count": 8,
    "llama.attention.head_count_kv": 2,
}
CONFIG = {
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "num_hidden_layers": 4,
    "hidden_size": 512,
    "max_position_embeddings": 2048,
}
CACHE = 4 * 2 * 64 * 2 * 2
"""Bytes of a token in both: layers, heads, size, keys and values, two bytes."""


def gguf(path: Path, facts: dict[str, Any]) -> Path:
    data = b"GGUF" + struct.pack("<IQQ", 3, 0, len(facts))
    for key, value in facts.items():
        data += struct.pack("<Q", len(key)) + key.encode()
        if isinstance(value, str):
            data += struct.pack("<IQ", 8, len(value)) + value.encode()
        elif isinstance(value, list):
            data += struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
        else:
            data += struct.pack("<If", 6, value) if isinstance(value, float) else b""
            data += struct.pack("<Ii", 5, value) if isinstance(value, int) else b""
    path.write_bytes(data)
    return path


def folder(path: Path, config: Any, header: Any) -> Path:
    written = header if isinstance(header, bytes) else json.dumps(header).encode()
    (path / "config.json").write_text(json.dumps(config))
    (path / "model.safetensors").write_bytes(struct.pack("<Q", len(written)) + written)
    return path


def test_the_cache_of_a_token_is_counted(tmp_path: Path) -> None:
    assert estimate(gguf(tmp_path / "a.gguf", FACTS)).per_token == CACHE
    assert estimate(folder(tmp_path, CONFIG, {"w": {"shape": [8, 8]}})).per_token == CACHE


@pytest.mark.parametrize(("heads", "share"), [([2, 2, 2, 2], 1), ([0, 0, 2, 2], 0.5), ([8] * 4, 4)])
def test_layers_with_heads_of_their_own_are_summed(
    tmp_path: Path, heads: list[int], share: float
) -> None:
    path = gguf(tmp_path / "a.gguf", FACTS | {"llama.attention.head_count_kv": heads})
    assert estimate(path).per_token == CACHE * share


@pytest.mark.parametrize(
    "broken",
    [
        {"llama.attention.head_count": 0},
        {"llama.attention.head_count": [0, 0, 0, 0]},
        {"llama.attention.head_count_kv": []},
        {"llama.attention.head_count_kv": [-1, 2, 2, 2]},
        {"llama.block_count": 0},
        {"llama.block_count": "four"},
        {"llama.context_length": 0},
        {"llama.context_length": 1.5},
        {"llama.embedding_length": -1},
        {"llama.embedding_length": 4},
        {"llama.attention.key_length": 0},
    ],
)
def test_a_gguf_file_with_impossible_numbers_is_an_error(
    tmp_path: Path, broken: dict[str, Any]
) -> None:
    with pytest.raises(ModelError, match="GGUF"):
        estimate(gguf(tmp_path / "a.gguf", FACTS | broken))


@pytest.mark.parametrize(
    "rest",
    [
        struct.pack("<Q", 2**63) + b"x",
        struct.pack("<Q", 2**40) + b"x",
        struct.pack("<Q", 1) + b"x" + struct.pack("<IIQ", 9, 9, 1),
        struct.pack("<Q", 1) + b"x" + struct.pack("<IIQ", 9, 4, 2**62),
        struct.pack("<Q", 1) + b"x" + struct.pack("<I", 99),
        b"",
    ],
)
def test_a_gguf_file_cut_or_overwritten_is_an_error(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 9) + rest)
    with pytest.raises(ModelError, match="GGUF"):
        estimate(path)


@pytest.mark.parametrize(
    "config",
    [
        [],
        None,
        {"text_config": []} | CONFIG | {"num_hidden_layers": 0},
        {"text_config": [1]},
        CONFIG | {"num_attention_heads": 0},
        CONFIG | {"num_hidden_layers": 0},
        CONFIG | {"num_key_value_heads": 0},
        CONFIG | {"head_dim": 0},
        CONFIG | {"hidden_size": "big"},
        CONFIG | {"hidden_size": 4},
        CONFIG | {"max_position_embeddings": None},
    ],
)
def test_a_folder_with_an_impossible_config_is_an_error(tmp_path: Path, config: Any) -> None:
    with pytest.raises(ModelError, match="Hugging Face"):
        estimate(folder(tmp_path, config, {"w": {"shape": [8, 8]}}))


@pytest.mark.parametrize(
    "header",
    [
        [],
        {"w": []},
        {"w": {"shape": None}},
        {"w": {"shape": ["a", "b"]}},
        {"w": {"shape": 3}},
        {"w": {"shape": [1e400]}},
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_folder_with_an_impossible_header_is_an_error(tmp_path: Path, header: Any) -> None:
    with pytest.raises(ModelError, match="Hugging Face"):
        estimate(folder(tmp_path, CONFIG, header))
