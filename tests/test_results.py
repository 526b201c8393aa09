"""What is done with the results of a run over rows: other checks, a table."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from agent.app import toolbox
from agent.engines.scripted import ScriptedEngine, call, fail, say
from agent.errors import EngineError, TinsmithError, UsageError
from agent.tasks.compare import compared
from agent.tasks.envelope import timeless
from agent.tasks.lanes import Threads
from agent.tasks.means import Means
from agent.tasks.read import parse
from agent.tasks.recheck import recheck
from agent.tasks.results import claimed, is_claimed
from agent.tasks.table import csv_lines
from agent.tasks.task import Task
from tests.test_cli import here, scripted
from tests.test_each import Echo, Run

HEAD = "inputs: {text: {}}\nprompt: '{{ text }}'\n"


def task(checks: str, head: str = HEAD) -> Task:
    return parse(f"{head}{checks}\n", Path("t.task.yaml"))


STEP = {"id": "answer", "answer": "a", "skipped": False, "tries": 1, "tokens": 1, "seconds": 0.1}
POLITE = task("checks: [{contains: please}]")
NOBODY = Means(ScriptedEngine())


def again(run: Run, now: Task, means: Means = NOBODY) -> Run:
    """The results of `run` with the checks of `now`."""
    checked = Run(run.out.parent, task=now)
    checked.out = run.out.with_name("checked.jsonl")
    recheck(now, means, run.out, checked.out)
    return checked


def test_other_checks_are_those_of_a_run_with_them(tmp_path: Path) -> None:
    texts = ["a please", "b", "please, c"]
    now = task("checks: [{matches: ^please}, {tokens_under: 100}, {not: true, contains: b}]")
    run = Run(tmp_path, *texts, task=POLITE)
    run.go(Echo())
    checked = again(run, now).results
    other = Run(tmp_path, *texts, task=now)
    other.out.unlink()
    other.go(Echo())
    assert [timeless(one) for one in checked] == [timeless(one) for one in other.results]
    assert [one["reason"] for one in checked] == ["checks", "checks", "done"]


def test_a_run_goes_on_with_the_results_that_were_checked_anew(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", "b", task=POLITE)
    run.go(Echo({"b": fail(EngineError("it broke"))}))
    checked = again(run, task("checks: [{contains: b}]"))
    checked.write("a please", "b", "c b")
    assert [one["reason"] for one in checked.results] == ["checks", "failed"]
    engine = Echo()
    assert checked.go(engine) == {"checks": 1, "done": 2}
    assert engine.asked == ["b", "c b"]


def test_results_with_other_checks_are_refused_with_the_way_to_check_them(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", task=POLITE)
    run.go(Echo())
    run.task = task("checks: [{contains: a}]")
    with pytest.raises(UsageError, match=r"results check .*out\.jsonl t\.task\.yaml --out NEW"):
        run.go(Echo())


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (task("checks: [{contains: a}]", HEAD.replace("text }}", "text }}!")), "more than the che"),
        (task("checks: [{judge: 'Is it kind?'}]"), "`judge` needs more than results keep"),
        (task("checks: [{files: [a.txt]}]"), "`files` needs more than results keep"),
    ],
)
def test_what_results_cannot_answer_is_refused_and_nothing_is_written(
    tmp_path: Path, now: Task, why: str
) -> None:
    run = Run(tmp_path, "a please", "b please", task=POLITE)
    run.go(Echo())
    with pytest.raises(UsageError, match=why) as caught:
        again(run, now)
    assert "the row" in str(caught.value)
    assert {one.name for one in tmp_path.glob("[!.]*")} == {"out.jsonl", "rows.jsonl"}
    assert not any(".lock" not in one.name for one in tmp_path.glob(".*"))


def test_a_task_that_writes_files_is_run_again(tmp_path: Path) -> None:
    writes = task("outputs: {'{{ text }}.txt': '{{ answer }}'}")
    run = Run(tmp_path, "a", task=writes)
    with pytest.raises(UsageError, match="writes files where the checks pass"):
        again(run, writes)


def test_results_that_are_there_stay(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", task=POLITE)
    run.go(Echo())
    run.out.with_name("checked.jsonl").write_text("mine\n")
    with pytest.raises(UsageError, match="is there already"):
        again(run, POLITE)
    assert run.out.with_name("checked.jsonl").read_text() == "mine\n"


@pytest.mark.parametrize(
    "steps",
    ["no list", [{"id": "answer"}], [{**STEP, "seconds": "1"}], [{**STEP, "id": 5}]],
)
def test_a_damaged_step_is_a_sentence(tmp_path: Path, steps: Any) -> None:
    run = Run(tmp_path, "a please", task=POLITE)
    run.go(Echo())
    (line,) = run.results
    run.out.write_text(json.dumps({**line, "steps": steps}) + "\n")
    with pytest.raises(UsageError, match="damaged"):
        again(run, POLITE)


def test_what_a_newer_version_says_of_a_step_is_left_alone(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", task=POLITE)
    run.go(Echo())
    (line,) = run.results
    run.out.write_text(json.dumps({**line, "steps": [{**line["steps"][0], "new": 1}]}) + "\n")
    (checked,) = again(run, POLITE).results
    assert (checked["reason"], checked["steps"][0]["new"]) == ("done", 1)


def test_inputs_and_steps_are_there_in_checks(tmp_path: Path) -> None:
    run = Run(tmp_path, "a", "b", task=POLITE)
    run.go(Echo({"b": say("a")}))
    now = "checks: [{contains: '{{ text }}'}, {of: '{{ steps.answer.answer }}', equals: a}]"
    first, second = again(run, task(now)).results
    assert [one["passed"] for one in first["checks"]] == [True, True]
    assert [one["passed"] for one in second["checks"]] == [False, True]


def test_a_check_that_ended_a_row_can_be_mended(tmp_path: Path) -> None:
    broken = task("checks: [{contains: '{{ [][3].a }}'}]")
    run = Run(tmp_path, "a please", task=broken)
    run.go(Echo())
    assert [one["reason"] for one in run.results] == ["usage"]
    assert [one["reason"] for one in again(run, POLITE).results] == ["done"]


def test_a_row_of_which_a_check_asks_too_much_is_told_and_the_others_are_checked(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, "1", "0", task=POLITE)
    run.go(Echo())
    now = task("checks: [{contains: '{{ 1 // (text | int) }}'}]")
    checked = again(run, now).results
    assert [one["reason"] for one in checked] == ["done", "usage"]
    assert "in the template" in checked[1]["error"]


def test_a_judge_that_failed_no_longer_ends_a_row_but_the_tokens_are_those_of_the_steps(
    tmp_path: Path,
) -> None:
    judged = task("checks: [{judge: 'Is it kind?'}, {tokens_under: 3}]")
    run = Run(tmp_path, "a please", "b please", task=judged)
    verdict = say('{"reason": "it is so very kind", "verdict": "yes"}')
    lines = [say("one please"), verdict, say("two"), fail(EngineError("no more"))]
    with run.batch() as (batch, _):
        batch.run(Threads(judged, [Means(ScriptedEngine(*lines))]))
    assert [one["reason"] for one in run.results] == ["done", "failed"]
    checked = again(run, task("checks: [{tokens_under: 3}]")).results
    assert [one["reason"] for one in checked] == ["done", "done"]
    assert [one["checks"][0]["why"] for one in checked] == [
        "it wrote 2 tokens",
        "it wrote 1 tokens",
    ]


def test_a_call_that_was_not_allowed_stays_the_reason(tmp_path: Path) -> None:
    write_file = toolbox([], False).tools["write_file"]
    head = HEAD + "tools: [write_file]\n"
    run = Run(tmp_path, "a", task=task("checks: [{contains: done}]", head))
    script = ScriptedEngine(call("write_file", path="a.txt", text="a"), say("done"))
    with run.batch() as (batch, _):
        batch.run(Threads(run.task, [Means(script, {"write_file": write_file})]))
    (before,) = run.results
    assert (before["reason"], before["checks"][0]["passed"]) == ("failed", True)
    means = Means(ScriptedEngine(), {"write_file": write_file})
    (now,) = again(run, task("checks: [{contains: do}, {contains: x}]", head), means).results
    assert (now["reason"], now["error"]) == ("failed", before["error"])
    assert [one["passed"] for one in now["checks"]] == [True, False]


def test_checks_that_rows_bring_are_checked_anew(tmp_path: Path) -> None:
    head = HEAD.replace("{text: {}}", "{text: {}, more: {type: checks}}")
    run = Run(tmp_path, task=task("", head))
    run.rows.write_text('{"text": "a", "more": [{"contains": "b"}]}\n')
    run.go(Echo())
    (one,) = again(run, task("checks: [{contains: a}, {seconds_under: 100}]", head)).results
    assert [check["passed"] for check in one["checks"]] == [True, True, False]


@pytest.mark.parametrize("kind", ["string", "integer", "any"])
def test_a_column_that_only_a_check_wants_is_taken_from_the_rows(tmp_path: Path, kind: str) -> None:
    run = Run(tmp_path, task=POLITE)
    run.rows = tmp_path / "rows.csv"
    run.rows.write_text("text,right\n1,1\n2,3\n")
    run.go(Echo())
    head = HEAD.replace("{text: {}}", f"{{text: {{}}, right: {{type: {kind}}}}}")
    now = task("checks: [{equals: '{{ right }}'}]", head)
    checked = again(run, now)
    assert [one["reason"] for one in checked.results] == ["done", "checks"]
    checked.rows = run.rows
    engine = Echo()
    assert checked.go(engine) == {"done": 1, "checks": 1}
    assert engine.asked == []
    (tmp_path / "checked.jsonl").unlink()
    other = task("checks: [{equals: '{{ lost }}'}]", head.replace("right", "lost"))
    with pytest.raises(UsageError, match="has no column 'lost'"):
        again(run, other)
    run.rows.write_text("text,right\n1,b\n")
    run.out.unlink()
    run.go(Echo())
    if kind == "integer":
        with pytest.raises(UsageError, match=r"the row .*rows\.csv:2: right = 'b'; it is a whole"):
            again(run, now)
    asked = head.replace("'{{ text }}'", "'{{ text }} {{ right }}'")
    with pytest.raises(UsageError, match="more than the checks differs"):
        again(run, task("", asked))


def test_files_are_read_as_they_are_now(tmp_path: Path) -> None:
    head = "inputs: {text: {type: file}}\nprompt: '{{ text }}'\n"
    note = tmp_path / "a.txt"
    note.write_text("please")
    run = Run(tmp_path, str(note), task=task("", head))
    run.go(Echo())
    note.write_text("other")
    now = task("checks: [{contains: '{{ text }}'}]", head)
    (one,) = again(run, now).results
    assert one["reason"] == "checks"
    note.unlink()
    (tmp_path / "checked.jsonl").unlink()
    (one,) = again(run, now).results
    assert one["reason"] == "usage"
    assert "a.txt cannot be read" in one["error"]


def test_no_results_leave_no_file(tmp_path: Path) -> None:
    run = Run(tmp_path, task=POLITE)
    run.out.touch()
    with pytest.raises(UsageError, match="holds no results"):
        again(run, POLITE)
    assert {one.name for one in tmp_path.glob("*")} >= {"out.jsonl"}
    assert not (tmp_path / "checked.jsonl").exists()


def test_what_another_program_writes_is_not_written_into(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", task=POLITE)
    run.go(Echo())
    with claimed(tmp_path / "checked.jsonl"), pytest.raises(UsageError, match="another program"):
        again(run, POLITE)
    assert is_claimed(run.out) is False
    with claimed(run.out):
        assert is_claimed(run.out)


def test_a_kill_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", task=POLITE)
    run.go(Echo())
    (tmp_path / ".checked.jsonl.checked").write_text("half of an earlier one")
    assert [one["reason"] for one in again(run, POLITE).results] == ["done"]
    assert not (tmp_path / ".checked.jsonl.checked").exists()


@pytest.mark.parametrize("out", [".", "", "/", "out.jsonl/x.jsonl", "a" * 300])
def test_a_place_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run(tmp_path, "a please", task=POLITE)
    run.go(Echo())
    with pytest.raises(TinsmithError, match=r"is there already|no name|cannot be written"):
        recheck(POLITE, NOBODY, run.out, Path(out))


def test_a_link_that_leads_nowhere_stays(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", task=POLITE)
    run.go(Echo())
    (tmp_path / "checked.jsonl").symlink_to("nowhere")
    with pytest.raises(UsageError, match="is there already"):
        again(run, POLITE)


def test_a_pipe_is_no_file_of_results(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR)
    try:
        done = here("results", "summary", str(pipe))
    finally:
        os.close(end)
    assert done.returncode == 2
    assert "is no file" in done.stderr


def test_calls_are_judged_with_the_tools_of_the_task(tmp_path: Path) -> None:
    from tools.calculate import calculate

    head = HEAD + "tools: [calculate]\n"
    run = Run(tmp_path, "2 + 3", task=task("", head))
    tools = {"calculate": calculate}
    made = call("calculate", expression="2 + 3")
    with run.batch() as (batch, _):
        batch.run(Threads(run.task, [Means(ScriptedEngine(made, say("5")), tools)]))
    right = "checks: [{accepted: [{calculate: {expression: ['2 + 3']}}]}, {called: calculate}]"
    (one,) = again(run, task(right, head), Means(ScriptedEngine(), tools)).results
    assert [check["passed"] for check in one["checks"]] == [True, True]


def test_a_row_that_fails_only_new_checks_is_told_apart(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", "please b", task=POLITE)
    run.go(Echo())
    checked = again(run, task("checks: [{contains: please}, {contains: b}]"))
    changes = compared(run.out, checked.out)
    assert (changes.now_fail, changes.only_new_checks, changes.same) == (0, 1, 1)
    again_failing = again_with(checked, task("checks: [{contains: b}, {matches: ^b}]"))
    changes = compared(checked.out, again_failing)
    assert (changes.now_fail, changes.only_new_checks, changes.same) == (0, 1, 1)
    changes = compared(again_failing, checked.out)
    assert (changes.now_pass, changes.same) == (1, 1)


def test_the_same_task_has_no_new_checks(tmp_path: Path) -> None:
    """A name that the run fills in does not make a check a new one."""
    now = task("checks: [{path: $.kind, equals: repair}, {contains: '{{ steps.answer.answer }}!'}]")
    run = Run(tmp_path, "a", task=now)
    run.go(Echo({"a": say('{"kind": "repair"}')}))
    before = run.out.rename(tmp_path / "before.jsonl")
    passed = json.loads(before.read_text())
    for check in passed["checks"]:
        check["passed"] = True
    before.write_text(json.dumps({**passed, "ok": True, "reason": "done", "error": None}) + "\n")
    run.go(Echo({"a": say("no json at all")}))
    changes = compared(before, run.out)
    assert (changes.now_fail, changes.only_new_checks) == (1, 0)
    assert run.results[0]["checks"][0]["name"] == passed["checks"][0]["name"]


def again_with(run: Run, now: Task) -> Path:
    file = run.out.with_name("once more.jsonl")
    recheck(now, NOBODY, run.out, file)
    return file


def test_the_command_checks_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.task.yaml").write_text(HEAD + "checks: [{contains: please}]\n")
    Path("rows.csv").write_text("text\none\ntwo\n")
    script = scripted(tmp_path, {"say": "please"}, {"say": "yes, please"})
    words = ("--each", "rows.csv", "--out", "out.jsonl", "--lanes", "1")
    assert here("run", "t.task.yaml", *words, *script).returncode == 0
    Path("t.task.yaml").write_text(HEAD + "checks: [{contains: 'yes'}]\n")
    refused = here("run", "t.task.yaml", *words)
    (advised,) = re.findall("`tinsmith (results check .*?)`", refused.stderr)
    assert refused.returncode == 2
    done = here(*advised.replace("NEW", "new.jsonl").split())
    assert done.returncode == 100
    assert "passed: 1 of 2 (50.0%)" in done.stdout
    told = here("results", "diff", "out.jsonl", "new.jsonl").stdout
    assert "the checks differ" in told
    assert "0 fail now, 1 fail only new checks" in told
    assert "fails a new check: rows.csv:2" in told
    assert here("run", "t.task.yaml", "--each", "rows.csv", "--out", "new.jsonl").returncode == 100
    shown = here("results", "csv", "new.jsonl").stdout
    assert shown.splitlines()[:2] == ["text,answer,reason,error", "one,please,checks,"
                                      '"contains \'yes\': it is ""please"""']  # fmt: skip


