"""What is typed behind a slash, driven through the conversation in a pipe and in a terminal."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pygments.styles import get_style_by_name
from rich.style import Style
from rich.syntax import RICH_SYNTAX_THEMES

from agent import app
from agent.errors import TinsmithError
from agent.memory.sessions import Session
from agent.repl import clipboard, themes
from agent.repl.commands import COMMANDS, groups, shell
from agent.repl.commands.command import COMPLETES, about
from agent.repl.markdown import code_blocks
from agent.repl.repl import Repl
from agent.settings import Settings, load
from tests import seen, small
from tests.emulator import Emulator
from tests.test_cli import scripted


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    told: str
    """On standard error."""


Talk = Callable[..., Done]


@pytest.fixture
def talk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Talk:
    """Types lines, in a folder of their own, to a model that says what the script has."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DISPLAY", raising=False)

    def run(*lines: str, script: Sequence[dict[str, object]] = seen.SCRIPT) -> Done:
        file = tmp_path / "script.jsonl"
        file.write_text("\n".join(map(json.dumps, script)))
        settings = app.settings_of({"engine": "scripted", "script": str(file)})
        monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines) + "\n"))
        home = tmp_path / "home" / "sessions.db"
        repl = Repl(settings, Session.create(home), [], typed=False)
        try:
            code = repl.run()
        finally:
            with contextlib.suppress(TinsmithError):
                repl.agent()  # what still loads would end the process
            repl.close(1)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


def test_every_command_is_in_the_table() -> None:
    assert {line.command for line in seen.LINES} == set(COMMANDS)


@pytest.mark.parametrize("line", seen.LINES, ids=lambda line: line.typed)
def test_a_command_shows_what_it_should(talk: Talk, line: seen.Line) -> None:
    done = talk(seen.ASKED, line.typed)
    said = done.out.partition("second\n```\n")[2] + done.told
    assert re.search(line.piped or line.seen, said), said


def test_of_an_unknown_command_a_line_is_repeated_at_most(talk: Talk) -> None:
    done = talk("/" + "x" * 1_000_000)
    assert "no command /xxx" in done.told
    assert len(done.told) < 200


