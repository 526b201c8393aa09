"""What grows above the prompt, on the screen of a terminal emulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style

from agent.repl.above import Growing, Prompt
from agent.repl.painter import Painter
from agent.repl.screen import Screen

if TYPE_CHECKING:
    from agent.repl.above import Line

ROWS, COLUMNS = 12, 20
PROMPT = ["> typed", "status"]
CURSOR = (4, 0)
BOLD = Style(bold=True)


def ansi(segments: Sequence[Segment]) -> str:
    return "".join(f"\x1b[1m{one.text}\x1b[0m" if one.style else one.text for one in segments)


class Terminal:
    """A screen with a prompt on it, drawn once."""

    def __init__(self, above: int) -> None:
        """`above`: lines that stand there already."""
        self.screen = pyte.HistoryScreen(COLUMNS, ROWS, history=10_000, ratio=1)
        self.stream = pyte.Stream(self.screen)
        self.growing = Growing(ansi)
        self.stream.feed("".join(f"before {number}\r\n" for number in range(above)))
        self.draw_prompt()

    def show(self, lines: list[Line]) -> None:
        written = self.growing.update(lines, Prompt(len(PROMPT), *CURSOR, ROWS))
        if written is None:
            self.take_away()
            written = self.growing.rewritten(lines, ROWS - len(PROMPT))
            self.stream.feed(written.replace("\n", "\r\n"))
            self.draw_prompt()
        else:
            self.stream.feed(written.replace("\n", "\r\n"))  # as the terminal driver does

    width = COLUMNS

    def grow(self, lines: list[Line]) -> None:
        self.show(lines)

    def finish(self, lines: int) -> None:
        self.growing.finish(lines)

    def end_block(self) -> None:
        self.take_away()
        self.stream.feed(self.growing.end(ROWS - len(PROMPT)))
        self.draw_prompt()

    def take_away(self) -> None:
        self.stream.feed("\r\x1b[J")

    def draw_prompt(self) -> None:
        x, y = CURSOR
        self.stream.feed("\r\n".join(PROMPT))
        self.stream.feed(f"\x1b[{len(PROMPT) - 1 - y}A\x1b[{x + 1}G")

    def text(self) -> list[str]:
        """All lines, those that have left the screen too."""
        gone = ["".join(line[at].data for at in range(COLUMNS)) for line in self.screen.history.top]
        return [line.rstrip() for line in [*gone, *self.screen.display]]


def line(*parts: tuple[str, bool]) -> Line:
    return [Segment(text, BOLD if bold else None) for text, bold in parts if text]


def shown(lines: Sequence[Line]) -> list[str]:
    return ["".join(one.text for one in line).rstrip() for line in lines]


words = st.text("abc 日本é", max_size=6)
lines = st.lists(st.builds(line, st.tuples(words, st.booleans()), st.tuples(words, st.booleans())))


@settings(deadline=None)
@given(st.integers(0, 30), st.lists(lines.map(lambda some: some[:20]), min_size=1, max_size=6))
def test_whatever_a_block_becomes_is_shown_and_the_prompt_stays(
    above: int, steps: list[list[Line]]
) -> None:
    terminal = Terminal(above)
    for number, step in enumerate(steps):
        terminal.show(step)
        visible = ROWS - len(PROMPT)
        text = terminal.text()
        while text and not text[-1]:
            text.pop()
        assert text[-2:] == PROMPT
        grown = max(map(len, steps[: number + 1]))
        wanted = shown(step) + [""] * (grown - len(step))
        part = wanted[-visible:]
        assert text[len(text) - 2 - len(part) : -2] == part
        assert text[: min(above, 3)] == [f"before {number}" for number in range(min(above, 3))]
    cursor = terminal.screen.cursor
    assert cursor.x == CURSOR[0]
    assert terminal.screen.display[cursor.y].startswith(PROMPT[0])


def test_text_that_grows_costs_little_more_than_itself() -> None:
    terminal = Growing(ansi)
    prompt = Prompt(2, 2, 0, 24)
    text = "the quick brown fox jumps over the lazy dog and goes on to the next hill " * 20
    sent = 0
    for end in range(0, len(text), 16):
        rows = [text[at : min(at + 79, end)] for at in range(0, end, 79)]
        sent += len(terminal.update([[Segment(row)] for row in rows], prompt) or "")
    assert sent < 2.3 * len(text)


def test_only_the_line_that_changes_is_written() -> None:
    growing = Growing(ansi)
    prompt = Prompt(2, 2, 0, 24)
    growing.update([line(("first", False)), line(("second", False))], prompt)
    written = growing.update([line(("first", False)), line(("second one", False))], prompt)
    assert written is not None
    assert "first" not in written
    assert "second" not in written
    assert " one" in written


def test_a_finished_block_is_not_touched_by_the_next() -> None:
    terminal = Terminal(0)
    terminal.show([line(("one", False)), line(("tw", False))])
    terminal.growing.finish(1)
    terminal.show([line(("two", True))])
    assert terminal.text()[:4] == ["one", "two", *PROMPT]


def test_no_empty_line_is_left_where_a_block_became_shorter() -> None:
    terminal = Terminal(3)
    terminal.show([line((word, False)) for word in ("one", "two", "three")])
    terminal.show([line(("one", False))])
    terminal.take_away()
    terminal.stream.feed(terminal.growing.end(ROWS - len(PROMPT)))
    terminal.draw_prompt()
    assert terminal.text()[3:] == ["one", *PROMPT, *[""] * (ROWS - 6)]


PIECES = """# Title

some words of a line that is longer than the screen
---
- a point
- **another** one
  inside
1. first
2. second
```
```python
x = 1
| a | b |
| - | - |
| 1 | 2 |
> said
""".splitlines(keepends=True)
ANSWER = st.lists(st.sampled_from([*PIECES, "\n\n", "plain ", "\t"]), max_size=14).map("".join)


@settings(deadline=None, max_examples=200)
@given(ANSWER, st.lists(st.integers(1, 30), max_size=20), st.integers(0, 12))
def test_an_answer_that_comes_in_pieces_looks_as_if_it_had_come_at_once(
    answer: str, pieces: list[int], above: int
) -> None:
    screen = Screen(draws=True)
    whole, parts = Terminal(above), Terminal(above)
    at_once = Painter(whole, screen._lines)
    at_once.add(answer)
    at_once.end()
    painter = Painter(parts, screen._lines)
    for piece in [*pieces, len(answer)]:
        painter.add(answer[:piece])
        answer = answer[piece:]
        painter.paint()
    painter.end()
    assert [one for one in parts.text() if one] == [one for one in whole.text() if one]
    assert len("\n".join(parts.text()).rstrip()) == len("\n".join(whole.text()).rstrip())


@given(st.integers(0, 30), lines.map(lambda some: some[:20]), lines.map(lambda some: some[:20]))
@settings(deadline=None)
def test_what_is_printed_meanwhile_stands_above_what_grows(
    above: int, before: list[Line], after: list[Line]
) -> None:
    terminal = Terminal(above)
    terminal.show(before)
    terminal.take_away()
    terminal.stream.feed(
        terminal.growing.around("news\n", ROWS - len(PROMPT)).replace("\n", "\r\n")
    )
    terminal.draw_prompt()
    terminal.show(after)
    text = "\n".join(terminal.text()).rstrip().split("\n")
    assert text[-2:] == PROMPT
    assert text.count("news") == 1
    visible = ROWS - len(PROMPT)
    wanted = shown(after) + [""] * (len(before) - len(after))
    part = wanted[-visible:]
    assert text[len(text) - 2 - len(part) : -2] == part
