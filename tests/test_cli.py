"""The program as a user runs it: in a subprocess, and in a real pseudo-terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

HEAVY = [
    "torch", "transformers", "chromadb", "sentence_transformers", "xllamacpp",
    "langchain_core", "rich", "prompt_toolkit", "pydantic",
]  # fmt: skip
ROOT = Path(__file__).parent.parent
TERMINAL = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}


def tinsmith(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent", *words],
        input=stdin, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


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
    child = pexpect.spawn(
        sys.executable, ["-m", "agent", "chat", "--model", str(smollm), "--context", "2048"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **TERMINAL}, timeout=60, encoding="utf-8",
        dimensions=(24, 300),
    )  # fmt: skip
    child.expect("tinsmith models pull all-minilm-l6-v2")
    child.expect("GB of weights.*for 2048 tokens")
    child.close(force=True)


def test_converting_shows_a_line_and_an_interrupt_exits_with_130(smollm: Path, state: Path) -> None:
    child = pexpect.spawn(
        sys.executable, ["-m", "agent", "models", "convert", str(smollm)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **TERMINAL}, timeout=60, encoding="utf-8",
    )  # fmt: skip
    child.expect(r"converting .* \(reading the vocabulary\) \d+ s")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert not list(state.glob("models/*"))


def test_config_is_written_shown_and_refuses_unknown_keys() -> None:
    assert tinsmith("config", "set", "temperature", "0.7").returncode == 0
    assert "0.7" in tinsmith("config").stdout
    wrong = tinsmith("config", "set", "temprature", "0.7")
    assert wrong.returncode == 2
    assert "did you mean 'temperature'" in wrong.stderr
    assert "from 0 to 10" in tinsmith("config", "set", "temperature", "99").stderr


def test_a_new_tool_passes_its_check_and_is_not_overwritten(state: Path) -> None:
    assert tinsmith("tools", "new", "greet").returncode == 0
    file = state / "tools" / "greet.py"
    assert tinsmith("tools", "check", str(file)).stdout == "ok       greet\n"
    assert tinsmith("tools", "new", "greet").returncode == 2
    assert "greet" in tinsmith("tools").stdout


def test_chat_in_a_terminal_calls_a_tool_answers_and_leaves(script: Path, state: Path) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "agent", "chat", "--engine", "scripted", "--script", str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **TERMINAL}, timeout=60, encoding="utf-8",
    )  # fmt: skip
    child.expect("Ctrl-D leaves")
    child.send("/hlep\r")
    child.expect("did you mean /help")
    child.send("what is it?\r")
    child.expect("3363")
    child.expect("It is 3363.")
    child.expect(r"\[\?2004h")  # the prompt is there again
    child.sendcontrol("d")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "what is it?" in tinsmith("sessions").stdout


def test_chat_in_a_pipe_has_no_prompt_and_no_colours(script: Path) -> None:
    done = tinsmith("chat", "--engine", "scripted", "--script", str(script), stdin="what is it?\n")
    assert done.returncode == 0
    assert "It is 3363." in done.stdout
    assert "\x1b" not in done.stdout
    assert "> " not in done.stdout