def test_the_lines_may_follow_each_other(talk: Talk) -> None:
    """Those that nobody has to be asked for."""
    lines = [one for one in seen.LINES if not one.piped and " is not " not in one.seen]
    lines = [one for one in lines if "takes" not in one.seen and "test" not in one.typed]
    done = talk(seen.ASKED, *(line.typed for line in lines))
    assert done.code == 0, done.told
    for line in lines:
        assert re.search(line.seen, done.out + done.told), line.typed


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/hlep", "no command /hlep; did you mean /help?"),
        ("/xyzzy", "no command /xyzzy; /help lists the commands"),
        ("/hlep\tme", "no command /hlep; did you mean /help?"),
        ("/help\ttrian", "did you mean train?"),
        ("/image ~nobodys/x.png", "/image ~nobodys/x.png: "),
        ("/help trian", "did you mean train?"),
        ("/clear all", "/clear takes nothing behind it, and was given 'all'"),
        ("/new one", "/new takes nothing behind it, and was given 'one'"),
        ("/tools reload", "/tools takes nothing behind it, and was given 'reload'"),
        ("/quit now", "was given 'now'"),
        ("/doctor x", "was given 'x'"),
        ("/sessions x", "was given 'x'"),
        ("/retry x", "was given 'x'"),
        ("/edit x", "was given 'x'"),
        ("/pin x", "was given 'x'"),
        ("/context x", "was given 'x'"),
        ("/compact x", "was given 'x'"),
        ("/usage x", "was given 'x'"),
        ("/tool", "it is one of: new, reload, test"),
        ("/tool relaod", "did you mean reload?"),
        ("/tool new", "/tool new takes the name of the new tool"),
        ("/tool new class", "'class' is not a Python name"),
        ("/tool new two words", "'two words' is not a Python name"),
        ("/tool new ../up", "'../up' is not a Python name"),
        ("/tool new _hidden", "files that begin with _ are not read"),
        ("/tool new calculate", "there is a tool named calculate already"),
        ("/tool test calculat", "no tool named 'calculat'; did you mean calculate"),
        ("/tool reload x", "/tool reload takes nothing behind it"),
        ("/skill extract-table", "did you mean extract-a-table?"),
        ("/skills show nothing", "no skill named 'nothing'"),
        ("/prompts render facts --set x=1", "facts has no variable 'x'; it has: facts"),
        ("/prompts sytem", "no prompt named 'sytem'; did you mean system?"),
        ("/resume x", "the number of a conversation, as /sessions lists it, not 'x'"),
        ("/resume 1", "it is the one that you are in"),
        ("/resume 99", "no session named '99'"),
        ("/fork x", "a number of your messages, not 'x'"),
        ("/fork 9", "there is no 9"),
        ("/undo -1", "a number of your messages, not '-1'"),
        ("/undo 9", "it cannot go 9 back"),
        ("/unpin x", "the number of a pin, not 'x'"),
        ("/unpin 4", "there is no pin 4"),
        ("/trace x", "/trace takes the number of a turn, 1 for the last, not 'x'"),
        ("/memory forgt 1", "did you mean forget?"),
        ("/memory edit", "the number of a fact; none was given"),
        ("/memory edit 1", "it is /memory edit N TEXT"),
        ("/memory forget one", "the number of a fact, not 'one'"),
        ("/memory history x", "nothing stands behind /memory history"),
        ("/sources x", "it is FILE:LINE, such as README.md:12"),
        ("/sources none.md:1", "there is no none.md"),
        ("/copy x", "the number of a code block, not 'x'"),
        ("/copy 3", "the last answer has 2 code blocks; there is no 3"),
        ("/copy 0", "there is no 0"),
        ("/save", "it is /save N FILE"),
        ("/save program.py", "it is /save N FILE"),
        ("/save x program.py", "the number of a code block, not 'x'"),
        ("/save 1 .", "/save 1 .: . is a folder; name a file"),
        ("/save 1 ~nobody_here/x", "home directory"),
        ("/save 1 /dev/null/x", "/save 1 /dev/null/x: /dev/null: "),
        ("/export .", "/export .: . is a folder; name a file"),
        ("/last 2", "1 calls were made"),
        ("/last x", "how many calls to show, not 'x'"),
        ("/set temprature 1", "did you mean 'temperature'?"),
        ("/set temperature hot", "temperature = 'hot'; it is a number"),
        ("/set temperature 9", "it is from 0 to 2"),
        ("/set theme drak", "theme = 'drak'; it is one of auto"),
        ("/set temperature --keep", "it is /set temperature VALUE --keep"),
        ("/set --keep", "what is to be kept?"),
        ("/set embedder other", "add --keep"),
        ("/set plain true", "add --keep"),
        ("/theme drak", "did you mean dark?"),
        ("/bits 5", "scripted is not loaded here"),
        ("/engine lama", "did you mean llamacpp?"),
        ("/engine openai", "/engine openai needs a server"),
        ("/model nonsense", "no model named 'nonsense'"),
        ("/docs serch x", "/docs serch: did you mean search?"),
        ("/docs add", "/docs add: the following arguments are required: PATH"),
        ("/docs add none.md", "none.md"),
        ("/docs search x", "there is no collection 'docs'"),
        ("/docs --al", "there is no --al"),
        ("/train", "/train: the following arguments are required"),
        ("/train none.csv", "no file none.csv"),
        ("/train none.csv --ephocs 2", "there is no --ephocs"),
        ("/train none.csv --epochs", "expected one argument"),
        ("/train none.csv --task poem", "invalid choice: 'poem'"),
        ("/jobs stp x", "/jobs stp: did you mean stop?"),
        ("/jobs show x", "no job named 'x'"),
        ("/specialists promot x", "did you mean promote?"),
        ("/specialists promote x", "no specialist named 'x'"),
        ("/specialists compare x", "the following arguments are required: second"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_by_name(talk: Talk, typed: str, said: str) -> None:
    done = talk(seen.ASKED, typed)
    assert done.code in (1, 2)
    assert said in done.told
    assert "a bug" not in done.told


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/last", "no tool was called"), ("/copy", "there is no answer yet"),
        ("/save 1 x.py", "there is no answer yet"), ("/export", "nothing was said"),
        ("/pin", "there is nothing to pin yet"), ("/undo", "it cannot go 1 back"),
    ],
)  # fmt: skip
def test_before_anything_was_said_there_is_nothing_to_take(
    talk: Talk, typed: str, said: str
) -> None:
    assert said in talk(typed).told