def test_the_exit_code_of_a_check_is_that_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.task.yaml").write_text(HEAD + "checks: [{contains: please}]\n")
    run = Run(tmp_path, "a please", task=task("checks: [{contains: a}]"))
    run.go(Echo())
    assert here("results", "check", "out.jsonl", "t.task.yaml", "--out", "1.jsonl").returncode == 0
    run.out.unlink()
    run.go(Echo({"a please": fail(EngineError("it broke"))}))
    assert here("results", "check", "out.jsonl", "t.task.yaml", "--out", "2.jsonl").returncode == 1


def test_the_command_checks_with_the_users_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = "from tools.base import tool\n\n\n@tool\ndef shout(text: str) -> str:\n"
    Path("mine.py").write_text(mine + '    """Shout."""\n    return text.upper()\n')
    head = HEAD + "tools: [shout]\n"
    Path("t.task.yaml").write_text(head + "checks: [{contains: a}]\n")
    run = Run(tmp_path, "a please", task=task("", head))
    run.out.write_text("")
    with run.batch() as (batch, _):
        tools = toolbox([Path("mine.py")], False).tools
        batch.run(Threads(run.task, [Means(ScriptedEngine(say("a")), tools)]))
    words = ("results", "check", "out.jsonl", "t.task.yaml", "--out", "1.jsonl")
    assert "no tool named 'shout'" in here(*words).stderr
    assert here(*words, "--tools", "mine.py").returncode == 0


