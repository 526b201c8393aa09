"""The files of a version: which may be there, what they hash to, how they get to their place."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tools.errors import SpecialistError
from tools.storage import sync_folder

WEIGHTS = ".safetensors"
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
NEW, GONE, UNPACKING = ".new-", ".gone-", ".in-"
"""Begin the names of folders that are not whole yet, or no more."""
DAY = 24 * 60 * 60


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashes(folder: Path) -> dict[str, str]:
    """By name, written with / on every system."""
    return {path.relative_to(folder).as_posix(): sha256(path) for path in _files(folder)}


def refuse_unusable(folder: Path) -> None:
    """Raises SpecialistError for a folder without sound weights or with what is never loaded."""
    if not folder.is_dir():
        raise SpecialistError(f"{folder} is no folder")
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise SpecialistError(f"{path} is no plain file; put a copy of what it leads to there")
        if path.suffix.lower() in PICKLES:
            raise SpecialistError(
                f"{path} may be a pickle, which can run code when it is loaded; delete it, or save "
                f"what is in it as {WEIGHTS}"
            )
    weights = [path for path in _files(folder) if path.suffix == WEIGHTS]
    if not weights:
        raise SpecialistError(f"{folder} has no weights: no file in it ends in {WEIGHTS}")
    for path in weights:
        _refuse_torn(path)


def differences(folder: Path, files: Mapping[str, str], weights_only: bool) -> list[str]:
    """How `folder` is not what `files` (name -> SHA-256) says. All must be there in any case."""
    wrong = [f"{name} is missing" for name in files if not (folder / name).is_file()]
    if not any(name.endswith(WEIGHTS) for name in files):
        wrong.append("its manifest names no weights")
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if name in files and (path.suffix == WEIGHTS or not weights_only):
            if sha256(path) != files[name]:
                wrong.append(f"{name} has changed since it was added")
        elif name not in files and path.suffix.lower() in (WEIGHTS, *PICKLES):
            wrong.append(f"{name} was not there when it was added")
    return wrong


def has_weights(folder: Path, files: Mapping[str, str]) -> bool:
    """A glance, not a check: nothing is read."""
    weights = [name for name in files if name.endswith(WEIGHTS)]
    return bool(weights) and all((folder / name).is_file() for name in weights)


def move(source: Path, target: Path) -> None:
    """A folder, to a name at which it is whole or not at all, from another disk as well."""
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    copy = Path(tempfile.mkdtemp(prefix=NEW, dir=target.parent))
    try:
        shutil.copytree(source, copy, dirs_exist_ok=True)
        sync_folder(copy)
        os.rename(copy, target)
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    shutil.rmtree(source, ignore_errors=True)


def sweep(place: Path) -> None:
    """Delete what killed programs left in `place`, whose lock is held, and beside it."""
    stale = [*place.glob(".*"), *place.parent.glob(f"{GONE}*")]
    for path in place.parent.glob(f"{UNPACKING}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > DAY:  # else it may be at work
                stale.append(path)
    for path in stale:
        with contextlib.suppress(OSError):
            path.unlink() if path.is_file() else shutil.rmtree(path)


def unwritten(name: str, place: Path, error: OSError) -> str:
    """The words of an error, with how full the disk is."""
    free = ""
    with contextlib.suppress(OSError):
        there = next(path for path in (place, *place.parents) if path.is_dir())
        free = f"; {shutil.disk_usage(there).free >> 20} MiB are free on its disk"
    return f"{name} could not be written to {place}: {error.strerror or error}{free}"


def _refuse_torn(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise SpecialistError(f"{path} is no whole {WEIGHTS} file: {error}") from error


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
