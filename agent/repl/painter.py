"""An answer as it comes: blocks that are finished are written once, the last grows in place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from agent.repl.markdown import blocks

if TYPE_CHECKING:
    from agent.repl.above import Line

LOOKS = 20
"""How often a second the growing block is drawn at most."""
ENOUGH, LONGEST = 16, 0.4
"""Characters that are worth drawing, and seconds until fewer are: each time costs bytes more."""
SHARE = 1 / 40
"""Of one processor, that drawing may take."""


class Above(Protocol):
    """What stands above the prompt (`Terminal`)."""

    @property
    def width(self) -> int: ...

    def grow(self, lines: list[Line]) -> None: ...

    def finish(self, lines: int) -> None: ...

    def end_block(self) -> None: ...


class Painter:
    """Text is added by the thread that asks the model, which never waits for what is drawn."""

    def __init__(self, above: Above, render: Callable[[str, int], list[Line]]) -> None:
        """`render`: the lines of a block of Markdown, of at most so many columns."""
        self._above = above
        self._render = render
        self._answer = ""
        """What is not written for good yet; it begins with no empty line."""
        self._unpainted = 0
        """Characters of it that have come since it was drawn."""
        self._blocks = 0
        """Blocks of this answer that are written for good."""
        self._shown = 0
        """Characters of the growing block that stand in another width, before a change of it."""
        self._width = 0
        self._drawn = ""
        """The text of the growing block when it was drawn last."""
        self._changing = threading.Lock()
        """Held while `_answer` and `_unpainted` change."""
        self._painting = threading.Lock()
        """Held while anything is drawn, so that nothing is shown twice or not at all."""
        self._fresh = threading.Event()
        """There is text to draw."""

    @property
    def has_text(self) -> bool:
        return bool(self._answer)

    def add(self, text: str) -> None:
        with self._changing:
            self._answer = (self._answer + text).lstrip("\n")
            self._unpainted += len(text)
        if self._unpainted >= ENOUGH:
            self._fresh.set()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Draws what is added, in a thread of its own."""
        over = threading.Event()
        threading.Thread(target=self._work, args=(over,), name="painter", daemon=True).start()
        try:
            yield
        finally:
            over.set()
            self._fresh.set()

    def paint(self) -> None:
        """Draw the answer as it is now."""
        with self._painting:
            with self._changing:
                answer, self._unpainted = self._answer, 0
            self._paint(blocks(answer[: answer.rfind("\n") + 1])[:-1], answer)

    def end(self) -> None:
        """The answer is over: all of it is written for good."""
        with self._painting:
            self._paint(blocks(self._answer), self._answer)
            if self._blocks:
                self._above.end_block()
            self._blocks, self._shown, self._drawn = 0, 0, ""

    def _work(self, over: threading.Event) -> None:
        while not over.is_set():
            self._fresh.wait(LONGEST)
            self._fresh.clear()
            if self._unpainted:
                before = time.thread_time()
                self.paint()
                over.wait(max(1 / LOOKS, (time.thread_time() - before) / SHARE))

    def _paint(self, finished: list[str], answer: str) -> None:
        """Draw `answer`, of which `finished` are the blocks that it begins with."""
        rest = answer.removeprefix("".join(finished))
        finished = [one for one in finished if one.strip()]
        parts = [*finished, rest] if rest.strip() else finished
        if not parts:
            return
        width = max(1, self._above.width - 1)  # a full line would leave the cursor in no column
        if width != self._width:  # what stands there stays as it is
            self._shown = _count(self._drawn)
            self._above.end_block()
            self._width = width
        apart = [self._render(one, width) for one in parts]
        drawn: list[Line] = []
        final = 0
        for at, lines in enumerate(apart):
            drawn += [[], *lines] if self._blocks + at else lines
            if at < len(finished):
                final = len(drawn)
        new = _behind(drawn, self._shown)
        self._above.grow(new)
        self._above.finish(max(0, final - (len(drawn) - len(new))))
        self._shown = max(0, self._shown - _count(_text(drawn[:final])))
        self._drawn = _text(drawn[final:])
        self._blocks += len(finished)
        with self._changing:  # more may have come
            self._answer = self._answer[len(answer) - len(rest) :].lstrip("\n")


def _text(lines: list[Line]) -> str:
    return "".join(one.text for line in lines for one in line)


def _count(text: str) -> int:
    """Its characters, blanks not counted: what stays the same in another width."""
    return len("".join(text.split()))


def _behind(lines: list[Line], characters: int) -> list[Line]:
    """What comes after so many characters, blanks not counted."""
    from rich.segment import Segment

    for number, line in enumerate(lines):
        if characters <= 0:
            return lines[number:]
        text = _text([line])
        full = _count(text)
        if full > characters:
            at = 0
            for at, character in enumerate(text):  # noqa: B007  the place is what counts
                characters -= not character.isspace()
                if characters < 0:
                    break
            from rich.cells import cell_len

            cuts = [cell_len(text[:at]), Segment.get_line_length(line)]
            return [list(Segment.divide(line, cuts))[1], *lines[number + 1 :]]
        characters -= full
    return []
