"""Ctrl-C and Ctrl-D lose nothing, and leave when they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulator import Emulator
from tests.test_cli import scripted

SLOW = '''
import time
from pathlib import Path
from tools.base import tool

while not Path("loaded").exists():
    time.sleep(0.02)

@tool(examples=["x"])
def x() -> str:
    """Give an x."""
    return "x"
'''
DEAF = '''
import time
from pathlib import Path
from tools.base import tool

def names() -> list[str]:
    if Path("armed").exists():
        Path("asked").touch()
        while not Path("go").exists():
            time.sleep(0.02)
    return ["a"]

@tool(examples=["x"], choices={"name": names})
def x(name: str) -> str:
    """Give an x."""
    return name
'''


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def talk(work: Path, tools: str, *said: str) -> Emulator:
    (work.parent / "mine.py").write_text(tools)
    lines: list[dict[str, object]] = [{"say": text} for text in said]
    options = [*scripted(work.parent, *lines)]
    options += ["--tools", str(work.parent / "mine.py")]
    one = Emulator("chat", *options, cwd=work, columns=120)
    one.see("Ctrl-D leaves")
    return one


def test_ctrl_c_while_the_model_loads_keeps_what_was_sent_and_what_is_typed(work: Path) -> None:
    one = talk(work, SLOW, "Here.")
    one.send("first question\r")
    one.see("> first question")
    one.send("half a line")
    one.see("> half a line")
    one.send("\x03")
    one.see("Ctrl-C again")
    one.see(r"> first question\n\s*half a line", after="Ctrl-C again")
    (work / "loaded").touch()
    one.send("\r")
    one.see("Here\\.")
    assert one.leave() == 0


def test_a_second_ctrl_c_leaves_while_the_model_loads_and_keeps_the_line(
    work: Path, state: Path
) -> None:
    one = talk(work, SLOW, "Here.")
    one.send("first question\r")
    one.see("> first question")
    one.send("\x03")
    one.see("Ctrl-C again")
    one.send("\x03")
    assert one.ends() == 0
    (kept,) = state.glob("unsent-*.txt")
    assert kept.read_text() == "first question\n\n"
    assert f"what was not sent is in {kept}" in one.text.replace("\n", "")


def test_a_second_ctrl_c_leaves_where_the_first_has_stopped_nothing_yet(work: Path) -> None:
    one = talk(work, DEAF, "Never.")
    one.see("scripted · window")
    (work / "armed").touch()
    one.send("give me an x\r")
    while not (work / "asked").exists():
        one.read(0.05)
    one.send("\x03")
    one.read(0.3)
    one.send("\x03")
    assert one.ends() == 0


def test_what_waits_when_one_leaves_is_kept(work: Path, state: Path) -> None:
    one = talk(work, SLOW, "Never.")
    one.send("first question\r")
    one.see("> first question")
    long = "word " * 2300
    one.send(f"\x1b[200~{long}\x1b[201~\r")
    one.see("queued: ")
    one.send("\x04")
    assert one.ends() == 0
    assert "Ctrl-C again" not in one.text
    (kept,) = state.glob("unsent-*.txt")
    assert kept.read_text() == f"first question\n\n{long}\n\n"
