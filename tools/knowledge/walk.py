"""The files of a folder that are worth reading."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tools.errors import first_line
from tools.knowledge.formats import kind_of

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    Rules: TypeAlias = list[tuple[str, GitIgnoreSpec]]
    """Those of each .gitignore on the way, with its folder."""

NEVER = frozenset(("node_modules", "__pycache__", "venv", "site-packages", "dist", "build"))
"""Folders of what others wrote or a program made."""


def files_of(folder: Path, skipped: list[str]) -> Iterator[Path]:
    """In a fixed order; without hidden files and those that a .gitignore on the way names.

    A folder or a .gitignore that may not be read is told in `skipped`.
    """
    yield from _walk(folder, [], skipped)


def rules_in(folder: Path, skipped: list[str]) -> Rules:
    """Of the .gitignore in `folder`. One that cannot be read is told in `skipped`."""
    from pathspec import GitIgnoreSpec

    file = folder / ".gitignore"
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
        return [(str(folder), GitIgnoreSpec.from_lines(lines))]
    except (OSError, ValueError) as error:
        skipped.append(f"{file} cannot be read: {first_line(error)}")
        return []


def _walk(folder: Path, rules: Rules, skipped: list[str]) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            there = sorted(entries, key=lambda one: one.name)
    except OSError as error:
        skipped.append(f"{folder} cannot be read: {error.strerror}")
        return
    if any(one.name == ".gitignore" and one.is_file() for one in there):
        rules = [*rules, *rules_in(folder, skipped)]
    for one in there:
        if one.name.startswith(".") or one.is_symlink():  # a link may lead round in a circle
            continue
        if ignored(one.path, one.is_dir(), rules):
            continue
        place = Path(one.path)
        if one.is_dir():
            if one.name not in NEVER and not (place / "pyvenv.cfg").exists():
                yield from _walk(place, rules, skipped)
        elif one.is_file() and kind_of(place):
            yield place


def ignored(place: str, is_folder: bool, rules: Rules) -> bool:
    said: bool | None = None
    for folder, spec in rules:
        # by strings: Path.relative_to takes longer than all the rules
        name = place[len(folder) :].lstrip(os.sep).replace(os.sep, "/") + ("/" if is_folder else "")
        found = spec.check_file(name).include
        said = found if found is not None else said  # the nearest .gitignore has the last word
    return bool(said)
