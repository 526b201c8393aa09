"""Where skills are found, and which of two with the same name counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.skills.format import FILE, Mistake, Skill, read


@dataclass(frozen=True)
class Place:
    folder: Path
    """Of the skills' folders."""
    whose: str
    """Such as "shipped"."""


@dataclass(frozen=True)
class Found:
    skills: Mapping[str, Skill] = field(default_factory=dict)
    """By name."""
    whose: Mapping[str, str] = field(default_factory=dict)
    """By the skill's name."""
    hidden: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Whose others have the same name and do not count."""
    mistakes: Sequence[Mistake] = ()
    """Of those that cannot be used."""


class Shelf:
    """The skills of some places. Looks again when it is asked, and reads only what has changed."""

    def __init__(self, places: Sequence[Place]) -> None:
        """A later place counts more."""
        self.places = places
        self._read: dict[Path, tuple[object, tuple[Skill | None, list[Mistake]]]] = {}

    def found(self) -> Found:
        skills: dict[str, Skill] = {}
        whose: dict[str, str] = {}
        hidden: dict[str, tuple[str, ...]] = {}
        mistakes: list[Mistake] = []
        for place in self.places:
            for folder in folders(place.folder):
                skill, wrong = self._skill(folder)
                mistakes += wrong
                if skill is None:
                    continue
                if skill.name in skills:
                    hidden[skill.name] = (*hidden.get(skill.name, ()), whose[skill.name])
                skills[skill.name] = skill
                whose[skill.name] = place.whose
        names = sorted(skills)
        return Found({name: skills[name] for name in names}, whose, hidden, mistakes)

    def _skill(self, folder: Path) -> tuple[Skill | None, list[Mistake]]:
        now = _stamp(folder)
        before = self._read.get(folder)
        if before is None or before[0] != now:
            self._read[folder] = before = (now, read(folder))
        return before[1]


def folders(place: Path) -> list[Path]:
    """Of the skills in `place`: those that hold a SKILL.md, however it is spelt."""
    try:
        there = sorted(one for one in place.iterdir() if one.is_dir() and one.name[0] != ".")
        return [one for one in there if any(map(_is_file, one.iterdir()))]
    except OSError:
        return []


def _is_file(place: Path) -> bool:
    return place.name.lower() == FILE.lower()


def _stamp(folder: Path) -> object:
    """Another one when something in `folder` has changed."""
    try:
        places = (folder / FILE, folder, *(one for one in folder.iterdir() if one.is_dir()))
        return tuple((one.stat().st_mtime_ns, one.stat().st_size) for one in places)
    except OSError:
        return None
