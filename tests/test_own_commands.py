"""Commands that users write, in Python and Markdown."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from agent import app
from agent.memory.sessions import read
from agent.repl.commands import COMMANDS
from agent.repl.commands.command import COMPLETES, OWN
from agent.repl.own import Own, filled
from tests.emulator import Emulator
from tests.test_cli import scripted, tinsmith

GREET = '''
from agent.repl.commands import Choice, command

@command(completes=lambda repl, typed: [Choice("Ada")])
def greet(repl, rest):
    """say hello"""
    repl.screen.plain(f"Hello, {rest}!")
'''


@pytest.fixture(autouse=True)
def no_others() -> Iterator[None]:
    yield
    for name in list(OWN):
        del COMMANDS[name], OWN[name]
        COMPLETES.pop(name, None)


@pytest.fixture
def folder(state: Path) -> Path:
    folder = state / "commands"
    folder.mkdir(parents=True)
    return folder


def read_in(*folders: Path) -> list[str]:
    """What was told."""
    told: list[str] = []
    Own(folders, told.append).wait()
    return told


def test_a_function_and_a_prompt_become_commands(folder: Path) -> None:
    (folder / "hello.py").write_text(GREET)
    (folder / "Code Review.md").write_text("---\ndescription: look at a file\n---\nReview $1.\n")
    assert read_in(folder) == []
    assert {name: file.name for name, file in OWN.items()} == {
        "code-review": "Code Review.md", "greet": "hello.py",
    }  # fmt: skip
    assert COMMANDS["code-review"].__doc__ == "look at a file"
    assert [one.text for one in COMPLETES["greet"](cast(Any, None), "")] == ["Ada"]


@pytest.mark.parametrize(
    ("text", "arguments", "sent"),
    [
        ("Review $ARGUMENTS now", "a.py b.py", "Review a.py b.py now"),
        ("Compare $1 and $2", "'my file' b", "Compare my file and b"),
        ("Compare $1 and $2", "a", "Compare a and "),
        ("Say it: $1", "it's", "Say it: it's"),
        ("$ARGUMENTS", "$1 $ARGUMENTS", "$1 $ARGUMENTS"),
        ("Sum it up", "a.py", "Sum it up\n\na.py"),
        ("Sum it up", "", "Sum it up"),
        ("{{ braces }} and $100 and $ARGUMENTSX", "", "{{ braces }} and $100 and $ARGUMENTSX"),
    ],
)
def test_what_is_sent(text: str, arguments: str, sent: str) -> None:
    assert filled(text, arguments) == sent


def test_a_name_that_is_taken_is_refused_and_the_command_stays(folder: Path) -> None:
    help = COMMANDS["help"]
    (folder / "help.md").write_text("no help")
    (folder / "quit.py").write_text(GREET.replace("greet", "quit") + GREET.split("\n\n", 1)[1])
    (folder / "twice.md").write_text("a")
    (folder / "twice.py").write_text(GREET.replace("greet", "twice"))
    told = read_in(folder)
    assert told == [
        f"{folder}/help.md: /help is there already, built in; take another name",
        f"{folder}/quit.py: /quit is there already, built in; take another name",
        f"{folder}/twice.py: /twice is there already, from {folder}/twice.md; take another name",
    ]
    assert COMMANDS["help"] is help
    assert list(OWN) == ["greet", "twice"]


def test_what_is_no_ordinary_file_is_passed_over_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.md")
    (folder / "good.md").write_text("Hello")
    reads = threading.Thread(target=read_in, args=(folder,), daemon=True)
    reads.start()
    reads.join(20)
    assert not reads.is_alive()
    assert list(OWN) == ["good"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.py", "def f(:", "a.py:1: syntax error"),
        ("a.py", "x = 1\nraise SystemExit(3)", "a.py:2: SystemExit: 3"),
        ("a.py", "x = 1", "a.py has no command; put @command above a function"),
        ("a.md", "", "a.md is empty"),
        ("a.md", "---\ndescription: x\n---\n", "a.md is empty"),
        ("a.md", "---\ndescription: x\n", "a.md: the front matter that begins in its first line"),
        ("a.md", "---\nx: [\n---\nhello", "a.md: its front matter is no YAML"),
        ("a.md", "---\n- x\n---\nhello", "a.md: its front matter is not of the form"),
        ("a.md", b"\xff\xfe\xff", "a.md: 'utf-8' codec can't decode"),
        ("ä!.md", "hello", "ä!.md: /ä! cannot be typed"),
    ],
)
def test_a_broken_file_is_one_notice_and_the_rest_work(
    folder: Path, name: str, text: str | bytes, problem: str
) -> None:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    (folder / "good.md").write_text("# Sum up\nWhat is said here?")
    told = read_in(folder)
    assert len(told) == 1
    assert f"{folder}/{problem}" in told[0]
    assert list(OWN) == ["good"]
    assert COMMANDS["good"].__doc__ == "Sum up"


def test_a_folder_that_is_not_there_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert read_in(tmp_path / "none", tmp_path / "file") == []


def test_files_are_read_again(folder: Path) -> None:
    told: list[str] = []
    commands = Own((folder,), told.append)
    (folder / "one.md").write_text("first")
    commands.wait()
    (folder / "one.md").rename(folder / "two.md")
    (folder / "two.md").write_text("second")
    commands.reload()
    assert (list(OWN), COMMANDS["two"].__doc__, told) == (["two"], "second", [])


def test_the_prompt_of_a_file_is_sent(folder: Path, state: Path, tmp_path: Path) -> None:
    (folder / "review.md").write_text("Review $ARGUMENTS with care.")
    (folder / "hello.py").write_text(GREET)
    model = scripted(tmp_path, {"say": "fine"})
    done = tinsmith("chat", *model, stdin="/greet Ada\n/review a.py\n/commands\n/help\n")
    assert done.returncode == 0, done.stderr
    assert "Hello, Ada!" in done.stdout
    assert str(read(state / "sessions.db", 1)[0].text) == "Review a.py with care."
    assert f"({folder / 'review.md'})" in done.stdout
    assert re.search(r"/greet +say hello\n +/review", done.stdout)


def test_an_error_in_a_function_is_that_of_its_file(folder: Path, tmp_path: Path) -> None:
    (folder / "bad.py").write_text(GREET.replace("    repl.screen", "    1 / 0; repl.screen"))
    done = tinsmith("chat", *scripted(tmp_path), stdin="/greet Ada\n")
    assert f"{folder}/bad.py:7: ZeroDivisionError: division by zero" in done.stderr
    assert "a bug, please report it" not in done.stderr


def test_the_commands_of_a_folder_are_used_once_it_is_trusted(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    (work / ".tinsmith" / "commands").mkdir(parents=True)
    (work / ".tinsmith" / "commands" / "theirs.md").write_text("their prompt")
    model = scripted(tmp_path, {"say": "fine"})
    monkeypatch.chdir(work)
    done = tinsmith("chat", *model, stdin="/theirs\n")
    assert "no command /theirs" in done.stderr
    assert app.own_commands() == [state / "commands"]
    one = Emulator("chat", *model, cwd=work, columns=300)
    one.see(r"Use the commands in .*work/.tinsmith/commands \(theirs.md\)\?")
    one.send("y\r")
    one.see("Ctrl-D leaves")
    one.send("/theirs\r")
    one.see("fine")
    assert one.leave() == 0
    assert app.own_commands()[1:] == [work / ".tinsmith" / "commands"]