# as a table


def table(file: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO("\n".join(csv_lines(file)), newline="")))


@pytest.mark.parametrize("cell", ["a\nb", "a\rb", "\n", 'a"b', "a,b", " ", "=1+1", "é\ud800"])
def test_a_cell_comes_back_as_it_was(tmp_path: Path, cell: str) -> None:
    run = Run(tmp_path, cell, "second", task=POLITE)
    run.go(Echo())
    head, first, second = table(run.out)
    assert head == ["text", "answer", "reason", "error"]
    assert (first[0], second[0]) == (cell, "second")


def test_answers_with_more_keys_than_a_table_has_columns_stand_in_one(tmp_path: Path) -> None:
    run = Run(tmp_path, "a", "b", task=task("schema: {type: object}"))
    many = {f"k{number}": number for number in range(201)}
    run.go(Echo({"a": say(json.dumps(many)), "b": say("{}")}))
    head, first, second = table(run.out)
    assert head == ["text", "answer", "reason", "error"]
    assert json.loads(first[1]) == many
    assert second[1] == "{}"


def test_answers_without_keys_are_rows_all_the_same(tmp_path: Path) -> None:
    run = Run(tmp_path, "a", task=task("schema: {type: object}"))
    run.go(Echo({"a": say("{}")}))
    assert table(run.out) == [["text", "reason", "error"], ["a", "done", ""]]


