"""Files of the leaderboard and of promptfoo become tasks and rows; what is lost is told by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.engines.scripted import Line, ScriptedEngine, call, say
from agent.errors import UsageError
from agent.tasks import assertions, from_bfcl, from_promptfoo
from agent.tasks.envelope import Envelope
from agent.tasks.imported import Imported
from agent.tasks.means import Means
from agent.tasks.read import parse
from agent.tasks.run import run

ADD = {
    "name": "math.add",
    "description": "Add two numbers.",
    "parameters": {
        "type": "dict",
        "properties": {"a": {"type": "float"}, "b": {"type": "tuple", "items": {"type": "any"}}},
        "required": ["a"],
    },
}


def a_row(id: str, *messages: str, **more: Any) -> dict[str, Any]:
    turn = [{"role": "user", "content": one} for one in messages or ("What is 2 and 3?",)]
    return {"id": id, "question": [turn], "function": [ADD], **more}


def leaderboard(folder: Path, category: str, *rows: Any, answers: Any = ()) -> Path:
    file = folder / f"BFCL_v4_{category}.json"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    (folder / "possible_answer").mkdir(exist_ok=True)
    text = "".join(json.dumps({"id": one, "ground_truth": said}) + "\n" for one, said in answers)
    (folder / "possible_answer" / file.name).write_text(text)
    return file


def first(found: Imported, *lines: Line, row: int = 0) -> Envelope:
    """The first task on one of its rows."""
    [text, *_] = found.tasks.values()
    [rows, *_] = found.rows.values()
    task = parse(text, Path("x.task.yaml"))
    given = {name: one for name, one in rows[row].items() if name in task.form.inputs}
    return run(task, given, Means(ScriptedEngine(*lines)))


def test_a_file_of_the_leaderboard_becomes_a_task_whose_rows_bring_their_functions(
    tmp_path: Path,
) -> None:
    file = leaderboard(
        tmp_path, "simple_python", a_row("s_0"), answers=[("s_0", [{"math.add": {"a": [2.0]}}])]
    )
    found = from_bfcl.read(file)
    assert not found.left_out
    [row] = found.rows["bfcl-simple-python"]
    assert row["functions"][0]["parameters"]["properties"]["a"] == {"type": "number"}
    assert first(found, call("math.add", a=2)).reason == "done"
    assert first(found, call("math.add", a=3)).reason == "checks"
    assert first(found, say("5")).reason == "checks"


def test_where_nothing_fits_no_call_is_right_and_where_anything_does_every_call(
    tmp_path: Path,
) -> None:
    unfit = from_bfcl.read(leaderboard(tmp_path, "irrelevance", a_row("i_0")))
    assert first(unfit, say("none")).reason == "done"
    assert first(unfit, call("math.add", a=1)).reason == "checks"
    fit = from_bfcl.read(leaderboard(tmp_path, "live_relevance", a_row("l_0")))
    assert first(fit, say("none")).reason == "checks"
    assert first(fit, call("math.add", a=1)).reason == "done"


def test_rows_of_the_leaderboard_that_cannot_be_taken_are_told_by_line(tmp_path: Path) -> None:
    bare = {"id": "m_3"}
    rows = [a_row("m_0"), a_row("m_1", "one", "two"), a_row("m_2"), bare]
    file = leaderboard(tmp_path, "multiple", *rows, answers=[("m_0", [{"math.add": {"a": [2]}}])])
    found = from_bfcl.read(file)
    assert len(found.rows["bfcl-multiple"]) == 1
    assert [one.removeprefix(str(file)).split(" is left out: ")[0] for one in found.left_out] == [
        ":2", ":3", ":4",
    ]  # fmt: skip
    assert "2 messages" in found.left_out[0]
    assert "m_2 has no answer" in found.left_out[1]


def test_damaged_files_of_the_leaderboard_are_told(tmp_path: Path) -> None:
    odd = {**ADD, "parameters": {"type": "dict", "properties": []}}
    rows = [a_row("i_0"), {**a_row("i_1"), "function": [odd]}]
    found = from_bfcl.read(leaderboard(tmp_path, "irrelevance", *rows))
    assert len(found.left_out) == 1
    assert "irrelevance.json:2 is left out: it is no row of the leaderboard" in found.left_out[0]
    (tmp_path / "BFCL_v4_irrelevance.json").write_bytes(b"\xff\n")
    with pytest.raises(UsageError, match=r"irrelevance\.json is not UTF-8"):
        from_bfcl.read(tmp_path / "BFCL_v4_irrelevance.json")
    odd_id = leaderboard(tmp_path, "simple", {**a_row("s"), "id": ["s"]})
    with pytest.raises(UsageError, match="no row of"):
        from_bfcl.read(odd_id)


@pytest.mark.parametrize("name", ["BFCL_v4_java.json", "BFCL_v4_multi_turn_base.json", "x.json"])
def test_categories_that_cannot_be_taken_are_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=name):
        from_bfcl.read(tmp_path / name)


def test_answers_that_are_not_there_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "BFCL_v4_simple.json").write_text(json.dumps(a_row("s")))
    with pytest.raises(UsageError, match="possible_answer"):
        from_bfcl.read(tmp_path / "BFCL_v4_simple.json")


@pytest.mark.parametrize(
    ("assertion", "right", "wrong"),
    [
        ("{type: equals, value: '5'}", "5", "it is 5"),
        ("{type: equals, value: {a: 1}}", '{"a": 1}', '{"a": 2}'),
        ("{type: contains, value: '{{ word }}!'}", "so: Hi!", "so: hi!"),
        ("{type: icontains, value: '{{ word }}!'}", "so: HI!", "so: Hi"),
        ("{type: icontains, value: A.B}", "xa.by", "aXb"),
        ("{type: not-contains, value: x}", "y", "x"),
        ("{type: contains-all, value: [a, b]}", "b a", "a"),
        ("{type: icontains-all, value: 'a, b'}", "B A", "A"),
        ("{type: contains-any, value: [a., b]}", "a.", "ab".upper()),
        ("{type: icontains-any, value: [abc]}", "ABC", "ab"),
        ("{type: starts-with, value: Dear}", "Dear you", "My Dear"),
        ("{type: regex, value: '^[0-9]+$'}", "55", "5 5"),
        ("{type: is-json}", '{"a": 1}', "a: 1"),
        ("{type: is-json, value: {required: [a], type: object}}", '{"a": 1}', "{}"),
        ("{type: contains-json}", "here: [1, 2]!", "here"),
        ("{type: latency, threshold: 60000}", "x", ""),
    ],
)
def test_an_assertion_becomes_a_check_that_means_the_same(
    assertion: str, right: str, wrong: str, tmp_path: Path
) -> None:
    file = tmp_path / "promptfooconfig.yaml"
    file.write_text(
        "prompts: ['Say {{ word }}']\ntests:\n"
        f"  - vars: {{word: Hi}}\n    assert:\n      - {assertion}\n"
    )
    found = from_promptfoo.read(file)
    assert not found.left_out
    assert first(found, say(right)).reason == "done"
    if wrong:
        assert first(found, say(wrong)).reason == "checks"


def test_a_rubric_is_judged_by_the_model(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(
        "prompts: [hi]\ntests: [{assert: [{type: llm-rubric, value: 'is polite to {{ x }}'}], "
        "vars: {x: her}}]"
    )
    verdict = say('{"reason": "it is", "verdict": "yes"}')
    envelope = first(from_promptfoo.read(file), say("hello"), verdict)
    assert envelope.reason == "done"
    assert "is polite to her" in envelope.checks[0].name


CONFIG = """\
prompts:
  - "Translate to {{ language }}: {{ input }}"
  - file://two.txt
  - file://chat.json
