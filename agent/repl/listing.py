"""Names and what is said of each: side by side where there is room, else below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from agent.repl.screen import Screen

Rows = Sequence[tuple[str, str]]
NARROW = 48
"""Columns of a terminal below which nothing stands side by side."""


def show(screen: Screen, rows: Rows, width: int = 0) -> None:
    """`width`: of the names, at least."""
    width = max(width, *(len(name) for name, _ in rows)) if rows else 0
    if screen.draws:
        screen.show(_Listing(rows, width))
        return
    for name, text in rows:  # a pipe has no width
        screen.plain(f"{name:{width}}  {text}".rstrip())


class _Listing:
    def __init__(self, rows: Rows, width: int) -> None:
        self._rows = rows
        self._width = width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        from agent.repl.clean import clean

        if options.max_width < NARROW:
            for name, text in self._rows:
                yield Text(clean(name))
                yield Padding(Text(clean(text)), (0, 0, 0, 2))
            return
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(min_width=min(self._width, options.max_width // 3))
        table.add_column()
        for name, text in self._rows:
            table.add_row(Text(clean(name)), Text(clean(text)))
        yield table
