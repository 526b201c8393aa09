"""A version of a specialist as one file, from machine to machine: a zip, unpacked with distrust."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.errors import SpecialistError
from tools.specialists import contents
from tools.specialists import manifest as manifests
from tools.specialists.manifest import Manifest
from tools.specialists.registry import Registry

PROGRAMS = (".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".exe", ".sh", ".bat")
LARGEST = 20 * 10**9
"""Bytes of all files, unpacked."""
MOST_FILES = 1000
LARGEST_MANIFEST = 64 << 20
RATIO = 200
"""Unpacked to packed, over which a file of some size is a bomb: weights hardly shrink."""
SOME_SIZE = 10 << 20
CHUNK = 1 << 20
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(ValueError, RuntimeError, OverflowError, struct.error),
)
"""What zipfile raises for a file that is not what it says: places before its beginning, sizes,
names in no encoding, kinds of packing that nobody knows."""


def export(registry: Registry, name: str, version: int, target: Path) -> Path:
    """Write NAME-VERSION.zip into the folder `target`, or the file `target`.

    Raises SpecialistError when the file is there, or a file of the version is not as it was.
    """
    registry.verify(name, version)
    one, folder = registry.manifest(name, version), registry.folder(name, version)
    _refuse_dependent(one, f"{name}@{version}", f"tinsmith specialists export {name}")
    path = target / f"{name}-{version}.zip" if target.is_dir() else target
    if path.exists():
        raise SpecialistError(f"{path} is there already; delete it or choose another name")
    try:
        handle, unfinished = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise SpecialistError(contents.unwritten(path.name, path.parent, error)) from error
    try:
        with os.fdopen(handle, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as out:
                for inner in (manifests.FILE, *one.files):
                    weights = inner.endswith(contents.WEIGHTS)  # hardly shrink, so why wait
                    out.write(folder / inner, inner, zipfile.ZIP_STORED if weights else None)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        raise SpecialistError(contents.unwritten(path.name, path.parent, error)) from error
    finally:
        with suppress(OSError):
            os.unlink(unfinished)  # is gone when all went well
    return path


def bring_in(registry: Registry, file: Path, name: str = "") -> Manifest:
    """The next version of `name`, else of its own name; not promoted. Raises SpecialistError."""
    with _opened(file) as archive:
        members = _checked_members(archive, file)
        one = _manifest_of(archive, members, file)
        wanted, there = {*one.files, manifests.FILE}, set(members)
        if wanted != there:
            odd = min(wanted ^ there)
            what = "is not in its manifest" if odd in there else "is in its manifest only"
            raise SpecialistError(f"{file}: {odd} {what}; have it exported again")
        name = manifests.checked_name(name or one.name)
        _refuse_dependent(one, str(file), f"tinsmith specialists export {one.name}")
        size = sum(member.file_size for member in members.values())
        with _unpacking(registry, name, size) as folder:
            for inner in one.files:
                if _unpack(archive, members[inner], folder / inner, file) != one.files[inner]:
                    raise SpecialistError(
                        f"{file}: {inner} is not the file that its manifest names (the SHA-256 "
                        "differs); have it exported again"
                    )
            # versions have other numbers here, so those it came from and beside cannot be told
            beside = {
                other: scores
                for other, scores in one.baselines.items()
                if not other.startswith("version ")
            }
            fresh = dataclasses.replace(one, name=name, came_from=0, baselines=beside)
            return registry.add(folder, fresh)


def _refuse_dependent(one: Manifest, what: str, command: str) -> None:
    if one.came_from and one.is_adapter:
        raise SpecialistError(
            f"{what} is an adapter of {one.name}@{one.came_from} and of no use without it; take a "
            f"version that stands alone, such as {command}@{one.came_from}, or train with "
            "--method full"
        )


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except FileNotFoundError as error:
        raise SpecialistError(f"there is no file {file}") from error
    except DAMAGED as error:
        raise SpecialistError(
            f"{file} is no sound zip file: {error}; it must be what `tinsmith specialists export` "
            "wrote"
        ) from error
    with archive:
        yield archive


def _checked_members(archive: zipfile.ZipFile, file: Path) -> dict[str, zipfile.ZipInfo]:
    """The files by name. Raises SpecialistError for what must not be unpacked."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    size = sum(member.file_size for member in members)
    if len(members) > MOST_FILES or size > LARGEST:
        raise SpecialistError(
            f"{file} holds {len(members)} files of {size / 1e9:.1f} GB in all; a specialist has at "
            f"most {MOST_FILES} files and {LARGEST / 1e9:.0f} GB"
        )
    found: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        if why := _reason_to_refuse(member):
            raise SpecialistError(f"{file}: {member.filename!r} {why}; nothing was unpacked")
        if member.filename.lower() in map(str.lower, found):
            raise SpecialistError(f"{file}: {member.filename!r} is in it twice")
        found[member.filename] = member
    return found


def _reason_to_refuse(member: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(member.external_attr >> 16)
    suffix = Path(member.filename).suffix.lower()
    if not manifests.is_inner_path(member.filename) or member.filename != member.orig_filename:
        return "leads out of the folder"
    if kind not in (0, stat.S_IFREG):
        return "is a link or a device, no plain file"
    if member.flag_bits & 1:
        return "is encrypted"
    if suffix in contents.PICKLES:
        return "may be a pickle, which can run code when it is loaded"
    if suffix in PROGRAMS:
        return "is a program, and a specialist has none"
    if member.file_size > max(SOME_SIZE, RATIO * member.compress_size):
        return f"unpacks to {member.file_size} bytes from {member.compress_size}, as a bomb does"
    return ""


def _manifest_of(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], file: Path
) -> Manifest:
    member = members.get(manifests.FILE)
    if member is None or member.file_size > LARGEST_MANIFEST:
        raise SpecialistError(
            f"{file} has no {manifests.FILE} of a sensible size at its top; it must be what "
            "`tinsmith specialists export` wrote"
        )
    raw = b"".join(_chunks(archive, member, file))
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise SpecialistError(f"{file}: {manifests.FILE} is no UTF-8: {error}") from error
    return manifests.parse(text, f"{file}: {manifests.FILE}")


@contextmanager
def _unpacking(registry: Registry, name: str, size: int) -> Iterator[Path]:
    """An empty folder on the registry's disk, gone afterwards; OSError becomes SpecialistError."""
    place = registry.place
    try:
        place.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(place).free
        if free < size:
            raise SpecialistError(
                f"{name} takes {size >> 20} MiB and the disk of {place} has {free >> 20} MiB free"
            )
        folder = Path(tempfile.mkdtemp(prefix=contents.UNPACKING, dir=place))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise SpecialistError(contents.unwritten(name, place, error)) from error


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, file: Path) -> str:
    """Returns the SHA-256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as out:
        for chunk in _chunks(archive, member, file):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path) -> Iterator[bytes]:
    """Never more than the size the member says it has."""
    try:
        with archive.open(member) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except DAMAGED as error:
        raise SpecialistError(
            f"{file}: {member.filename} is damaged ({error}); copy the file anew"
        ) from error