providers: [openai:gpt-4o]
defaultTest:
  vars: {language: French}
  assert:
    - {type: not-contains, value: sorry}
    - {type: cost, threshold: 0.1}
tests:
  - vars: {input: [a, b]}
    assert:
      - {type: contains, value: x, weight: 2}
      - type: javascript
        value: output.length
  - vars: {input: c}
    assert: [{type: python, value: x}]
  - vars: {input: file://c.txt}
  - vars: {input: d}
  - vars: {inputs: e}
evaluateOptions: {maxConcurrency: 1}
"""


def test_all_of_a_configuration_is_taken_over_or_told_by_line(tmp_path: Path) -> None:
    file = tmp_path / "promptfooconfig.yaml"
    file.write_text(CONFIG)
    (tmp_path / "two.txt").write_text("One {{ input }}\n---\nTwo {{ inptu }}\n")
    found = from_promptfoo.read(file)
    assert list(found.tasks) == ["promptfooconfig-1", "promptfooconfig-2"]
    rows = found.rows["promptfooconfig"]
    assert [(row["language"], row["input"], len(row["checks"])) for row in rows] == [
        ("French", "a", 1), ("French", "b", 1), ("French", "d", 0),
    ]  # fmt: skip
    told = [one.removeprefix(f"{file}:") for one in found.left_out]
    begins = [
        "3: the prompt is left out: its line 1: no test gives the variable 'inptu'",
        "4: the prompt is left out: file://chat.json is no text file",
        "5: providers is left out: choose models with",
        "10: the assertion is left out: cost has no counterpart",
        "14: weight of the assertion is left out",
        "15: the assertion is left out: javascript has no counterpart",
        "17: the test is left out: none of its assertions is carried over",
        "18: the assertion is left out: python has no counterpart",
        "19: the test is left out: the variable 'input' stands in another file",
        "21: the test is left out: the variable 'inputs' means something else",
        "22: evaluateOptions is left out",
    ]
    assert [any(one.startswith(begin) for one in told) for begin in begins] == [True] * len(begins)
    assert len(told) == len(begins)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prompts: [x", "1: is no YAML"),
        ("providers: [x]", "has `prompts` and `tests`"),
        ("prompts: [x]\ntests: file://t.csv", "2: tests is left out"),
        ("prompts: [x]\ntests: [{vars: {}}]", "it has no assertion"),
    ],
)
def test_a_configuration_of_which_nothing_can_be_taken_is_refused(
    text: str, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as wrong:
        from_promptfoo.read(file)
    assert says in str(wrong.value)


def test_every_assertion_without_a_counterpart_says_its_name() -> None:
    with pytest.raises(assertions.Unlike, match="not-similar has no counterpart"):
        assertions.checks({"type": "not-similar", "value": "x"})


def test_nothing_is_written_over(tmp_path: Path) -> None:
    made = Imported({"x": "prompt: hi\n"}, {"x": [{"a": 1}]})
    assert made.write(tmp_path) == [tmp_path / "x.task.yaml"]
    before = (tmp_path / "x.task.yaml").read_text()
    with pytest.raises(UsageError, match="is there already"):
        made.write(tmp_path)
    assert (tmp_path / "x.task.yaml").read_text() == before
