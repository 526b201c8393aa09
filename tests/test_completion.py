"""What is offered while one types."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from agent.memory.sessions import Session
from agent.repl import project
from agent.repl.commands.command import COMMANDS, COMPLETES, Choice, command, kept_apart
from agent.repl.completion import Completions
from agent.repl.fuzzy import best
from agent.settings import Settings


class Somebody:
    """As much of a Repl as completion asks for."""

    settings = Settings()


def completions(tools: Iterable[str] = ()) -> Completions:
    return Completions(cast(Any, Somebody()), lambda: tools)


def offered(text: str, tab: bool = False, tools: Iterable[str] = ()) -> list[str]:
    event = CompleteEvent(completion_requested=tab)
    return [one.text for one in completions(tools).get_completions(Document(text), event)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of this test."""
    folder = tmp_path / "work"
    for path in (
        "README.md", "src/main.py", "src/repl/completion.py", "src/repl/loop.py", "my data/a b.csv",
        "logs/today.log", ".hidden/key", "node_modules/x/index.js", "build/out.o",
    ):  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")
    (folder / ".gitignore").write_text("*.log\n")
    monkeypatch.chdir(folder)
    project.of.cache_clear()
    return folder


def test_commands_are_offered_with_their_help() -> None:
    found = list(completions().get_completions(Document("/mo"), CompleteEvent()))
    assert found[0].text == "/model"
    assert "talks with another one" in found[0].display_meta_text


def test_a_few_letters_in_their_order_are_enough() -> None:
    assert offered("/snt") == []
    assert offered("/rsm")[0] == "/resume"


def test_all_commands_are_offered_behind_the_slash_in_their_order() -> None:
    assert offered("/") == [f"/{name}" for name in COMMANDS][:50]


def test_conversations_are_found_by_their_titles(state: Path) -> None:
    from langchain_core.messages import HumanMessage

    for title in ("sorting the mails", "a poem about\x1b[31m foxes"):
        session = Session.create(state / "sessions.db")
        session.append(HumanMessage(title))
        session.close()
    assert offered("/resume srtm") == ["1"]
    found = list(completions().get_completions(Document("/resume fox"), CompleteEvent()))
    assert (found[0].text, found[0].start_position) == ("2", -3)
    assert "\x1b" not in found[0].display_text


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("read @cmpl", "@src/repl/completion.py"),
        ("read @loop", "@src/repl/loop.py"),
        ("read @mainpy", "@src/main.py"),
        ("(see @READ", "@README.md"),
        ("read @./src/m", "@./src/main.py"),
        ("read @a b", None),
        ("read @acsv", '@"my data/a b.csv"'),
        ('read @"a b', '@"my data/a b.csv"'),
        ("read @mydata", '@"my data/'),
        ("read @.hid", "@.hidden/"),
        ("read @.hidden/", "@.hidden/key"),
        ("read @hidden", None),
        ("read @today", None),
        ("read @index.js", None),
        ("mail ada@RE", None),
        ("read @nothing/at/all", None),
        ("read @~nobody-of-that-name/", None),
    ],
)
def test_files_are_offered_anywhere_in_a_line(text: str, first: str | None) -> None:
    assert next(iter(offered(text)), None) == first


def test_a_file_of_home_and_of_the_root(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    assert offered("@~") == ["@~/"]
    assert "@~/README.md" in offered("@~/")
    assert f"@{here}/README.md" in offered(f"@{here}/rea")


def test_hidden_files_are_offered_when_a_dot_is_typed() -> None:
    assert "@./.gitignore" not in offered("@./")
    assert "@./.gitignore" in offered("@./.")


def test_a_new_file_is_offered_when_the_list_is_looked_at_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "FRESH", -1.0)
    monkeypatch.setattr(project, "RARELY", 0)
    assert offered("@brandnew") == []
    (here / "brandnew.txt").write_text("x")
    for _ in range(2):  # the first look may have begun before the file was there
        offered("@brandnew")
        for thread in threading.enumerate():
            if thread.name == "files":
                thread.join()
    assert offered("@brandnew") == ["@brandnew.txt"]


