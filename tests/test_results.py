"""What is done with the results of a run over rows: other checks, a table."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from agent.engines.scripted import ScriptedEngine, call, fail, say
from agent.errors import EngineError, UsageError
from agent.tasks.compare import compared
from agent.tasks.envelope import timeless
from agent.tasks.means import Means
from agent.tasks.read import parse
from agent.tasks.recheck import recheck
from agent.tasks.table import csv_lines
from agent.tasks.task import Task
from tests.test_cli import here, scripted
from tests.test_each import Echo, Run

HEAD = "inputs: {text: {}}\nprompt: '{{ text }}'\n"


def task(checks: str, head: str = HEAD) -> Task:
    return parse(f"{head}{checks}\n", Path("t.task.yaml"))


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
        (task("checks: [{contains: '{{ text.nothing.more }}'}]"), "in the template"),
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


def test_a_damaged_step_is_a_sentence(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", task=POLITE)
    run.go(Echo())
    (line,) = run.results
    run.out.write_text(json.dumps({**line, "steps": [{"id": "answer"}]}) + "\n")
    with pytest.raises(UsageError, match="damaged"):
        again(run, POLITE)


def test_calls_are_judged_with_the_tools_of_the_task(tmp_path: Path) -> None:
    from tools.calculate import calculate

    head = HEAD + "tools: [calculate]\n"
    run = Run(tmp_path, "2 + 3", task=task("", head))
    tools = {"calculate": calculate}
    made = call("calculate", expression="2 + 3")
    with run.batch() as (batch, _):
        from agent.tasks.lanes import Threads

        batch.run(Threads(run.task, [Means(ScriptedEngine(made, say("5")), tools)]))
    right = "checks: [{accepted: [{calculate: {expression: ['2 + 3']}}]}, {called: calculate}]"
    (one,) = again(run, task(right, head), Means(ScriptedEngine(), tools)).results
    assert [check["passed"] for check in one["checks"]] == [True, True]


def test_a_row_that_fails_only_new_checks_is_told_apart(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", "please b", task=POLITE)
    run.go(Echo())
    checked = again(run, task("checks: [{contains: please}, {contains: b}]"))
    changes = compared(run.out, checked.out)
    assert (changes.now_fail, changes.now_checked, changes.same) == (0, 1, 1)
    again_failing = again_with(checked, task("checks: [{contains: b}, {matches: ^b}]"))
    changes = compared(checked.out, again_failing)
    assert (changes.now_fail, changes.now_checked, changes.same) == (0, 1, 1)
    changes = compared(again_failing, checked.out)
    assert (changes.now_pass, changes.same) == (1, 1)


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


# as a table


def table(file: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO("\n".join(csv_lines(file)))))


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


def test_an_empty_file_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    assert here("results", "csv", str(tmp_path / "none.jsonl")).returncode == 2
