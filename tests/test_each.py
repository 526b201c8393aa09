"""A task over rows: what is run, what is kept, what the same command does again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage

from agent.commands import each
from agent.commands.counting import Count
from agent.engines.base import Choice, Sampling
from agent.engines.scripted import Line, ScriptedEngine, fail, say
from agent.errors import EngineError, UsageError
from agent.events import TextDelta
from agent.tasks.batch import Batch, Hopeless
from agent.tasks.columns import Columns
from agent.tasks.compare import compared, summed
from agent.tasks.envelope import Envelope, timeless
from agent.tasks.lanes import Threads
from agent.tasks.means import Means
from agent.tasks.read import parse
from agent.tasks.results import Results
from agent.tasks.rows import Row, opened
from agent.tasks.selection import Selection
from agent.tasks.task import Task
from tests.emulator import hearing
from tests.test_cli import ROOT, here, scripted
from tools.spec import ToolSpec

TASK = parse(
    "inputs: {text: {}}\nprompt: '{{ text }}'\nchecks: [{name: polite, contains: please}]\n",
    Path("t.task.yaml"),
)


ALL = Selection()


class Echo(ScriptedEngine):
    """Says what it is asked, or what the words `answers` name for it."""

    def __init__(self, answers: Mapping[str, Line] | None = None) -> None:
        super().__init__()
        self.answers = dict(answers or {})
        self.asked: list[str] = []

    def reply(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[ToolSpec] = (),
        sampling: Sampling = Sampling(),  # noqa: B008  frozen
        choice: Choice = Choice(),  # noqa: B008  frozen
    ) -> Generator[TextDelta, None, AIMessage]:
        text = str(messages[-1].text)
        self.asked.append(text)
        self._lines = [self.answers.get(text, say(text))]
        return (yield from super().reply(messages, tools, sampling, choice))


class Run:
    """A run over rows in a folder."""

    def __init__(self, folder: Path, *texts: str, task: Task = TASK) -> None:
        self.rows = folder / "rows.jsonl"
        self.out = folder / "out.jsonl"
        self.task = task
        self.write(*texts)

    def write(self, *texts: str) -> None:
        self.rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))

    @contextmanager
    def batch(self, selection: Selection = ALL) -> Iterator[tuple[Batch, Results]]:
        with opened(self.rows) as source:
            columns = Columns(self.task, are_texts=source.is_text)
            with Results(self.out, columns) as results:
                yield Batch(source, columns, selection, results), results

    def go(self, *engines: ScriptedEngine, selection: Selection = ALL) -> dict[str, int]:
        with self.batch(selection) as (batch, results):
            assert batch.run(Threads(self.task, [Means(engine) for engine in engines]))
            results.sort()
            return {str(reason): count for reason, count in results.reasons().items()}

    @property
    def results(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text().splitlines()]


def test_each_row_has_a_result_in_the_order_of_the_rows(tmp_path: Path) -> None:
    texts = [f"{number} please" for number in range(40)]
    run = Run(tmp_path, *texts)
    engines = [Echo(), Echo(), Echo()]
    assert run.go(*engines) == {"done": 40}
    assert [one["answer"] for one in run.results] == texts
    assert [one["row"] for one in run.results] == [{"text": text} for text in texts]
    assert sorted(text for engine in engines for text in engine.asked) == sorted(texts)


def test_rows_that_fail_are_kept_with_their_error_and_do_not_stop_the_rest(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", "b", "c please")
    with run.rows.open("a") as file:
        file.write('no json\n{"txt": "x"}\n')
    engine = Echo({"c please": fail(EngineError("it broke"))})
    assert run.go(engine) == {"done": 1, "checks": 1, "failed": 1, "usage": 2}
    assert "it broke" in run.results[2]["error"]
    assert run.results[3]["error"] == f"{run.rows}:4: it is no JSON: Expecting value (column 1)"
    assert run.results[4]["error"] == f"{run.rows}:5: it has no text"


def test_the_same_again_runs_what_failed_and_what_is_missing(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", "b", "c please", "d please")
    run.go(Echo({"c please": fail(EngineError("it broke"))}), selection=Selection(limit=3))
    engine = Echo()
    assert run.go(engine) == {"done": 3, "checks": 1}
    assert engine.asked == ["c please", "d please"]
    assert [one["answer"] for one in run.results] == ["a please", "b", "c please", "d please"]


def test_the_same_again_runs_rows_whose_file_was_not_there(tmp_path: Path) -> None:
    late = tmp_path / "late.txt"
    task = parse("inputs: {text: {type: file}}\nprompt: '{{ text }}'\n", Path("t.task.yaml"))
    run = Run(tmp_path, str(late), task=task)
    with run.rows.open("a") as file:
        file.write("no json\n")  # which is as wrong the next time
    assert run.go(Echo()) == {"usage": 2}
    late.write_text("here")
    engine = Echo()
    assert run.go(engine) == {"done": 1, "usage": 1}
    assert engine.asked == ["here"]
    with run.batch() as (batch, _):
        assert batch.left == 0


def test_a_last_line_without_its_end_is_a_result_and_does_not_flow_into_the_next(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, "a please", "b please")
    run.go(Echo())
    whole = run.out.read_bytes()
    first, second = whole.splitlines()
    run.out.write_bytes(second + b"\n" + first)  # and not in their order
    assert run.go(Echo()) == {"done": 2}
    assert run.out.read_bytes() == whole
    run.out.write_bytes(whole[:-1])
    other = parse("inputs: {text: {}}\nprompt: 'Now: {{ text }}'\n", Path("t.task.yaml"))
    with pytest.raises(UsageError, match="is a result of the task"):
        Run(tmp_path, "a please", "b please", task=other).go(Echo())
    assert run.out.read_bytes() == whole[:-1]


@pytest.mark.parametrize(
    ("key", "damaged"),
    [("ok", None), ("error", 3), ("answer", ...), ("seconds", "x"), ("checks", [{}]),
     ("calls", [1]), ("usage", {"prefilled": 1}), ("reason", []), ("id", 1)],
)  # fmt: skip
def test_a_damaged_result_is_told_with_its_line(tmp_path: Path, key: str, damaged: Any) -> None:
    run = Run(tmp_path, "a please", "b please")
    run.go(Echo())
    first, second = run.results
    second[key] = damaged
    if damaged is ...:
        del second[key]
    run.out.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    with pytest.raises(UsageError, match=r"out\.jsonl:2 is no result"):
        summed(run.out)
    with pytest.raises(UsageError, match=r"out\.jsonl:2 is no result"):
        run.go(Echo())


def test_an_output_that_all_rows_would_write_is_refused(tmp_path: Path) -> None:
    text = "inputs: {text: {}}\nprompt: '{{ text }}'\noutputs:\n  out.txt: '{{ answer }}'\n"
    run = Run(tmp_path, "a", "b", task=parse(text, Path("t.task.yaml")))
    with pytest.raises(UsageError, match=r"t\.task\.yaml:4: every row would write 'out\.txt'"):
        run.go(Echo())
    run.go(Echo(), selection=Selection(limit=1))
    run.task = parse(text.replace("out.txt", "'{{ text }}.txt'"), Path("t.task.yaml"))
    run.out.unlink()
    assert run.go(Echo()) == {"done": 2}


def named(path: str, more: str = "") -> Task:
    return parse(
        f"inputs: {{text: {{}}{more}}}\nprompt: '{{{{ text }}}}'\noutputs:\n  \"{path}\": x\n",
        Path("t.task.yaml"),
    )


def test_a_row_that_would_write_over_the_file_of_another_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path, "a", "b", "a", "as well", task=named("./{{ inputs.text[0] }}.txt"))
    told = r"t\.task\.yaml:4: .*rows\.jsonl:4 would write 'a\.txt', as .*rows\.jsonl:1 does"
    with pytest.raises(UsageError, match=told):
        run.go(Echo())
    with pytest.raises(UsageError, match=told):  # another part of the rows writes the other
        run.go(Echo(), selection=Selection(shard=(1, 2)))
    assert not run.out.exists()
    run.write("a", "b", "a")
    assert run.go(Echo()) == {"done": 3}  # equal rows write the same


def test_a_column_that_the_task_does_not_take_makes_no_row_another(tmp_path: Path) -> None:
    run = Run(tmp_path, task=named("{{ text }}.txt"))
    run.rows.write_text('{"text": "a", "n": 1}\n{"text": "a", "n": 2}\n')
    assert run.go(Echo()) == {"done": 2}


@pytest.mark.parametrize(
    "path",
    ["{{ answer }}.txt", "{{ answer | default('none') }}.txt", "{{ steps.answer.answer }}.txt"],
)
def test_a_name_made_of_an_answer_is_not_known_before(tmp_path: Path, path: str) -> None:
    assert Run(tmp_path, "a", "b", task=named(path)).go(Echo()) == {"done": 2}


def test_a_name_that_no_file_can_have_costs_only_its_row(tmp_path: Path) -> None:
    run = Run(tmp_path, "../x", "fine", task=named("{{ text }}"))
    run.rows.write_text(run.rows.read_text() + '{"text": "\\ud800"}\n{"text": " "}\n')
    with run.rows.open("a") as file:
        file.write('{"text": "../x", "n": 1}\n')
    assert run.go(Echo()) == {"usage": 4, "done": 1}


def test_a_column_that_is_misspelt_is_told_before_files_that_collide(tmp_path: Path) -> None:
    run = Run(tmp_path, "a", "b", task=named("{{ name }}.txt", ", name: {default: x}"))
    columns = Columns(run.task, named={"name": "nmae"})
    with (
        opened(run.rows) as source,
        Results(run.out, columns) as results,
        pytest.raises(UsageError, match="no column named 'nmae'"),
    ):
        Batch(source, columns, ALL, results)


def test_equal_rows_are_rows_of_their_own(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", "b please", "a please", "a please")
    run.go(Echo(), selection=Selection(limit=3))
    engine = Echo()
    run.go(engine)
    assert engine.asked == ["a please"]
    assert len({one["id"] for one in run.results}) == 4


def test_rows_that_are_added_are_run_wherever_they_stand(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", "b please")
    run.go(Echo())
    run.write("new please", "b please", "a please")
    engine = Echo()
    run.go(engine)
    assert engine.asked == ["new please"]
    assert [one["answer"] for one in run.results] == ["new please", "b please", "a please"]


def test_parts_that_were_run_apart_are_put_together_by_writing_one_behind_the_other(
    tmp_path: Path,
) -> None:
    texts = [f"{number} please" for number in range(20)]
    run = Run(tmp_path, *texts)
    parts = []
    for part in (1, 2):
        run.go(Echo(), selection=Selection(shard=(part, 2)))
        parts.append(run.out.read_bytes())
        run.out.unlink()
    assert all(parts)
    run.out.write_bytes(b"".join(parts))
    with run.batch() as (batch, results):
        assert batch.left == 0
        results.sort()
    assert [one["answer"] for one in run.results] == texts


def test_results_of_another_task_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please")
    run.go(Echo())
    before = run.out.read_bytes()
    run.task = parse("inputs: {text: {}}\nprompt: 'Say {{ text }}'\n", Path("t.task.yaml"))
    with pytest.raises(UsageError, match=r"out\.jsonl:1 is a result of the task t \("):
        run.go(Echo())
    assert run.out.read_bytes() == before


def test_results_of_other_rows_are_refused(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please")
    run.go(Echo())
    run.write("b please")
    with pytest.raises(UsageError, match="1 results of rows that are not in"):
        run.go(Echo())


def test_results_of_another_model_are_refused(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please")
    run.go(Echo())
    run.write("a please", "b please")
    other = Echo()
    other.name = "other"
    with pytest.raises(UsageError, match="of the model scripted, this run has other"):
        run.go(other)


def test_results_with_other_inputs_are_refused(tmp_path: Path) -> None:
    task = parse(
        "inputs: {text: {}, tone: {default: kind}}\nprompt: '{{ tone }} {{ text }}'",
        Path("t.task.yaml"),
    )
    run = Run(tmp_path, "a", task=task)
    run.go(Echo())
    with pytest.raises(UsageError, match=r'made with tone "kind" \(now "rude"\)'):
        Results(run.out, Columns(task, {"tone": "rude"}))


def test_a_file_that_is_no_results_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    run = Run(tmp_path, "a")
    for text in ("dear diary", '{"text": "a"}\n', "dear\ndiary\n"):
        run.out.write_text(text)
        with pytest.raises(UsageError, match=r"out\.jsonl:1 is no result"):
            run.go(Echo())
        assert run.out.read_text() == text


def test_results_that_another_program_writes_are_refused(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please")
    with run.batch(), pytest.raises(UsageError, match="being written by another program"):
        run.go(Echo())
    assert run.go(Echo()) == {"done": 1}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.jsonl", "rows.jsonl"]


@given(cut=st.integers(0, 4000))
@settings(max_examples=60, deadline=None)
def test_wherever_the_file_was_torn_every_row_has_one_result(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    run = Run(tmp_path_factory.mktemp("torn"), "a please", "b", "a please", "ü please")
    run.go(Echo())
    whole = [timeless(one) for one in run.results]
    torn = run.out.read_bytes()[:cut]
    run.out.write_bytes(torn)
    engine = Echo()
    with run.batch() as (batch, results):
        assert batch.left in (4 - torn.count(b"\n"), 3 - torn.count(b"\n"))
        if batch.left:
            batch.run(Threads(run.task, [Means(engine)]))
        results.sort()
    assert [timeless(one) for one in run.results] == whole


def test_an_error_that_all_rows_share_ends_the_run_and_is_told(tmp_path: Path) -> None:
    run = Run(tmp_path, *(f"{number} please" for number in range(100)))
    gone = fail(EngineError("no server at 127.0.0.1"))
    engine = Echo({f"{number} please": gone for number in range(10, 100)})
    with run.batch() as (batch, results):
        with pytest.raises(Hopeless, match=r"the last \d rows failed alike.*no server at"):
            batch.run(Threads(run.task, [Means(engine)]))
        assert results.reasons()["done"] == 10
    assert len(engine.asked) < 20
    again = Echo()
    assert run.go(again) == {"done": 100}
    assert len(again.asked) == 90


def test_a_row_that_fails_now_and_then_ends_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, *(f"{number} please" for number in range(40)))
    broken = fail(EngineError("it broke"))
    assert run.go(Echo({f"{number} please": broken for number in range(0, 40, 2)})) == {
        "done": 20, "failed": 20,
    }  # fmt: skip


def test_stopping_keeps_what_is_finished_and_leaves_the_rest(tmp_path: Path) -> None:
    run = Run(tmp_path, *(f"{number} please" for number in range(50)))
    with run.batch() as (batch, _):
        lanes = Threads(run.task, [Means(Echo()), Means(Echo())])

        def hear(row: Row, envelope: Envelope) -> None:
            if batch.ran == 7:
                lanes.stop()

        assert not batch.run(lanes, hear)
        assert 7 <= batch.ran < 50
    assert all(one["reason"] == "done" for one in run.results)
    assert run.go(Echo()) == {"done": 50}


def test_a_bug_is_told_in_its_row_and_does_not_end_the_others(tmp_path: Path) -> None:
    run = Run(tmp_path, *(f"{number} please" for number in range(50)))
    assert run.go(Echo({"3 please": fail(ZeroDivisionError("x"))})) == {"done": 49, "failed": 1}
    [error] = [one["error"] for one in run.results if one["reason"] == "failed"]
    assert re.match(r"a bug, please report it: ZeroDivisionError: x \(\w+\.py:\d+, in ", error)
    assert run.go(Echo()) == {"done": 50}


def test_a_file_without_rows_or_with_none_that_can_be_read_is_a_clear_error(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with pytest.raises(UsageError, match="has no rows"):
        run.go(Echo())
    run.rows.write_text("nonsense\n")
    with pytest.raises(UsageError, match=r"no row can be read; .*rows\.jsonl:1: it is no JSON"):
        run.go(Echo())
    assert not run.out.exists()


def with_default(folder: Path, *columns: str) -> Run:
    text = "inputs: {text: {default: x}, more: {default: y}}\nprompt: '{{ text }} {{ more }}'\n"
    run = Run(folder, task=parse(text, Path("t.task.yaml")))
    run.rows.write_text(json.dumps(dict.fromkeys(columns, "a")) + "\n")
    return run


def test_rows_of_which_no_column_is_an_input_are_refused(tmp_path: Path) -> None:
    run = with_default(tmp_path, "body", "id")
    with pytest.raises(UsageError, match=r"the columns body, id and the inputs more, text; say"):
        run.go(Echo())
    assert not run.out.exists()
    with opened(run.rows) as source:
        columns = Columns(run.task, {"text": "b"})
        with Results(run.out, columns) as results:
            told = Batch(source, columns, ALL, results).doubts
    assert told == ["no column is an input: all rows are the same run"]


@pytest.mark.parametrize(
    ("columns", "doubted"),
    [(("text", "mroe"), ["mroe"]), (("text", "more"), []), (("text", "moreover"), [])],
)
def test_a_column_that_is_likely_meant_for_an_input_is_told(
    tmp_path: Path, columns: Sequence[str], doubted: Sequence[str]
) -> None:
    with with_default(tmp_path, *columns).batch() as (batch, _):
        assert [re.findall(r"the column '(\w+)' is no input", one) for one in batch.doubts] == [
            [one] for one in doubted
        ]


# what changed between two runs


def two_runs(folder: Path) -> tuple[Path, Path]:
    run = Run(folder, "a please", "b", "c please", "d please")
    run.go(Echo())
    before = run.out.rename(folder / "before.jsonl")
    run.write("a please", "b", "c please", "new please")
    run.go(Echo({"b": say("b please"), "a please": say("a"), "c please": say("please, c")}))
    return before, run.out


def test_a_summary_counts_rows_checks_and_errors(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please", "b", "c please")
    run.go(Echo({"c please": fail(EngineError("it broke"))}))
    found = summed(run.out)
    assert (found.rows, found.passed, found.models) == (3, 1, ["scripted"])
    assert found.reasons == {"done": 1, "checks": 1, "failed": 1}
    assert [(one.name, one.passed, one.failed) for one in found.checks] == [("polite", 1, 1)]
    assert found.errors == {"t.task.yaml:2: step 'answer': it broke": 1}


def test_checks_that_name_values_of_the_rows_are_one_check(tmp_path: Path) -> None:
    task = parse(
        "inputs: {text: {}}\nprompt: '{{ text }}'\nchecks: [{contains: '{{ text }}'}]",
        Path("t.task.yaml"),
    )
    run = Run(tmp_path, "one", "only", "ten", task=task)
    run.go(Echo())
    assert [(one.name, one.passed) for one in summed(run.out).checks] == [("contains '…", 3)]


def test_a_difference_is_told_by_check_and_by_row(tmp_path: Path) -> None:
    changes = compared(*two_runs(tmp_path))
    assert (changes.both, changes.only_before, changes.only_now) == (3, 1, 1)
    assert (changes.now_pass, changes.now_fail, changes.differ, changes.same) == (1, 1, 1, 0)
    (failing,) = changes.examples["now_fail"]
    assert (failing.before, failing.now) == ("a please", "a")
    assert "polite" in failing.why


def test_the_command_shows_a_difference(tmp_path: Path) -> None:
    before, now = two_runs(tmp_path)
    done = here("results", "diff", str(before), str(now))
    assert done.returncode == 0
    assert "rows: 3 in both; not counted: 1 only in A, 1 only in B" in done.stdout
    assert "passed: 2 of 3 (66.7%) → 2 of 3 (66.7%)" in done.stdout
    assert "polite: 2 of 3 (66.7%) → 2 of 3 (66.7%)" in done.stdout
    assert "1 rows pass now, 1 fail now, 1 have another answer, 0 are as they were" in done.stdout
    assert "fails now" in done.stdout
    written = json.loads(here("results", "diff", "--json", str(before), str(now)).stdout)
    assert written["now_fail"] == 1
    assert json.loads(here("results", "summary", "--json", str(now)).stdout)["rows"] == 4
    assert "passed: 3 of 4" in here("results", "summary", str(now)).stdout
    assert here("results", "summary", str(tmp_path / "none")).returncode == 2


def test_files_without_a_row_in_common_are_compared_to_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, "a please")
    run.go(Echo())
    before = run.out.rename(tmp_path / "before.jsonl")
    run.write("b please")
    run.go(Echo())
    changes = compared(before, run.out)
    assert (changes.both, changes.only_before, changes.only_now) == (0, 1, 1)
    assert (changes.before.rows, changes.now.rows) == (0, 0)


def test_a_run_that_goes_on_counts_the_rows_that_have_results_already() -> None:
    count = Count(200, 52, 3, 2)
    assert str(count) == "52 of 200, 3 not right"
    count.hear(Row(0, "r:1", {}, ""), Envelope("t", "h", {}, reason="done"))
    assert str(count) == "53 of 200, 3 not right"  # of two at once the second is about to end
    count.hear(Row(1, "r:2", {}, ""), Envelope("t", "h", {}, reason="done"))
    assert str(count).startswith("54 of 200, ")


# the command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("t.task.yaml").write_text(
        "inputs: {text: {}}\nprompt: '{{ text }}'\nchecks: [{contains: please}]\n"
    )
    Path("rows.csv").write_text("text,label\none,1\ntwo,2\n")
    return tmp_path


def run_each(folder: Path, *words: str, says: Sequence[str] = ("please",) * 2) -> Any:
    lines: list[dict[str, object]] = [{"say": one} for one in says]
    script = scripted(folder, *lines)
    return here("run", "t.task.yaml", "--each", "rows.csv", "--out", "out.jsonl", *script, *words)


@pytest.mark.parametrize(
    ("says", "code", "reason"),
    [
        (("please", "please"), 0, "done"),
        (("please", "no"), 100, "checks"),
        (("please",), 1, "failed"),
    ],
)
def test_the_exit_code_says_how_the_rows_ended(
    folder: Path, says: Sequence[str], code: int, reason: str
) -> None:
    done = run_each(folder, "--lanes", "1", says=says)
    assert (done.returncode, json.loads(done.stdout)["reason"]) == (code, reason)
    assert json.loads(done.stdout)["rows"] == 2
    assert "2 rows: " in done.stderr
    assert len(Path("out.jsonl").read_text().splitlines()) == 2


def test_rows_pass_checks_and_are_answered_where_there_are_none(folder: Path) -> None:
    assert (
        "2 rows: 1 failed a check, 1 passed. out" in run_each(folder, says=["please", "no"]).stderr
    )
    told = here("results", "summary", "out.jsonl").stdout
    assert "passed: 1 of 2 (50.0%)\n" in told
    assert re.search(r"seconds: [\d.]+ a row \([\d.]+ in all", told)
    assert "failed a check: 1\n" in told
    Path("t.task.yaml").write_text("inputs: {text: {}}\nprompt: '{{ text }}'\n")
    Path("out.jsonl").unlink()
    assert "2 rows: 2 answered. out.jsonl" in run_each(folder).stderr
    assert "answered: 2 of 2 (100.0%)\n" in here("results", "summary", "out.jsonl").stdout
    assert "answered: 2 of 2" in here("results", "diff", "out.jsonl", "out.jsonl").stdout


def test_the_same_command_again_needs_no_model_and_says_the_same(folder: Path) -> None:
    run_each(folder, "--lanes", "1", says=("please", "no"))
    again = run_each(folder, "--model", "none-of-this-name", says=())
    assert (again.returncode, json.loads(again.stdout)["run"]) == (100, 0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--column", "text=lable"], "did you mean label? rows.csv was to have it for text."),
        (["--column", "text"], "KEY=VALUE"),
        (["--shard", "3/2"], "1/4, to 4/4"),
        (["--sample", "x"], "no whole number from 1"),
        (["--lanes", "0"], "no whole number from 1"),
        (["--record", "r.jsonl"], "without --each"),
        (["--set", "txt=a"], "did you mean text"),
        (["--out", "."], "--out . is a folder"),
    ],
)
def test_wrong_usage_is_told_before_anything_runs(
    folder: Path, words: list[str], says: str
) -> None:
    done = run_each(folder, *words)
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert says in error
    assert error.count("\n") == 0
    assert error in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("out.jsonl").exists()


def test_a_run_over_rows_that_did_not_begin_is_told_as_one_of_its_task(folder: Path) -> None:
    told = json.loads(run_each(folder, "--column", "text=lable").stdout)
    assert (told["task"], told["reason"], told["rows"], told["run"]) == ("t", "usage", 0, 0)
    assert told["out"] == "out.jsonl"
    alone = json.loads(here("run", "t.task.yaml", "--set", "txt=a").stdout)
    assert (alone["task"], alone["reason"]) == ("t", "usage")


def test_options_for_rows_want_rows(folder: Path) -> None:
    for words in (["--each", "rows.csv"], ["--out", "out.jsonl"], ["--limit", "3"]):
        done = here("run", "t.task.yaml", *words)
        assert done.returncode == 2
        assert "--out" in json.loads(done.stdout)["error"]


SLOW = """
import time
from tools.base import tool

