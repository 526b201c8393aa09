"""How far a model is with a prompt, in the line that says what is waited for."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from agent.engines.scripted import ScriptedEngine
from agent.repl.reading import Reading
from agent.repl.screen import Screen
from tests.emulator import Emulator


def test_the_rest_is_told_after_two_seconds_from_the_rate_of_this_prompt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    engine = ScriptedEngine()
    monkeypatch.setattr("time.monotonic", lambda: now)
    reading = Reading(engine)
    assert reading() == ""
    engine.reading = 1000, 3000
    assert reading() == ", 1,000 of 3,000 tokens read"
    now, engine.reading = 1.0, (1100, 3000)
    assert reading() == ", 1,100 of 3,000 tokens read"
    now, engine.reading = 4.0, (1400, 3000)
    assert reading() == ", 1,400 of 3,000 tokens read, 16 s left"
    now, engine.reading = 5.0, (3000, 3000)  # as good as done
    assert reading() == ", 3,000 of 3,000 tokens read"
    engine.reading = 2000, 3010  # another prompt
    assert reading() == ", 2,000 of 3,010 tokens read"
    now, engine.reading = 9.0, (0, 3010)  # the same, from the beginning
    assert reading() == ", 0 of 3,010 tokens read"
    now, engine.reading = 12.0, (0, 3010)
    assert reading() == ", 0 of 3,010 tokens read"
    engine.reading = None
    assert reading() == ""


def test_it_stands_behind_what_is_waited_for_while_a_turn_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    screen = Screen(draws=True)
    engine = ScriptedEngine()
    engine.reading = 12, 40
    with screen.turn(Reading(engine)):
        now = 5.0
        assert screen.live() == ["thinking 5 s, 12 of 40 tokens read"]
        engine.reading, engine.calling = None, 848
        assert screen.live() == ["thinking 5 s, 848 tokens of a call written"]
    with screen.waiting(lambda: "loading"):
        now = 9.0
        assert screen.live() == ["loading 4 s"]


def test_a_question_on_the_command_line_is_waited_for_with_it(smollm: Path) -> None:
    one = Emulator("ask", "--model", str(smollm), "--context", "4096", "Hello!", deaf=False)
    one.see(r"thinking \d+ s, [\d,]+ of [\d,]+ tokens read")
    one.kill(signal.SIGINT)
    assert one.ends() == 130
    assert "thinking" not in one.text
