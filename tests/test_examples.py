from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from examples.record import picture
from tools.base import ToolError, ToolSpec, invoke, spec
from tools.loader import Toolbox

ROOT = Path(__file__).parent.parent
NOTES = ROOT / "examples" / "notes.py"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, which is where the notes are kept."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def box(folder: Path) -> Toolbox:
    return Toolbox(list, [NOTES])


def test_the_example_passes_the_check(box: Toolbox, folder: Path) -> None:
    invoke(box.tools["add_note"], {"title": "journey", "text": "the train leaves at 8:15"})
    done = subprocess.run(
        [sys.executable, "-P", "-m", "agent", "tools", "check", str(NOTES)],
        capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.splitlines() == ["ok       add_note", "ok       read_note"]
    assert done.returncode == 0


def test_only_a_note_that_is_there_can_be_read(box: Toolbox, folder: Path) -> None:
    read = box.tools["read_note"]
    assert spec(read) is None
    invoke(box.tools["add_note"], {"title": "journey", "text": "the train leaves at 8:15"})
    (folder / "notes" / "Ada.txt").write_text("10 December")
    assert _titles(spec(read)) == ["Ada", "journey"]
    (folder / "notes" / "Ada.txt").unlink()
    assert _titles(spec(read)) == ["journey"]


def test_a_note_of_the_same_title_grows(box: Toolbox) -> None:
    invoke(box.tools["add_note"], {"title": "shopping", "text": "milk"})
    invoke(box.tools["add_note"], {"title": "shopping", "text": "bread"})
    assert invoke(box.tools["read_note"], {"title": "shopping"}) == "milk\nbread\n"


@pytest.mark.parametrize("title", ["", "../out", "a/b", ".hidden", "a\n", "x" * 80])
def test_a_title_cannot_leave_the_folder(box: Toolbox, folder: Path, title: str) -> None:
    with pytest.raises(ToolError, match="is not a title"):
        invoke(box.tools["add_note"], {"title": title, "text": "milk"})
    assert not list(folder.rglob("*.txt"))


def test_the_picture_shows_the_screen_and_fetches_nothing() -> None:
    drawn = picture("> 6 * 7?\n\n\x1b[32m✓ \x1b[2mcalculate\x1b[0m → 42\n")
    assert "calculate" in "".join(ElementTree.fromstring(drawn).itertext())
    assert "\x1b" not in drawn
    assert "url(http" not in drawn
    assert drawn == picture("> 6 * 7?\n\x1b[32m✓ \x1b[2mcalculate\x1b[0m → 42\n")


def test_the_picture_of_the_readme_is_of_a_call_and_its_answer() -> None:
    drawn = (ROOT / "examples" / "chat.svg").read_text("utf-8")
    text = "".join(ElementTree.fromstring(drawn).itertext())
    assert "3363" in text
    assert "✓\xa0calculate" in text


def _titles(now: ToolSpec | None) -> list[str]:
    assert now is not None
    values: list[str] = now.parameters["properties"]["title"]["enum"]
    return values
