"""The conversation as one sees and types it, in a real pseudo-terminal."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from agent.memory.sessions import read
from tests.emulator import Emulator
from tests.test_cli import scripted

WAIT = '''
import time
from pathlib import Path
from tools.base import tool

@tool(examples=["wait"], timeout=60)
def wait() -> str:
    """Wait until the file `go` is there."""
    while not Path("go").exists():
        time.sleep(0.02)
    return "it is there"
'''
CALL: dict[str, object] = {"call": "wait", "arguments": {}}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "wait.py").write_text(WAIT)
    return folder


def waiting(work: Path, *then: str, columns: int = 80) -> Emulator:
    """A conversation in which a tool runs until `go(work)`."""
    said: list[dict[str, object]] = [{"say": text} for text in then]
    options = [*scripted(work.parent, CALL, *said), "--tools", str(work.parent / "wait.py")]
    one = Emulator("chat", *options, cwd=work, columns=columns)
    one.see("Ctrl-D leaves")
    one.send("wait for it\r")
    one.see("scripted · window 0%")
    one.see(r"· wait\(\)")
    return one


def go(work: Path) -> None:
    (work / "go").touch()


def talk(tmp_path: Path, *answers: str, columns: int = 80, rows: int = 24) -> Emulator:
    lines: list[dict[str, object]] = [{"say": text} for text in answers]
    options = scripted(tmp_path, *lines)
    one = Emulator("chat", *options, cwd=tmp_path, columns=columns, rows=rows)
    one.see("Ctrl-D leaves")
    return one


@pytest.mark.parametrize("columns", [80, 200])
def test_what_is_typed_while_a_tool_runs_is_sent_after_it(work: Path, columns: int) -> None:
    one = waiting(work, "First.", "Second.", columns=columns)
    one.send("and then?\r")
    one.see("queued: and then\\?")
    go(work)
    one.see("First\\.")
    one.see("> and then\\?", after="First.")
    one.see("Second\\.", after="> and then?")
    assert one.leave() == 0


def test_esc_takes_back_what_waits(work: Path) -> None:
    one = waiting(work, "First.", "Second.")
    one.send("and thne?\r")
    one.see("queued: and thne")
    one.send("\x1b")
    one.gone("queued")
    one.send("\x7f\x7f\x7fen?\r")
    one.see("queued: and then\\?")
    go(work)
    one.see("Second\\.")
    assert one.leave() == 0


def test_ctrl_c_stops_the_answer_and_a_second_one_leaves(work: Path, state: Path) -> None:
    one = waiting(work, "Never.")
    one.send("\x03")
    one.see("interrupted")
    one.see("Ctrl-C again, or Ctrl-D, leaves")
    one.send("\x03")
    assert one.ends() == 0
    kept = read(state / "sessions.db", 1)
    assert "outcome unknown" in str(kept[-1].text)


def test_ctrl_c_keeps_the_line_while_a_tool_runs_and_clears_it_otherwise(work: Path) -> None:
    one = waiting(work, "Never.")
    one.send("half a line")
    one.see("> half a line")
    one.send("\x03")
    one.see("interrupted")
    one.see("> half a line", after="leaves")
    one.send("\x03")
    one.gone("half a line")
    assert one.leave() == 0


def test_ctrl_d_leaves_while_a_tool_runs(work: Path) -> None:
    one = waiting(work, "Never.")
    assert one.leave() == 0
    assert "Traceback" not in one.text


def test_what_was_sent_before_the_model_is_there_is_answered(tmp_path: Path) -> None:
    options = scripted(tmp_path, {"say": "I am here."})
    one = Emulator("chat", *options, cwd=tmp_path)
    one.send("are you there?\r")
    one.see("I am here\\.")
    assert one.leave() == 0


def test_lines_are_broken_by_a_backslash_and_by_alt_enter(tmp_path: Path, state: Path) -> None:
    one = talk(tmp_path, "Three lines.")
    one.send("one\\\rtwo\x1b\rthree\r")
    one.see("Three lines")
    one.leave()
    assert str(read(state / "sessions.db", 1)[0].text) == "one\ntwo\nthree"


def test_a_paste_keeps_its_lines_and_is_not_sent(tmp_path: Path, state: Path) -> None:
    one = talk(tmp_path, "Pasted.")
    one.send("\x1b[200~one\ntwo\x1b[201~")
    one.see("two")
    one.send("\r")
    one.see("Pasted\\.")
    one.leave()
    assert str(read(state / "sessions.db", 1)[0].text) == "one\ntwo"


def test_lines_of_an_earlier_conversation_are_found(tmp_path: Path) -> None:
    first = talk(tmp_path, "ok")
    first.send("a very particular line\r")
    first.see("ok")
    first.leave()
    second = talk(tmp_path, "ok")
    second.send("\x1b[A")
    second.see("> a very particular line")
    second.send("\x1b[B")
    second.gone("particular")
    second.send("\x12partic")
    second.see("> a very particular line")
    second.send("\r\r")
    second.see("ok")
    assert second.leave() == 0


def test_the_line_is_changed_in_an_editor(tmp_path: Path, state: Path) -> None:
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\nprintf "from the editor" > "$1"\n')
    editor.chmod(0o755)
    options = scripted(tmp_path, {"say": "ok"})
    one = Emulator("chat", *options, cwd=tmp_path, env={"EDITOR": str(editor), "VISUAL": ""})
    one.see("Ctrl-D leaves")
    one.send("x\x18\x05")
    one.see("> from the editor")
    one.send("\r")
    one.see("ok", after="from the editor")
    one.leave()
    assert str(read(state / "sessions.db", 1)[0].text) == "from the editor"


def test_what_is_said_while_the_editor_is_open_waits_for_the_screen(work: Path) -> None:
    editor = work.parent / "editor.sh"
    editor.write_text(
        "#!/bin/sh\necho editing; touch go; while [ ! -e done ]; do sleep 0.05; done\n"
    )
    editor.chmod(0o755)
    options = [*scripted(work.parent, CALL, {"say": "Said meanwhile."}), "--tools",
               str(work.parent / "wait.py")]  # fmt: skip
    one = Emulator("chat", *options, cwd=work, env={"EDITOR": str(editor), "VISUAL": ""})
    one.see("Ctrl-D leaves")
    one.send("wait for it\r")
    one.see("scripted · window 0%")
    one.see(r"· wait\(\)")
    one.send("\x18\x05")
    one.see("editing")
    assert "Said meanwhile" not in one.text
    (work / "done").touch()
    one.see("Said meanwhile\\.")
    assert one.leave() == 0


def test_a_suspended_program_comes_back(tmp_path: Path) -> None:
    options = " ".join(scripted(tmp_path, {"say": "ok"}))
    shell = Emulator("--version")  # replaced below by a shell, which alone can bring it back
    shell.child.close(force=True)
    shell.child = type(shell.child)(
        "bash", ["--norc", "-i"], cwd=tmp_path, encoding="utf-8", dimensions=(24, 80),
        env={**os.environ, "PS1": "shell$ ", "TERM": "xterm-256color",
             "PYTHONPATH": str(Path(__file__).parent.parent)},
    )  # fmt: skip
    shell.child.delaybeforesend = None
    shell.see("shell\\$")
    shell.send(f"{sys.executable} -m agent chat {options}\r")
    shell.see("Ctrl-D leaves")
    shell.send("half a line\x1a")
    shell.see("Stopped")
    shell.send("fg\r")
    shell.see("> half a line", after="fg")
    shell.send("\r")
    shell.see("ok", after="> half a line")
    shell.send("\x04")
    shell.see("shell\\$", after="ok")
    shell.child.close(force=True)


def test_a_closed_terminal_ends_it_and_loses_nothing(work: Path, state: Path) -> None:
    one = waiting(work, "Never.")
    one.kill(signal.SIGHUP)
    assert one.ends() in (-signal.SIGHUP, 0, 1)
    assert str(read(state / "sessions.db", 1)[0].text) == "wait for it"


LONG = "\n\n".join(
    [
        "A first paragraph that is long enough to be wrapped at eighty columns, for sure it is.",
        "- one\n- two\n- three",
        "```python\nfor x in range(3):\n    print(x)\n```",
        "| name | what |\n|---|---|\n| 日本語 | wide 🎉 |",
        "The end.",
    ]
)


@pytest.mark.parametrize("columns", [20, 80, 200])
@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}])
def test_an_answer_is_shown_once_at_any_width(
    tmp_path: Path, columns: int, env: dict[str, str]
) -> None:
    options = scripted(tmp_path, {"say": LONG})
    one = Emulator("chat", *options, cwd=tmp_path, columns=columns, env=env)
    one.see("leaves")
    one.send("go\r")
    one.see("The end\\.")
    one.see("scripted ·")
    text = " ".join(one.text.split())
    for part in ("A first paragraph", "one", "print(x)", "The end."):
        assert text.count(part) == 1, one.text
    assert one.leave() == 0
    colours = re.search(r"\x1b\[(\d+;)*(3[0-8]|9[0-7])(;\d+)*m", one.raw)
    assert bool(colours) == (not env)


def test_what_would_steer_the_terminal_is_shown_without_its_power(tmp_path: Path) -> None:
    one = talk(tmp_path, "a\x1b[2Jb\x1b]0;title\x07c\x9b31md")
    one.send("go\r")
    one.see(r"a\[2Jb\]0;titlec31md")
    assert "\x1b]0;title" not in one.raw
    assert one.leave() == 0


def test_a_terminal_may_be_resized_in_the_middle(work: Path) -> None:
    one = waiting(work, LONG, columns=100)
    one.resize(60, 20)
    go(work)
    one.see("The end\\.")
    assert one.text.count("The end.") == 1
    one.send("still here")
    one.see("> still here")
    one.send("\x03")
    assert one.leave() == 0


def test_a_long_paste_is_sent_whole_and_one_of_5_mb_is_survived(
    tmp_path: Path, state: Path
) -> None:
    one = talk(tmp_path, "Taken.", "A summary.", "Still here.")
    text = "word " * 100_000
    one.send(f"what is this? \x1b[200~{text}\x1b[201~")
    one.see(r"> what is this\? \[pasted text 1, 500000 characters\]")
    one.send("\r")
    one.see("Taken\\.")
    one.send(f"\x1b[200~{'word ' * 1_000_000}\x1b[201~")
    one.see(r"\[pasted text 2, 5000000 characters\]")
    one.send("\r")
    one.see("the window was full")
    one.see("Still here\\.")
    assert one.leave() == 0
    assert str(read(state / "sessions.db", 1)[0].text) == f"what is this? {text.strip()}"


def test_the_screen_is_never_erased_from_its_first_cell_on(tmp_path: Path) -> None:
    one = talk(tmp_path, "First.")
    one.send("hello\r")
    one.see("First\\.")
    assert one.leave() == 0
    assert "\x1b[J" in one.raw
    assert not re.search(r"(?<!\x1b\[C)\x1b\[J", one.raw)


def test_a_screen_reader_gets_plain_lines(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text("plain = true\n")
    options = scripted(tmp_path, {"say": "I am **here**."})
    env = {"TINSMITH_HOME": str(tmp_path / "home")}
    one = Emulator("chat", *options, cwd=tmp_path, env=env)
    one.see("leaves")
    one.send("hello\r")
    one.see(r"I am \*\*here\*\*")
    one.send("\x04")
    assert one.ends() == 0
    assert "\x1b" not in one.raw


def test_what_a_thread_prints_does_not_disturb_the_line(work: Path) -> None:
    noisy = work.parent / "noisy.py"
    noisy.write_text(WAIT.replace("time.sleep(0.02)", 'time.sleep(0.02); print("noise")'))
    options = [*scripted(work.parent, CALL, {"say": "Done."}), "--tools", str(noisy)]
    one = Emulator("chat", *options, cwd=work)
    one.see("leaves")
    one.send("wait\r")
    one.see("noise")
    one.send("typed meanwhile")
    one.see("> typed meanwhile\n")
    go(work)
    one.see("Done\\.")
    one.see("> typed meanwhile", after="Done.")
    one.send("\x15")  # clears the line
    assert one.leave() == 0


PROPOSED = "Which is the highest mountain on Earth\\?"


def test_enter_sends_what_is_proposed_and_what_is_typed_stays_as_it_is(tmp_path: Path) -> None:
    one = talk(tmp_path, "Everest.", "Thirty.", "Zugspitze.", columns=100)
    one.send("/tour\r")
    one.see(f"> {PROPOSED}")
    one.send("\t in Asia?\r")
    one.see("Everest\\.", after=" Earth? in Asia?")
    one.see("> What is 37 \\* 91 - 4\\?", after="Everest")
    one.send("Which is it in Germany?\r")
    one.see("Thirty\\.", after="> Which is it in Germany?")
    one.send("/tour\r")
    one.see("> What is 37 \\* 91 - 4\\?", after="> /tour")
    one.send("\r")
    one.see("> What is 37 \\* 91 - 4\\?\nZugspitze\\.")
    assert one.leave() == 0


def test_without_a_screen_that_draws_a_line_says_what_enter_sends(tmp_path: Path) -> None:
    options = scripted(tmp_path, {"say": "Everest."})
    one = Emulator("chat", *options, cwd=tmp_path, env={"TERM": "dumb"}, columns=100)
    one.see("Ctrl-D leaves")
    one.send("/tour\r")
    one.see(f"Enter sends: {PROPOSED}")
    one.send("\r")
    one.see("Everest\\.", after="Enter sends")
    assert one.leave() == 0


def test_what_a_progress_bar_writes_over_is_gone(tmp_path: Path) -> None:
    (tmp_path / "bar.py").write_text(
        "import sys\nfrom tools.base import tool\n\n@tool(examples=['x'])\ndef bar() -> str:\n"
        '    """Show a bar."""\n    for at in range(1, 4):\n'
        "        sys.stderr.write(f'\\r{at} of 3')\n    sys.stderr.write('\\r3 of 3, done\\n')\n"
        "    return 'ok'\n"
    )
    lines = scripted(tmp_path, {"call": "bar", "arguments": {}}, {"say": "Done."})
    one = Emulator("chat", *lines, "--tools", str(tmp_path / "bar.py"), cwd=tmp_path)
    one.see("Ctrl-D leaves")
    one.send("go\r")
    one.see("Done\\.")
    assert one.leave() == 0
    assert "\n3 of 3, done\n" in one.text
    assert "1 of 3" not in one.text


def test_what_is_typed_before_a_question_is_no_answer_at_a_dumb_terminal(
    tmp_path: Path, state: Path
) -> None:
    call: dict[str, object] = {
        "call": "write_file", "arguments": {"path": "x.txt", "text": "a"},
    }  # fmt: skip
    one = Emulator("chat", *scripted(tmp_path, call, {"say": "Done."}), cwd=tmp_path,
                   env={"TERM": "dumb"})  # fmt: skip
    one.see("Ctrl-D leaves")
    one.send("write it\ra\r")
    one.see(r"this \[s\]ession")
    one.send("n\r")
    one.see("Done\\.")
    assert one.leave() == 0
    assert not (tmp_path / "x.txt").exists()
    assert not (state / "approvals.json").exists()


def test_the_prompt_is_not_part_of_what_goes_into_a_file(tmp_path: Path) -> None:
    one = Emulator("chat", *scripted(tmp_path, {"say": "one."}), into=tmp_path / "said")
    one.see(r"(?m)^>$")
    one.send("hello\r")
    one.see(r"(?m)^>$", after="hello")
    assert one.leave() == 0
    assert "> " not in (tmp_path / "said").read_text()
    assert "one." in (tmp_path / "said").read_text()
