"""Files: written so that a reader sees the old or the new one, never half of it; measured."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Held while `path` is read and written anew, so that no program undoes another's change."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock"), timeout=10):
        yield


def sync_folder(folder: Path) -> None:
    """Bring the files of `folder` to the disk, before it is renamed to the name that counts."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())


def size_of(folder: Path) -> int:
    """Bytes of the files in `folder`, of which files and whole folders may go meanwhile."""
    size = 0
    for root, _, files in os.walk(folder):  # Path.rglob fails when a folder goes
        for file in files:
            with contextlib.suppress(OSError):
                size += os.stat(os.path.join(root, file)).st_size
    return size
