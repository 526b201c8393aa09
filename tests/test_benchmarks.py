"""The benchmarks in their smallest form: that they measure what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent import app
from agent.engines.scripted import Line, ScriptedEngine, call, calls, say
from agent.errors import EngineError
from agent.offering import Offering
from benchmarks import (
    bfcl,
    everyday,
    fit_judge,
    llamacpp_speed,
    loop_overhead,
    offering,
    parts,
    rows,
    skills,
    startup,
    ten_turns,
)
from benchmarks.bfcl_check import Row, load, to_spec
from tools.spec import spec


def a_function(name: str, **properties: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"Does {name}.",
        "parameters": {
            "type": "dict",
            "properties": {key: {"type": type_} for key, type_ in properties.items()},
            "required": list(properties),
        },
    }


ADD = a_function("math.add", a="integer", b="integer")
MULTIPLY = a_function("math.multiply", a="integer", b="integer")
ROW = Row("multiple_0", "What is 2 plus 3?", (ADD, MULTIPLY), {"math.add": {"a": [2], "b": [3]}})
UNFIT = Row("irrelevance_0", "Who wrote Faust?", (ADD,), {})
SPECS = [to_spec(function) for function in ROW.functions]


def reply_of(*lines: Any) -> bfcl.Reply:
    return bfcl.first_reply(ScriptedEngine(*lines), Offering(None, 8), SPECS, ROW.question)


def test_a_row_is_answered_through_the_loop() -> None:
    reply = reply_of(call("math.add", a=2, b=3))
    assert reply.calls == [("math.add", {"a": 2, "b": 3})]
    assert bfcl.judge(ROW, SPECS, reply) == ("right", "")


def test_only_the_first_reply_of_a_turn_is_asked_for() -> None:
    engine = ScriptedEngine(call("math.add", a=2, b=3), say("five"))
    bfcl.first_reply(engine, Offering(None, 8), SPECS, ROW.question)
    assert len(engine.seen) == 1


def test_all_calls_of_a_reply_are_seen() -> None:
    reply = reply_of(calls(call("math.add", a=2, b=3), call("math.multiply", a=2, b=3)))
    assert bfcl.judge(ROW, SPECS, reply)[0] == "wrong count"


def test_text_is_no_call() -> None:
    reply = reply_of(say("five"))
    assert bfcl.judge(ROW, SPECS, reply)[0] == "not called"
    assert bfcl.judge(UNFIT, SPECS, reply)[0] == "right"


def test_a_call_for_a_request_that_nothing_fits_is_counted() -> None:
    reply = reply_of(call("math.add", a=2, b=3))
    assert bfcl.judge(UNFIT, SPECS, reply) == ("called", "math.add")


@pytest.mark.parametrize(
    "made", [("math.add", {"a": 2}), ("math.add", {"a": 2, "b": "3"}), ("math.divide", {})]
)
def test_a_call_that_breaks_its_schema_is_invalid(made: bfcl.Call) -> None:
    assert bfcl.judge(ROW, SPECS, bfcl.Reply([made]))[0] == "invalid"


def test_an_engine_that_fails_is_not_counted_as_silence() -> None:
    from agent.engines.scripted import fail

    assert bfcl.judge(ROW, SPECS, reply_of(fail(EngineError("broken"))))[0] == "failed"


def test_the_loop_sees_the_schema_that_was_converted() -> None:
    for one in SPECS:
        assert spec(bfcl.as_tool(one)) == one


def test_strangers_are_drawn_without_a_name_twice_and_always_the_same() -> None:
    others = [
        Row(f"multiple_{number}", "", (a_function(f"other_{number % 20}", x="string"), ADD), {})
        for number in range(1, 40)
    ]
    drawn = bfcl.among(ROW, others, 12, seed=1)
    names = [one.name for one in drawn]
    assert len(names) == len(set(names)) == 12
    assert {"math.add", "math.multiply"} <= set(names)
    assert bfcl.among(ROW, others, 12, seed=1) == drawn
    assert bfcl.among(ROW, others, 12, seed=2) != drawn


def test_every_kind_of_outcome_has_its_column() -> None:
    one = bfcl.Outcome("i", "multiple", "m", 0, "right", "", [("f", {})], 1.0, 5, 7, 9)
    other = replace(one, id="j", kind="wrong tool", seconds=3.0)
    table = bfcl.table([one, other]).splitlines()
    cells = dict(zip(table[0].split(" | "), table[2].split(" | "), strict=True))
    assert (cells["right"], cells["wrong tool"], cells["s/row |"]) == ("50.0%", "1", "2.0 |")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two rows of each category, written for this test, where TINSMITH_DATA points."""
    folder = tmp_path / "data" / "bfcl"
    (folder / "possible_answer").mkdir(parents=True)
    for category in ("multiple", "simple_python", "irrelevance"):
        rows, answers = [], []
        for number in range(2):
            id_ = f"{category}_{number}"
            asked = [[{"role": "user", "content": f"Multiply {number} and 4, please."}]]
            own = a_function(f"{category}.multiply_{number}", a="integer", b="integer")
            rows.append({"id": id_, "question": asked, "function": [own, ADD]})
            truth = [{own["name"]: {"a": [number], "b": [4]}}]
            answers.append({"id": id_, "ground_truth": truth})
        name = f"BFCL_v4_{category}.json"
        (folder / name).write_text("\n".join(map(json.dumps, rows)))
        (folder / "possible_answer" / name).write_text("\n".join(map(json.dumps, answers)))
    monkeypatch.setenv("TINSMITH_DATA", str(folder.parent))
    return folder


