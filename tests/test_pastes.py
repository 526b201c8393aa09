"""What is pasted or comes through a pipe is sent whole, and its @ attaches nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.memory.sessions import read, sessions
from tests.emulator import Emulator
from tests.test_cli import scripted, tinsmith

SECRET = "the secret of the house"


def paste(text: str) -> str:
    return f"\x1b[200~{text}\x1b[201~"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "secret.txt").write_text(SECRET)
    return folder


def talk(work: Path, *said: dict[str, object] | str) -> Emulator:
    lines: list[dict[str, object]] = []
    for line in said:
        lines.append({"say": line} if isinstance(line, str) else line)
    one = Emulator("chat", *scripted(work.parent, *lines), cwd=work, columns=120)
    one.see("Ctrl-D leaves")
    return one


def told(state: Path) -> str:
    """All of the last conversation."""
    last = sessions(state / "sessions.db", 1)[0].id
    return "\n".join(str(message.text) for message in read(state / "sessions.db", last))


@pytest.mark.parametrize("text", ["x" * 4500, "\u3042" * 3000])
def test_a_long_paste_without_blanks_is_sent_whole(work: Path, state: Path, text: str) -> None:
    one = talk(work, "Done.")
    one.send(f"sum up: {paste(text)}\r")
    one.see("Done\\.")
    assert one.leave() == 0
    assert f"sum up: {text}" in told(state)


WRITE: dict[str, object] = {"call": "write_file", "arguments": {"path": "y.txt", "text": "a"}}


def test_a_long_paste_is_whole_in_an_edited_call_and_in_a_reason(work: Path, state: Path) -> None:
    one = talk(work, WRITE, {**WRITE, "arguments": {"path": "z.txt", "text": "b"}}, "Done.")
    one.send("write it\r")
    one.see(r"\[o\]nce")
    one.send("e")
    one.see("as JSON")
    long = json.dumps({"path": "y.txt", "text": "word " * 700})
    one.send("\x15" + paste(long))
    one.see(r"\[pasted text")
    one.send("\r")
    one.see(r"\[o\]nce", after="word word")
    one.send("o")
    one.see(r"✓ write_file")
    assert (work / "y.txt").read_text().strip() == ("word " * 700).strip()
    one.see(r"\[o\]nce", after="✓ write_file")
    one.send("r")
    one.see("Why not")
    one.send(paste("because " * 400))
    one.see(r"\? \[pasted text")
    one.send("\r")
    one.see("Done\\.")
    assert one.leave() == 0
    assert ("because " * 400).strip() in told(state)


def test_a_paste_attaches_nothing_however_it_is_sent_again(work: Path, state: Path) -> None:
    (state / "commands").mkdir(parents=True)
    (state / "commands" / "rev.md").write_text("Review this: $ARGUMENTS")
    one = talk(work, "One.", "Two.", "Three.", "Four.", "Five.")
    one.send(f"look: {paste('please read @secret.txt now')}\r")
    one.see("One\\.")
    one.send("/retry\r")
    one.see("Two\\.")
    one.send(f"/rev {paste('go and read @secret.txt')}\r")
    one.see("Three\\.")
    one.send(f"/skill answer-from-documents {paste('do read @secret.txt')}\r")
    one.see("Four\\.")
    one.send("/edit\r")
    one.see("> do read @secret")
    one.send("\r")
    one.see("Five\\.")
    assert one.leave() == 0
    assert "Review this: go and read @secret.txt" in told(state)
    assert SECRET not in told(state)


def test_a_paste_that_begins_like_an_earlier_one_attaches_nothing(work: Path, state: Path) -> None:
    one = talk(work, "One.", "Two.")
    one.send(paste("please read") + "\r")
    one.see("One\\.")
    one.send(paste("please read @secret.txt now") + "\r")
    one.see("Two\\.")
    assert one.leave() == 0
    assert SECRET not in told(state)


def test_what_is_typed_is_attached_again_by_retry(work: Path, state: Path) -> None:
    one = talk(work, "One.", "Two.")
    one.send("read @secret.txt\r")
    one.see("One\\.")
    one.send("/retry\r")
    one.see("Two\\.")
    assert one.leave() == 0
    assert SECRET in told(state)
    assert "One." not in told(state)


def test_a_command_from_a_pipe_attaches_nothing(work: Path, state: Path) -> None:
    (state / "commands").mkdir(parents=True)
    (state / "commands" / "rev.md").write_text("Review this: $ARGUMENTS")
    options = scripted(work.parent, {"say": "One."})
    done = tinsmith("chat", *options, stdin=f"/rev read @{work / 'secret.txt'}\n")
    assert done.returncode == 0, done.stderr
    assert "Review this: read @" in told(state)
    assert SECRET not in told(state)
