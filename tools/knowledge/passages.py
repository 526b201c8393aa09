"""Passages: what is embedded, searched, shown and cited. They follow the blocks of their file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SIZE = 1100
"""Characters of a passage, about: some 240 tokens, of which small embedders read 256."""


@dataclass(frozen=True)
class Block:
    """A paragraph, a list, a table, a piece of code: what should not be parted without need."""

    text: str
    first: int
    """Line of the file, from 1; of a PDF the page, of a Word file the paragraph."""
    last: int
    heading: tuple[str, ...] = ()
    """Those above it, the outermost first."""


@dataclass(frozen=True)
class Passage:
    text: str
    first: int
    last: int
    heading: str = ""
    """Such as "Install > Linux"."""

    @property
    def embedded(self) -> str:
        """What the embedder reads: the heading says what a paragraph is about."""
        return f"{self.heading}\n{self.text}" if self.heading else self.text


def location(file: str, first: int, last: int) -> str:
    """Such as "docs/setup.md:12-18"."""
    return f"{file}:{first}" if first == last else f"{file}:{first}-{last}"


def passages(blocks: Iterable[Block]) -> Iterator[Passage]:
    """Blocks under one heading together, as long as there is room; what is too large is cut."""
    waiting: list[Block] = []
    for block in blocks:
        for one in _cut(block):
            size = sum(len(other.text) for other in waiting)
            apart = waiting and (one.heading != waiting[0].heading or size + len(one.text) > SIZE)
            if apart:
                yield _joined(waiting)
                waiting = []
            waiting.append(one)
    if waiting:
        yield _joined(waiting)


def _joined(blocks: list[Block]) -> Passage:
    return Passage(
        "\n\n".join(block.text for block in blocks),
        blocks[0].first,
        blocks[-1].last,
        " > ".join(blocks[0].heading),
    )


def _cut(block: Block) -> Iterator[Block]:
    """At line ends, else at sentence ends, else at blanks, into parts of `SIZE` characters."""
    if len(block.text) <= SIZE:
        yield block
        return
    lines = block.text.split("\n")
    one_each = block.last - block.first + 1 == len(lines)  # so each line has its number
    part: list[str] = []
    begin = 0
    for at, line in enumerate(lines):
        if part and sum(map(len, part)) + len(part) + len(line) > SIZE:
            yield from _short(block, part, begin, one_each)
            part, begin = [], at
        part.append(line)
    yield from _short(block, part, begin, one_each)


def _short(block: Block, lines: list[str], begin: int, one_each: bool) -> Iterator[Block]:
    first = block.first + begin if one_each else block.first
    last = first + len(lines) - 1 if one_each else block.last
    text = "\n".join(lines)
    while len(text) > SIZE:
        ends = [found.end() for found in _END.finditer(text, 0, SIZE)]
        blanks = [found.end() for found in _BLANK.finditer(text, 0, SIZE)]
        place = next((some[-1] for some in (ends, blanks) if some and some[-1] > SIZE // 2), SIZE)
        yield Block(text[:place].rstrip(), first, last, block.heading)
        text = text[place:]
    if text.strip():
        yield Block(text, first, last, block.heading)


_END = re.compile(r"[.!?。！？][\"')\]]*\s+|[。！？]")
_BLANK = re.compile(r"\s+")