@pytest.fixture
def home(state: Path, minilm: Path) -> Path:
    """The test's state folder, with the embedder in it."""
    (state / "models").mkdir(parents=True)
    (state / "models" / "all-minilm-l6-v2").symlink_to(minilm, target_is_directory=True)
    return state


def test_a_run_with_a_real_model_is_kept_and_goes_on(
    data: Path, home: Path, smollm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results" / "rows.jsonl"
    command = ["--model", str(smollm), "--category", "multiple", "--out", str(out)]
    bfcl.main([*command, "--limit", "1"])
    first = out.read_text()
    out.write_text(first + '{"id": "cut o')
    bfcl.main(command)
    kept = [json.loads(line) for line in out.read_text().splitlines()]
    assert out.read_text().startswith(first)
    assert [row["id"] for row in kept] == ["multiple_0", "multiple_1"]
    assert not {"invalid", "failed"} & {row["kind"] for row in kept}
    assert "| multiple | 2 |" in capsys.readouterr().out


def test_rows_of_another_run_are_not_mixed_in(
    data: Path, home: Path, smollm: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    row = bfcl.Outcome("multiple_0", "multiple", "other", 0, "right", "", [], 1.0, 0, 0, 0)
    parts.keep(out, vars(row))
    with pytest.raises(SystemExit, match="'other'"):
        bfcl.main(["--model", str(smollm), "--category", "multiple", "--out", str(out)])


def test_without_the_data_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TINSMITH_DATA", raising=False)
    with pytest.raises(SystemExit, match="set TINSMITH_DATA"):
        bfcl.main(["--model", "any"])


def test_data_in_the_wrong_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINSMITH_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=r"no bfcl/ in it"):
        bfcl.main(["--model", "any"])


def test_points_lost_in_a_crowd_are_those_between_the_two_shares() -> None:
    def outcome(id_: int, offered: int, called: str) -> offering.Outcome:
        return offering.Outcome(str(id_), "m", offered, called, "right")

    alone = [outcome(number, 0, "right") for number in range(4)]
    crowd = [outcome(number, 100, "right" if number else "") for number in range(4)]
    table = offering.table([*alone, *crowd])
    assert "points lost among 100: 25.0" in table


def test_the_loop_runs_all_steps_that_are_timed() -> None:
    assert loop_overhead.measure() > 0


def test_the_help_can_be_timed() -> None:
    assert startup.help_seconds() > 0
    assert startup.replay_seconds() > 0
    assert startup.messages_seconds() > 0


def test_a_prompt_is_waited_for(tmp_path: Path) -> None:
    shows = "import os; print(os.environ['TINSMITH_HOME']); input('> ')"
    assert startup.prompt_seconds([sys.executable, "-c", shows], tmp_path) > 0


def test_a_prompt_that_does_not_come_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no prompt came.*no model"):
        startup.prompt_seconds([sys.executable, "-c", "print('no model')"], tmp_path)


def test_tokens_of_a_turn_are_counted_across_all_that_the_loop_asks(home: Path, qwen: Path) -> None:
    model = parts.token_model(str(qwen))
    first, second = ten_turns.measure(model, parts.embedder(), turns=2)
    model.close()
    assert first.called
    assert 0 < second.new <= second.processed < second.uncached


def test_the_engine_and_the_bare_server_write_as_many_tokens(smollm: Path) -> None:
    from agent.engines.local import LocalEngine

    model = parts.token_model(str(smollm))
    mine = llamacpp_speed.ours(LocalEngine("smollm", model), 12)
    model.close()
    bare = llamacpp_speed.Bare(smollm).whole("Once upon a time", 12)
    assert mine.tokens == bare.tokens == 12


CASES = fit_judge.cases()


def test_the_calibration_rows_are_sound() -> None:
    assert len(CASES) >= 300
    assert 0.4 < sum(case.fits for case in CASES) / len(CASES) < 0.6
    for case in CASES:
        names = [tool.name for tool in case.tools]
        assert 1 <= len(names) == len(set(names)) <= 4, case.request
    for tool in {tool.name: tool for case in CASES for tool in case.tools}.values():
        jsonschema.Draft202012Validator.check_schema(dict(tool.parameters))


def test_a_row_names_the_tool_exactly_when_one_fits() -> None:
    for line in fit_judge.ROWS.read_text("utf-8").splitlines():
        row = json.loads(line)
        assert (row["tool"] in [tool["name"] for tool in row["tools"]]) == row["fits"]


def test_a_follow_up_names_tools_that_it_has() -> None:
    for line in fit_judge.FOLLOW_UPS.read_text("utf-8").splitlines():
        row = json.loads(line)
        names = [tool["name"] for tool in row["tools"]]
        assert (row["tool"] in names) == row["fits"]
        assert row["called"] is None or row["called"] in names


def test_the_everyday_conversations_are_sound() -> None:
    known = {tool.name for tool in app.built_in()}
    talks = [json.loads(line) for line in everyday.HERE.read_text("utf-8").splitlines()]
    assert len({talk["id"] for talk in talks}) == len(talks)
    for turn in (turn for talk in talks for turn in talk["turns"]):
        assert {name for names in turn["calls"] for name in names.split("|")} <= known
        for patterns in (turn["answer"], *turn.get("writes", {}).values()):
            assert all(map(re.compile, patterns))


TALK = {
    "files": {"todo.txt": "buy milk\n"},
    "turns": [
        {"say": "what is in todo.txt?", "calls": ["search_files|read_file"], "answer": ["milk"]},
        {"say": "add tea", "calls": [], "answer": [], "writes": {"todo.txt": ["milk", "tea"]}},
    ],
}


@pytest.mark.parametrize(
    ("replies", "faults"),
    [
        (
            [call("read_file", path="todo.txt"), say("Milk."), say("No.")],
            [[], ["todo.txt lacks tea"]],
        ),
        (
            [say("Eggs."), call("append_to_file", path="todo.txt", text="tea"), say("Done.")],
            [
                ["did not call search_files|read_file", "the answer lacks milk"],
                ["called append_to_file"],
            ],
        ),
    ],
)
def test_an_everyday_turn_is_held_to_what_it_wants(
    replies: list[Line], faults: list[list[str]]
) -> None:
    turns = list(everyday.converse(ScriptedEngine(*replies), Offering(None, 8), TALK))
    assert [turn.faults for turn in turns] == faults
    counted = everyday.table(list(zip([True, False], turns, strict=True)))
    right = sum(not one for one in faults)
    assert counted.splitlines()[-1].startswith(f"| all | 2 | {right / 2:.0%} |")


def some_features(fits: bool, values: Sequence[float]) -> list[fit_judge.Features]:
    return [
        fit_judge.Features(row, "m", fits, value, -value, [value], [], 0 if fits else -1)
        for row, value in enumerate(values)
    ]


def test_a_threshold_loses_the_share_that_it_names() -> None:
    fitting = some_features(True, [0.3 + 0.005 * number for number in range(100)])
    unfit = some_features(False, [0.1 + 0.004 * number for number in range(100)])
    found = fit_judge.fit([*fitting, *unfit], least=0.0)
    assert 0.8 < found.auc < 1
    for threshold in found.thresholds:
        lost = sum(threshold.judge.score(one.cosine, None) <= 0 for one in fitting)
        assert lost == pytest.approx(threshold.lost * 100, abs=1)


def test_log_odds_are_weighed_where_asked() -> None:
    fitting = some_features(True, [0.3 + 0.005 * number for number in range(40)])
    unfit = some_features(False, [0.1 + 0.004 * number for number in range(40)])
    with_odds = fit_judge.fit([*fitting, *unfit], least=-2.0).thresholds[0].judge
    alone = fit_judge.fit([*fitting, *unfit], least=0.0).thresholds[0].judge
    assert with_odds.odds != 0.0
    assert alone.odds == 0.0


def test_features_are_those_of_the_offering(home: Path) -> None:
    embedder = parts.embedder()
    case = CASES[0]
    [one] = [fit_judge.features(case, 0, None, embedder)]
    cosines = Offering(embedder, 8)._cosines(case.request, case.tools)
    assert one.cosine == pytest.approx(max(cosines), abs=1e-6)


def test_the_leaderboard_is_read_from_where_tinsmith_data_points(data: Path) -> None:
    assert [row.id for row in load(data, "irrelevance")] == ["irrelevance_0", "irrelevance_1"]


def test_ten_conversations_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kills", "--kills", "10", "--seed", "5"],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| words lost | **0** |" in done.stdout


@pytest.mark.parametrize(
    ("answer", "wanted", "right"),
    [
        ("| a | b |\n|---|---|\n| Ben | 34 |", {"rows": [["Ben", "34"]]}, True),
        ("| a | b |\n|---|---|\n| Ben | 34 |\n| Zoe | 3 |", {"rows": [["Ben", "34"]]}, False),
        ("a,b\nBen,34\n", {"rows": [["Ben", "34"]]}, True),
        ("| a | b |\n|---|---|\n| Ben | 43 |", {"rows": [["Ben", "34"]]}, False),
        ('text,label\n"so late, again",delivery', {"labels": {"so late, again": "delivery"}}, True),
        ("text,label\nso late,refund", {"labels": {"so late": "delivery"}}, False),
        ("kept for 21 days [backup.md:3]", {"has": ["21", r"backup\.md:\d"]}, True),
        ("kept for 21 days", {"has": ["21", r"backup\.md:\d"]}, False),
        ("it costs $5", {"lacks": [r"\$ ?\d"]}, False),
    ],
)
def test_what_a_skill_was_asked_for_is_checked(
    answer: str, wanted: dict[str, Any], right: bool
) -> None:
    assert (not skills.check(answer, "", wanted)) == right


def test_what_a_row_costs_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert all(0 < one < 1000 for one in rows.overhead(20))
    assert rows.growth(120)[0] < 1000
