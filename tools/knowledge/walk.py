"""The files of a folder that are worth reading."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tools.errors import first_line
from tools.knowledge.formats import kind_of

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

NEVER = frozenset(("node_modules", "__pycache__", "venv", "site-packages", "dist", "build"))
"""Folders of what others wrote or a program made."""


def files_of(folder: Path, skipped: list[str]) -> Iterator[Path]:
    """In a fixed order; without hidden files and those that a .gitignore on the way names.

    A folder or a .gitignore that may not be read is told in `skipped`.
    """
    yield from _walk(folder, [], skipped)


def _walk(
    folder: Path, rules: list[tuple[Path, GitIgnoreSpec]], skipped: list[str]
) -> Iterator[Path]:
    from pathspec import GitIgnoreSpec

    try:
        with os.scandir(folder) as entries:
            there = sorted(entries, key=lambda one: one.name)
    except OSError as error:
        skipped.append(f"{folder} cannot be read: {error.strerror}")
        return
    for one in there:
        if one.name == ".gitignore" and one.is_file():
            try:
                lines = Path(one.path).read_text("utf-8", "replace").splitlines()
                rules = [*rules, (folder, GitIgnoreSpec.from_lines(lines))]
            except (OSError, ValueError) as error:
                skipped.append(f"{one.path} cannot be read: {first_line(error)}")
    for one in there:
        if one.name.startswith(".") or one.is_symlink():  # a link may lead round in a circle
            continue
        place = Path(one.path)
        if _ignored(place, one.is_dir(), rules):
            continue
        if one.is_dir():
            if one.name not in NEVER and not (place / "pyvenv.cfg").exists():
                yield from _walk(place, rules, skipped)
        elif one.is_file() and kind_of(place):
            yield place


def _ignored(place: Path, is_folder: bool, rules: list[tuple[Path, GitIgnoreSpec]]) -> bool:
    said: bool | None = None
    for folder, spec in rules:
        name = place.relative_to(folder).as_posix() + ("/" if is_folder else "")
        found = spec.check_file(name).include
        said = found if found is not None else said  # the nearest .gitignore has the last word
    return bool(said)
