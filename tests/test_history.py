"""What was typed: kept, found again, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.history import FileHistory

from agent.repl.history import LONGEST, MOST, Typed
from tests.test_cli import ROOT

KEY = "AKIA" + "IOSFODNN7" + "EXAMPLA"


class Told(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


def history(file: Path, told: Told | None = None) -> Typed:
    return Typed(file, told if told is not None else Told())


def kept(file: Path) -> list[str]:
    """The newest first, as another program reads it."""
    return list(history(file).load_history_strings())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "history"


@given(entries=st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30)))
def test_what_was_typed_is_read_again_newest_first(
    entries: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("h") / "history"
    one = history(file)
    texts = [f"{entry}\n  second line {number}" for number, entry in enumerate(entries)]
    for text in texts:
        one.append_string(text)
    assert kept(file) == texts[::-1]


def test_the_file_is_that_of_prompt_toolkit(file: Path) -> None:
    file.parent.mkdir()
    old = FileHistory(str(file))
    old.store_string("typed before\nin two lines")
    history(file).store_string("typed now")
    assert kept(file) == ["typed now", "typed before\nin two lines"]
    assert list(old.load_history_strings()) == kept(file)


def test_of_a_large_file_the_end_is_read(file: Path) -> None:
    file.parent.mkdir()
    with file.open("w") as out:
        for number in range(100_000):
            out.write(f"\n# 2026-11-01 10:00:00\n+question number {number}\n")
    found = kept(file)
    assert (len(found), found[0]) == (MOST, "question number 99999")
    assert found[-1] == f"question number {100_000 - MOST}"


def test_a_file_larger_than_what_is_read_back_at_most(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("+" + "x" * 9_000_000 + "\n\n# now\n+the last\n")
    assert kept(file)[0] == "the last"


def test_a_secret_is_not_written_and_is_there_until_one_leaves(file: Path) -> None:
    told = Told()
    one = history(file, told)
    for text in ("hello", f"my key is {KEY}", "the password of the router is hunter2", "bye"):
        one.append_string(text)
    assert kept(file) == ["bye", "hello"]
    assert "hunter2" in one.get_strings()[2]
    assert told[0].startswith("there is a secret in that line (AWS Access Key)")
    assert "AKIA" not in "".join(told)


def test_what_could_steer_the_terminal_is_left_out(file: Path) -> None:
    history(file).store_string("red \x1b[31mtext\x07\rand\x00 more")
    assert b"\x1b" not in file.read_bytes()
    with file.open("ab") as out:
        out.write(b"\n# now\n+from \x1b]0;elsewhere\x07\xff\n")
    assert kept(file) == ["from ]0;elsewhere�", "red [31mtextand more"]


def test_a_pasted_file_is_not_kept(file: Path) -> None:
    one = history(file)
    one.append_string("x" * (LONGEST + 1))
    one.append_string(" \n ")
    assert not file.exists()


def test_only_the_user_may_read_it(file: Path) -> None:
    history(file).store_string("hello")
    assert file.stat().st_mode & 0o077 == 0


def test_a_file_that_cannot_be_used_is_told_once(file: Path) -> None:
    file.mkdir(parents=True)
    told = Told()
    one = history(file, told)
    assert list(one.load_history_strings()) == []
    one.append_string("first")
    one.append_string("second")
    assert one.get_strings() == ["first", "second"]
    assert told == [
        f"{file} cannot be read (Is a directory); what you type is kept until you leave"
    ]


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    told = Told()
    history(tmp_path / "home" / "history", told).append_string("first")
    assert "cannot be written (" in told[0]


def test_programs_that_write_at_once_lose_nothing(file: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from agent.repl.history import Typed\n"
        "one = Typed(Path(sys.argv[1]), print)\n"
        "for n in range(50): one.store_string(f'{sys.argv[2]} {n}\\n' + 'word ' * 400)"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(file), name],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for name in ("one", "two")
    ]
    assert [one.wait(60) for one in running] == [0, 0]
    wanted = {f"{name} {n}\n" + "word " * 400 for name in ("one", "two") for n in range(50)}
    assert set(kept(file)) == wanted
