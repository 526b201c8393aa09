"""LoRA adapters of peft as GGUF files, which llama.cpp puts on a quantised model as it is loaded.

The same file as that of llama.cpp's `convert_lora_to_gguf.py`, for the architectures listed here:
https://github.com/ggml-org/llama.cpp/blob/master/convert_lora_to_gguf.py
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tools.errors import SpecialistError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

FILE = "adapter.gguf"
"""The adapter of a specialist as llama.cpp reads it, beside the other."""
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
PICKLE = "adapter_model.bin"
PART = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
"""What peft calls a matrix: after the layer of the base that it belongs to."""
OTHER = {"A": "B", "B": "A"}
PERMUTES = {"llama": True, "qwen2": False, "qwen3": False}
"""Architectures, by the name that transformers and llama.cpp both have for them, and whether the
rows of their queries and keys stand in another order in a GGUF file."""
NOT_WRITTEN = {
    "use_dora": "DoRA",
    "modules_to_save": "layers that were trained as a whole",
    "trainable_token_indices": "trained tokens",
    "lora_bias": "trained biases",
    "target_parameters": "adapted parameters that are no layer of their own",
    "layer_replication": "repeated layers",
    "rank_pattern": "a rank of its own for some layers",
    "alpha_pattern": "an alpha of its own for some layers",
    "alora_invocation_tokens": "tokens that switch it on",
    "use_qalora": "QALoRA",
    "use_bdlora": "block-diagonal LoRA",
    "arrow_config": "Arrow",
    "kasa_config": "KaSA",
    "monteclora_config": "MonteCLoRA",
    "velora_config": "VeLoRA",
}
"""Entries of an adapter's configuration that change what it computes, and what they stand for."""
STARTS = (True, False, "gaussian", "eva", "orthogonal")
"""Initial values of an adapter that leave the base as it is."""


class Lora(NamedTuple):
    """What is added to the weight of one layer: the product of `b` and `a`, scaled."""

    layer: str
    """Its name in the base, such as model.layers.0.mlp.up_proj."""
    a: Matrix
    """Rank x inputs."""
    b: Matrix
    """Outputs x rank."""


def write(adapter: Path, base: Path, target: Path) -> Path:
    """The adapter of folder `adapter` as `target`, for the GGUF file that `base` was made of.

    Raises SpecialistError for what such a file cannot hold.
    """
    fit(adapter, base)
    config = _json(adapter / CONFIG)
    model = _json(base / "config.json")
    kind = model.get("model_type")
    if kind not in PERMUTES:
        raise SpecialistError(
            f"{base} is of architecture {kind}; only adapters of {', '.join(PERMUTES)} can be "
            "written as GGUF, and the transformers engine takes all"
        )
    _refuse_what_cannot_be_written(adapter, config, model)
    alpha = float(config["lora_alpha"])
    if config.get("use_rslora"):  # llama.cpp divides by the rank, this one by its root
        alpha *= math.sqrt(config["r"])
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        _write(unfinished, alpha, _loras(adapter / WEIGHTS), model)
        os.replace(unfinished, target)
    except OSError as error:
        raise SpecialistError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def fit(adapter: Path, base: Path) -> None:
    """Raises SpecialistError when `adapter` is no LoRA in safetensors, or not one of this `base`.

    Of other architectures than those of `PERMUTES` the shapes are not known here.
    """
    if not (base / "config.json").is_file():
        raise SpecialistError(
            f"{base}, on which the adapter {adapter} was trained, is no folder of a model; "
            "make it of the GGUF file with: tinsmith models convert NAME"
        )
    if (adapter / PICKLE).is_file() and not (adapter / WEIGHTS).is_file():
        raise SpecialistError(
            f"{adapter / PICKLE} is a pickle, which can run any code when it is loaded; save the "
            f"adapter as {WEIGHTS}, as peft does of itself"
        )
    kind = _json(adapter / CONFIG).get("peft_type")
    if kind != "LORA":
        raise SpecialistError(f"{adapter} is an adapter of kind {kind}; only LORA can be used")
    model = _json(base / "config.json")
    matrices = _shapes(adapter / WEIGHTS)
    if model.get("model_type") not in PERMUTES:
        return
    layers = _layers(base, model)
    for name, shape in matrices.items():
        if (part := PART.fullmatch(name)) is None:
            continue
        side = 1 if part[2] == "A" else 0  # that of the inputs, that of the outputs
        wanted = layers.get(part[1])
        if wanted is None or shape[side] != wanted[side]:
            has = f"a layer of {wanted[0]} x {wanted[1]}" if wanted else "no such layer"
            raise SpecialistError(
                f"{adapter} is not an adapter of {base}: {name} is {' x '.join(map(str, shape))}, "
                f"and the base has {has} there; name the base that it was trained on"
            )


