"""Models known by name: which there are, where they lie, which one suits here.

A model is a folder of `models/` in the state folder, and there only when it is whole. Its name is
one of `models.toml`, a hub id such as `Qwen/Qwen3-8B` or `ORG/REPO/FILE.gguf`, or what `convert`
wrote. `agent.fetch` brings them.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from agent.errors import ModelError, UnknownName
from agent.settings import home
from tools.storage import size_of

EMBEDDER = "all-minilm-l6-v2"
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


def entry(name: str) -> Entry:
    """By its name in the catalogue or its id on the hub. Raises UnknownName."""
    if name in entries():
        return entries()[name]
    if HUB_ID.fullmatch(name) and ".." not in name:
        organisation, repository, *file = name.split("/", 2)
        return Entry(name, f"{organisation}/{repository}", file=file[0] if file else "")
    raise UnknownName(
        "model",
        name,
        {*entries(), *here()},
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
    """The file or folder of a model that is here, or of a local path.

    Raises UnknownName, and ModelError when it has not been pulled.
    """
    if is_here(name):
        return path_of(name)
    if name not in entries() and (path := local(name)):
        return path
    one = entry(name)
    what = name if one.title else f"{name} is no file or folder here, and as a model of the hub it"
    raise ModelError(f"{what} is not on this machine; get it with: tinsmith models pull {name}")


def local(name: str) -> Path | None:
    """The file or folder that `name` is the path of."""
    with contextlib.suppress(OSError, RuntimeError):  # too long for a path; ~ of nobody
        path = Path(name).expanduser()
        if path.exists():
            return path.absolute()
    return None


def talking() -> list[str]:
    """Names of the models here that one can talk with."""
    return [name for name in here() if name != EMBEDDER]


def recommend(free: int, gpu: int) -> Entry:
    """The largest model to talk with for `free` bytes of memory and `gpu` of a GPU's (0: none).

    The smallest when none fits.
    """
    by_memory = sorted((e for e in entries().values() if e.memory), key=lambda e: e.memory)
    by_gpu = sorted((e for e in entries().values() if e.gpu), key=lambda e: e.gpu)
    fitting = [e for e in by_memory if e.memory << 30 <= free]
    fitting += [e for e in by_gpu if e.gpu << 30 <= gpu]
    return fitting[-1] if fitting else by_memory[0]


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
