"""The program as a user runs it: in a subprocess, and in a real pseudo-terminal."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from agent.cli import main
from agent.settings import Settings
from tests.emulator import Emulator

HEAVY = [
    "torch", "transformers", "chromadb", "sentence_transformers", "xllamacpp",
    "langchain_core", "rich", "prompt_toolkit", "pydantic",
]  # fmt: skip
ROOT = Path(__file__).parent.parent


def tinsmith(
    *words: str, stdin: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent", *words],
        input=stdin, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
    )  # fmt: skip


def here(*words: str) -> subprocess.CompletedProcess[str]:
    """The same in this process, which has imported everything already."""
    out, told = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(told), pytest.raises(SystemExit) as end:
        main(list(words))
    code = end.value.code
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, out.getvalue(), told.getvalue())


def scripted(tmp_path: Path, *lines: dict[str, object]) -> list[str]:
    """The options for a model that says this."""
    file = tmp_path / "lines.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    return ["--engine", "scripted", "--script", str(file)]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "script.jsonl"
    file.write_text(
        '{"call": "calculate", "arguments": {"expression": "37 * 91 - 4"}}\n{"say": "It is 3363."}'
    )
    return file


def test_help_imports_nothing_heavy() -> None:
    program = "import sys, agent.cli; print([m for m in sys.argv[1:] if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", program, *HEAVY],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert found.stdout.strip() == "[]"


def test_tools_never_import_agent() -> None:
    program = (
        "import sys, tools.base, tools.loader, tools.files, tools.calculate;"
        "print([m for m in sys.modules if m == 'agent' or m.startswith('agent.')])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert found.stdout.strip() == "[]"


def test_ask_answers_on_stdout_and_tells_of_tools_on_stderr(script: Path) -> None:
    done = tinsmith("ask", "--engine", "scripted", "--script", str(script), "37 * 91 - 4?")
    assert (done.returncode, done.stdout) == (0, "It is 3363.\n")
    assert "calculate" in done.stderr


def test_ask_json_is_one_envelope_with_the_calls(script: Path) -> None:
    done = tinsmith("ask", "--json", "--engine", "scripted", "--script", str(script), stdin="hi")
    envelope = json.loads(done.stdout)
    assert envelope["ok"]
    assert envelope["answer"] == "It is 3363."
    assert envelope["calls"][0]["result"] == "3363"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["ask", "--json", "--model", "qwen2.5-coder-5b", "hi"], 2, "did you mean"),
        (["ask", "--json", "--model", "qwen2.5-coder-0.5b", "hi"], 1, "tinsmith models pull"),
        (["ask", "--json"], 2, "nothing is asked"),
        (["ask", "--json", "--engine", "scripted", "--script", "none.jsonl", "x"], 2, "none.jsonl"),
        (["ask", "--json", "--tools", "none.py", "x"], 2, "none.py"),
    ],
)
def test_ask_json_prints_an_envelope_on_failure_too(words: list[str], code: int, says: str) -> None:
    done = tinsmith(*words)
    assert done.returncode == code
    assert says in json.loads(done.stdout)["error"]
    assert "Traceback" not in done.stderr


def test_a_model_that_is_no_gguf_file_is_a_clear_error(tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + b"\0" * 10)
    done = tinsmith("ask", "--model", str(bad), "hi")
    assert done.returncode == 1
    assert "not a GGUF file" in done.stderr
    assert "Traceback" not in done.stderr


def test_ask_says_on_stderr_what_the_model_needs_before_it_is_loaded(smollm: Path) -> None:
    tinsmith("config", "set", "max_tokens", "4")
    done = tinsmith("ask", "--json", "--model", str(smollm), "--context", "2048", "hi")
    embedder, needs, *_ = done.stderr.splitlines()
    assert "GB of weights" in needs
    assert "for 2048 tokens" in needs
    assert "tinsmith models pull all-minilm-l6-v2" in embedder
    assert json.loads(done.stdout)["model"] == smollm.stem


def test_chat_says_what_the_model_needs_before_it_is_loaded(smollm: Path) -> None:
    one = Emulator("chat", "--model", str(smollm), "--context", "2048", columns=300)
    one.see("tinsmith models pull all-minilm-l6-v2")
    one.see("GB of weights.*for 2048 tokens")
    one.kill(signal.SIGKILL)


def test_the_line_below_says_how_full_the_window_is_as_context_counts_it(
    smollm: Path, state: Path
) -> None:
    state.mkdir()
    (state / "config.toml").write_text("max_tokens = 20\n")
    options = ("--model", str(smollm), "--context", "2048")
    one = Emulator("chat", *options, columns=120)
    one.see("Ctrl-D leaves")
    one.send("What is a violin?\r")
    one.see(r"20 written")
    one.send("/context\r")
    counted = one.see(r"of 2,048 tokens, \d+%").split()[-1]
    assert counted != "0%"
    one.see(f"window {counted} of 2048", after="tokens, ")
    assert one.leave() == 0


def test_converting_shows_a_line_and_an_interrupt_exits_with_130(smollm: Path, state: Path) -> None:
    one = Emulator("models", "convert", str(smollm), columns=200, deaf=False)
    one.see(r"converting .* \(reading the vocabulary\) \d+ s")
    one.send("\x03")
    assert one.ends() == 130, one.text
    assert not list(state.glob("models/*"))


def test_a_wrong_option_names_the_nearest_and_json_stays_json() -> None:
    done = tinsmith("ask", "--modle", "x", "hi")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tinsmith: there is no --modle; did you mean --model?\n"
    for wrong in (["--modle=x", "hi"], ["--bits", "5", "hi"]):
        done = tinsmith("ask", "--json", *wrong)
        assert (done.returncode, done.stderr) == (2, "")
        envelope = json.loads(done.stdout)
        assert not envelope["ok"]
        assert wrong[0].partition("=")[0] in envelope["error"]
        assert "\n" not in envelope["error"]
    done = tinsmith("run", "a.task.yaml", "--bits", "5")
    error = json.loads(done.stdout)["error"]
    assert done.stderr.startswith("usage: tinsmith run")
    assert done.stderr.endswith(f"{error}\n")
    done = tinsmith("run", "a.task.yaml", "--bits", "5", "--quiet")
    assert (json.loads(done.stdout)["error"], done.stderr) == (error, "")


def test_every_setting_is_explained_and_a_model_that_is_not_here_is_told() -> None:
    done = tinsmith("config", "set", "model", "qwen2.5-coder-0.5")
    assert done.returncode == 0
    assert "it is set, but" in done.stderr
    lines = tinsmith("config").stdout.splitlines()
    assert len(lines) == len(dataclasses.fields(Settings))
    assert all(len(line) > 50 for line in lines)


def test_approvals_are_listed_and_taken_back(state: Path) -> None:
    state.mkdir()
    kept = {str(Path.cwd()): ["write_file(a.txt)"], "/elsewhere": ["write_file(b.txt)"]}
    (state / "approvals.json").write_text(json.dumps(kept))
    assert "write_file(b.txt)" in tinsmith("approvals").stdout
    done = tinsmith("approvals", "rm", "write_file(b.txt)")
    assert (done.returncode, "did you mean write_file(a.txt)" in done.stderr) == (2, True)
    assert tinsmith("approvals", "rm", "write_file(a.txt)").returncode == 0
    assert "a.txt" not in tinsmith("approvals").stdout


def test_a_hub_that_is_not_reached_is_one_line() -> None:
    done = tinsmith("models", "pull", "org/none", env={"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert done.returncode == 1
    assert "org/none cannot be fetched: the hub: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_new_tool_takes_no_name_of_a_built_in_one(state: Path) -> None:
    done = tinsmith("tools", "new", "read_file")
    assert (done.returncode, "there is a tool named read_file" in done.stderr) == (2, True)
    assert not (state / "tools").exists()


def test_config_is_written_shown_and_refuses_unknown_keys() -> None:
    assert tinsmith("config", "set", "temperature", "0.7").returncode == 0
    assert "0.7" in tinsmith("config").stdout
    wrong = tinsmith("config", "set", "temprature", "0.7")
    assert wrong.returncode == 2
    assert "did you mean 'temperature'" in wrong.stderr
    assert "from 0 to 2" in tinsmith("config", "set", "temperature", "9").stderr
    assert "0 or at least 256" in tinsmith("config", "set", "context", "12").stderr


def test_a_new_tool_passes_its_check_and_is_not_overwritten(state: Path) -> None:
    assert tinsmith("tools", "new", "greet").returncode == 0
    file = state / "tools" / "greet.py"
    assert tinsmith("tools", "check", str(file)).stdout == "ok       greet\n"
    assert tinsmith("tools", "new", "greet").returncode == 2
    assert "greet" in tinsmith("tools").stdout


def test_chat_in_a_terminal_calls_a_tool_answers_and_leaves(script: Path, state: Path) -> None:
    one = Emulator("chat", "--engine", "scripted", "--script", str(script))
    one.see("Ctrl-D leaves")
    one.send("/hlep\r")
    one.see("did you mean /help")
    one.send("what is it?\r")
    one.see("→ 3363")
    one.see(r"It is 3363\.")
    one.see("written")  # what the turn cost
    assert one.leave() == 0
    assert "what is it?" in tinsmith("sessions").stdout


def test_a_conversation_that_goes_on_begins_with_what_was_said_last(tmp_path: Path) -> None:
    model = scripted(tmp_path, {"say": "An otter."})
    assert tinsmith("ask", *model, "which animal is it?").returncode == 0
    one = Emulator("chat", *model, "--resume")
    one.see(r"> which animal is it\?")
    one.see("An otter\\.")
    one.send("/new\r")
    one.see("--resume 1")
    assert one.leave() == 0


def test_ask_says_how_a_tool_that_it_did_not_run_is_allowed(tmp_path: Path) -> None:
    write: dict[str, object] = {"call": "write_file", "arguments": {"path": "x", "text": "y"}}
    model = scripted(tmp_path, write, {"say": "No."})
    done = tinsmith("ask", *model, "write y to x")
    assert (done.returncode, done.stdout) == (1, "No.\n")
    assert "allow it with --approve write_file" in done.stderr
    envelope = json.loads(tinsmith("ask", "--json", *model, "write y to x").stdout)
    assert (envelope["ok"], envelope["answer"]) == (False, "No.")
    assert "--approve write_file" in envelope["error"]


def test_a_model_that_cannot_be_loaded_leaves_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_text("no model")
    one = Emulator("chat", *scripted(tmp_path, {"say": "Still here."}), cwd=tmp_path)
    one.see("Ctrl-D leaves")
    one.send("/model a.gguf\r")
    one.see("begin with GGUF")
    one.send("are you there?\r")
    one.see("back to scripted")
    one.see("Still here\\.")
    assert one.leave() == 0


def test_chat_in_a_pipe_has_no_prompt_and_no_colours(script: Path) -> None:
    done = tinsmith("chat", "--engine", "scripted", "--script", str(script), stdin="what is it?\n")
    assert done.returncode == 0
    assert "It is 3363." in done.stdout
    assert "\x1b" not in done.stdout
    assert "> " not in done.stdout


LOUD = '''
print("loaded")

from tools.base import tool

@tool(examples=["shout"])
def shout(what: str) -> str:
    """Shout.

    Args:
        what: what to shout
    """
    print("SHOUTING")
    return "\\x1b[31mdone"
'''


def test_what_a_tool_prints_is_not_part_of_the_envelope(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(LOUD)
    model = scripted(tmp_path, {"call": "shout", "arguments": {"what": "x"}}, {"say": "Done."})
    done = tinsmith("ask", "--json", *model, "--tools", str(tmp_path / "loud.py"), "shout x")
    assert json.loads(done.stdout)["answer"] == "Done."
    assert "SHOUTING" in done.stderr


ODD = '''
import inspect

from tools.base import tool

def choices():
    # not yet when the file is loaded and checked
    if any(frame.function == "specs" for frame in inspect.stack()):
        raise ERROR
    return ["x"]

@tool(examples=["pick"], choices={"what": choices})
def pick(what: str) -> str:
    """Pick.

    Args:
        what: what to pick
    """
    return what
'''


@pytest.mark.parametrize("error", ["ZeroDivisionError('odd')", "SystemExit('odd')"])
def test_a_tool_whose_choices_fail_is_left_out_and_named(tmp_path: Path, error: str) -> None:
    (tmp_path / "odd.py").write_text(ODD.replace("ERROR", error))
    model = scripted(tmp_path, {"say": "ok"})
    done = tinsmith("ask", "--json", *model, "--tools", str(tmp_path / "odd.py"), "hi")
    assert (done.returncode, json.loads(done.stdout)["answer"]) == (0, "ok")
    assert "odd" in done.stderr


def test_a_tool_steers_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(LOUD)
    model = scripted(tmp_path, {"call": "shout", "arguments": {"what": "x"}}, {"say": "Done."})
    done = tinsmith("ask", *model, "--tools", str(tmp_path / "loud.py"), "shout x")
    assert "[31mdone" in done.stderr
    assert "\x1b" not in done.stderr


def test_an_answer_steers_no_terminal(tmp_path: Path) -> None:
    one = Emulator("ask", *scripted(tmp_path, {"say": "a\x1b]0;title\x07b"}), "hi")
    one.send("\x04")
    one.see(r"a\]0;titleb")
    one.ends()
    assert "\x1b]0" not in one.raw


def test_a_title_steers_no_terminal(tmp_path: Path) -> None:
    tinsmith("ask", *scripted(tmp_path, {"say": "ok"}), "a\x1b[31mb")
    assert "a[31mb" in tinsmith("sessions").stdout


@pytest.mark.parametrize("json_flag", [[], ["--json"]])
def test_half_a_character_on_the_command_line_is_asked(
    tmp_path: Path, json_flag: list[str]
) -> None:
    model = scripted(tmp_path, {"say": "caf\udce9"})
    done = tinsmith("ask", *json_flag, *model, "caf\udce9")
    assert (done.returncode, "caf" in done.stdout) == (0, True), done.stderr
    assert tinsmith("sessions").returncode == 0


@pytest.mark.parametrize(
    ("home", "says"), [("file", "is a file"), ("~nobody-here/x", "name a folder")]
)
def test_a_state_folder_that_cannot_be_is_a_clear_error(
    tmp_path: Path, home: str, says: str
) -> None:
    (tmp_path / "file").touch()
    place = home if home.startswith("~") else str(tmp_path / home)
    done = tinsmith("sessions", env={"TINSMITH_HOME": place})
    assert (done.returncode, says in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr


def test_settings_that_are_a_folder_are_a_clear_error(state: Path) -> None:
    (state / "config.toml").mkdir(parents=True)
    done = tinsmith("config")
    assert (done.returncode, "config.toml cannot be read" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", ["m" * 5000, "~nobody-here/model.gguf"])
@pytest.mark.parametrize("command", ["ask", "chat"])
def test_a_model_that_can_be_no_path_is_a_clear_error(command: str, name: str) -> None:
    done = tinsmith(command, "--model", name, stdin="hi")
    assert (done.returncode, "no model named" in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr


def test_a_disk_that_is_full_is_one_line(state: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "agent", "config"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_streams_that_are_closed_are_no_traceback(script: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m agent ask --engine scripted --script {script} hi <&- >&-",
        shell=True, stderr=subprocess.PIPE, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize(
    ("text", "says"), [("{{ 1 / 0 }}", "ZeroDivisionError"), ("\xff", "utf-8")]
)
def test_a_prompt_that_fails_is_named(script: Path, state: Path, text: str, says: str) -> None:
    (state / "prompts").mkdir(parents=True)
    (state / "prompts" / "system.j2").write_bytes(text.encode("latin-1"))
    done = tinsmith("ask", "--engine", "scripted", "--script", str(script), "hi")
    assert (done.returncode, "system.j2" in done.stderr, says in done.stderr) == (1, True, True)
    assert "Traceback" not in done.stderr


def test_ctrl_d_at_the_question_of_trust_means_no(
    script: Path, tmp_path: Path, state: Path
) -> None:
    work = tmp_path / "work"
    (work / "tools").mkdir(parents=True)
    (work / "tools" / "mine.py").write_text("")
    one = Emulator("chat", "--engine", "scripted", "--script", str(script), cwd=work, columns=200)
    one.see(r"Use the tools in .*\(mine\.py\)")
    one.send("\x04")
    one.see("Ctrl-D leaves")
    assert one.leave() == 0
    assert not (state / "trusted").exists()


def test_ctrl_d_at_the_offer_to_fetch_means_no() -> None:
    one = Emulator("chat", "--model", "smollm2-135m")
    one.see("Fetch it now")
    one.send("\x04")
    one.see("tinsmith: no model;")
    assert one.ends() == 1


def test_the_first_run_offers_what_fits_and_takes_no_other_answer() -> None:
    one = Emulator("chat", columns=160)
    one.see(r"(?s)These fit:.*1  .*to fetch")
    one.see("Enter for 1, n for none")
    one.send("9\r")
    one.see("'9' is none of them")
    one.send("n\r")
    one.see("tinsmith: no model;")
    assert one.ends() == 1


def test_chat_answers_on_a_dumb_terminal(tmp_path: Path) -> None:
    one = Emulator("chat", *scripted(tmp_path, {"say": "I am here."}), env={"TERM": "dumb"})
    one.see("Ctrl-D leaves")
    one.send("hello\r")
    one.see("I am here\\.")
    assert "\x1b" not in one.raw
    assert one.leave() == 0


def test_piped_chat_goes_on_though_the_choices_of_a_tool_leave(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(ODD.replace("ERROR", "SystemExit('gone')"))
    model = scripted(tmp_path, {"say": "ok"})
    done = tinsmith("chat", *model, "--tools", str(tmp_path / "odd.py"), stdin="hi\n")
    assert (done.returncode, "gone" in done.stderr) == (0, True)
    assert "Traceback" not in done.stderr


def test_piped_chat_fails_when_its_last_turn_has(tmp_path: Path) -> None:
    model = scripted(tmp_path, {"say": "ok"})
    assert tinsmith("chat", *model, stdin="hi\n").returncode == 0
    assert tinsmith("chat", *model, stdin="hi\nand now?\n").returncode == 1


@pytest.mark.parametrize("round", range(3))
def test_settings_that_are_written_at_once_are_all_kept(round: int) -> None:
    wanted = {"top_p": "0.9", "top_k": "5", "min_p": "0.1", "max_steps": "7", "seed": "3"}
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", "agent", "config", "set", key, value],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for key, value in wanted.items()
    ]
    assert [program.wait() for program in programs] == [0] * len(wanted)
    assert tinsmith("config").stdout.count("config.toml") == len(wanted)


def test_what_comes_through_a_pipe_need_not_be_of_the_encoding_that_was_told(
    tmp_path: Path,
) -> None:
    words = scripted(tmp_path, {"say": "I see."})
    for command in (["chat", *words], ["ask", *words]):
        done = subprocess.run(
            [sys.executable, "-m", "agent", *command],
            input="What is a Gru\xdf?\n".encode("latin-1"), capture_output=True, timeout=120,
            check=False, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        assert (done.returncode, b"I see." in done.stdout) == (0, True), done.stderr
