"""Which model a specialist starts from: a folder of safetensors, by name or by path."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.errors import PlanError, SpecialistError
from tools.specialists import compute
from tools.specialists.manifest import Manifest
from tools.specialists.plan import Task
from tools.specialists.registry import Registry

ENCODER = "all-minilm-l6-v2"
"""22 million weights, a BERT; good for a first specialist on any machine."""
DECODERS = ("ForCausalLM",)


def folder_of(home: Path, name: str) -> Path:
    """Raises PlanError when it is not there, or is no folder of safetensors."""
    folder = home / "models" / name.replace("/", "--")
    if not folder.is_dir():
        given = Path(name).expanduser()
        if not given.is_dir():
            raise PlanError(_missing(home, name))
        folder = given.absolute()
    if not (folder / "config.json").is_file() and any(folder.glob("*.gguf")):
        raise PlanError(
            f"{name} is a GGUF file, which cannot be trained; make a folder of it with: tinsmith "
            f"models convert {name}"
        )
    compute.refuse_pickles(folder)
    return folder


def of_version(registry: Registry, one: Manifest) -> Path:
    """What a version needs to be used: an adapter what it was trained on, whole weights no more
    than themselves. Raises PlanError, UnknownSpecialist."""
    if not one.is_adapter:
        return registry.folder(one.name, one.version)
    if one.came_from:
        return registry.folder(one.name, one.came_from)
    return folder_of(registry.home, one.base)


def needed_by(home: Path, name: str) -> list[str]:
    """Adapters, and trainings that are not over, that are of no use without this model."""
    from tools.specialists.jobs import Jobs

    registry, found = Registry(home), []
    place = (home / "models" / name.replace("/", "--")).resolve()
    for one in registry.names():
        for version in registry.versions(one):
            with contextlib.suppress(SpecialistError):
                manifest = registry.manifest(one, version)
                if manifest.is_adapter and of_version(registry, manifest).resolve() == place:
                    found.append(f"{one}@{version}")
    for job in Jobs(home).all():
        if job.state != "done" and Path(job.plan.base_path).resolve() == place:
            found.append(job.id)
    return found


def default(home: Path, task: Task) -> str:
    """The base for a task when none is named. Raises PlanError when there is none here."""
    if task != "causal":
        return ENCODER
    there = sorted(_decoders(home), key=lambda one: one[1])
    if not there:
        raise PlanError(
            "there is no model here that can learn from conversations; get one with: tinsmith "
            "models pull qwen2.5-coder-0.5b, then tinsmith models convert qwen2.5-coder-0.5b"
        )
    return there[0][0]


def facts(folder: Path) -> dict[str, int]:
    """Of a model: "weights" in all, "hidden" size, "layers" and "reads" (tokens at most).

    Raises PlanError for files that are not what they should be.
    """
    from safetensors import SafetensorError

    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        return {
            "weights": sum(_count(file) for file in folder.glob("*.safetensors")),
            "hidden": int(config.get("hidden_size") or config.get("dim") or 768),
            "layers": int(config.get("num_hidden_layers") or config.get("n_layers") or 12),
            "reads": min(int(config.get("max_position_embeddings") or 512), _said(folder)),
            "words": int(config.get("vocab_size") or 30000),
        }
    except (OSError, ValueError, TypeError, AttributeError, SafetensorError) as error:
        raise PlanError(f"{folder} is damaged: {error}; fetch the model again") from error


def _said(folder: Path) -> int:
    """Tokens at most, as the tokenizer knows: RoBERTa has two positions more than it reads."""
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    except FileNotFoundError:
        config = {}
    return int(config.get("model_max_length") or sys.maxsize)


def _decoders(home: Path) -> Iterator[tuple[str, int]]:
    for file in (home / "models").glob("*/config.json"):
        try:
            kinds = json.loads(file.read_text("utf-8")).get("architectures") or []
        except (OSError, ValueError, AttributeError):
            continue
        if any(str(kind).endswith(DECODERS) for kind in kinds):
            size = sum(one.stat().st_size for one in file.parent.glob("*.safetensors"))
            yield file.parent.name.replace("--", "/"), size


def _count(file: Path) -> int:
    """Weights in a file of safetensors, from its header."""
    from safetensors import safe_open

    with safe_open(file, "np") as tensors:
        total = 0
        for name in tensors.keys():  # noqa: SIM118  not a mapping
            size = 1
            for side in tensors.get_slice(name).get_shape():
                size *= side
            total += size
    return total


def _missing(home: Path, name: str) -> str:
    there = sorted(one.parent.name for one in (home / "models").glob("*/config.json"))
    here = f"here are: {', '.join(there)}" if there else "none is here"
    return f"no base named {name!r}; {here}; get one with: tinsmith models pull {name}"
