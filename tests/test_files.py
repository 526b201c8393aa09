from __future__ import annotations

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.base import ToolError, tools_of
from tools.files import Files
from tools.running import invoke
from tools.spec import preview, spec


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "notes.txt").write_text("one\ntwo Berlin\nthree\n")
    (tmp_path / "secret.txt").write_text("Berlin secret")
    (folder / "out").symlink_to(tmp_path)
    return folder


def run(root: Path, name: str, **arguments: object) -> str:
    tool = next(one for one in tools_of(Files(root)) if one.name == name)
    return invoke(tool, arguments)


def test_a_part_of_a_file_is_read_with_its_place(root: Path) -> None:
    assert run(root, "read_file", path="notes.txt", first_line=2, lines=1).startswith(
        "two Berlin\n(lines 2 to 2 of 3)"
    )


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "out/secret.txt", "\0", ""])
def test_what_is_outside_the_folder_cannot_be_read(root: Path, path: str) -> None:
    with pytest.raises(ToolError):
        run(root, "read_file", path=path)


@pytest.mark.parametrize("path", ["../new.txt", "out/new.txt", "."])
def test_what_is_outside_the_folder_cannot_be_written(root: Path, path: str) -> None:
    with pytest.raises(ToolError):
        run(root, "write_file", path=path, text="x")
    assert not (root.parent / "new.txt").exists()


def test_search_finds_lines_by_file_and_number_and_follows_no_links_out(root: Path) -> None:
    assert run(root, "search_files", text="berlin") == "notes.txt:2: two Berlin"


def test_a_file_too_large_to_be_searched_is_named(root: Path) -> None:
    with (root / "all.log").open("wb") as file:
        file.truncate(3_000_000)
    found = run(root, "search_files", text="berlin")
    assert found.splitlines()[0] == "notes.txt:2: two Berlin"
    assert found.splitlines()[1] == "(not searched, since larger than 2 MB: all.log)"


def test_a_pipe_is_refused_and_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(ToolError, match="ordinary"):
        run(root, "read_file", path="pipe")
    run(root, "search_files", text="x")


def test_a_missing_file_names_the_nearest(root: Path) -> None:
    with pytest.raises(ToolError, match=r"did you mean notes\.txt"):
        run(root, "read_file", path="note.txt")


def test_writing_keeps_the_mode_and_leaves_no_other_file(root: Path) -> None:
    (root / "notes.txt").chmod(0o640)
    run(root, "write_file", path="notes.txt", text="new\n")
    assert (root / "notes.txt").read_text() == "new\n"
    assert (root / "notes.txt").stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(root)) == ["notes.txt", "out"]


@pytest.mark.parametrize(
    ("before", "after"), [("a", "a\nnew\n"), ("a\r\nb", "a\r\nb\r\nnew\r\n"), ("", "new\n")]
)
def test_what_is_added_stands_on_lines_of_its_own(root: Path, before: str, after: str) -> None:
    (root / "list.txt").write_bytes(before.encode())
    assert run(root, "append_to_file", path="list.txt", text="new") == "added 1 line to list.txt"
    assert (root / "list.txt").read_bytes() == after.encode()


@pytest.mark.parametrize("act", [invoke, preview])
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"path": "old.txt", "text": "new"}, "not UTF-8"),
        ({"path": "note.txt", "text": "new"}, r"did you mean notes\.txt"),
        ({"path": ".", "text": "new"}, "is a folder"),
        ({"path": "notes.txt", "text": ""}, "nothing to add"),
    ],
)
def test_what_cannot_be_added_is_said_before_the_user_is_asked(
    root: Path, act: Callable[..., str], arguments: dict[str, str], why: str
) -> None:
    (root / "old.txt").write_bytes("Grün".encode("latin-1"))
    tool = next(one for one in tools_of(Files(root)) if one.name == "append_to_file")
    with pytest.raises(ToolError, match=why):
        act(tool, arguments)
    assert (root / "old.txt").read_bytes() == "Grün".encode("latin-1")
    assert not (root / "note.txt").exists()