def _refuse_what_cannot_be_written(
    adapter: Path, config: Mapping[str, Any], model: Mapping[str, Any]
) -> None:
    found = [f"{what} ({key})" for key, what in NOT_WRITTEN.items() if config.get(key)]
    if config.get("bias", "none") != "none":
        found.append(f"trained biases (bias: {config['bias']})")
    if config.get("init_lora_weights", True) not in STARTS:
        found.append(f"a changed base (init_lora_weights: {config['init_lora_weights']})")
    names = _shapes(adapter / WEIGHTS)
    for name in names:
        part = PART.fullmatch(name)
        if part is None:
            found.append(f"{name}, which is no matrix of a linear layer")
        elif f"base_model.model.{part[1]}.lora_{OTHER[part[2]]}.weight" not in names:
            found.append(f"{name} alone")
        elif part[1] == "lm_head" and model.get("tie_word_embeddings"):
            found.append(f"{name} for an output that is the embeddings too")
    if found:
        raise SpecialistError(
            f"{adapter} has {found[0]}, which a GGUF adapter cannot hold; the transformers engine "
            "takes it"
        )
    for key in ("r", "lora_alpha"):
        if not isinstance(config.get(key), int | float) or config[key] <= 0:
            raise SpecialistError(f"{adapter / CONFIG}: {key} is {config.get(key)!r}, not above 0")


def _write(file: Path, alpha: float, loras: Iterable[Lora], model: Mapping[str, Any]) -> None:
    import gguf

    kind = model["model_type"]
    arch = next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == kind)
    names = gguf.get_tensor_name_map(arch, model["num_hidden_layers"])
    heads = model["num_attention_heads"]
    permuted = {"q_proj": heads, "k_proj": model.get("num_key_value_heads") or heads}
    writer = gguf.GGUFWriter(file, kind)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for layer, a, b in loras:
        last = layer.rpartition(".")[2]
        if PERMUTES[kind] and last in permuted:
            b = _permuted(b, permuted[last])
        writer.add_tensor(f"{names.get_name(layer)}.weight.lora_a", a)
        writer.add_tensor(f"{names.get_name(layer)}.weight.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _permuted(rows: Matrix, heads: int) -> Matrix:
    """From pairs of halves, as transformers rotates them, to neighbours, as llama.cpp does."""
    import numpy as np

    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows.shape))


def _loras(file: Path) -> Iterable[Lora]:
    from safetensors import safe_open

    with safe_open(file, "pt") as stored:  # numpy knows no bfloat16
        for name in stored.keys():  # noqa: SIM118  it is no mapping
            if (part := PART.fullmatch(name)) and part[2] == "A":
                a = stored.get_tensor(name).float().numpy()
                b = stored.get_tensor(name.replace(".lora_A.", ".lora_B.")).float().numpy()
                yield Lora(part[1], a, b)


def _layers(base: Path, model: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Outputs and inputs of every linear layer of an architecture of `PERMUTES`."""
    try:
        hidden, inner, heads, vocabulary, layers = (
            int(model[key])
            for key in (
                "hidden_size",
                "intermediate_size",
                "num_attention_heads",
                "vocab_size",
                "num_hidden_layers",
            )
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SpecialistError(f"{base / 'config.json'} is of no model: {error!r}") from error
    size = model.get("head_dim") or hidden // heads
    queries, keys = heads * size, (model.get("num_key_value_heads") or heads) * size
    of_one = {
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    every = {
        f"model.layers.{layer}.{name}": shape
        for layer in range(layers)
        for name, shape in of_one.items()
    }
    return {"lm_head": (vocabulary, hidden), **every}


def _shapes(file: Path) -> dict[str, list[int]]:
    """Of the matrices in a file of safetensors, whose weights are not read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as stored:
            names = stored.keys()
            shapes: dict[str, list[int]] = {
                name: stored.get_slice(name).get_shape() for name in names
            }
    except (OSError, SafetensorError) as error:
        raise SpecialistError(f"{file} cannot be read: {error}; train the adapter again") from error
    return shapes


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SpecialistError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SpecialistError(f"{file} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise SpecialistError(f"{file} holds no JSON object")
    return value
