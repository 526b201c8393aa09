"""Running a task: steps, schemas, checks, limits, and a replay that is the same run."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import SystemMessage
from langchain_core.tools import BaseTool

from agent.engines.base import Engine
from agent.engines.scripted import Line, ScriptedEngine, call, fail, say
from agent.errors import EngineError, UsageError
from agent.offering import Offering
from agent.tasks import inputs, tape
from agent.tasks.differences import apart, told
from agent.tasks.envelope import Envelope, timeless
from agent.tasks.means import Means, Stop
from agent.tasks.read import parse
from agent.tasks.run import run
from agent.tasks.task import Task
from tools.base import ToolError, tool


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def picky(word: str) -> str:
    """Take a word."""
    raise ToolError(f"{word!r} is not allowed")


@tool(effects={"writes"}, approval="ask")
def erase(name: str) -> str:
    """Erase something."""
    Path(name).write_text("erased")
    return f"erased {name}"


@tool
def slow() -> str:
    """Wait."""
    threading.Event().wait(5)
    return "done"


TOOLS: Mapping[str, BaseTool] = {one.name: one for one in (add, picky, erase, slow)}
KIND = "schema: {type: object, properties: {kind: {enum: [a, b]}}, required: [kind]}"


def task(text: str) -> Task:
    return parse(text, Path("x.task.yaml"))


def done(
    text: str, *lines: Line, folder: Path | None = None, engine: Engine | None = None, **given: Any
) -> Envelope:
    return run(task(text), given, Means(engine or ScriptedEngine(*lines), TOOLS, folder=folder))


def test_the_prompt_is_rendered_with_the_inputs_and_the_answer_is_in_the_envelope() -> None:
    engine = ScriptedEngine(say("Paris"))
    envelope = done("inputs: {land: {}}\nprompt: Capital of {{ land }}?", engine=engine, land="F")
    assert (envelope.ok, envelope.answer, envelope.exit_code) == (True, "Paris", 0)
    assert engine.seen[0].messages[-1].text == "Capital of F?"
    assert json.loads(json.dumps(envelope.as_dict()))["inputs"] == {"land": "F"}


def test_an_answer_under_a_schema_is_a_value_and_the_model_is_told_the_schema() -> None:
    engine = ScriptedEngine(say('{"kind": "a"}'))
    envelope = done(f"prompt: hi\n{KIND}", engine=engine)
    assert envelope.answer == {"kind": "a"}
    assert engine.seen[0].choice.schema is not None
    assert '"enum": ["a", "b"]' in str(engine.seen[0].messages[-2].text)


def test_an_answer_that_was_cut_off_is_asked_for_again_with_more_room() -> None:
    engine = ScriptedEngine(say('{ "kind" : "a" }'), say('{ "kind" : "b" }'))
    envelope = done(f"prompt: hi\n{KIND}\nsampling: {{max_tokens: 2}}", engine=engine)
    assert (envelope.answer, envelope.reason) == ({"kind": "b"}, "done")
    assert [one.sampling.max_tokens for one in engine.seen] == [2, 8]
    short = say('{ "kind" : "a" }' + " " * 9)
    envelope = done(f"prompt: hi\n{KIND}\nsampling: {{max_tokens: 1}}", short, short)
    assert (envelope.exit_code, "did not finish its answer within 4" in str(envelope.error)) == (
        1, True,
    )  # fmt: skip


def test_a_step_sees_the_answers_before_it_and_may_be_left_out_or_done_for_each() -> None:
    text = """
steps:
  - {id: a, prompt: one}
  - {id: b, if: steps.a.answer == 'no', prompt: never}
  - {id: c, each: "{{ [1, 2] }}", prompt: "{{ item }}{{ steps.a.answer }}"}
  - {id: d, tool: add, arguments: {a: "{{ steps.c.answer | length }}", b: 5}}
