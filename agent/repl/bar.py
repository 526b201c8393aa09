"""A bar of parts with its legend: in colours, and where there are none in letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

WIDEST = 72
COLOURS = {
    "system": "blue", "tools": "cyan", "facts": "magenta", "summary": "yellow",
    "attachments": "green", "conversation": "bright_blue", "results": "red", "free": "",
}  # fmt: skip
LETTERS = {
    "system": "s", "tools": "t", "facts": "f", "summary": "y", "attachments": "a",
    "conversation": "c", "results": "r", "free": ".",
}  # fmt: skip


class Bar:
    def __init__(self, tokens: Mapping[str, int]) -> None:
        """`tokens` of each of `COLOURS`."""
        self._tokens = tokens

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(WIDEST, options.max_width - 1)
        whole = max(1, sum(self._tokens.values()))
        bar = Text(no_wrap=True)
        for name, cells in zip(self._tokens, _shares(self._tokens.values(), width), strict=True):
            bar.append_text(_cells(console, name, cells))
        yield bar
        for name, count in self._tokens.items():
            if count:
                line = f" {name:13}{count:9,}{count / whole:5.0%}"
                short = line if cell_len(line) < options.max_width else f" {name} {count:,}"
                yield _cells(console, name, 1).append(short)


def _cells(console: Console, name: str, count: int) -> Text:
    if console.is_terminal and console.color_system and not console.no_color:
        return Text(("█" if COLOURS[name] else "░") * count, COLOURS[name])
    return Text(LETTERS[name] * count)


def _shares(counts: Iterable[int], width: int) -> list[int]:
    """Cells of each: what is there has one at least, all together `width`."""
    parts = list(counts)
    whole = max(1, sum(parts))
    cells = [max(1, part * width // whole) if part else 0 for part in parts]
    largest = cells.index(max(cells))
    cells[largest] = max(1, cells[largest] + width - sum(cells))
    return cells