def test_a_table_has_the_columns_of_the_rows_and_the_answers(tmp_path: Path) -> None:
    run = Run(tmp_path, 'say "please", twice\nor more', "b", task=POLITE)
    run.go(Echo())
    head, first, second = table(run.out)
    assert head == ["text", "answer", "reason", "error"]
    assert first == ['say "please", twice\nor more'] * 2 + ["done", ""]
    assert second == ["b", "b", "checks", "contains 'please': it is \"b\""]


def test_an_answer_with_keys_has_a_column_for_each(tmp_path: Path) -> None:
    schema = "schema: {type: object, properties: {kind: {}, parts: {}}}"
    run = Run(tmp_path, "a", "b", task=task(schema))
    said = {"a": say('{"kind": "é", "parts": [1, null]}'), "b": fail(EngineError("no"))}
    run.go(Echo(said))
    head, first, second = table(run.out)
    assert head == ["text", "answer.kind", "answer.parts", "answer", "reason", "error"]
    assert first[:5] == ["a", "é", "[1, null]", "", "done"]
    assert second[:5] == ["b", "", "", "", "failed"]


def test_a_column_of_the_data_keeps_its_name(tmp_path: Path) -> None:
    run = Run(tmp_path, task=POLITE)
    run.rows.write_text('{"text": "please", "answer": "mine", "answer_": 1}\n')
    run.go(Echo())
    assert table(run.out)[0] == ["text", "answer", "answer_", "answer__", "reason", "error"]
    run = Run(tmp_path, task=task("schema: {type: object}"))
    run.rows.write_text('{"text": "a", "answer.kind": "mine"}\n')
    run.out.unlink()
    run.go(Echo({"a": say('{"kind": 1, "kind_": 2}')}))
    head = ["text", "answer.kind", "answer.kind_", "answer.kind__", "reason", "error"]
    assert table(run.out)[0] == head


def test_an_empty_file_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    assert here("results", "csv", str(tmp_path / "none.jsonl")).returncode == 2