"""
    engine = ScriptedEngine(say("x"), say("y"), say("z"))
    envelope = done(text, engine=engine)
    assert envelope.answer == "7"
    assert [one.skipped for one in envelope.steps] == [False, True, False, False]
    assert [one.messages[-1].text for one in engine.seen] == ["one", "1x", "2x"]
    assert [(one.step, one.arguments) for one in envelope.calls] == [("d", {"a": 2, "b": 5})]


def test_a_step_that_fails_is_tried_again_as_often_as_it_says() -> None:
    text = "steps: [{id: a, prompt: hi, retry: 1}]"
    failing = fail(EngineError("the server is gone"))
    engine = ScriptedEngine(failing, say("there"))
    envelope = done(text, engine=engine)
    assert (envelope.answer, envelope.steps[0].tries) == ("there", 2)
    assert engine.seen[1].sampling.temperature > 0
    envelope = done(text, failing, failing)
    assert (envelope.exit_code, envelope.reason) == (1, "failed")
    assert envelope.error == "x.task.yaml:1: step 'a': the server is gone"


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("inputs: {a: {description: a word}}\nprompt: hi", 2, r"needs a \(a word\)"),
        ("prompt: hi\ntools: [ad]", 2, "x.task.yaml:2: no tool named 'ad'; did you mean add"),
        ("prompt: hi\napprove: [erase]", 2, "2: approves 'erase', which the task does not use"),
        ("steps: [{id: a, tool: erase, arguments: {name: x}}]", 2, "add it to `approve`"),
        ("steps: [{id: a, tool: add, arguments: {a: x, b: 1}}]", 2, "1: add: a: 'x' is not of"),
        ("steps: [{id: a, tool: picky, arguments: {word: x}}]", 1, "'x' is not allowed"),
        ("prompt: '{{ [1][5] }}'", 2, "x.task.yaml:1: in the template"),
        ("steps: [{id: a, each: '5', prompt: hi}]", 2, "`each` gives 5, which is no list"),
        ("steps: [{id: a, each: range(20000), prompt: hi}]", 2, "more than 10,000 items"),
        ("steps: [{id: a, tool: slow}]\nlimits: {seconds: 0.3}", 124, "not done after 0.3 seconds"),
    ],
)
def test_what_goes_wrong_is_in_the_envelope(text: str, code: int, says: str) -> None:
    envelope = done(text, say("x"))
    assert envelope.exit_code == code
    assert envelope.error is not None
    assert re.search(says, envelope.error), envelope.error


def test_tokens_are_bounded_over_the_whole_task() -> None:
    text = "limits: {tokens: 3}\nsteps: [{id: a, prompt: x}, {id: b, prompt: y}]"
    envelope = done(text, say("one two"), say("three four"))
    assert (envelope.exit_code, envelope.reason) == (1, "tokens")
    assert envelope.usage.generated == 3


def test_a_call_that_the_file_does_not_approve_is_denied_and_fails_the_task(tmp_path: Path) -> None:
    file = tmp_path / "f"
    text = "prompt: hi\ntools: [erase]"
    lines = (call("erase", name=str(file)), say("I could not."))
    envelope = done(text, *lines)
    assert (envelope.exit_code, envelope.calls[0].ok) == (1, False)
    assert "erase may not be called unasked" in str(envelope.error)
    assert not file.exists()
    envelope = done(f"{text}\napprove: [erase]", *lines)
    assert (envelope.exit_code, file.exists()) == (0, True)


def test_outputs_are_written_when_the_checks_have_passed_and_only_then(tmp_path: Path) -> None:
    text = "prompt: hi\noutputs: {'{{ answer }}.txt': 'it is {{ answer }}'}\nchecks: [{equals: x}]"
    envelope = done(text, say("y"), folder=tmp_path)
    assert (envelope.exit_code, list(tmp_path.iterdir())) == (100, [])
    envelope = done(text, say("x"), folder=tmp_path)
    assert (envelope.files, (tmp_path / "x.txt").read_text()) == (("x.txt",), "it is x\n")
    envelope = done(text.replace("equals: x", "contains: ''"), say("../a"), folder=tmp_path / "b")
    assert "no file in the working folder" in str(envelope.error)


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ("{a.txt: x, lnk/b.txt: x}", "lnk/b.txt leads out of the working folder"),
        ("{a.txt: x, folder: x}", "folder cannot be written: it is a folder"),
        ("{a.txt: x, loop/b.txt: x}", "loop/b.txt cannot be written"),
        ("{a.txt: x, '{{ \"a\\0b\" }}': x}", "'a\\x00b' is no file in the working folder"),
        ("{a.txt: x, '.': x}", "'.' is no file in the working folder"),
        ("{a.txt: x, b.txt: '{{ half }}'}", "the text of 'b.txt' holds half a character"),
        ("\n  a.txt: x\n  '{{ \"./a.txt\" }}': y",
         "x.task.yaml:5: './a.txt' is also written by x.task.yaml:4"),
    ],
)  # fmt: skip
def test_no_output_is_written_when_one_cannot_be(tmp_path: Path, outputs: str, says: str) -> None:
    folder = tmp_path / "work"
    (folder / "folder").mkdir(parents=True)
    (folder / "lnk").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    text = f"prompt: hi\ninputs: {{half: {{default: x}}}}\noutputs: {outputs}"
    envelope = done(text, say("x"), folder=folder, half="\ud83d")
    assert (envelope.ok, envelope.files) == (False, ())
    assert says in str(envelope.error)
    assert not (folder / "a.txt").exists()


def test_outputs_that_were_written_before_one_failed_are_named(tmp_path: Path) -> None:
    envelope = done("prompt: hi\noutputs: {a: x, a/b: x}", say("x"), folder=tmp_path)
    assert (envelope.reason, envelope.files) == ("failed", ("a",))
    assert "a/b cannot be written" in str(envelope.error)
    assert (tmp_path / "a").read_text() == "x\n"


@pytest.mark.parametrize("path", ["~nosuchuser/x", "a\0b", "none.txt"])
def test_a_file_that_no_name_can_stand_for_is_wrong_usage(path: str) -> None:
    envelope = done("inputs: {f: {type: file}}\nprompt: '{{ f }}'", f=path)
    assert (envelope.reason, "cannot be read" in str(envelope.error)) == ("usage", True)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", "nan"), ("number", "-inf"), ("number", "1e400"), ("list", "[NaN]"),
        ("list", "[1e400]"), ("object", '{"a": [Infinity]}'),
    ],
)  # fmt: skip
def test_a_number_that_is_not_finite_is_refused(kind: str, text: str) -> None:
    one = task(f"inputs: {{x: {{type: {kind}}}}}\nprompt: hi")
    with pytest.raises(UsageError):
        inputs.from_text(one, {"x": text})
    value = float(text) if kind == "number" else json.loads(text)
    with pytest.raises(UsageError, match="not finite"):
        inputs.checked(one, {"x": value})


def test_a_file_stands_for_its_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("inside")
    engine = ScriptedEngine(say("x"))
    text = "inputs: {f: {type: file}}\nprompt: '{{ f.path }}: {{ f }}'"
    done(text, engine=engine, f=str(tmp_path / "a.txt"))
    assert engine.seen[0].messages[-1].text == f"{tmp_path / 'a.txt'}: inside"
    assert done(text, f="none.txt").exit_code == 2


CHECKS = [
    ("{contains: two}", True, ""),
    ("{contains: three}", False, 'it is "one two 1,200.5"'),
    ("{contains: three, not: true}", True, ""),
    ("{matches: '^one'}", True, ""),
    ("{equals: ' one two 1,200.5'}", True, ""),
    ("{number: 1200, within: 1}", True, ""),
    ("{number: 1200}", False, "it is 1200.5, 0.5 off"),
    ("{number: '{{ 1200 + 0.5 }}'}", True, ""),
    ("{called: add, arguments: {a: 1}}", True, ""),
    ("{called: add, arguments: {a: 2}}", False, 'called were add({"a": 1, "b": 2})'),
    ("{called: add, count: 2}", False, 'called were add({"a": 1, "b": 2})'),
    ("{called: add, count: 1}", True, ""),
    ("{calls: [add]}", True, ""),
    ("{calls: [add, add]}", False, "called were"),
    ("{no_calls: true}", False, "called were"),
    ("{files: [none.txt]}", False, "none.txt is not there"),
    ("{seconds_under: 60}", True, ""),
    ("{tokens_under: 1}", False, "it wrote 3 tokens"),
    ("{of: '{{ {\"a\": [1, 2]} }}', path: '$.a[1]', equals: 2}", True, ""),
    ("{of: '{{ {\"a\": [1, 2]} }}', path: '$.b'}", False, "there is nothing at $.b"),
    ("{path: '$.b'}", False, "it is no JSON"),
    ("{path: '$.b', not: true}", False, "it is no JSON"),
    ("{path: '$.b', equals: 1, not: true}", False, "it is no JSON"),
    ("{number: \"{{ 'x' }}\", not: true}", False, '"x" is no number'),
    ("{matches: \"{{ '(' }}\", not: true}", False, "'(' is no regular expression"),
    ("{accepted: \"{{ 'x' }}\", not: true}", False, "is no list of"),
    ("{of: \"{{ 'a' * 40 }}b\", matches: '^(a|a)+$', not: true}", False, "not decided within 1"),
    (
        '{of: \'{{ ["a" * 40 ~ "b"] }}\', json: whole, not: true,'
        " schema: {items: {type: string, pattern: '^(a|a)+$'}}}",
        False,
        "not decided within 1",
    ),
    ("{of: '5', json: whole, schema: {type: integer}, not: true}", False, "it is"),
    ("{files: [\"{{ '\\0' }}\"]}", False, "is not there"),
]


@pytest.mark.parametrize(("check", "passed", "saw"), CHECKS)
def test_a_check_says_what_it_saw(check: str, passed: bool, saw: str) -> None:
    text = f"prompt: hi\ntools: [add]\nchecks: [{check}]"
    envelope = done(text, call("add", a=1, b=2), say("one two 1,200.5"))
    [found] = envelope.checks
    assert (found.passed, envelope.exit_code) == (passed, 0 if passed else 100)
    assert saw in found.why


def test_a_judge_is_asked_for_a_reason_and_a_verdict() -> None:
    text = "prompt: hi\nchecks: [{judge: 'Is it kind?'}]"
    engine = ScriptedEngine(say("dear"), say('{"reason": "it says dear", "verdict": "yes"}'))
    envelope = done(text, engine=engine)
    assert (envelope.exit_code, envelope.checks[0].why) == (0, "it says dear")
    assert "Is it kind?" in str(engine.seen[1].messages[-1].text)
    envelope = done(text, say("go"), say('{"reason": "rude", "verdict": "no"}'))
    assert (envelope.exit_code, envelope.checks[0].why) == (100, "rude")


def test_a_run_that_is_stopped_is_interrupted() -> None:
    stop = Stop()
    stop.now()
    envelope = run(task("prompt: hi"), {}, Means(ScriptedEngine(say("x")), stop=stop))
    assert (envelope.exit_code, envelope.reason) == (130, "interrupted")


def test_a_stop_just_before_a_turn_begins_no_reply() -> None:
    stop, engine = Stop(), ScriptedEngine(say("a whole reply of many words"))

    def offering() -> Offering:
        stop.now()
        return Offering(None, 10)

    envelope = run(task("prompt: hi"), {}, Means(engine, offering=offering, stop=stop))
    assert (envelope.reason, engine.seen) == ("interrupted", [])


def test_a_stop_that_the_engine_forgets_ends_its_reply_all_the_same() -> None:
    stop = Stop()

    class Forgetful(ScriptedEngine):
        def reply(self, *args: Any, **named: Any) -> Any:
            stop.now()
            return (yield from super().reply(*args, **named))

    envelope = run(task("prompt: hi"), {}, Means(Forgetful(say("a b c d")), stop=stop))
    assert (envelope.reason, envelope.usage.generated) == ("interrupted", 1)


def test_a_step_may_narrow_the_tools_of_its_task() -> None:
    engine = ScriptedEngine(say("a"), say("b"), say("c"))
    steps = (
        "steps: [{id: a, prompt: x}, {id: b, prompt: x, tools: [picky]},"
        " {id: c, prompt: x, tools: []}]"
    )
    assert run(task(f"tools: [add, picky]\n{steps}"), {}, Means(engine, TOOLS)).ok
    offered = [[one.name for one in seen.tools] for seen in engine.seen]
    assert offered == [["add", "picky"], ["picky"], []]


def test_a_tool_that_only_a_step_calls_is_not_offered_to_the_model() -> None:
    engine = ScriptedEngine(say("a"))
    steps = "steps: [{id: a, tool: add, arguments: {a: 1, b: 2}}, {id: b, prompt: x}]"
    assert run(task(steps), {}, Means(engine, TOOLS)).ok
    assert engine.seen[0].tools == ()


LEFT_OUT = 'steps: [{id: a, if: 1 > 2, prompt: x}, {id: b, prompt: "%s"}]'


@pytest.mark.parametrize(
    "text",
    [
        "it costs {{ steps.a.answer }}",
        "{{ steps.a.answer }}",
        "{{ steps.a.answer | upper }}",
        "{{ 'x' ~ steps.a.answer }}",
        "{{ steps.a.answer.price }}",
        "{% for one in steps.a.answer %}{{ one }}{% endfor %}",
    ],
)
def test_the_answer_of_a_step_that_was_skipped_cannot_be_written_unasked(text: str) -> None:
    envelope = run(task(LEFT_OUT % text), {}, Means(ScriptedEngine(say("a"))))
    assert envelope.exit_code == 2
    assert "the step 'a' was skipped and has no answer; ask first" in str(envelope.error)
    assert "{% if steps.a.answer is not none %}" in str(envelope.error)


@pytest.mark.parametrize(
    "text",
    [
        "x{% if steps.a.answer is not none %}{{ steps.a.answer }}{% endif %}",
        "x{% if steps.a.answer %}{{ steps.a.answer }}{% endif %}",
        "x{% if steps.a.answer != none %}{{ steps.a.answer }}{% endif %}",
        "x{{ steps.a.answer | default('') }}",
        "x{% if not steps.a.skipped %}{{ steps.a.answer }}{% endif %}",
    ],
)
def test_a_template_may_ask_whether_a_step_was_skipped(text: str) -> None:
    engine = ScriptedEngine(say("a"))
    assert run(task(LEFT_OUT % text), {}, Means(engine)).ok
    assert engine.seen[0].messages[-1].text == "x"


WHOLE = """
inputs: {n: {type: integer, default: 2}}
tools: [add, picky, erase]
steps:
  - {id: a, prompt: "add {{ n }}"}
  - {id: b, tool: add, arguments: {a: "{{ n }}", b: 1}}
  - {id: c, prompt: "{{ steps.b.answer }}", retry: 1, schema: {enum: [yes, no]}}
