"""What the conversation writes, and how often: each writing draws the prompt again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.repl.commands.knowledge import sources
from agent.repl.screen import Screen


class Kept:
    """Stands for the terminal with its prompt."""

    width = 80

    def __init__(self) -> None:
        self.written: list[str] = []

    def print(self, text: str) -> None:
        self.written.append(text)

    def redraw(self) -> None:
        pass


def drawn() -> tuple[Screen, Any]:
    screen = Screen(draws=True)
    kept: Any = Kept()
    screen.terminal = kept
    return screen, kept


def test_a_long_proposal_is_written_at_once() -> None:
    screen, kept = drawn()
    screen.proposal("fill", {"path": "a"}, "\n".join(f"+line {n}" for n in range(3000)))
    assert len(kept.written) <= 2
    whole = "".join(kept.written)
    assert "line 0" in whole
    assert "line 2999" in whole


def test_a_proposal_colours_what_comes_and_what_goes() -> None:
    screen, kept = drawn()
    screen.proposal("fill", {}, "+new\n-old\n same")
    new, old, same = kept.written[-1].splitlines()
    assert (new != "+new", old != "-old", same) == (True, True, " same")


def test_a_proposal_in_plain_lines_ends_where_its_preview_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = Screen(draws=False)
    screen.proposal("fill", {}, "+a\n\n-b")
    screen.proposal("fill", {}, "")
    assert capsys.readouterr().out == "fill()\n+a\n\n-b\nfill()\n"


def test_many_lines_of_a_passage_are_written_at_once(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("".join(f"line {n}\n" for n in range(1, 1001)))
    shown: list[str] = []
    repl: Any = SimpleNamespace(screen=SimpleNamespace(plain=shown.append))
    sources(repl, f"{file}:1-1000")
    [text] = shown
    assert text.startswith("    1  line 1\n")
    assert text.endswith(" 1000  line 1000")
