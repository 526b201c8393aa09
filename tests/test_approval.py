"""What "always" allows, and what becomes of the file that keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.approval import Answer, Question, Remembered


class User:
    """Answers each question alike."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked = 0
        self.heard: list[str] = []

    def __call__(self, question: Question) -> tuple[Answer, str]:
        self.asked += 1
        return self.answer, ""


def writing(arguments: Mapping[str, Any]) -> Question:
    return Question("write_file", arguments, writes_to="path")


def is_asked(file: Path, arguments: Mapping[str, Any]) -> bool:
    """Whether a program that starts now asks the user for this."""
    user = User("no")
    return not Remembered(file, user, user.heard.append)(writing(arguments)).allowed


def always(file: Path, arguments: Mapping[str, Any]) -> User:
    user = User("always")
    assert Remembered(file, user, user.heard.append)(writing(arguments)).allowed
    return user


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state" / "approvals.json"


@pytest.mark.parametrize(
    "path", ["notes/../x", "notes/sub/deep.py", "notes", "../notes/x", "/notes/x", "notes\\..\\x"]
)
def test_always_in_a_folder_allows_nothing_else(file: Path, path: str) -> None:
    always(file, {"path": "notes/a.md", "text": "x"})
    assert is_asked(file, {"path": path, "text": "x"})


def test_always_in_a_folder_allows_its_files_however_they_are_written(file: Path) -> None:
    always(file, {"path": "notes/a.md", "text": "x"})
    assert not is_asked(file, {"text": "x", "path": "./notes/sub/../b.md"})


def test_the_path_counts_wherever_it_stands(file: Path) -> None:
    always(file, {"path": "notes/a.md", "text": "x"})
    assert is_asked(file, {"text": "notes/x", "path": "Makefile"})


def test_always_holds_in_its_working_folder_only(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    always(file, {"path": "notes/a.md", "text": "x"})
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    assert is_asked(file, {"path": "notes/a.md", "text": "x"})


@pytest.mark.parametrize("path", ["../a.md", "/etc/a.md", "~/a.md"])
def test_what_lies_outside_is_never_allowed_for_good(file: Path, path: str) -> None:
    always(file, {"path": path, "text": "x"})
    assert is_asked(file, {"path": path, "text": "x"})


def test_without_a_path_always_holds_for_the_same_arguments(file: Path) -> None:
    always(file, {"to": "ada", "text": "x"})
    assert not is_asked(file, {"text": "x", "to": "ada"})
    assert is_asked(file, {"to": "ada", "text": "y"})
    assert is_asked(file, {"to": "bob", "text": "x"})
    assert is_asked(file, {"text": "ada", "to": "x"})


@pytest.mark.parametrize("more", [{"to": "results/year.csv"}, {"path": "other.csv"}])
def test_where_a_tool_does_not_say_what_it_writes_all_arguments_count(
    file: Path, more: Mapping[str, Any]
) -> None:
    user = User("always")
    remembered = Remembered(file, user, user.heard.append)
    for arguments in ({"path": "data.csv"}, {"path": "data.csv", **more}, {"path": "data.csv"}):
        assert remembered(Question("copy", arguments)).allowed
    assert user.asked == 2


@pytest.mark.parametrize("text", ["5", "null", "[1", '{"a": 1}', '["write_file(notes/*)"]'])
def test_a_damaged_file_is_put_aside_and_told_of(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    user = always(file, {"path": "notes/a.md", "text": "x"})
    (line,) = user.heard
    assert "is damaged" in line
    assert file.with_name("approvals.json.damaged").read_text() == text
    assert not is_asked(file, {"path": "notes/a.md", "text": "x"})


def test_what_two_programs_allow_is_kept_of_both(file: Path) -> None:
    first, second = User("always"), User("always")
    one = Remembered(file, first, first.heard.append)
    other = Remembered(file, second, second.heard.append)
    one(writing({"path": "a/x"}))
    other(writing({"path": "b/x"}))
    (kept,) = json.loads(file.read_text()).values()
    assert kept == ["write_file(a/*)", "write_file(b/*)"]


def test_what_was_allowed_for_good_can_be_taken_back(file: Path) -> None:
    always(file, {"path": "notes/a.md", "text": "x"})
    user = User("no")
    remembered = Remembered(file, user, lambda text: None)
    assert list(remembered.everywhere().values()) == [["write_file(notes/*)"]]
    remembered.take_back("write_file(notes/*)")
    assert not remembered(writing({"path": "notes/a.md", "text": "x"})).allowed


def test_a_new_session_asks_again(file: Path) -> None:
    answers = iter([("session", ""), ("no", "")])
    remembered = Remembered(file, lambda *_: next(answers), lambda text: None)  # type: ignore[arg-type]
    assert remembered(writing({"path": "a"})).allowed
    assert remembered(writing({"path": "b"})).allowed
    remembered.forget_session()
    assert not remembered(writing({"path": "b"})).allowed


def test_what_does_not_fit_is_asked_about_whatever_was_allowed(file: Path) -> None:
    always(file, {"path": "notes/a.md", "text": "x"})
    user = User("no")
    remembered = Remembered(file, user, user.heard.append)
    wrong = {"path": "notes/b.md", "txt": "x"}
    question = Question("write_file", wrong, writes_to="path", problem="'text' is missing")
    assert not remembered(question).allowed
    assert user.asked == 1
