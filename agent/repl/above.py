"""Text that grows above a prompt which stays: each change is written in place, once.

The prompt is not drawn anew for it. A line more is made room for by one line feed below the prompt,
which scrolls if need be, and "insert line" (IL, ECMA-48) at its top, which pushes it down again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.segment import Segment

    Line = list[Segment]

SAVE, RESTORE = "\x1b7", "\x1b8"
"""The cursor (DECSC, DECRC)."""
ERASE = "\x1b[C\x1b[J\x1b[D\x1b[K"
"""From the first column on to the end of the screen. Not in one piece: what is erased from the very
first cell on, tmux takes for a screen that one will want to scroll back to."""

Ansi = Callable[[Sequence["Segment"]], str]
"""Segments as a terminal is told them."""


@dataclass(frozen=True)
class Prompt:
    """Where the prompt is, in rows and columns from its own top."""

    height: int
    x: int
    y: int
    """Of the cursor."""
    rows: int
    """Of the whole terminal."""


class Growing:
    """A block of lines of which the first are on the screen, right above the prompt."""

    def __init__(self, ansi: Ansi) -> None:
        self._ansi = ansi
        self._drawn: list[Line] = []

    def update(self, lines: list[Line], prompt: Prompt) -> str | None:
        """What to write so that the screen shows `lines`; None: they want more room than there is.

        What has left the screen at its top stays as it was.
        """
        drawn = len(self._drawn)
        first = self._first(lines, prompt.rows - prompt.height)
        if prompt.height + max(len(lines), drawn) - first > prompt.rows:
            return None
        more, changes = len(lines) - drawn, self._changes(lines, first)
        if not changes:
            return ""
        if more <= 0 and len(changes) == 1:  # and no row moves: the terminal finds back by itself
            return f"{SAVE}{_up(prompt.y + drawn - first)}{changes[0]}{RESTORE}"
        out = []
        if more > 0:
            out += [_down(prompt.height - 1 - prompt.y), "\n" * more]
            out += [_up(prompt.height - 1 + more), f"\x1b[{more}L"]
        else:
            out.append(_up(prompt.y))
        out += [_up(drawn - first), "\n".join(changes)]
        # from the last line back to where the user types
        out += [_down(1 + prompt.y), _column(prompt.x)]
        return "".join(out)

    def rewritten(self, lines: list[Line], visible: int) -> str:
        """The same where the prompt has been taken away, with an empty line at the end.

        `visible`: rows that were above it.
        """
        drawn = len(self._drawn)
        first = self._first(lines, visible)
        changes = self._changes(lines, first)
        return _up(drawn - first) + "".join(f"{one}\n" for one in changes)

    def around(self, text: str, visible: int) -> str:
        """Where the prompt has been taken away: `text`, whole lines, above what is drawn of it.

        `visible`: rows that were above the prompt.
        """
        shown = self._drawn[-visible:] if visible else []
        again = "".join(f"{self._change(one, [])}\n" for one in shown)
        return f"{_up(len(shown))}\r{ERASE}{text}{again}"

    def finish(self, lines: int) -> None:
        """The first `lines` stay as they are; what grows from now on begins behind them."""
        del self._drawn[:lines]

    def end(self, visible: int) -> str:
        """All of it stays. Gives what to write, where the prompt has been taken away, so that no
        line at its end is left empty; nothing where none is.

        `visible`: rows that were above it.
        """
        empty = sum(1 for _ in takewhile(lambda line: not line, reversed(self._drawn)))
        self._drawn = []
        return f"{_up(min(empty, visible))}{ERASE}" if empty else ""

    def _first(self, lines: list[Line], visible: int) -> int:
        """The first line that differs from what is drawn, of those that can be reached."""
        same = takewhile(lambda pair: pair[0] == pair[1], zip(lines, self._drawn, strict=False))
        return max(sum(1 for _ in same), len(self._drawn) - visible)

    def _changes(self, lines: list[Line], first: int) -> list[str]:
        """What to write for each line from `first` on; one that is no more becomes empty."""
        old, self._drawn = self._drawn, lines + [[]] * (len(self._drawn) - len(lines))
        old = old + [[]] * (len(lines) - len(old))
        return [self._change(self._drawn[at], old[at]) for at in range(first, len(old))]

    def _change(self, new: Line, old: Line) -> str:
        """The line `new` in the place of `old`, from the first cell that differs."""
        from rich.cells import cell_len
        from rich.segment import Segment

        pairs = zip(_characters(new), _characters(old), strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        at = cell_len("".join(one.text for one in new)[:same])
        rest = list(Segment.divide(new, [at, Segment.get_line_length(new)]))[1] if new else []
        erase = "\x1b[K" if Segment.get_line_length(old) > at else ""
        return f"{_column(at)}{erase}{self._ansi(rest)}"


def _characters(line: Line) -> list[tuple[str, object]]:
    return [(character, one.style) for one in line for character in one.text]


def _up(rows: int) -> str:
    return f"\x1b[{'' if rows == 1 else rows}A" if rows > 0 else ""


def _down(rows: int) -> str:
    return f"\x1b[{'' if rows == 1 else rows}B" if rows > 0 else ""


def _column(x: int) -> str:
    return f"\x1b[{x + 1}G" if x else "\r"
