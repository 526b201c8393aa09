from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.approval import (
    Answer,
    Approvals,
    allow,
    always,
    check,
    deny,
    fits,
    forget,
    remember,
    suggest,
)
from agent.errors import SettingsError, UnknownName, UsageError

NOTE = {"path": "notes/a.md", "text": "hello"}


class User:
    """Gives the answers of a list; counts how often it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked = 0

    def __call__(self, name: str, arguments: Mapping[str, Any], preview: str) -> Answer:
        self.asked += 1
        return self._answers.pop(0)


def test_once_is_asked_again() -> None:
    user = User(Answer("once"), Answer("no"))
    approve = Approvals(user)
    assert approve("write_file", NOTE, "").allowed
    assert not approve("write_file", NOTE, "").allowed


def test_for_this_session_the_tool_is_not_asked_again_and_another_is() -> None:
    user = User(Answer("session"), Answer("no"))
    approve = Approvals(user)
    approve("write_file", NOTE, "")
    assert approve("write_file", {"path": "b"}, "").allowed
    assert not approve("erase", NOTE, "").allowed
    assert not Approvals(User(Answer("no")))("write_file", NOTE, "").allowed


def test_always_holds_in_the_next_session_for_what_fits() -> None:
    Approvals(User(Answer("always", "write_file(path=notes/*.md)")))("write_file", NOTE, "")
    later = User(Answer("no"))
    approve = Approvals(later)
    assert approve("write_file", {"path": "notes/b.md"}, "").allowed
    assert later.asked == 0
    assert not approve("write_file", {"path": "notes/b.py"}, "").allowed


def test_a_no_carries_its_reason() -> None:
    refusal = Approvals(User(Answer("no", reason="wrong folder")))("write_file", NOTE, "")
    assert (refusal.allowed, refusal.reason) == (False, "wrong folder")


def test_where_nobody_can_be_asked_only_what_was_named_runs() -> None:
    assert not deny("write_file", NOTE, "").allowed
    assert allow(["write_file"])("write_file", NOTE, "").allowed
    assert not allow(["write_file"])("erase", NOTE, "").allowed


@pytest.mark.parametrize(
    ("pattern", "arguments", "right"),
    [
        ("write_file", {"path": "any/where"}, True),
        ("write", {"path": "a"}, False),
        ("write_file(path=notes/*.md)", {"path": "notes/a.md"}, True),
        ("write_file(path=notes/*.md)", {"path": "notes/deep/a.md"}, False),
        ("write_file(path=notes/**)", {"path": "notes/deep/a.md"}, True),
        ("write_file(path=notes/**)", {"path": "notes/../secret.md"}, False),
        ("write_file(path=notes/*)", {"path": "notes\\a.md"}, True),
        ("write_file(path=notes/*)", {"path": "notes\\..\\a.md"}, False),
        ("write_file(path=a?.md)", {"path": "ab.md"}, True),
        ("write_file(path=a?.md)", {"path": "a/.md"}, False),
        ("write_file(path=a[*].md)", {"path": "a*.md"}, True),
        ("write_file(path=a[*].md)", {"path": "ab.md"}, False),
        ("write_file(path=a.md)", {"path": "axmd"}, False),
        ("write_file(path=*)", {"text": "no path"}, False),
        ("write_file(count=3)", {"count": 3}, True),
        ("write_file(count=3)", {"count": 30}, False),
    ],
)
def test_a_pattern_fits_what_it_says(pattern: str, arguments: dict[str, Any], right: bool) -> None:
    assert fits(pattern, "write_file", arguments) is right


def test_the_pattern_that_is_offered_is_the_folder_and_kind_of_file() -> None:
    assert suggest("write_file", NOTE) == "write_file(path=notes/*.md)"
    assert suggest("write_file", {"path": "a.md"}) == "write_file(path=a.md)"
    assert suggest("run", {}) == "run"


@given(st.text() | st.text(alphabet="./*?[]a\\\n") | st.integers())
def test_the_pattern_that_is_offered_fits_the_call(value: str | int) -> None:
    pattern = suggest("tool", {"it": value})
    check(pattern)
    assert fits(pattern, "tool", {"it": value})


@given(st.text(alphabet="./a\\", min_size=1), st.text(alphabet="./a\\", min_size=1))
def test_no_pattern_that_is_offered_leads_out_of_a_folder(one: str, other: str) -> None:
    up = f"{other}/../x"
    assert not fits(suggest("tool", {"path": one}), "tool", {"path": up}) or one == up


@pytest.mark.parametrize("pattern", ["", "a b", "write_file(notes/*)", "write_file(path=x"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="is no pattern"):
        remember(pattern)
    assert always() == []


def test_an_approval_can_be_forgotten_and_only_one_that_is_there() -> None:
    remember("write_file(path=notes/*)")
    with pytest.raises(UnknownName, match="did you mean"):
        forget("write_file(path=note/*)")
    forget("write_file(path=notes/*)")
    assert always() == []


@pytest.mark.parametrize("text", ["{", "3", '["a b"]', "[3]"])
def test_a_damaged_file_is_refused_and_left_alone(state: Path, text: str) -> None:
    state.mkdir()
    (state / "approvals.json").write_text(text)
    with pytest.raises(SettingsError, match=r"approvals\.json is damaged"):
        remember("write_file")
    assert (state / "approvals.json").read_text() == text