@tool
def wait(seconds: float) -> str:
    "Wait."
    time.sleep(seconds)
    return "waited"
"""


def begun(folder: Path, rows: int, seconds: float) -> subprocess.Popen[str]:
    """The program, over rows that take so long, in a process of its own."""
    (folder / "slow.py").write_text(SLOW)
    (folder / "s.task.yaml").write_text(
        "inputs: {n: {type: integer}}\n"
        f"steps: [{{id: a, tool: wait, arguments: {{seconds: {seconds}}}}}]\n"
    )
    (folder / "n.jsonl").write_text("".join(f'{{"n": {number % 7}}}\n' for number in range(rows)))
    (folder / "empty.jsonl").touch()
    return subprocess.Popen(
        [sys.executable, "-m", "agent", "run", "s.task.yaml", "--each", "n.jsonl",
         "--out", "o.jsonl", "--engine", "scripted", "--script", "empty.jsonl",
         "--tools", "slow.py", "--lanes", "2"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=hearing,
    )  # fmt: skip


def wait_for(file: Path, lines: int) -> None:
    for _ in range(1200):
        if file.exists() and file.read_bytes().count(b"\n") >= lines:
            return
        time.sleep(0.05)
    raise AssertionError(f"{file} has not come to {lines} lines")


def test_what_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    for lines in (3, 9):
        process = begun(tmp_path, 20, 0.1)
        wait_for(tmp_path / "o.jsonl", lines)
        process.kill()
        process.communicate()
    out, err = begun(tmp_path, 20, 0.1).communicate(timeout=60)
    told = json.loads(out)
    assert (told["reasons"], told["rows"]) == ({"done": 20}, 20)
    assert told["run"] <= 20 - 9
    assert "of 20 rows have results already" in err
    results = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [one["row"]["n"] for one in results] == [number % 7 for number in range(20)]


@pytest.mark.skipif(sys.platform == "win32", reason="a console has another Ctrl-C")
def test_ctrl_c_stops_cleanly(tmp_path: Path) -> None:
    process = begun(tmp_path, 200, 0.1)
    wait_for(tmp_path / "o.jsonl", 3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    told = json.loads(out)
    assert process.returncode == 130
    assert told["reason"] == "interrupted"
    assert told["missing"] > 0
    assert each.STOPPING in err
    assert "Traceback" not in err
    assert (tmp_path / "o.jsonl").read_bytes().count(b"\n") == told["run"]


def test_a_pipe_gives_the_rows(tmp_path: Path) -> None:
    (tmp_path / "t.task.yaml").write_text("inputs: {text: {}}\nprompt: '{{ text }}'\n")
    script = scripted(tmp_path, {"say": "a"}, {"say": "b"})
    done = subprocess.run(
        [sys.executable, "-m", "agent", "run", "t.task.yaml", "--each", "-", "--out", "o.jsonl",
         *script],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, capture_output=True,
        input='{"text": "1"}\n{"text": "2"}\n', timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reasons"] == {"done": 2}


def test_a_real_model_over_rows_in_lanes(tmp_path: Path, smollm: Path) -> None:
    (tmp_path / "t.task.yaml").write_text(
        "inputs: {word: {}}\n"
        "prompt: 'Is {{ word }} an animal?'\n"
        "schema: {type: object, properties: {animal: {enum: ['yes', 'no']}}, required: [animal]}\n"
        "context: 512\n"
        "checks: [{path: $.animal, matches: 'yes|no'}]\n"
    )
    (tmp_path / "rows.jsonl").write_text(
        "".join(f'{{"word": "{word}"}}\n' for word in ("dog", "stone", "cat", "dog"))
    )
    answers = []
    for lanes in ("1", "3"):
        done = here(
            "run", str(tmp_path / "t.task.yaml"), "--each", str(tmp_path / "rows.jsonl"),
            "--out", str(tmp_path / f"{lanes}.jsonl"), "--model", str(smollm), "--lanes", lanes,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        lines = (tmp_path / f"{lanes}.jsonl").read_text().splitlines()
        answers.append([json.loads(line)["answer"] for line in lines])
    assert len(answers[0]) == 4
    assert answers[0] == answers[1]
    assert threading.active_count() < 50
