"""What the conversation writes, and how often: each writing draws the prompt again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from agent.events import TurnEnded, Usage
from agent.repl.clean import clean, one_line, visible
from agent.repl.commands.knowledge import sources
from agent.repl.markdown import blocks
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


LINES = "\u2028\u2029"
TURNED = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]


@pytest.mark.parametrize("one", TURNED)
def test_nothing_can_turn_what_is_read_around(one: str) -> None:
    screen, kept = drawn()
    screen.plain(f"user{one}txt.exe")
    assert clean(f"a{one}b") == one_line(f"a{one}b") == "ab"
    assert one not in "".join(kept.written)
    assert visible(one) == f"\\u{ord(one):x}"


@pytest.mark.parametrize("one", LINES)
def test_a_line_that_only_some_break_does_not_look_like_two(one: str) -> None:
    screen, kept = drawn()
    screen.proposal("fill", {}, f"+new{one}-old")
    [line] = kept.written[-1].splitlines()
    assert f"new\\u{ord(one):x}-old" in line


@pytest.mark.parametrize("one", LINES)
def test_blocks_of_an_answer_are_those_of_the_parser(one: str) -> None:
    assert blocks(f"a{one}b\n\n```\ncode\n```\nend\n") == [
        f"a{one}b\n\n",
        "```\ncode\n```\n",
        "end\n",
    ]


def test_a_huge_request_is_cut_when_it_is_sent_and_when_it_is_recalled() -> None:
    screen, kept = drawn()
    error = ToolMessage("no " * 5000, tool_call_id="1", name="look", status="error")
    screen.recall([HumanMessage("a " * 5000), error, AIMessage("An answer.")])
    screen.sent("a " * 5000)
    request, failed, answer, sent = (" ".join(text.split()) for text in kept.written)
    assert "characters)" in request
    assert "(10,000 characters)" in sent
    assert "An answer." in answer
    assert max(map(len, (request, failed, sent))) < 3000


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("seconds", "(stopped at max_seconds; /set max_seconds N allows more)"),
        ("steps", "(stopped at max_steps; /set max_steps N allows more)"),
        ("tokens", "(cut off: at max_tokens, at the end of the window, or going in circles)"),
        ("repeats", "(stopped: it went in circles)"),
        ("answered", ""),
    ],
)
def test_a_turn_that_reached_a_limit_says_which_and_how_to_move_it(
    reason: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Screen(draws=False).draw(TurnEnded("5", reason, Usage(), 1))
    assert capsys.readouterr().err.startswith(said)