@pytest.mark.parametrize("before", ["one\nthree\n", "one\nthree"])
def test_what_is_added_is_shown_as_a_difference(root: Path, before: str) -> None:
    (root / "notes.txt").write_text(before)
    tool = next(one for one in tools_of(Files(root)) if one.name == "append_to_file")
    shown = preview(tool, {"path": "notes.txt", "text": "four"}).splitlines()
    assert [line for line in shown if line.startswith(("+", "-"))][2:] == ["+four"]


def test_adding_keeps_the_file_for_those_who_know_it_by_another_name(root: Path) -> None:
    os.link(root / "notes.txt", root / "other.txt")
    run(root, "append_to_file", path="notes.txt", text="four")
    assert (root / "other.txt").read_text().endswith("three\nfour\n")


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\nb\nc\n", "b", "x", b"a\nx\nc\n"),
        (b"a\r\nb\r\nc", "a\nb", "x\ny", b"x\r\ny\r\nc"),
        (b"a.c abc", "a.c", "\\1", b"\\1 abc"),
        (b"one two", " two", "", b"one"),
        (b"a\r\nb\r\nc", "b", "", b"a\r\nc"),
        (b"a\nb c\n", "b", "", b"a\n c\n"),
        (b'{"port": 80, "at": 80}', "port: 80", "port: 90", b'{"port": 90, "at": 80}'),
        (b"a\nb\r\nc\n", "a\nb", "x", b"x\r\nc\n"),
        (b"cat concatenate", "cat", "dog", b"dog concatenate"),
        (b"v = 1.5; v = 1", "v = 1", "v = 2", b"v = 1.5; v = 2"),
    ],
)
def test_one_place_is_changed_and_all_else_stays(
    root: Path, before: bytes, old: str, new: str, after: bytes
) -> None:
    (root / "list.txt").write_bytes(before)
    run(root, "replace_in_file", path="list.txt", old=old, new=new)
    assert (root / "list.txt").read_bytes() == after


@pytest.mark.parametrize("act", [invoke, preview])
@pytest.mark.parametrize(
    ("old", "why"),
    [
        ("port 80", r"does not hold 'port 80'; nearest to it are the lines\nthe port is 8080$"),
        ("port - is - 8080", r"does not hold 'port - is - 8080'"),
        ("is 808", r"does not hold 'is 808'"),
        ("log 'info'", r"does not hold"),
        ("is", "stands in server.txt 2 times, in lines 1, 3"),
        ("", "old is empty"),
        ("zebra", r"does not hold 'zebra'; nearest to it are the lines\nthe port is 8080$"),
    ],
)
def test_what_cannot_be_changed_is_said_before_the_user_is_asked(
    root: Path, act: Callable[..., str], old: str, why: str
) -> None:
    text = "the port is 8080\nlog: info\nnothing else is here\n"
    (root / "server.txt").write_text(text)
    tool = next(one for one in tools_of(Files(root)) if one.name == "replace_in_file")
    with pytest.raises(ToolError, match=why):
        act(tool, {"path": "server.txt", "old": old, "new": "port 90"})
    assert (root / "server.txt").read_text() == text


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("x: -5", "x: 5", "x: 7"),
        ("if a != b:", "a == b", "a == c"),
        ("x=1.5", "x = 1.5", "x = 1,5"),
        ("total = a  + b", "a + b", "a - b"),
        ('"a": 1, "a" : 1', "a: 1", "a: 2"),
        ("aaa", "aa", "b"),
        ("a b", "a", "a"),
    ],
)
def test_what_is_not_meant_for_certain_is_not_changed(
    root: Path, text: str, old: str, new: str
) -> None:
    (root / "x.txt").write_text(text)
    with pytest.raises(ToolError):
        run(root, "replace_in_file", path="x.txt", old=old, new=new)
    assert (root / "x.txt").read_text() == text


