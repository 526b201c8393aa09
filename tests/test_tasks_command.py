"""`tinsmith run`, `tinsmith tasks` and the pytest plugin, as a user runs them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.tasks.envelope import timeless
from tests.emulator import hearing
from tests.test_cli import ROOT, here, scripted, tinsmith

TASK = """
inputs: {n: {type: integer, default: 2}}
tools: [calculate]
prompt: "What is {{ n }} + 1?"
outputs: {out.txt: "{{ answer }}"}
checks: [{contains: "3"}]
"""
LINES: tuple[dict[str, object], ...] = (
    {"call": "calculate", "arguments": {"expression": "2 + 1"}},
    {"say": "It is 3."},
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    monkeypatch.chdir(made)
    (made / "sum.task.yaml").write_text(TASK)
    return made


def test_run_prints_one_envelope_and_logs_on_stderr(folder: Path, tmp_path: Path) -> None:
    done = tinsmith("run", "sum.task.yaml", *scripted(tmp_path, *LINES))
    envelope = json.loads(done.stdout)
    assert (done.returncode, envelope["answer"], envelope["files"]) == (0, "It is 3.", ["out.txt"])
    assert "calculate" in done.stderr
    assert (folder / "out.txt").read_text() == "It is 3.\n"
    quiet = tinsmith("run", "sum.task.yaml", "--quiet", *scripted(tmp_path, *LINES))
    assert quiet.stderr == ""


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["run", "none.yaml"], 2, "none.yaml cannot be read"),
        (["run", "sum.task.yaml", "--sett", "n=1"], 2, "did you mean --set?"),
        (["run", "sum.task.yaml", "--set", "n=x"], 2, "n = 'x'; it is a whole number"),
        (["run", "sum.task.yaml", "m=1"], 2, "no input named 'm'"),
        (["run", "sum.task.yaml", "--set", "n"], 2, "'n': an input is given as KEY=VALUE"),
        (["run", "sum.task.yaml", "--replay", "none.jsonl"], 2, "none.jsonl cannot be read"),
        (["run", "sum.task.yaml", "--model", "qwen2.5-coder-0.5b"], 1, "tinsmith models pull"),
        (["run", "sum.task.yaml", "--replay", "a", "--record", "b"], 2, "not both"),
    ],
)
def test_the_envelope_comes_on_failure_too(
    folder: Path, words: list[str], code: int, says: str
) -> None:
    done = here(*words)
    assert done.returncode == code
    assert says in json.loads(done.stdout)["error"]


def test_exit_codes_tell_a_failed_check_from_no_time(folder: Path, tmp_path: Path) -> None:
    wrong = here("run", "sum.task.yaml", *scripted(tmp_path, {"say": "It is 4."}))
    assert (wrong.returncode, "It is 4." in wrong.stderr) == (100, True)
    assert not (folder / "out.txt").exists()
    (folder / "slow.py").write_text(
        "import time\nfrom tools.base import tool\n\n@tool\ndef wait() -> str:\n"
        '    """Wait."""\n    time.sleep(9)\n    return "x"\n'
    )
    (folder / "slow.task.yaml").write_text("limits: {seconds: 0.5}\nsteps: [{id: a, tool: wait}]")
    late = here("run", "slow.task.yaml", "--tools", "slow.py", *scripted(tmp_path))
    assert (late.returncode, json.loads(late.stdout)["reason"]) == (124, "seconds")


def test_ctrl_c_ends_a_run_with_130_and_an_envelope(folder: Path, tmp_path: Path) -> None:
    (folder / "slow.py").write_text(
        "import pathlib, time\nfrom tools.base import tool\n\n@tool\ndef wait() -> str:\n"
        '    """Wait."""\n    pathlib.Path("began").touch()\n    time.sleep(60)\n    return "x"\n'
    )
    (folder / "s.task.yaml").write_text("steps: [{id: a, tool: wait}]\noutputs: {o.txt: x}")
    words = ["run", "s.task.yaml", "--tools", "slow.py", "--record", "r", *scripted(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "agent", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hearing,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    deadline = time.monotonic() + 60
    while not (folder / "began").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)["reason"]) == (130, "interrupted")
    assert "Traceback" not in told
    assert not (folder / "o.txt").exists()
    assert not (folder / "r").exists()


def test_a_record_is_replayed_without_a_model_a_tool_or_torch(folder: Path, tmp_path: Path) -> None:
    record = ["--record", "sum.task.record.jsonl"]
    live = here("run", "sum.task.yaml", *record, *scripted(tmp_path, *LINES))
    program = (
        "import sys, agent.cli\n"
        "try: agent.cli.main(sys.argv[1:])\n"
        "finally: print([m for m in ('torch', 'transformers', 'chromadb', 'xllamacpp',"
        " 'sentence_transformers', 'langchain_core.tools') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "sum.task.yaml", "--replay", record[1], "--quiet"],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stderr == "[]\n"
    assert timeless(json.loads(done.stdout)) == timeless(json.loads(live.stdout))
    other = here("run", "sum.task.yaml", "n=5", "--replay", record[1])
    assert (other.returncode, "the input n was 2 and is 5" in other.stdout) == (2, True)


def test_an_input_that_was_given_for_a_record_need_not_be_given_again(
    folder: Path, tmp_path: Path
) -> None:
    record = "five.record.jsonl"
    live = here("run", "sum.task.yaml", "n=5", "--record", record, *scripted(tmp_path, *LINES))
    again = here("run", "sum.task.yaml", "--replay", record)
    assert timeless(json.loads(again.stdout)) == timeless(json.loads(live.stdout))
    assert json.loads(again.stdout)["inputs"]["n"] == 5


def test_tasks_new_writes_one_that_is_right_and_says_what_to_do(folder: Path) -> None:
    done = here("tasks", "new", "mine")
    assert (done.returncode, done.stdout) == (0, "mine.task.yaml\n")
    assert here("tasks", "check", "mine.task.yaml").returncode == 0
    assert here("tasks", "new", "mine").returncode == 2
    assert "mine.task.yaml  Sort a message" in here("tasks").stdout


@pytest.mark.parametrize(
    ("rest", "unused"),
    [
        ("prompt: '{{ text }}'", "no more more2"),
        ("prompt: |\n  {{ inputs.text }}\n  {% if\n  more %}{{ more2 }}{% endif %}{{ no }}", ""),
        ("prompt: '{{ inputs }}'", ""),
        ("prompt: 'Put the text of inputs in more words.'", "text no more more2"),
        ("prompt: '{{ inputs.no }}{{ inputs.text.path }}'", "more more2"),
        ("prompt: a\nchecks: [{of: '{{ text }}', contains: '{{ no }}', name: more}]", "more more2"),
        (
            "steps: [{id: a, tool: calculate, arguments: {expression: '{{ text }}'}}]",
            "no more more2",
        ),
        ("steps: [{id: a, if: no, prompt: '{{ text }}'}]\noutputs: {a: '{{ more }}'}", "more2"),
    ],
)
def test_check_tells_inputs_that_are_used_nowhere(
    rest: str, unused: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    head = "inputs: {text: {}, no: {}, more: {}, more2: {}}\n"
    Path("a.task.yaml").write_text(head + rest)
    done = here("tasks", "check", "a.task.yaml")
    assert done.returncode == 0
    told = re.findall(r"a\.task\.yaml:1: the input '(\w+)' is used nowhere", done.stderr)
    assert " ".join(told) == unused


def test_tasks_check_tells_every_mistake_with_its_line(folder: Path) -> None:
    (folder / "a.task.yaml").write_text("promt: hi\nprompt: '{{ x }}'\ntools: [a]\n")
    done = here("tasks", "check", "a.task.yaml", "sum.task.yaml")
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        "a.task.yaml:1: unknown key 'promt'; did you mean 'prompt'?",
        "a.task.yaml:2: there is no 'x' here; there are: inputs, steps",
    ]
    (folder / "b.task.yaml").write_text("prompt: hi\ntools:\n  - calculat\n")
    done = here("tasks", "check", "b.task.yaml")
    assert "b.task.yaml:3: no tool named 'calculat'; did you mean calculate" in done.stdout


def test_tasks_show_renders_the_prompts(folder: Path) -> None:
    done = here("tasks", "show", "sum.task.yaml", "--render", "--set", "n=7")
    assert done.stdout == "What is 7 + 1?\n"
    assert "n: integer, 2 if it is not given" in here("tasks", "show", "sum.task.yaml").stdout
    assert json.loads(here("tasks", "schema").stdout)["title"] == "Form"


def test_what_an_earlier_step_would_give_is_shown_by_its_name(folder: Path) -> None:
    (folder / "s.task.yaml").write_text(
        "tools: [calculate]\nsteps:\n- {id: a, prompt: hi}\n"
        "- {id: b, prompt: 'more {{ steps.a.answer }} {{ steps.a.answer.kind }}'}\n"
        "- {id: c, tool: calculate, arguments: {expression: '{{ steps.b.answer }}'}}\n"
    )
    done = here("tasks", "show", "s.task.yaml", "--render")
    assert "more <the answer of a> <the answer of a.kind>\n" in done.stdout
    assert '{"expression": "<the answer of b>"}' in done.stdout


def test_a_record_that_cannot_be_written_is_told_before_or_with_the_answer(
    folder: Path, tmp_path: Path
) -> None:
    words = ["run", "sum.task.yaml", "--engine", "scripted", "--script", "none"]
    for record, says in ((".", "is a folder"), ("sum.task.yaml/r", "is no folder")):
        early = here(*words, "--record", record)  # the script is not even looked for
        assert (early.returncode, says in json.loads(early.stdout)["error"]) == (2, True)
    (folder / "late.task.yaml").write_text("prompt: hi\noutputs: {r/o.txt: '{{ answer }}'}")
    late = here("run", "late.task.yaml", "--record", "r", *scripted(tmp_path, {"say": "ho"}))
    envelope = json.loads(late.stdout)
    assert (late.returncode, envelope["reason"], envelope["answer"]) == (1, "failed", "ho")
    assert "r cannot be written: " in envelope["error"]


# where it has been installed since, pytest knows it by itself, and must not be told twice
KNOWN = importlib.metadata.entry_points(group="pytest11", name="tinsmith")
PLUGIN = [] if KNOWN else ["-p", "agent.tasks.pytest_plugin"]


def _pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGIN, *words],
        capture_output=True, text=True, check=False, cwd=folder, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_pytest_collects_task_files_and_replays_their_records(folder: Path, tmp_path: Path) -> None:
    record = ["--record", "sum.task.record.jsonl"]
    here("run", "sum.task.yaml", *record, *scripted(tmp_path, *LINES))
    (folder / "out.txt").unlink()
    assert "1 passed" in _pytest(folder).stdout
    assert not (folder / "out.txt").exists()
    (folder / "sum.task.yaml").write_text(TASK.replace('contains: "3"', 'contains: "4"'))
    done = _pytest(folder)
    assert (done.returncode, "contains '4': it is \"It is 3.\"" in done.stdout) == (1, True)
    assert "Traceback" not in done.stdout
    (folder / "sum.task.yaml").write_text("promt: x")
    assert "sum.task.yaml:1: unknown key 'promt'" in _pytest(folder).stdout


def test_pytest_runs_a_task_without_a_record_with_the_model(folder: Path, smollm: Path) -> None:
    (folder / "sum.task.yaml").write_text(
        "prompt: hi\nsampling: {max_tokens: 400}\nschema: {enum: [a, b]}"
    )
    done = _pytest(folder, f"--tinsmith-model={smollm}")
    assert "1 passed" in done.stdout, done.stdout


def test_pytest_skips_a_task_whose_inputs_nobody_gives(folder: Path, tmp_path: Path) -> None:
    (folder / "sum.task.yaml").write_text("inputs: {text: {}}\nprompt: '{{ text }}'")
    done = _pytest(folder, "-rs")
    assert "1 skipped" in done.stdout
    assert (
        "to make one: tinsmith run sum.task.yaml --set text=… --record sum.task.record.jsonl"
        in (" ".join(done.stdout.split()))
    )
    words = ["--set", "text=hi", "--record", "sum.task.record.jsonl"]
    here("run", "sum.task.yaml", *words, *scripted(tmp_path, {"say": "ok"}))
    assert "1 passed" in _pytest(folder).stdout


def test_the_hint_to_make_a_record_has_the_folder_of_the_task(folder: Path) -> None:
    (folder / "my tasks").mkdir()
    (folder / "my tasks" / "x.task.yaml").write_text("inputs: {a: {}}\nprompt: '{{ a }}'")
    told = " ".join(_pytest(folder, "-rs", "my tasks").stdout.split())
    assert "run 'my tasks/x.task.yaml' --set a=… --record 'my tasks/x.task.record.jsonl'" in told


def test_the_plugin_imports_nothing_where_there_are_no_task_files(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(
        "import sys\n\ndef test_x():\n"
        "    assert not [m for m in sys.modules if m in ('yaml', 'jinja2', 'agent.loop')]\n"
    )
    assert "1 passed" in _pytest(tmp_path).stdout


def test_the_example_replays() -> None:
    folder = ROOT / "examples" / "tasks"
    done = _pytest(folder, "-p", "no:cacheprovider", str(folder))
    assert done.returncode == 0, done.stdout


def test_a_task_is_told_the_skills_that_it_names(folder: Path, tmp_path: Path) -> None:
    (folder / "s.task.yaml").write_text("prompt: hi\nskills: [extract-a-table]")
    done = tinsmith("run", "s.task.yaml", *scripted(tmp_path, {"say": "ok"}))
    assert (done.returncode, json.loads(done.stdout)["answer"]) == (0, "ok")
    (folder / "s.task.yaml").write_text("prompt: hi\nskills: [extract-table]")
    done = tinsmith("run", "s.task.yaml", *scripted(tmp_path, {"say": "ok"}))
    assert done.returncode == 2
    assert "s.task.yaml:2: no skill named 'extract-table'; did you mean extract-a-table?" in (
        done.stderr
    )


def test_in_the_conversation_a_task_runs_with_the_model_that_is_there(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "s.task.yaml").write_text(
        "inputs: {x: {}}\nprompt: '{{ x }}'\noutputs: {o.txt: '{{ answer }}'}\n"
        "checks: [{contains: blue}]"
    )
    said: tuple[dict[str, object], ...] = ({"say": "It is blue."}, {"say": "It is red."})
    done = tinsmith(
        "chat", *scripted(tmp_path, *said), stdin='/run s.task.yaml x="a b"\n/run s.task.yaml x=c\n'
    )
    assert "It is blue." in done.stdout
    assert "✓ contains 'blue'" in done.stderr
    assert "✗ contains 'blue': it is \"It is red.\"" in done.stderr
    assert (folder / "o.txt").read_text() == "It is blue.\n"


def test_in_the_conversation_a_task_that_brings_functions_runs_and_is_told_what_is_left_out(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "s.task.yaml").write_text(
        "inputs: {f: {type: functions}}\nprompt: hi\ncontext: 512\nbits: 8\n"
    )
    line = "/run s.task.yaml f='[]'\n"
    done = tinsmith("chat", *scripted(tmp_path, {"say": "It is blue."}), stdin=line)
    assert "It is blue." in done.stdout
    assert "the task says bits, context; in the conversation" in done.stderr


def test_the_conversation_takes_the_words_of_the_shell(folder: Path, tmp_path: Path) -> None:
    (folder / "s.task.yaml").write_text("inputs: {f: {}}\nprompt: '{{ f }}'\n")
    lines = "/run s.task.yaml --set f=hi\n/run s.task.yaml --each rows.csv\n"
    done = tinsmith("chat", *scripted(tmp_path, {"say": "It is blue."}), stdin=lines)
    assert "It is blue." in done.stdout
    assert "in the shell: tinsmith run s.task.yaml --each rows.csv" in done.stderr


def test_a_replay_of_a_real_model_is_the_same_run(folder: Path, smollm: Path) -> None:
    (folder / "s.task.yaml").write_text(
        "tools: [calculate]\nsampling: {max_tokens: 40, temperature: 0.8}\nsteps:\n"
        "  - {id: a, prompt: 'What is 2 + 1?'}\n"
        "  - {id: b, prompt: Say a word., schema: {enum: [red, blue]}}\n"
        "checks: [{judge: 'Is it a colour?', not: true}]\n"
    )
    live = tinsmith("run", "s.task.yaml", "--model", str(smollm), "--record", "r.jsonl")
    again = here("run", "s.task.yaml", "--replay", "r.jsonl")
    assert json.loads(live.stdout)["model"], live.stderr
    assert timeless(json.loads(again.stdout)) == timeless(json.loads(live.stdout))
    assert again.returncode == live.returncode


def test_a_misspelt_filter_is_one_line_and_no_traceback(folder: Path) -> None:
    (folder / "flt.task.yaml").write_text("inputs: {text: {}}\nprompt: |\n  {{ text | uper }}\n")
    for words in (["tasks", "check"], ["run"]):
        done = tinsmith(*words, "flt.task.yaml")
        assert done.returncode == 2
        assert "flt.task.yaml:3: no filter 'uper'; did you mean upper?" in done.stdout
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps:\n- id: a\n  tool: calculate\n  arguments:\n    expr: 1 + 1\n",
         ["x.task.yaml:5: no argument of calculate named 'expr'; did you mean expression?"]),
        ("steps:\n- id: a\n  tool: calculate\n", ["x.task.yaml:2: calculate needs the argument "
         "'expression'"]),
        ("steps:\n- id: a\n  tool: read_file\n  arguments: {path: a, line: 3}\n",
         ["x.task.yaml:4: no argument of read_file named 'line'; did you mean lines"]),
        ("prompt: hi\neval: {rows: data/nope.csv}\n",
         ["x.task.yaml:2: there is no file 'data/nope.csv'; did you mean 'data/note.csv'?"]),
    ],
)  # fmt: skip
def test_check_tells_what_cannot_work_with_its_line(
    folder: Path, text: str, says: list[str]
) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "note.csv").write_text("a\n")
    (folder / "x.task.yaml").write_text(text)
    done = tinsmith("tasks", "check", "x.task.yaml")
    assert done.returncode == 2
    told = done.stdout.splitlines()
    assert [one.startswith(said) for one, said in zip(told, says, strict=True)] == [True]
