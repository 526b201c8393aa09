"""Citations such as [docs/setup.md:12], checked against the passages that were given."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tools.knowledge.passages import location

CITED = re.compile(r"\[([^\[\]\n:]*(?::[^\[\]\n:\d][^\[\]\n:]*)*):(\d+)(?:-(\d+))?\]")
"""A file, and a line or several. A path of Windows has a colon of its own."""

FILE = re.compile(r"[./\\]")
"""In the name of a file, and not in a time of the day."""


@dataclass(frozen=True)
class Source:
    file: str
    first: int
    last: int

    def __str__(self) -> str:
        return location(self.file, self.first, self.last)


def sources(text: str) -> list[Source]:
    """Each once, in order."""
    found = (
        Source(match[1].strip(), int(match[2]), int(match[3] or match[2]))
        for match in CITED.finditer(text)
        if FILE.search(match[1])
    )
    return list(dict.fromkeys(found))


def unfounded(answer: str, given: Iterable[Source]) -> list[Source]:
    """What `answer` cites although no passage of `given` has those lines. None without passages:
    there, what looks like a citation is something else."""
    passages = list(given)
    if not passages:
        return []
    return [one for one in sources(answer) if not any(_holds(other, one) for other in passages)]


def _holds(passage: Source, one: Source) -> bool:
    """A model may shorten the path."""
    same = passage.file == one.file or passage.file.endswith(f"/{one.file}")
    return same and passage.first <= one.first and one.last <= passage.last
