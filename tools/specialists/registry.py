"""Versions of specialists: kept, compared, promoted, rolled back.

    specialists/NAME/VERSION/        manifest.json, README.md, weights, configuration, pictures
    specialists/NAME/promoted.json   {"promoted": 3, "history": [1, 2]}, oldest first

A version is there only when it is whole: it is made ready elsewhere and renamed. What a killed
program leaves behind has a name that begins with a dot, and goes when the next version comes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from tools.errors import SpecialistError, UnknownSpecialist
from tools.specialists import contents, promotion
from tools.specialists import manifest as manifests
from tools.specialists.card import card
from tools.specialists.manifest import NAME, Manifest
from tools.specialists.plan import Task
from tools.specialists.promotion import Promotion
from tools.storage import locked, size_of, sync_folder, write_atomically

CARD = "README.md"
VERSION = re.compile("[1-9][0-9]{0,8}")


class Registry:
    """The specialists of one state folder, which other programs may change at the same time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.place = home / "specialists"
        self._read: dict[Path, tuple[tuple[int, int, int], Manifest]] = {}

    def names(self) -> list[str]:
        return [name for name in _folders(self.place, NAME) if self.versions(name)]

    def versions(self, name: str) -> list[int]:
        """Oldest first; none of a name that is not there."""
        if not NAME.fullmatch(name):
            return []
        return sorted(int(number) for number in _folders(self.place / name, VERSION))

    def promoted(self, name: str) -> int | None:
        """Raises SpecialistError when `promoted.json` is damaged."""
        if not NAME.fullmatch(name):
            return None
        place = self.place / name
        now = promotion.parsed(promotion.raw(place), place)
        return now.promoted if now else None

    def folder(self, name: str, version: int | None = None) -> Path:
        """Of the promoted version when none is given. Raises UnknownSpecialist, SpecialistError."""
        there = self._versions_of(name)
        chosen = self.promoted(name) if version is None else version
        if chosen is None:
            raise UnknownSpecialist(
                f"no version of {name} is promoted yet; choose one with: "
                f"tinsmith specialists promote {name}@{there[-1]}"
            )
        if chosen not in there:
            promoted = ", though it is promoted" if version is None else ""
            raise UnknownSpecialist(
                f"there is no version {chosen} of {name}{promoted}; there are: "
                f"{', '.join(map(str, there))}"
            )
        return self.place / name / str(chosen)

    def manifest(self, name: str, version: int | None = None) -> Manifest:
        """Of the promoted version when none is given. Raises UnknownSpecialist, SpecialistError."""
        folder = self.folder(name, version)
        one = self._manifest_in(folder)
        if (one.name, str(one.version)) != (name, folder.name):
            raise SpecialistError(
                f"{folder / manifests.FILE} is that of {one.name}@{one.version}; its name and "
                "version must be those of the folders that it lies in"
            )
        return one

    def find(self, reference: str) -> tuple[str, int]:
        """ "topics" is its promoted version, else the latest; "topics@2" is version 2."""
        name, at, number = reference.partition("@")
        latest = self._versions_of(name)[-1]
        if at and not VERSION.fullmatch(number):
            raise UnknownSpecialist(
                f"{reference!r} names no version; write a number, such as {name}@{latest}"
            )
        if not at and self.promoted(name) is None:
            return name, latest
        return name, int(self.folder(name, int(number) if at else None).name)

    def latest(self, reference: str) -> tuple[str, int]:
        """ "topics@2" -> version 2; "topics" -> its latest, promoted or not."""
        name, version = self.find(reference)
        return (name, version) if "@" in reference else (name, max(self.versions(name)))

    def usable(self, task: Task) -> list[Manifest]:
        """Promoted specialists of this task that can be read. Quick, and never an exception."""
        found = []
        names: list[str] = []
        with contextlib.suppress(OSError):
            names = _folders(self.place, NAME)
        for name in names:
            with contextlib.suppress(SpecialistError, OSError):
                one = self.manifest(name)
                folder = self.place / name / str(one.version)
                if one.task == task and contents.has_weights(folder, one.files):
                    found.append(one)
        return found

    def add(self, folder: Path, manifest: Manifest) -> Manifest:
        """Move a finished folder in, under the next version number and with its card.

        The version and the files of `manifest` are filled in here. Raises SpecialistError; the
        folder is then where it was.
        """
        name, source = manifests.checked_name(manifest.name), folder.resolve()
        contents.refuse_unusable(source)
        try:
            files = contents.hashes(source)
            sync_folder(source)
        except OSError as error:
            raise SpecialistError(contents.unwritten(name, source, error)) from error
        with self._changing(name) as place:
            place.mkdir(exist_ok=True)
            try:
                contents.sweep(place)
                version = max(self.versions(name), default=0) + 1
                _describe(source, dataclasses.replace(manifest, version=version, files=files))
                contents.move(source, place / str(version))
            except BaseException:
                with contextlib.suppress(OSError):
                    place.rmdir()  # goes only when it is empty
                raise
        return self.manifest(name, version)

    def promote(self, name: str, version: int, insist: bool = False) -> str:
        """What happened, as a sentence. Raises SpecialistError when it would get worse."""
        fresh, seen = self.manifest(name, version), promotion.raw(self.place / name)
        self._refuse_damaged(name, version)
        try:
            before = promotion.parsed(seen, self.place / name)
        except SpecialistError:
            self._settle(name, Promotion(version), seen)
            return f"{name}@{version} is promoted; {promotion.FILE} was damaged and is written anew"
        if before is None:
            self._settle(name, Promotion(version), seen)
            return f"{name}@{version} is promoted"
        if before.promoted == version:
            return f"{name}@{version} is promoted already"
        try:
            old = self.manifest(name, before.promoted)
        except SpecialistError:
            compared = ", which cannot be read"
        else:
            compared = promotion.compared(fresh, old, insist)
        self._settle(name, Promotion(version, (*before.history, before.promoted)), seen)
        return f"{name}@{version} is promoted in place of version {before.promoted}{compared}"

    def rollback(self, name: str) -> str:
        """What happened, as a sentence. Raises SpecialistError when nothing was promoted before."""
        there, seen = self._versions_of(name), promotion.raw(self.place / name)
        now = promotion.parsed(seen, self.place / name)
        if now is None:
            raise SpecialistError(f"no version of {name} is promoted, so there is no way back")
        before = [version for version in now.history if version in there]
        if not before:
            raise SpecialistError(
                f"nothing that is still there was promoted before {name}@{now.promoted}; promote "
                f"one of: {', '.join(map(str, there))}"
            )
        version = before.pop()
        self._refuse_damaged(name, version)
        self._settle(name, Promotion(version, tuple(before)), seen)
        return f"{name}@{version} is promoted again, in place of version {now.promoted}"

    def remove(self, name: str, version: int | None) -> int:
        """One version, or all of them (None). Returns the bytes freed."""
        self._versions_of(name)
        with self._changing(name) as place:
            target = place
            if version is not None:
                target = self.folder(name, version)
                self._refuse_needed(name, version)
                _forget(place, version)
            size = size_of(target)
            gone = target.with_name(f"{contents.GONE}{uuid.uuid4().hex}")
            target.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        return size

    def verify(self, name: str, version: int) -> None:
        """Raises SpecialistError when a file is not the one that was added."""
        self._refuse_damaged(name, version, weights_only=False)

    def _versions_of(self, name: str) -> list[int]:
        """At least one. Raises UnknownSpecialist."""
        if there := self.versions(name):
            return there
        names = self.names()
        near = difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names)}"
        raise UnknownSpecialist(
            f"no specialist named {name!r}; {hint if names else 'there are none yet'}"
        )

    def _manifest_in(self, folder: Path) -> Manifest:
        """Read once, and again when the file has changed."""
        path = folder / manifests.FILE
        try:
            facts = path.stat()
        except OSError as error:
            raise SpecialistError(f"{path} cannot be read: {error.strerror}") from error
        stamp = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = self._read[path] = (stamp, manifests.read(folder))
        return known[1]

    def _refuse_needed(self, name: str, version: int) -> None:
        for other in self.versions(name):
            try:
                one = self.manifest(name, other)
            except SpecialistError:
                continue  # a damaged one needs nothing
            if one.came_from == version and one.is_adapter:
                raise SpecialistError(
                    f"{name}@{other} is an adapter of {name}@{version} and of no use without it; "
                    f"remove {name}@{other} first"
                )

    def _refuse_damaged(self, name: str, version: int, weights_only: bool = True) -> None:
        one, folder = self.manifest(name, version), self.folder(name, version)
        try:
            wrong = contents.differences(folder, one.files, weights_only)
        except OSError as error:
            wrong = [str(error)]
        if wrong:
            raise SpecialistError(
                f"{name}@{version} is damaged: {wrong[0]}; restore {folder}, or take it away with: "
                f"tinsmith specialists rm {name}@{version}"
            )

    def _settle(self, name: str, new: Promotion, seen: bytes | None) -> None:
        """Write `new`, unless it was decided on what is no longer so."""
        with self._changing(name) as place:
            self.folder(name, new.promoted)
            if promotion.raw(place) != seen:
                raise SpecialistError(
                    f"another program promoted a version of {name} meanwhile; look, and try again"
                )
            promotion.write(place, new)

    @contextlib.contextmanager
    def _changing(self, name: str) -> Iterator[Path]:
        """The folder of `name`, which no other program changes meanwhile."""
        from filelock import Timeout

        place = self.place / name
        try:
            with locked(place):  # the lock lies beside the folder, which may go
                yield place
        except Timeout as error:
            raise SpecialistError(
                f"another program has been changing {name} for 10 s; try again when it is done"
            ) from error
        except OSError as error:
            raise SpecialistError(contents.unwritten(name, place, error)) from error


def _folders(place: Path, pattern: re.Pattern[str]) -> list[str]:
    try:
        with os.scandir(place) as entries:
            return sorted(
                one.name for one in entries if pattern.fullmatch(one.name) and one.is_dir()
            )
    except (FileNotFoundError, NotADirectoryError):
        return []


def _describe(source: Path, manifest: Manifest) -> None:
    """Write the card and the manifest, with the hashes of all files but its own."""
    files = {name: digest for name, digest in manifest.files.items() if name != manifests.FILE}
    write_atomically(source / CARD, card(manifest))
    files[CARD] = contents.sha256(source / CARD)
    manifests.write(source, dataclasses.replace(manifest, files=files))


def _forget(place: Path, version: int) -> None:
    """Out of the history. Raises SpecialistError when `version` is promoted."""
    now = promotion.parsed(promotion.raw(place), place)
    if now and now.promoted == version:
        raise SpecialistError(
            f"{place.name}@{version} is promoted; promote another version first, or remove all of "
            f"{place.name}"
        )
    if now and version in now.history:
        history = tuple(one for one in now.history if one != version)
        promotion.write(place, Promotion(now.promoted, history))
