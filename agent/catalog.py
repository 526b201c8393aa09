"""Models known by name: where they come from, whether they are whole, which one suits here.

A pull tries the model hub, then the mirror (`models.toml`). What has come stays in the folder's
`.parts` until it is whole; the file gets its name only when size and SHA-256 are right.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from agent.errors import Damaged, ModelError, UnknownName, Unreachable
from agent.settings import home

EMBEDDER = "all-minilm-l6-v2"
CHUNK = 1 << 20
"""Bytes read at once."""
CONNECT_SECONDS = 10.0
SPARE = 200 << 20
"""Bytes that stay free on the disk."""

Report = Callable[[str, int, int], None]
"""Told the stage, the bytes done and the bytes in all."""


@dataclass(frozen=True)
class Mirror:
    """Packages that carry a file in parts. `{n}` and `{nn}` count them."""

    package: str
    member: str
    parts: int


@dataclass(frozen=True)
class Entry:
    """A model of the catalogue."""

    name: str
    title: str
    hub: str
    file: str
    bytes: int
    sha256: str
    licence: str
    mirror: Mirror
    revision: str = "main"
    memory: int = 0
    """GiB that should be free to talk with it; 0: not for talking."""
    beside: tuple[str, ...] = ()
    """Files without which `file` cannot be used. The model is then a folder."""


@lru_cache
def entries() -> Mapping[str, Entry]:
    read = tomllib.loads((Path(__file__).parent / "models.toml").read_text("utf-8"))
    return {
        name: Entry(
            **{
                **facts,
                "name": name,
                "mirror": Mirror(**facts["mirror"]),
                "beside": tuple(facts.get("beside", ())),
            }
        )
        for name, facts in read.items()
    }


def entry(name: str) -> Entry:
    """Raises UnknownName."""
    if name not in entries():
        raise UnknownName("model", name, entries(), "A path to a GGUF file works as well.")
    return entries()[name]


def folder(name: str) -> Path:
    return home() / "models" / name


def path_of(one: Entry) -> Path:
    """Where the model is, or will be: a file, or a folder when it has files beside it."""
    return folder(one.name) if one.beside else folder(one.name) / one.file


def is_here(one: Entry) -> bool:
    return (folder(one.name) / one.file).is_file()


def resolve(name: str) -> Path:
    """The file or folder of a model: a name of the catalogue or a local path.

    Raises UnknownName, and ModelError when it has not been pulled.
    """
    if (local := Path(name).expanduser()).exists():
        return local.absolute()
    if (folder(name) / "config.json").is_file() and name not in entries():
        return folder(name)  # converted here
    one = entry(name)
    if not is_here(one):
        raise ModelError(f"{name} is not on this machine; get it with: tinsmith models pull {name}")
    return path_of(one)


def recommend(free: int) -> Entry:
    """The largest model to talk with for `free` bytes of memory; the smallest when none fits."""
    talking = sorted((e for e in entries().values() if e.memory), key=lambda e: e.memory)
    fitting = [e for e in talking if e.memory << 30 <= free]
    return (fitting or talking[:1])[-1]


def remove(name: str) -> int:
    """Delete a pulled model; gives the bytes freed. Raises UnknownName, ModelError."""
    place = folder(entry(name).name)
    if not place.is_dir():
        raise ModelError(f"{name} is not on this machine")
    size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    shutil.rmtree(place)
    return size


def pull(name: str, report: Report) -> Path:
    """Fetch a model, or what is missing of it. Raises Unreachable, Damaged, ModelError."""
    one = entry(name)
    with _alone(one):
        if is_here(one):
            return path_of(one)
        parts = folder(name) / ".parts"
        try:
            parts.mkdir(parents=True, exist_ok=True)
            _refuse_full_disk(one, parts)
            _fetch(one, parts, report)
            _check(one, parts / one.file, report)
            for file in (*one.beside, one.file):  # the one that `is_here` looks at comes last
                target = folder(name) / file
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(parts / file, target)
            shutil.rmtree(parts)
        except OSError as error:
            raise ModelError(f"cannot store {name}: {error.strerror} ({error.filename})") from error
    return path_of(one)


def _fetch(one: Entry, parts: Path, report: Report) -> None:
    try:
        for file in (*one.beside, one.file):
            if not (parts / file).exists():
                _from_hub(one, file, parts, report)
        return
    except Unreachable as error:
        hub = error
    try:
        _from_mirror(one, parts, report)
    except Unreachable as mirror:
        raise Unreachable(
            f"{one.name} cannot be fetched: {hub}; {mirror}. Check the network and repeat the "
            "command: what has come is kept"
        ) from mirror


def _from_hub(one: Entry, file: str, parts: Path, report: Report) -> None:
    """One file by HTTP, going on where an earlier try stopped."""
    import httpx

    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    address = f"{endpoint}/{one.hub}/resolve/{one.revision}/{file}"
    partial = parts / f"{file}.partial"
    partial.parent.mkdir(parents=True, exist_ok=True)
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    if token := os.environ.get("HF_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    timeout = httpx.Timeout(30.0, connect=CONNECT_SECONDS)
    try:
        with httpx.stream(
            "GET", address, headers=headers, follow_redirects=True, timeout=timeout
        ) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                partial.unlink()
            response.raise_for_status()
            resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
            have = have if resumed else 0
            with partial.open("ab" if resumed else "wb") as out:
                for chunk in response.iter_bytes(CHUNK):
                    out.write(chunk)
                    have += len(chunk)
                    if file == one.file:
                        report(f"hub: {one.name}", have, one.bytes)
                out.flush()
                os.fsync(out.fileno())
    except httpx.HTTPError as error:
        raise Unreachable(f"the hub: {str(error).splitlines()[0]}") from error
    os.replace(partial, parts / file)


def _from_mirror(one: Entry, parts: Path, report: Report) -> None:
    """The file from packages of the Python package index, part by part."""
    with contextlib.suppress(FileNotFoundError):
        (parts / f"{one.file}.partial").unlink()  # what came from the hub
    done = 0
    for number in range(1, one.mirror.parts + 1):
        part = parts / f"part{number:02d}"
        if not part.exists():
            _unpack(one, number, part, parts)
        done += part.stat().st_size
        report(f"mirror: {one.name}", done, one.bytes)
    joined = parts / f"{one.file}.joined"
    with joined.open("wb") as out:
        for number in range(1, one.mirror.parts + 1):
            with (parts / f"part{number:02d}").open("rb") as part_file:
                shutil.copyfileobj(part_file, out, CHUNK)
        out.flush()
        os.fsync(out.fileno())
    os.replace(joined, parts / one.file)


def _unpack(one: Entry, number: int, part: Path, parts: Path) -> None:
    names = {"n": str(number), "nn": f"{number:02d}"}
    package = one.mirror.package.format(**names)
    member = one.mirror.member.format(**names)
    with tempfile.TemporaryDirectory(dir=parts) as download:
        # pip is the client that knows the user's index, proxy and certificates
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"),
            *("--disable-pip-version-check", "--only-binary=:all:", "--dest", download, package),
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            why = (result.stderr.strip().splitlines() or ["pip failed"])[-1]
            raise Unreachable(f"the mirror: {why}")
        wheel = next(Path(download).glob("*.whl"))
        temporary = part.with_suffix(".partial")
        with zipfile.ZipFile(wheel) as archive:
            try:
                with archive.open(member) as source, temporary.open("wb") as out:
                    shutil.copyfileobj(source, out, CHUNK)
                for file in one.beside:
                    target = parts / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    inside = f"{member.rpartition('/')[0]}/{file}"
                    target.write_bytes(archive.read(inside))
            except (KeyError, zipfile.BadZipFile) as error:
                raise Damaged(f"{package} does not hold {member}") from error
    os.replace(temporary, part)


def _check(one: Entry, file: Path, report: Report) -> None:
    size = file.stat().st_size
    digest = hashlib.sha256()
    done = 0
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            report(f"checking {one.name}", done, size)
    if size != one.bytes or digest.hexdigest() != one.sha256:
        shutil.rmtree(file.parent)
        raise Damaged(
            f"{one.file} has {size} bytes and SHA-256 {digest.hexdigest()[:16]}…, expected "
            f"{one.bytes} and {one.sha256[:16]}…; it was deleted, pull it again"
        )


def _refuse_full_disk(one: Entry, parts: Path) -> None:
    have = sum(file.stat().st_size for file in parts.rglob("*") if file.is_file())
    need = 2 * one.bytes - have + SPARE  # parts and the joined file stand side by side
    free = shutil.disk_usage(parts).free
    if free < need:
        raise ModelError(
            f"{one.name} needs {need / 1e9:.1f} GB on the disk while it is fetched and {parts} has "
            f"{free / 1e9:.1f} GB; make room or set TINSMITH_HOME to another disk"
        )


@contextlib.contextmanager
def _alone(one: Entry) -> Iterator[None]:
    """One process at a time fetches a model; the next finds it there."""
    from filelock import FileLock, Timeout

    place = home() / "models"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / f".{one.name}.lock", timeout=0):
            yield
    except Timeout:
        raise ModelError(f"{one.name} is being fetched by another program; wait for it") from None
    except PermissionError as error:
        raise ModelError(f"{error.filename} cannot be written: {error.strerror}") from error
