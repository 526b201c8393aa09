from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html import escape, unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from examples.animation import Frame, animate
from examples.record import Shot, played, record
from tools.base import ToolError
from tools.loader import Toolbox
from tools.running import invoke
from tools.spec import ToolSpec, spec

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


def frames() -> list[Frame]:
    """A question that is typed, and its answer in place of a wait."""
    answer = "> 6 * 7?\n\x1b[32m✓ \x1b[2m\x1b[39mcalculate\x1b[0m → 42 <&>\n>"
    return [
        Frame(0.0, ">", (2, 0)),
        Frame(0.5, "> 6 * 7?", (8, 0)),
        Frame(1.0, "> 6 * 7?\nthinking 1 s"),
        Frame(2.0, answer, (2, 2)),
    ]


def test_the_workflow_installs_from_an_address_that_the_user_puts_in() -> None:
    workflow = yaml.safe_load((ROOT / "examples" / "github" / "tasks.yml").read_text("utf-8"))
    commands = [step.get("run", "") for step in workflow["jobs"]["replay"]["steps"]]
    (install,) = [one for one in commands if "pip install" in one]
    assert 'pip install "$TINSMITH" pytest' in install
    assert workflow["env"]["TINSMITH"].startswith("git+https://")


def test_the_picture_moves_without_a_script_and_fetches_nothing() -> None:
    drawn = animate(frames(), 40, 2.0, "chat")
    ElementTree.fromstring(drawn)
    assert not re.search(r"\x1b|<script|url\(|http(?!://www.w3.org/2000/svg)", drawn)
    assert drawn == animate(frames(), 40, 2.0, "chat")


def test_each_line_is_shown_as_long_as_it_was_there() -> None:
    drawn = animate(frames(), 40, 2.0, "chat")
    assert shown(drawn, "> 6 * 7?") == [("12.5", "visible")]
    assert shown(drawn, "thinking 1 s") == [("25", "visible"), ("50", "hidden")]
    assert shown(drawn, "✓") == [("50", "visible")]


def test_where_nothing_moves_the_last_screen_is_seen() -> None:
    drawn = animate(frames(), 40, 2.0, "chat")
    still = {text for text in texts(drawn) if not hidden(drawn, text)}
    assert still == {"> 6 * 7?", "✓", "calculate", "→ 42 <&>", ">"}
    assert hidden(drawn, "thinking 1 s")


def test_a_line_that_comes_again_lower_down_is_drawn_once() -> None:
    drawn = animate([Frame(0, "\nlow"), Frame(1, "low")], 40, 1.0, "chat")
    assert texts(drawn).count("low") == 1
    assert len(re.findall(r'<use href="#l0"', drawn)) == 2


def test_colours_boldness_and_wide_letters_keep_their_places() -> None:
    drawn = animate([Frame(0, "漢字 \x1b[1;31mred\x1b[0m \x1b[7mturned\x1b[0m")], 40, 1.0, "chat")
    places = re.findall(r'<text x="([\d.]+)" y="14" textLength="([\d.]+)"([^>]*)>([^<]*)', drawn)
    assert [(x, wide, text) for x, wide, _, text in places] == [
        ("0", "33.6", "漢字"), ("42", "25.2", "red"), ("75.6", "50.4", "turned"),
    ]  # fmt: skip
    assert 'class="b" fill="#cc555a"' in places[1][2]
    assert re.search(r'<rect x="75.6" width="50.4" height="18" fill="#c5c8c6"/>', drawn)


def test_waits_are_played_faster_and_typing_is_not() -> None:
    typed = [Shot(Frame(at, "x" * at), waits=False) for at in range(10)]
    waited = [Shot(Frame(9 + at, f"wait {at}"), waits=True) for at in range(1, 34)]
    frames, factor = played([*typed, *waited])
    assert factor == 3
    assert [frame.at for frame in frames[:10]] == list(range(10))
    assert frames[-1].at == pytest.approx(20)


def test_a_screen_that_stays_is_not_waited_for() -> None:
    still = [Shot(Frame(0, ">"), False), *[Shot(Frame(at, "> a"), True) for at in (1, 50, 99)]]
    frames, factor = played([*still, Shot(Frame(100, "> b"), True)])
    assert ([frame.at for frame in frames], factor) == ([0, 1, 2], 1)


@pytest.mark.skipif(not shutil.which("tmux"), reason="it takes tmux")
def test_a_conversation_is_recorded_as_the_terminal_showed_it(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(
        '{"call": "calculate", "arguments": {"expression": "6 * 7"}}\n{"say": "It is 42."}\n'
    )
    chat = ("-m", "agent", "chat", "--engine", "scripted", "--script", str(script))
    command = ["env", f"PYTHONPATH={ROOT}", sys.executable, *chat]
    shots = list(record(command, ["6 * 7?"], 12, tmp_path / "state"))
    assert any("> 6 *" in shot.frame.screen and "7" not in shot.frame.screen for shot in shots)
    assert "calculate" in shots[-1].frame.screen
    assert "It is 42." in shots[-1].frame.screen
    assert not shots[0].waits
    assert shots[-1].waits


def test_the_picture_of_the_readme_is_of_a_call_and_its_answer() -> None:
    drawn = (ROOT / "examples" / "chat.svg").read_text("utf-8")
    text = "".join(ElementTree.fromstring(drawn).itertext())
    assert "3363" in text
    assert "calculate" in text
    assert len(drawn) < 300_000


def texts(drawn: str) -> list[str]:
    """Of the screen, without the title."""
    return [unescape(one) for one in re.findall(r"textLength[^>]*>([^<]*)<", drawn)]


def used(drawn: str, text: str) -> list[str]:
    """The attributes of each use of the line that `text` is in."""
    line = re.search(rf'<g id="(l\d+)">(?:(?!</g>).)*>{re.escape(escape(text))}<', drawn)
    assert line
    return re.findall(rf'<use href="#{line[1]}" ([^>]*)>', drawn)


def hidden(drawn: str, text: str) -> bool:
    return all('class="h"' in one for one in used(drawn, text))


def shown(drawn: str, text: str) -> list[tuple[str, str]]:
    """When its line changes, in per cent."""
    (one,) = used(drawn, text)
    name = re.search(r"animation-name:(k\d+)", one)
    assert name
    keys = re.search(rf"@keyframes {name[1]}{{(.*)}}", drawn)
    assert keys
    found = re.findall(r"([\d.]+)%{visibility:(\w+)}", keys[1])
    assert found[0] == ("0", "hidden")
    return found[1:]


def _titles(now: ToolSpec | None) -> list[str]:
    assert now is not None
    values: list[str] = now.parameters["properties"]["title"]["enum"]
    return values