@given(
    st.text("ab1 .\n\r\"':-", max_size=12),
    st.text("ab1 .\n\r\"':-", max_size=4),
    st.text("ab1 .\n", max_size=4),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_a_change_is_what_the_result_says(root: Path, text: str, old: str, new: str) -> None:
    (root / "x.txt").write_bytes(text.encode())
    try:
        told = run(root, "replace_in_file", path="x.txt", old=old, new=new)
    except ToolError:
        assert (root / "x.txt").read_bytes() == text.encode()
        return
    went, came = ast.literal_eval(f"({told[8:-9].replace(' to ', ', ')})")
    assert went != came
    assert (root / "x.txt").read_bytes() in [
        (text[:at] + came + text[at + len(went) :]).encode()
        for at in range(len(text))
        if text.startswith(went, at)
    ]


def test_lines_that_share_rare_words_are_found_where_none_has_the_phrase(root: Path) -> None:
    (root / "people.txt").write_text("the number of the plumber\nOkafor: 555 0167\nnumber 7\n")
    found = run(root, "search_files", text="Okafor's phone number")
    assert found.splitlines()[1:] == ["people.txt:2: Okafor: 555 0167"]
    assert run(root, "search_files", text="zebra crossing").startswith("(no file here contains")


@pytest.mark.parametrize("name", ["write_file", "append_to_file"])
@pytest.mark.parametrize(("path", "text"), [("notes.txt", "\ud83d"), ("n" * 300, "x")])
def test_what_no_file_can_hold_is_an_error_that_the_model_hears(
    root: Path, name: str, path: str, text: str
) -> None:
    with pytest.raises(ToolError):
        run(root, name, path=path, text=text)
    assert (root / "notes.txt").read_text() == "one\ntwo Berlin\nthree\n"


def test_a_request_is_recognised_by_the_names_of_files_with_an_ending(root: Path) -> None:
    (root / "make").write_text("x")
    (root / "sub" / ".hidden").mkdir(parents=True)
    (root / "sub" / "plan.md").write_text("x")
    (root / "sub" / ".hidden" / "key.txt").write_text("x")
    read = next(one for one in map(spec, tools_of(Files(root))) if one and one.name == "read_file")
    assert read.subjects == ("notes.txt", "plan.md")


def test_the_preview_of_a_write_is_a_diff(root: Path) -> None:
    tool = next(one for one in tools_of(Files(root)) if one.name == "write_file")
    shown = preview(tool, {"path": "notes.txt", "text": "one\n2\nthree\n"})
    assert "-two Berlin" in shown
    assert "+2" in shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["..", ".", "out", "a", "notes.txt", "", "/", "~"]), max_size=6))
def test_no_path_leads_out(root: Path, parts: list[str]) -> None:
    try:
        place = Files(root).inside("/".join(parts))
    except ToolError:
        return
    assert place.is_relative_to(root.resolve())


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("a\nb\n", "a\r\nb\r\n", ["(only line ends of notes.txt change)"]),
        ("a\nb", "a\nb\n", ["(only line ends of notes.txt change)"]),
        ("a\r\nb\r\n", "a\r\nc\r\n", [" a", "-b", "+c"]),
        ("a\nb\n", "a\r\nc\r\n", ["-a", "-b", "+a\r", "+c\r"]),
        ("a\n", "a\nb\u2028c\x0cd\n", [" a", "+b\u2028c\x0cd"]),
        ("a\n", "a\n", [""]),
    ],
)
def test_a_difference_hides_nothing_of_the_line_ends(
    root: Path, before: str, after: str, shown: list[str]
) -> None:
    (root / "notes.txt").write_bytes(before.encode())
    tool = next(one for one in tools_of(Files(root)) if one.name == "write_file")
    lines = preview(tool, {"path": "notes.txt", "text": after}).split("\n")
    assert [line for line in lines if line[:2] not in ("--", "++", "@@")] == shown