def test_help_lists_every_command_once_under_the_name_of_its_group(talk: Talk) -> None:
    done = talk("/help")
    listed = re.findall(r"^  /(\w+) ", done.out, re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
    assert all(group in done.told for group, _ in groups())


def test_every_command_has_help_that_fits_a_line() -> None:
    for name in COMMANDS:
        assert 10 < len(about(name)) <= 90, name


def test_words_are_split_as_people_type_them() -> None:
    assert shell.split("search what's up with Bob's") == ["search", "what's", "up", "with", "Bob's"]
    assert shell.split('add "my notes.md" \'other notes.md\' third\\ one.md') == [
        "add", "my notes.md", "other notes.md", "third one.md",
    ]  # fmt: skip
    assert shell.split('say "unfinished') == ["say", '"unfinished']
    assert shell.split("  ") == []


def test_completion_knows_what_stands_behind_a_command() -> None:
    def offered(name: str, typed: str = "") -> dict[str, str]:
        repl: Repl = object.__new__(Repl)
        return {one.text: one.about for one in COMPLETES[name](repl, typed)}

    assert offered("specialists")["promote"] == "use this version from now on"
    assert "search" in offered("docs")
    assert "transformers" in offered("engine")
    assert "high-contrast" in offered("theme")
    assert offered("jobs", "stop ") == {}


def test_a_new_tool_can_be_called_at_once(talk: Talk, state: Path) -> None:
    script = [{"call": "wave", "arguments": {"who": "Ada"}}, {"say": "Done."}]
    done = talk("/tool new wave", "wave at Ada", "/last", script=script)
    assert done.code == 0, done.told
    assert "→ Hello, Ada!" in done.out
    assert (state / "tools" / "wave.py").is_file()


def test_a_tool_that_was_changed_is_read_again(talk: Talk, state: Path) -> None:
    folder = state / "tools"
    folder.mkdir(parents=True)
    (folder / "broken.py").write_text("def")
    done = talk("/tool reload")
    assert "broken.py:1: syntax error" in done.told


def test_tool_test_tells_what_the_model_picks_instead(talk: Talk) -> None:
    script = [
        {"call": "wave", "arguments": {"who": "Ada"}},
        {"call": "calculate", "arguments": {"expression": "1"}},
    ]
    done = talk("/tool new wave", "/tool test wave", script=script)
    assert re.search(r"wave +1 of 2\n +'greet my team': calculate", done.out)


def test_set_changes_what_the_next_reply_is_drawn_with(talk: Talk) -> None:
    done = talk("/set max_tokens 2", "hi", script=[{"say": "one two three four"}])
    assert done.out.count("three") == 0
    assert "max_tokens" in done.told


def test_set_for_good_is_what_config_would_write(talk: Talk) -> None:
    talk("/set theme high-contrast --keep", "/set temperature 0.7")
    assert (load().theme, load().temperature) == ("high-contrast", 0.0)


def test_set_shows_which_values_are_of_now(talk: Talk) -> None:
    done = talk("/set temperature 0.7", "/set temperature")
    assert re.search(r"temperature +0\.7 +\(now\) ", done.out)


def test_a_setting_that_is_known_at_loading_loads_again(talk: Talk) -> None:
    done = talk("/set context 4096", "hi", "/set context", script=[{"say": "Here."}])
    assert "Here." in done.out
    assert re.search(r"context +4096 +\(now\) ", done.out)


def test_an_empty_text_can_be_set(talk: Talk) -> None:
    done = talk("/set url http://127.0.0.1:1/v1 --keep", '/set url "" --keep', "/set url")
    assert re.search(r"url +'' +\(config", done.out), done.told


def test_a_theme_is_the_terminals_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORFGBG", "0;15")
    assert themes.of("auto") is themes.THEMES["light"]
    monkeypatch.setenv("COLORFGBG", "15;0")
    assert themes.of("auto") is themes.THEMES["dark"]
    assert themes.of("mono") is themes.THEMES["mono"]


def test_every_theme_is_one_that_can_be_set_and_drawn() -> None:
    assert get_args(get_type_hints(Settings)["theme"]) == ("auto", *themes.THEMES)
    for name, theme in themes.THEMES.items():
        assert load({"theme": name}).theme == name
        for style in theme.styles.values():
            Style.parse(style)
        if theme.code not in RICH_SYNTAX_THEMES:
            get_style_by_name(theme.code)  # rich would take another one in silence


def test_the_export_of_a_conversation_is_not_written_over_another(talk: Talk) -> None:
    done = talk(seen.ASKED, "/export", "/export talk.json", "/export talk.json")
    assert done.code == 2
    assert "talk.json is there already" in done.told
    [written] = Path.cwd().glob("session-*.md")
    assert "**Tinsmith**\n\nThe number is 3363." in written.read_text()
    assert json.loads(Path("talk.json").read_text())[0]["type"] == "human"


def test_a_code_block_is_written_as_it_was_said(talk: Talk) -> None:
    assert talk(seen.ASKED, "/save 2 deep/er.txt", "/save 1 a b.py").code == 0
    assert Path("deep/er.txt").read_text() == "second\n"
    assert Path("a b.py").read_text() == "print(37 * 91 - 4)\n"


def test_code_blocks_are_numbered_in_lists_too() -> None:
    assert code_blocks("- one\n\n  ```\n  a\n  ```\n\n```py\nb") == ["a\n", "b"]


def test_a_clipboard_over_the_terminal_is_told_the_bytes() -> None:
    code = clipboard.osc52("héllo", tmux=False)
    assert code.startswith("\x1b]52;c;")
    assert base64.b64decode(code[7:-1]).decode() == "héllo"
    assert clipboard.osc52("x", tmux=True).endswith("\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\")


def test_last_shows_a_result_whole_that_the_model_was_given_in_parts(
    talk: Talk, state: Path
) -> None:
    session = Session.create(state / "sessions.db")
    calls = [{"name": "peek", "args": {"at": {"x": 1}}, "id": f"c{n}"} for n in range(2)]
    session.append(HumanMessage("look"))
    session.append(AIMessage("", tool_calls=calls))
    parts = {"long": "peek-1", "whole": ["first ", "second \x1b]0;title\x07"]}
    session.append(ToolMessage("first (part 1)", tool_call_id="c0", additional_kwargs=parts))
    session.append(ToolMessage("gone", tool_call_id="c1", status="error"))
    session.close()
    assert 'peek\n  at: {"x": 1}\n✗ gone' in talk("/resume 1", "/last").out
    both = talk("/resume 1", "/last 2").out
    assert "→ first second" in both
    assert "\x1b" not in both


def test_what_was_spent_is_of_the_conversation_and_not_of_the_program(talk: Talk) -> None:
    said = [{"say": "one two three"}, {"say": "four"}]
    done = talk("hi", "and?", "/usage", "/new", "/usage", script=said)
    rows = re.findall(r"^(this conversation|the last turn) +0 +(\d+) +(\d+)", done.out, re.M)
    assert [(name, int(written)) for name, _, written in rows] == [
        ("this conversation", 4), ("the last turn", 1), ("this conversation", 0),
    ]  # fmt: skip


def test_compact_says_what_it_has_saved(talk: Talk) -> None:
    said = [{"say": f"answer {n} " + "word " * 300} for n in range(4)]
    lines = [f"request {n}" for n in range(4)]
    done = talk(*lines, "/compact", "/context", "/compact", script=[*said, {"say": "Numbers."}])
    assert re.search(r"messages were summarised \([\d,]+ tokens, now [\d,]+\)", done.out)
    saved = re.search(r"([\d,]+) tokens are free again", done.out)
    assert saved
    assert int(saved[1].replace(",", "")) > 500
    assert re.search(r"summary +\d+", done.out)
    assert done.out.rstrip().endswith("the last turns stay as they are")


def test_sources_say_what_lines_there_are(talk: Talk) -> None:
    Path("a.md").write_text("one\ntwo\n")
    Path("empty.md").write_text("")
    assert "2  two" in talk("/sources a.md:2").out
    for wrong in ("a.md:0", "a.md:99999", "a.md:7-9"):
        assert f"/sources {wrong}: a.md has lines 1 to 2" in talk(f"/sources {wrong}").told
    assert "empty.md is empty" in talk("/sources empty.md:3").told


def test_a_prompt_of_ones_own_is_shown_as_such(talk: Talk, state: Path) -> None:
    (state / "prompts").mkdir(parents=True)
    (state / "prompts" / "answer.j2").write_text("Be brief.\n")
    done = talk("/prompts", "/prompts answer")
    assert re.search(r"answer +yours: .*answer\.j2", done.out)
    assert "Be brief." in done.out


def test_a_plan_is_shown_and_nobody_who_could_agree_is_needed_for_it(talk: Talk) -> None:
    Path("empty.csv").write_text("text,label\n")
    assert "empty.csv" in talk("/train empty.csv --dry-run").told


def test_one_trains_looks_and_promotes_in_the_conversation(talk: Talk, state: Path) -> None:
    small.bert(state / "models" / "all-minilm-l6-v2")
    small.write(Path("messages.jsonl"), small.rows("classifier"))
    done = talk(
        "/train messages.jsonl --name topics --epochs 1 --yes",
        "/jobs watch topics-1",
        "/jobs",
        "/jobs show topics-1",
        "/specialists promote topics@1 --insist",
        "/specialists",
        "/specialists show topics",
    )
    assert done.code == 0, done.told
    assert "topics-1 has begun; you can go on talking" in done.out
    assert re.search(r"topics-1 +done", done.out)
    assert "a classifier from" in done.out
    assert re.search(r"topics@1 +classifier +full .* promoted", done.out)
    assert "held-out" in done.out.partition("topics@1 is promoted")[2]


def test_a_plan_that_nobody_can_agree_to_is_shown_and_not_begun(talk: Talk, state: Path) -> None:
    small.bert(state / "models" / "all-minilm-l6-v2")
    small.write(Path("messages.jsonl"), small.rows("classifier"))
    done = talk("/train messages.jsonl --dry-run", "/train messages.jsonl")
    assert done.out.count("160 rows read") == 2
    assert "nobody is here to agree to the plan; --yes begins" in done.told
    assert not (state / "jobs").exists()


def test_documents_are_added_searched_and_removed_in_the_conversation(
    talk: Talk, state: Path
) -> None:
    small.bert(state / "models" / "all-minilm-l6-v2")
    Path("my notes.md").write_text("# Backups\n\nThey are made at four in the morning.\n")
    done = talk('/docs add "my notes.md"', "/docs search when are backups made", "/docs",
                "/docs rm 'my notes.md'", "/docs rm --all")  # fmt: skip
    assert done.code == 0, done.told
    assert "1 files (1 passages) are read into docs" in done.out
    assert "made at four in the morning" in done.out
    assert "removed 1 files from docs" in done.out


def test_every_command_shows_in_a_terminal_what_it_should(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    screen = Emulator("chat", *scripted(tmp_path, *seen.SCRIPT), cwd=work, columns=200, rows=50)
    screen.see("Ctrl-D leaves")
    screen.send(f"{seen.ASKED}\r")
    screen.see(seen.ANSWERED)
    for line in seen.LINES:
        screen.send(line.typed)
        screen.see(f"> {re.escape(line.typed)}")
        screen.send("\r")
        if line.seen:
            screen.see(line.seen, after=f"> {line.typed}")
        if line.command == "edit":  # which puts something into the line
            screen.send("\x15")
    assert screen.ends() == 0