checks: [{called: picky}, {judge: 'Is it so?'}, {seconds_under: 0.000001, not: true}]
"""
SAID = (
    call("add", a=1, b=2), call("picky", word="x"), call("erase", name="y"), say("three"),
    fail(EngineError("gone")), say('"yes"'), say('{"reason": "so it is", "verdict": "yes"}'),
)  # fmt: skip


def _recorded(tmp_path: Path) -> tuple[Path, Envelope]:
    file = tmp_path / "r.jsonl"
    recorder, means = tape.Recorder(), Means(ScriptedEngine(*SAID), TOOLS)
    envelope = run(task(WHOLE), {}, tape.recorded(means, recorder))
    recorder.save(file, task(WHOLE), {}, means)
    return file, envelope


def replay(file: Path, one: Task) -> Envelope:
    means, given = tape.replayed(file, one, {})
    return run(one, given, means)


def test_a_replay_gives_the_same_envelope_without_model_and_tools(tmp_path: Path) -> None:
    file, envelope = _recorded(tmp_path)
    assert [one.ok for one in envelope.calls] == [True, False, False, True]
    assert "erase may not be called" in str(envelope.error)
    again = replay(file, task(WHOLE))
    assert timeless(again.as_dict()) == timeless(envelope.as_dict())


def test_a_replay_of_another_task_or_input_says_what_differs(tmp_path: Path) -> None:
    file, _ = _recorded(tmp_path)
    for text, given, says in (
        (WHOLE.replace("add {{ n }}", "sum {{ n }}"), {},
         "the task's step 'a': prompt was \"add {{ n }}\" and is \"sum {{ n }}\""),
        (WHOLE.replace("[yes, no]", "[yes, maybe]"), {},
         "the task's step 'c': schema.enum[1] was \"no\" and is \"maybe\""),
        (WHOLE.replace("id: b, ", "id: b, retry: 2, "), {},
         "the task's step 'b': retry is new: 2"),
        (WHOLE.replace("id: c", "id: d"), {},
         "the task's step 'c' is gone; the task's step 'd' is new"),
        (WHOLE.replace("retry: 1, ", ""), {}, "the task's step 'c': retry is gone: 1"),
        (f"{WHOLE}sampling: {{seed: 1}}", {}, "the task's sampling is new: {"),
        (WHOLE.replace("add {{ n }}", "word " * 99 + "end"), {}, "\"add {{ n }}\" and is \"word"),
        (WHOLE, {"n": 3}, "the input n was 2 and is 3"),
    ):  # fmt: skip
        with pytest.raises(tape.ReplayDiffers, match=re.escape(says)):
            tape.replayed(file, task(text), given)
    for damaged in ("", "x", "[]", '{"kind": "begin"}', '{"kind": "begin", "version": 9}'):
        (tmp_path / "bad").write_text(damaged)
        with pytest.raises(tape.ReplayDiffers, match="bad"):
            tape.replayed(tmp_path / "bad", task(WHOLE), {})


def test_of_long_texts_what_begins_before_they_differ_is_told() -> None:
    words = "one two three " * 50
    was, is_now = apart(f"{words}four", f"{words}five")
    assert (was, is_now) == ('"…wo three one two three four"', '"…wo three one two three five"')


def test_another_order_of_keys_is_told() -> None:
    then, now = {"schema": {"a": 1, "b": 2}}, {"schema": {"b": 2, "a": 1}}
    assert told(then, now, ()) == ["the order of the keys of schema is another"]
    assert told(then, now, ("schema",)) == []


def test_a_replay_of_a_record_that_was_cut_or_has_more_says_so(tmp_path: Path) -> None:
    file, _ = _recorded(tmp_path)
    lines = file.read_text().splitlines()
    for kept, says in ((lines[:-2], "come to its end"), ([*lines, lines[-1]], "goes on where")):
        file.write_text("\n".join(kept))
        envelope = replay(file, task(WHOLE))
        assert says in str(envelope.error)
        assert envelope.exit_code == 2


def test_a_replay_of_a_damaged_record_says_so(tmp_path: Path) -> None:
    file, _ = _recorded(tmp_path)
    lines = file.read_text().splitlines()
    begin = json.loads(lines[0])
    for damaged, says in (
        ({"kind": "begin", "version": 1}, "bad:1 lacks"),
        ({**begin, "tools": {"add": 1}}, "bad:1 lacks"),
        ({**begin, "inputs": []}, "bad:1 lacks"),
    ):
        (tmp_path / "bad").write_text("\n".join([json.dumps(damaged), *lines[1:]]))
        with pytest.raises(tape.ReplayDiffers, match=says):
            tape.replayed(tmp_path / "bad", task(WHOLE), {})
    for more in ("7", '{"kind": "reply"}', '{"kind": "call", "value": {"name": "add"}}'):
        (tmp_path / "bad").write_text("\n".join([*lines, more]))
        with pytest.raises(tape.ReplayDiffers, match=f"bad:{len(lines) + 1} is damaged"):
            tape.replayed(tmp_path / "bad", task(WHOLE), {})
    for number, line in enumerate(lines):
        for wrong in ('"x"', "null", "[]", "{}"):
            cut = {**json.loads(line), "value": json.loads(wrong)}
            if cut["kind"] in ("begin", "call", "stable"):
                continue
            file.write_text("\n".join([*lines[:number], json.dumps(cut), *lines[number + 1 :]]))
            try:
                envelope = replay(file, task(WHOLE))
            except tape.ReplayDiffers:
                continue
            says_nothing = cut["kind"] == "announced" and not cut["value"]
            assert envelope.exit_code == 2 or says_nothing, cut


def test_checks_may_change_and_are_checked_against_the_record(tmp_path: Path) -> None:
    file, _ = _recorded(tmp_path)
    changed = task(WHOLE.replace("{called: picky}", "{called: add, count: 5}"))
    envelope = replay(file, changed)
    assert not envelope.checks[0].passed


def test_a_skill_is_told_before_the_prompt_and_one_that_is_not_there_is_refused() -> None:
    engine = ScriptedEngine(say("x"))
    named = task("prompt: hi\nskills: [brief]")
    told = {"brief": SystemMessage("Be brief.")}
    assert run(named, {}, Means(engine, skills=told)).ok
    assert [one.text for one in engine.seen[0].messages[-2:]] == ["Be brief.", "hi"]
    envelope = run(named, {}, Means(engine))
    assert (envelope.exit_code, envelope.error) == (
        2, "x.task.yaml:2: no skill named 'brief'; there are none",
    )  # fmt: skip


@pytest.mark.parametrize("key", ["equals", "same"])
@pytest.mark.parametrize(("said", "passed"), [("null", True), ('"x"', False), ("0", False)])
def test_null_can_be_asked_for(key: str, said: str, passed: bool) -> None:
    text = f"prompt: hi\nchecks: [{{path: $.a, {key}: null}}, {{path: $.a, {key}: , not: true}}]"
    envelope = done(text, say(f'{{"a": {said}}}'))
    assert [one.passed for one in envelope.checks] == [passed, not passed]
