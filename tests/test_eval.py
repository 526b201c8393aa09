"""Evaluating a task: labels, what a row brings, reports, several models, a kill in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent import answers
from agent.engines.scripted import Line, ScriptedEngine, call, calls, say
from agent.errors import UsageError
from agent.tasks.envelope import Envelope
from agent.tasks.evaluation import compared, score
from agent.tasks.labels import labelled
from agent.tasks.means import Means
from agent.tasks.read import parse
from agent.tasks.run import run
from agent.tasks.task import Task
from tools.specialists.metrics import holm, sign_test

ROOT = Path(__file__).parent.parent
FUNCTIONS = [
    {
        "name": name,
        "description": f"Do {name}.",
        "parameters": {
            "type": "object",
            "properties": {"x": {"type": "integer"}, "unit": {"type": "string"}},
            "required": ["x"],
        },
    }
    for name in ("area", "volume")
]
BRINGS = """
inputs: {q: {}, functions: {type: functions}, accepted: {type: list}}
prompt: "{{ q }}"
checks: [{accepted: "{{ accepted }}", name: right call}]
"""
AWAY = {"$ref": "http://127.0.0.1:9/x"}
KIND = "schema: {type: object, properties: {kind: {enum: [a, b]}}, required: [kind]}"


def task(text: str) -> Task:
    return parse(text, Path("x.task.yaml"))


def done(one: Task, *lines: Line, **given: Any) -> Envelope:
    return run(one, given, Means(ScriptedEngine(*lines)))


def with_functions(accepted: Sequence[Any], *lines: Line) -> Envelope:
    return done(task(BRINGS), *lines, q="how large?", functions=FUNCTIONS, accepted=list(accepted))


def tinsmith(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "agent", *words],
        capture_output=True, text=True, cwd=folder, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def a_result(id: str, reason: str = "done", **more: Any) -> Mapping[str, Any]:
    said = {"id": id, "at": f"r:{id}", "row": {}, "ok": reason == "done", "task": "t", "hash": "h",
            "inputs": {}, "answer": "x", "reason": reason, "error": None, "calls": [], "checks": [],
            "usage": {"prefilled": 10, "generated": 2}, "model": "m", "seconds": 0.5}  # fmt: skip
    return {**said, **more}


def kept(file: Path, results: Sequence[Mapping[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(one) + "\n" for one in results))
    return file


def test_a_function_that_a_row_brings_is_offered_and_not_run_and_ends_the_step() -> None:
    engine = ScriptedEngine(call("area", x=3), say("never asked for"))
    given = {"q": "how large?", "functions": FUNCTIONS, "accepted": [{"area": {"x": [3]}}]}
    envelope = run(task(BRINGS), given, Means(engine))
    assert [one.name for one in engine.seen[0].tools] == ["area", "volume"]
    assert len(engine.seen) == 1
    assert (envelope.reason, envelope.answer) == ("done", None)
    assert [(one.name, one.arguments) for one in envelope.calls] == [("area", {"x": 3})]
    assert envelope.usage.prefilled > 0


@pytest.mark.parametrize("schema", [True, {"type": "array", "items": True}])
def test_a_parameter_may_be_anything(schema: Any) -> None:
    any_of_it = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    given = {"q": "?", "functions": [{"name": "area", "parameters": any_of_it}]}
    right = {**given, "accepted": [{"area": {"x": [[3]]}}]}
    assert done(task(BRINGS), call("area", x=[3]), **right).reason == "done"


@pytest.mark.parametrize(
    ("accepted", "line", "why"),
    [
        ([{"area": {"x": [3], "unit": ["", "m"]}}], call("area", x=3), ""),
        ([{"area": {"x": [3], "unit": ["", "m"]}}], call("area", x=3, unit="M"), ""),
        ([{"area": {"x": [3]}}], call("area", x=4), "wrong required: x = 4 is none of [3]"),
        ([{"area": {"x": [3]}}], call("volume", x=3), "wrong tool: volume, not area"),
        ([{"area": {"x": [3]}}], say("three"), "not called: nothing was called"),
        ([], say("nothing fits"), ""),
        ([], call("area", x=3), "called: area was called"),
        (
            [{"area": {"x": [3]}}, {"volume": {"x": [4]}}],
            calls(call("volume", x=4), call("area", x=3)),
            "",
        ),
        (
            [{"area": {"x": [3]}}, {"area": {"x": [4]}}],
            calls(call("area", x=3), call("area", x=3)),
            "wrong required: x = 3 is none of [4]",
        ),
        ([{"area": {"x": [3]}}, {"area": {"x": [4]}}], call("area", x=3), "wrong count: 1 calls"),
    ],
)
def test_calls_are_judged_by_the_rules_of_the_leaderboard(
    accepted: list[Any], line: Line, why: str
) -> None:
    envelope = with_functions(accepted, line)
    assert envelope.reason == ("checks" if why else "done")
    assert why in envelope.checks[0].why


@pytest.mark.parametrize(
    ("functions", "says"),
    [
        ("f", "is not a list of functions"),
        ([{"description": "x"}], "1. part what is no function: it needs a name"),
        ([{"name": "f", "parameters": {"type": "dict"}}], "no JSON schema of an object"),
        (
            [{"name": "f", "parameters": {"type": "object", "properties": {"a": AWAY}}}],
            "the schema takes 'http://127.0.0.1:9/x' from elsewhere",
        ),
    ],
)
def test_what_is_no_function_is_refused(functions: Any, says: str) -> None:
    envelope = done(task(BRINGS), q="x", functions=functions, accepted=[])
    assert (envelope.reason, says in str(envelope.error)) == ("usage", True)


def test_nothing_is_fetched_for_a_schema() -> None:
    with pytest.raises(answers.Unfollowable, match="from where it is not"):
        answers.breach(AWAY, 1)
    with pytest.raises(answers.Unfollowable, match="not decided within 1"):
        answers.breach({"patternProperties": {"^(a|a)+$": {}}}, {"a" * 40 + "b": 1})
    assert "is not of type" in answers.breach(
        {"patternProperties": {"^a": {"type": "null"}}}, {"ab": 1}
    )
    assert not answers.breach({"patternProperties": {"^a": {"type": "null"}}}, {"b": 1})


def test_a_row_brings_checks_whose_templates_see_the_inputs() -> None:
    one = task("inputs: {q: {}, more: {type: checks, default: []}}\nprompt: '{{ q }}'")
    right = {"contains": "{{ q }}!"}
    assert done(one, say("hi!"), q="hi", more=[right]).reason == "done"
    assert done(one, say("hi"), q="hi", more=[right, {"no_calls": True}]).reason == "checks"
    assert done(one, say("hi!"), q="hi", more=[{"contains": "hi", "not": True}]).reason == "checks"
    for check, says in (
        ({"json": "whole", "schema": AWAY}, "from elsewhere"),
        ({"json": "whole", "schema": {"type": "strin"}}, "a schema has no type"),
        ({"path": "$.["}, "is no JSON path"),
        ({"matches": "("}, "is no regular expression"),
    ):
        wrong = done(one, q="hi", more=[check])
        assert (wrong.reason, says in str(wrong.error)) == ("usage", True)
    wrong = done(one, q="hi", more=[{"contain": "x"}])
    assert (wrong.reason, "no check" in str(wrong.error)) == ("usage", True)


@pytest.mark.parametrize(
    ("check", "answer", "passes"),
    [
        ("{json: whole}", '{"a": 1}', True),
        ("{json: whole}", 'so: {"a": 1}', False),
        ("{json: inside}", "so {x: [1, 2] it is", True),
        ("{json: inside, schema: {type: object}}", "so [1, 2]", False),
        ("{json: whole, schema: {type: array}}", "[1]", True),
        ("{same: New York}", "new  york.", True),
        ("{same: 3, within: 0.5}", "about 3.4", True),
        ("{path: $.a, same: [2, 1]}", '{"a": [1, 2]}', True),
    ],
)
def test_json_and_sameness_are_checked(check: str, answer: str, passes: bool) -> None:
    envelope = done(task(f"prompt: hi\nchecks: [{check}]"), say(answer))
    assert (envelope.reason == "done") == passes, envelope.error


def test_a_label_is_an_input_and_a_check_of_what_it_names_in_the_answer() -> None:
    one, columns = labelled(task(f"inputs: {{q: {{}}}}\nprompt: '{{{{ q }}}}'\n{KIND}"), "kind")
    assert columns == {"label_kind": "kind"}
    assert done(one, say('{"kind": "a"}'), q="x", label_kind="A").reason == "done"
    envelope = done(one, say('{"kind": "a"}'), q="x", label_kind="b")
    assert envelope.checks[0].name == "label kind"
    assert envelope.checks[0].why == 'it is "a", not "b"'


def test_several_labels_have_paths_and_an_eval_key_leaves_the_hash_as_it_is() -> None:
    plain = task(f"prompt: hi\n{KIND}")
    text = f"prompt: hi\n{KIND}\neval: {{label: {{k 1: $.kind, n: $.n}}, within: 1}}"
    assert task(text).hash == plain.hash
    made, columns = labelled(task(text))
    assert made.hash != plain.hash
    assert columns == {"label_k_1": "k 1", "label_n": "n"}
    assert [(one.path, one.within) for one in made.form.checks] == [("$.kind", 1), ("$.n", 1)]


def test_a_column_that_may_say_any_part_of_an_object_is_not_compared_with_all_of_it() -> None:
    text = f"prompt: hi\n{KIND.replace('}}, req', '}, n: {}}, req')}"
    with pytest.raises(UsageError, match=r"label: \{gold: \$\.kind\}.*or \$ for all of it"):
        labelled(task(text), "gold")
    made, _ = labelled(task(text), "kind")
    assert made.form.checks[0].path == "$.kind"
    whole, _ = labelled(task(f"{text}\neval: {{label: {{gold: $}}}}"))
    said = '{"kind": "a", "n": 1}'
    assert done(whole, say(said), label_gold='{"n": 1, "kind": "a"}').reason == "done"


def test_without_a_label_or_a_check_nothing_says_what_is_right() -> None:
    with pytest.raises(UsageError, match="nothing says what is right: name the column"):
        labelled(task("prompt: hi"))


def test_the_sign_test_and_holms_method_by_hand() -> None:
    assert sign_test(0, 0) == 1.0
    assert sign_test(5, 0) == pytest.approx(2 / 32)
    assert sign_test(8, 2) == sign_test(2, 8) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert sign_test(3000, 2000) < 1e-40
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_rows_are_counted_once_and_what_was_never_asked_is_not(tmp_path: Path) -> None:
    one = task("prompt: hi\nchecks: [{contains: x, name: first}, {not: true, contains: y}]")
    failed = [{"name": "first", "passed": False, "why": "no x"},
              {"name": "not contains 'y'", "passed": True, "why": ""}]  # fmt: skip
    passed = [{**check, "passed": True} for check in failed]
    tool = [{"name": "add", "arguments": {"a": 1}, "ok": True}]
    results = [
        a_result("1", "failed", error="the server is gone"),
        a_result("1", checks=passed, calls=tool),
        a_result("2", "checks", checks=failed, inputs={"q": "why"}),
        a_result("3", "usage", error="it has no kind"),
        a_result("4", "steps", error="it ended early", answer=None),
    ]
    scored = score(kept(tmp_path / "r.jsonl", results), one, {})
    assert (scored.share.right, scored.share.rows, scored.unasked) == (1, 3, 1)
    assert {name: (s.right, s.rows) for name, s in scored.checks.items()} == {
        "first": (1, 2),
        'not contains "y"': (2, 2),
    }
    assert {name: (s.right, s.rows) for name, s in scored.tools.items()} == {
        "add": (1, 1),
        "(no tool)": (0, 2),
    }
    assert [one.at for one in scored.wrong] == ["r:4", "r:2"]
    assert scored.wrong[1].why == "first: no x"
    assert (scored.read, scored.written, scored.seconds) == (10, 2, 0.5)


def test_two_models_are_told_apart_by_the_rows_on_which_they_differ(tmp_path: Path) -> None:
    one = task("prompt: hi\nchecks: [{contains: x}]")

    def scored(name: str, wrong: range) -> Any:
        rows = [
            a_result(str(at), "checks" if at in wrong else "done", model=name) for at in range(40)
        ]
        return score(kept(tmp_path / name, rows), one, {})

    good, bad, twin = scored("g", range(2)), scored("b", range(14)), scored("t", range(1, 3))
    [pair] = compared([bad, good])
    assert (pair.better, pair.only_better, pair.only_other) == ("g", 12, 0)
    assert pair.chance == pytest.approx(2 / 2**12)
    assert (pair.differ, pair.overlap) == (True, False)
    [pair] = compared([good, twin])
    assert (pair.differ, pair.overlap, pair.chance) == (False, True, 1.0)


LABELLED = "text,kind\none,a\ntwo,b\nthree,b\nfour,\n"
TASK = (
    f"inputs: {{text: {{}}}}\nprompt: 'Which? {{{{ text }}}}'\n{KIND}\neval: {{rows: rows.csv}}\n"
)


def prepared(folder: Path, *answers: str) -> Sequence[str]:
    """The words of a command that evaluates with a script."""
    (folder / "kinds.task.yaml").write_text(TASK)
    (folder / "rows.csv").write_text(LABELLED)
    said = [json.dumps({"say": json.dumps({"kind": one})}) for one in answers]
    (folder / "script.jsonl").write_text("\n".join(said))
    return ["eval", "kinds.task.yaml", "--label", "kind", "--engine", "scripted", "--script",
            "script.jsonl", "--lanes", "1"]  # fmt: skip


def test_the_command_reports_and_the_same_command_goes_on(tmp_path: Path) -> None:
    words = prepared(tmp_path, "a", "a", "b")
    ended = tinsmith(*words, "--limit", "2", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "scripted      1   2     50.0%  9.5% to 90.5%" in ended.stdout
    assert 'rows.csv:3  text: "two", kind: "b"' in ended.stdout
    assert 'label kind: it is "a", not "b"' in ended.stdout
    results = tmp_path / "kinds.eval" / "scripted.jsonl"
    before = results.read_text()
    prepared(tmp_path, "b")  # only what is missing is asked for
    ended = tinsmith(*words, "--json", folder=tmp_path)
    told = json.loads(ended.stdout)
    [model] = told["models"]
    assert (model["right"], model["rows"], model["not_counted"]) == (2, 3, 1)
    assert model["checks"]["label kind"]["right"] == 2
    assert model["memory"] > 0
    assert results.read_text().startswith(before)
    assert json.loads((tmp_path / "kinds.eval" / "measured.json").read_text())
    few = json.loads(tinsmith(*words, "--limit", "1", "--json", folder=tmp_path).stdout)
    assert (few["models"][0]["right"], few["models"][0]["rows"]) == (1, 1)
    with (tmp_path / "kinds.task.yaml").open("a") as file:
        file.write("checks: [{matches: kind}]\n")
    ended = tinsmith(*words, folder=tmp_path)
    assert ended.returncode == 2
    assert "give another folder to --out" in ended.stderr  # a label is no check of the file's


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--label", "kin"],
            "no column named 'kin'; did you mean kind? rows.csv was to have it as the label.",
        ),
        (["--models", "a,,b"], "names, with a comma"),
        (["--models", "a,b", "--model", "c"], "give all of them to --models"),
        (["--each", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["--models", "a,b", "--workers", "2"], "--workers is for a cluster"),
        (["--models", "a,b", "--on", "no address"], "--on no address: it is `ray`"),
    ],
)
def test_what_cannot_be_evaluated_is_told(tmp_path: Path, words: list[str], says: str) -> None:
    ended = tinsmith(*prepared(tmp_path), *words, folder=tmp_path)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_model_that_is_not_here_is_told_before_any_is_run(tmp_path: Path) -> None:
    prepared(tmp_path)
    words = ["eval", "kinds.task.yaml", "--label", "kind", "--models", "./no.gguf,also-none"]
    ended = tinsmith(*words, folder=tmp_path)
    assert ended.returncode != 0
    assert "no.gguf" in ended.stderr
    assert not (tmp_path / "kinds.eval").exists()


def test_the_cluster_is_that_of_every_model(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    prepared(tmp_path)
    words = ["eval", "kinds.task.yaml", "--label", "kind", "--engine", "openai"]
    words += ["--url", "http://127.0.0.1:1", "--models", "a,b"]
    ended = tinsmith(*words, "--on", "127.0.0.1:1", "--workers", "2", folder=tmp_path)
    assert ended.returncode != 0
    assert ended.stderr.count("--on 127.0.0.1:1: nobody answers there") == 2


def test_two_real_models_are_measured_one_after_the_other(
    tmp_path: Path, smollm: Path, qwen: Path
) -> None:
    prepared(tmp_path)
    models = f"{smollm},{qwen}"
    words = ["eval", "kinds.task.yaml", "--label", "kind", "--models", models, "--context", "1024"]
    ended = tinsmith(*words, "--json", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert [one["rows"] for one in told["models"]] == [3, 3]
    assert all(one["memory"] > 1e8 and one["seconds"] > 0 for one in told["models"])
    assert [one["rows"] for one in told["pairs"]] == [3]
    assert len(list((tmp_path / "kinds.eval").glob("*.jsonl"))) == 2
    again = tinsmith(*words, folder=tmp_path)  # nothing is loaded, the table is the same
    assert again.returncode == 0
    assert "loading" not in again.stderr


def test_a_process_for_a_model_ends_when_the_one_that_began_it_does(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import pathlib, time\nfrom tools.base import tool\n\n\n@tool\ndef slow() -> str:\n"
        '    """Wait."""\n    pathlib.Path("began").touch()\n    time.sleep(60)\n    return ""\n'
    )
    (tmp_path / "slow.task.yaml").write_text(
        "inputs: {text: {}}\nsteps: [{id: a, tool: slow}]\nlimits: {tool_seconds: 60}\n"
    )
    words = [*prepared(tmp_path), "--each", "rows.csv", "--tools", "slow.py", "--begun"]
    words[1] = "slow.task.yaml"
    program = subprocess.Popen(
        [sys.executable, "-P", "-m", "agent", *words], stdin=subprocess.PIPE, cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert program.stdin is not None
    while not (tmp_path / "began").exists():
        assert program.poll() is None
        time.sleep(0.05)
    program.stdin.close()
    assert program.wait(20) == 1