def test_collections_are_offered_without_opening_the_store(state: Path) -> None:
    (state / "store" / "words").mkdir(parents=True)
    for name in ("manual", "letters"):
        (state / "store" / "words" / f"{name}.db").write_bytes(b"not even a database")
    assert offered("what does #man") == ["#manual"]
    assert offered("#") == ["#letters", "#manual"]


def test_a_broken_registry_offers_nothing(state: Path) -> None:
    (state / "specialists" / "topics" / "1").mkdir(parents=True)
    (state / "specialists" / "topics" / "1" / "manifest.json").write_text("{")
    (state / "specialists" / "topics" / "promoted.json").write_text("[")
    assert offered("with $to") == []
    assert offered("/specialists promote to") == []


def test_tools_are_offered_with_tab_only() -> None:
    tools = ("calculate", "list_files")
    assert offered("use lsf", tools=tools) == []
    assert offered("use lsf", tab=True, tools=tools) == ["list_files"]


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), OSError("disk")])
def test_an_error_in_what_a_command_completes_offers_nothing(error: BaseException) -> None:
    def fails(repl: object, typed: str) -> Iterator[Choice]:
        raise error
        yield

    with kept_apart() as (commands, choices):
        command(completes=fails)(lambda repl, rest: None)
    name = next(iter(commands))
    try:
        COMPLETES[name] = choices[name]
        assert offered(f"/{name} a") == []
    finally:
        del COMPLETES[name]


def test_settings_are_offered_with_what_they_are_now_and_their_values() -> None:
    from agent.repl.commands import choices

    repl = cast(Any, Somebody())
    keys = {one.text: one.about for one in choices.settings(repl, "")}
    assert keys["editing_mode"] == "emacs: the keys of the line that you type"
    values = [one.text for one in choices.settings(repl, "editing_mode v")]
    assert values == ["editing_mode emacs", "editing_mode vi"]


@given(st.text(max_size=60))
def test_nothing_that_is_typed_is_an_error(text: str) -> None:
    for tab in (False, True):
        for one in completions(("calculate",)).get_completions(
            Document(text), CompleteEvent(completion_requested=tab)
        ):
            assert -one.start_position <= len(text)


@given(st.text("abc/_", min_size=1, max_size=4), st.lists(st.text("abcd/_", max_size=9)))
def test_all_names_with_the_letters_in_order_are_found_and_no_others(
    wanted: str, names: list[str]
) -> None:
    def has(name: str) -> bool:
        letters = iter(name)
        return all(letter in letters for letter in wanted)

    assert sorted(best(wanted, names, 1000)) == [at for at, one in enumerate(names) if has(one)]


def test_a_hundred_thousand_files_are_matched_and_the_nearest_is_first() -> None:
    names = [f"folder_{n % 300}/part_{n % 7}/file_{n}.txt" for n in range(100_000)]
    names[77_777] = "folder_3/the completion.py"
    assert names[best("cmpl", names, 50)[0]] == "folder_3/the completion.py"
    assert len(best("f", names, 50)) == 50


def test_a_link_that_leads_round_in_a_circle_is_not_followed(here: Path) -> None:
    os.symlink(here, here / "src" / "round")
    assert offered("@roundreadme") == []


def typed(begun: str, rest: str) -> str:
    """What was sent after `begun`, Tab, and `rest` as soon as something was put into the line."""
    with create_pipe_input() as keyboard, create_app_session(keyboard, DummyOutput()):
        session: PromptSession[str] = PromptSession(
            completer=completions(), complete_in_thread=True, complete_while_typing=False
        )

        def changed(buffer: Buffer) -> None:
            if len(buffer.text) > len(begun):
                session.default_buffer.on_text_changed -= changed
                keyboard.send_text(rest + "\r")

        session.default_buffer.on_text_changed += changed
        gives_up = threading.Timer(20, keyboard.send_text, ["\x03"])
        gives_up.start()
        try:
            keyboard.send_text(begun + "\t")
            return session.prompt()
        finally:
            gives_up.cancel()


def test_tab_puts_a_path_into_the_line() -> None:
    assert typed("sum up @./REA", " please") == "sum up @./README.md please"
    assert typed('sum up @"./my data/a', " now") == 'sum up @"./my data/a b.csv" now'
    assert typed("/unp", " 1") == "/unpin 1"
