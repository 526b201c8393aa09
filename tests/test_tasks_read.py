"""Task files: what may stand in them, and that every mistake is told with its line."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import UsageError
from agent.tasks import schema
from agent.tasks.read import parse, read
from agent.tasks.task import Task, TaskFileError
from agent.tasks.templates import TemplateProblem, evaluate, render, value

ROOT = Path(__file__).parent.parent


def task(text: str, name: str = "x.task.yaml") -> Task:
    return parse(text, Path(name))


def mistakes(text: str, name: str = "x.yaml") -> list[str]:
    with pytest.raises(TaskFileError) as error:
        task(text, name)
    return [one.removeprefix(f"{name}:") for one in error.value.mistakes]


def test_all_mistakes_are_told_at_once_with_their_lines() -> None:
    found = mistakes(
        "promt: hi\n"
        "inputs:\n"
        "  text: {type: strng}\n"
        "sampling: {temprature: 1}\n"
        "prompt: |\n"
        "  one\n"
        "  {{ txt }}\n"
        "checks:\n"
        "  - contain: x\n"
    )
    assert found == [
        "1: unknown key 'promt'; did you mean 'prompt'?",
        "3: inputs.text.type is 'strng'; did you mean 'string'?",
        "4: unknown key 'temprature'; did you mean 'temperature'?",
        "7: there is no 'txt' here; did you mean 'text'?",
        "9: a check says what is checked: contains, matches, equals, same, json, number, "
        "called, calls, accepted, no_calls, files, seconds_under, tokens_under, judge or path",
        "9: unknown key 'contain'; did you mean 'contains'?",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "1: a task has keys"),
        ("- x", "1: a task has keys"),
        ("prompt: [", "1: is no YAML"),
        ("a:\n\tb: 1", "2: is no YAML"),
        ("prompt: hi\nprompt: ho", "2: 'prompt' stands here twice, first in line 1"),
        ("inputs: &a [*a]", "1: this alias stands for something that contains it: no end"),
        ("prompt: {{ x }}", "1: a key has to be a word; a text that begins with {{ wants quotes"),
        ("steps: [{id: a, prompt: What?}]", "1: is no YAML: while parsing a flow mapping"),
        ("name: x", "1: a task needs a `prompt`, or `steps`"),
        ("prompt: hi\nsteps: [{id: a, prompt: b}]", "2: a task has a prompt or steps"),
        ("steps: [{id: a}]", "1: a step has a prompt or a tool, and this one has neither"),
        ("steps:\n- {id: a, prompt: x}\n- {id: a, prompt: x}", "3: there are two steps named 'a'"),
        ("steps:\n- {id: a, prompt: x, retry: 1000000}", "2: steps[0].retry is 1000000"),
        ("steps:\n- {id: a, prompt: '{{ steps.b.answer }}'}\n- {id: b, prompt: x}",
         "2: the step 'b' has not been done here yet"),
        ("steps:\n- {id: a, prompt: '{{ item }}'}", "2: 'item' is there only in a step with"),
        ("prompt: hi\nchecks:\n- {contains: a, equals: b}", "3: a check says one thing"),
        ("prompt: hi\nchecks:\n- {matches: '('}", "3: '(' is no regular expression"),
        ("prompt: hi\nchecks:\n- {path: '$.['}", "3: '$.[' is no JSON path"),
        ("prompt: hi\nchecks:\n- {path: a.b}", "3: 'a.b' is no JSON path: it begins with"),
        ("prompt: hi\nchecks:\n- {path: ''}", "3: '' is no JSON path"),
        ("prompt: hi\nchecks:\n- {path: $.a, schema: {}}", "3: 'schema' goes with json, not with"),
        ("prompt: hi\nchecks:\n- {path: $.a, within: 3}", "3: 'within' goes with number or same"),
        ("prompt: hi\nchecks:\n- {path: $.a, contains: }", "3: 'contains' is empty"),
        ("prompt: hi\nchecks:\n- {number: twelve}", "3: 'twelve' is no number, and no template"),
        ("prompt: hi\nchecks:\n- {of: answer.a, equals: 3}", "3: 'answer.a' is the words themselv"),
        ("prompt: hi\nrequired: [a]", "2: unknown key 'required'; it belongs under `schema`"),
        ("prompt: hi\nschema: {type: string, pattern: 'a(?=b)'}",
         "2: no answer can be constrained to this schema: at 1(8): failed to compile JSON schema: "
         "regex parse error: look-around"),
        ("prompt: hi\nschema: {properties: {a: {type: string}}, type: object}\n"
         "checks: [{path: $.a.b, equals: x}]", "3: $.a.b: the schema has no 'b'"),
        ("prompt: hi\nchecks:\n- {path: '$[?@.b==1e400]'}", "3: '$[?@.b==1e400]' is no JSON path"),
        ("prompt: hi\nchecks:\n- {contains: 5}", "3: checks[0].contains is 5, and must be a text"),
        ("prompt: hi\ntools: [calculate]\nchecks: [{called: calculat}]",
         "3: the task has no tool 'calculat'; did you mean 'calculate'?"),
        ("prompt: hi\nlimits: {steps: 0}", "2: limits.steps is 0"),
        ("prompt: hi\nlimits: {seconds: 1e12}", "2: limits.seconds is 1000000000000.0"),
        ("prompt: hi\nlimits: {tool_seconds: 1e12}", "2: limits.tool_seconds is"),
        ("prompt: hi\nschema:\n " + "{items: " * 150 + "{}" + "}" * 150,
         "3: lies more than 60 deep in other values"),
        ("prompt: hi\noutputs: {../a: b}", "2: '../a' lies outside of the working folder"),
        ("prompt: hi\nschema: {type: strin}", "2: a schema has no type 'strin'; did you"),
        ("prompt: hi\nschema: {not: {type: string}}", '2: no answer can be constrained'),
        ("prompt: hi\nschema: {type: integer, minimum: 5, maximum: 3}", "2: no answer can be"),
        ("prompt: hi\nschema: {$ref: 'http://x.y/z'}", "2: the schema takes 'http://x.y/z' from"),
        ("prompt: hi\ninputs: {n: {type: integer, default: x}}", "2: the default 'x' is not a"),
        ("prompt: hi\ninputs: {n: {choices: [a, 2]}}", "2: the choice 2 is not a text"),
        ("prompt: hi\ninputs: {steps: {}}", "2: 'steps' means something else in a template"),
        ("tools: [add]\nsteps: [{id: a, prompt: x, tools: [ad]}]",
         "2: the task's `tools` have no 'ad'; did you mean 'add'?"),
        ("steps: [{id: a, tool: x, tools: []}]", "1: 'tools' goes with a prompt"),
        ("prompt: 'a {% if %}'", "1: in the template: Expected an expression"),
        ("prompt: |\n  a\n  {{ 'a' | uper }}", "3: no filter 'uper'; did you mean upper?"),
        ("prompt: \"{{ 'b' if 1 is foo else 'a' | uper }}\"", "1: no test 'foo'"),
        ("prompt: \"{{ 'b' if 1 is foo else 'a' | uper }}\"", "1: no filter 'uper'"),
        ("steps:\n- {id: a, prompt: x}\n- {id: b, if: steps.a.answer is evn, prompt: x}",
         "3: no test 'evn'; did you mean even?"),
        ("steps:\n- {id: a, each: '[1] | lst', prompt: x}", "2: no filter 'lst'; did you mean"),
        ("steps:\n- {id: a, tool: x, arguments: {b: '{{ 1 | flot }}'}}",
         "2: no filter 'flot'; did you mean float?"),
        ("prompt: hi\noutputs: {a: '{{ answer | lowr }}'}", "2: no filter 'lowr'; did you mean"),
        ("prompt: hi\nchecks: [{of: '{{ answer | jons }}', contains: a}]", "2: no filter 'jons'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(text: str, says: str) -> None:
    assert [one for one in mistakes(text) if one.startswith(says)]


SORTS = (
    "steps:\n"
    "- id: sort\n"
    "  prompt: hi\n"
    "  schema: {type: object, additionalProperties: false, properties:\n"
    "    {kind: {enum: [repair, order]}, parts: {type: array, items: {type: object,\n"
    "    properties: {price: {type: number}}, additionalProperties: false}}}}\n"
)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("checks:\n- {path: $.knd, equals: order}", "8: $.knd: the schema has no 'knd'; did you "
         "mean 'kind'?"),
        ("checks:\n- {of: '{{ steps.sort.answer }}', path: '$.parts[0].prise'}",
         "8: $.parts[0].prise: the schema has no 'prise'; did you mean 'price'?"),
        ("checks:\n- {path: $.kind, equals: ordr}",
         "8: 'ordr' is no value that the schema has here; did you mean 'order'?"),
        ("checks:\n- {of: '{{ steps.sort.answer.kind }}', equals: xyz}",
         "8: 'xyz' is no value that the schema has here; there are: order, repair"),
        ("- {id: a, prompt: '{{ steps.sort.answer.kid }}'}",
         "7: the answer of 'sort' has no 'kid'; did you mean 'kind'?"),
        ("- {id: a, if: 'steps.sort.answer.parts[0].prise > 3', prompt: x}",
         "7: the answer of 'sort' has no 'prise'; did you mean 'price'?"),
        ("- {id: a, prompt: '{{ steps.sort.anser }}'}",
         "7: a step has no 'anser'; did you mean 'answer'?"),
        ("outputs: {a.txt: '{{ answer.kid }}'}",
         "7: the answer has no 'kid'; did you mean 'kind'?"),
        ("eval: {label: {kind: $.knd}}", "7: $.knd: the schema has no 'knd'; did you mean 'kind'?"),
    ],
)  # fmt: skip
def test_what_a_closed_schema_cannot_have_is_a_mistake(more: str, says: str) -> None:
    assert mistakes(SORTS + more) == [says]


@pytest.mark.parametrize(
    "more",
    [
        "checks:\n- {path: $.kind, equals: ' order '}",
        "checks:\n- {path: $.knd, not: true}",
        "checks:\n- {path: $..price}",
        "checks:\n- {path: '$.parts[*].prise'}",
        "checks:\n- {of: '{{ steps.sort.answer | lower }}', equals: praise}",
        "checks:\n- {path: $.kind, equals: '{{ steps.sort.answer.kind }}'}",
        "- {id: a, prompt: '{{ steps.sort.answer.kid | default(1) }}'}",
        "- {id: a, prompt: '{{ steps.sort.answer.items() | list }}'}",
        "- {id: a, each: '[1]', prompt: x}\n- {id: b, prompt: '{{ steps.a.answer.kid }}'}",
        "- {id: a, if: 1 > 2, prompt: x, schema: {type: object, properties: {},\n"
        "  additionalProperties: false}}\nchecks: [{path: $.kind}]",
        "- {id: a, prompt: x, schema: {anyOf: [{type: string}]}}\nchecks: [{path: $.knd}]",
        "- {id: a, prompt: x, schema: {type: object, properties: {a: {type: string}}}}\n"
        "checks: [{path: $.b}]",
        "- {id: a, tool: x}\nchecks: [{path: $.b}]",
    ],
)
def test_nothing_is_said_of_what_cannot_be_known(more: str) -> None:
    assert task(SORTS + more)


def test_the_body_of_a_markdown_file_is_the_prompt_and_its_lines_are_those_of_the_file() -> None:
    made = task("---\ninputs: {x: {}}\n---\n\nHello\n{{ x }}\n", "x.task.md")
    assert made.form.prompt == "Hello\n{{ x }}\n"
    assert made.name == "x"
    assert mistakes("---\ninputs: {x: {}}\n---\n\nHello\n{{ y }}\n", "x.md")[0].startswith("6: ")
    assert mistakes("---\nprompt: a\n---\nb", "x.md")[0].startswith("2: the text below the head")
    assert mistakes("---\nname: a\n", "x.md") == ["1: the head that begins here has no end (---)"]


def test_words_of_yaml_1_1_are_texts() -> None:
    made = task("prompt: hi\nchecks: [{equals: yes}, {equals: 12:30}, {equals: 2024-01-01}]")
    assert [one.equals for one in made.form.checks] == ["yes", "12:30", "2024-01-01"]


def test_the_hash_is_of_what_is_said_and_not_of_how() -> None:
    one = task("prompt: hi\nlimits: {steps: 3}\n")
    same = task("# a comment\nname: other\nlimits:\n  steps: 3\nprompt: 'hi'\n")
    assert one.hash == same.hash
    assert one.hash != task("prompt: hi\nlimits: {steps: 4}\n").hash


def test_a_file_that_is_no_task_is_a_clear_error(tmp_path: Path) -> None:
    for name in ("none.yaml", "x.txt"):
        with pytest.raises(UsageError, match=name):
            read(tmp_path / name)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(UsageError, match="UTF-8"):
        read(tmp_path / "b.yaml")


@given(st.text(max_size=200))
def test_any_text_is_a_task_or_a_list_of_mistakes(text: str) -> None:
    for name in ("x.yaml", "x.md"):
        told = _told(text, name)
        assert all(one.startswith(f"{name}:") for one in told)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
KEYS = ["prompt", "steps", "checks", "inputs", "schema", "outputs", "limits", "tools", "sampling"]


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_any_values_are_a_task_or_a_list_of_mistakes(data: dict[str, object]) -> None:
    assert all(_told(yaml.safe_dump(data), "x.yaml"))


def _told(text: str, name: str) -> tuple[str, ...]:
    try:
        parse(text, Path(name))
    except TaskFileError as error:
        return error.mistakes
    return ()


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("\n{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", 2,
         "loops more than"),
        ("{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}", 1, "calls itself without an end"),
        ("{{ 'x' * 10**9 }}", 1, "makes something of"),
        ("a\n{{ 'x'.ljust(10**9) }}", 2, "makes something of"),
        ("{{ 'x' | center(10**9) }}", 1, "makes something of"),
        ("{% set n = namespace(a='x') %}{% for i in range(99) %}{% set n.a = n.a ~ n.a %}"
         "{% endfor %}", 1, "makes something of"),
        ("{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}\n{{ f(60) }}",
         1, "loops more than"),
        ("{% for a in [[]] recursive %}{{ loop([a]) }}{% endfor %}", 1, "without an end"),
        ("{% macro f(n, s) %}{{ f(n - 1, s ~ s) if n }}{% endmacro %}{{ f(60, 'xx') }}", 1,
         "makes something of"),
        ("{{ '%900000000d' | format(1) }}", 1, "makes something of"),
        ("{{ '%(a)900000000d' | format(a=1) }}", 1, "makes something of"),
        ("{{ ('%99999d' * 1000) % ((1,) * 1000) }}", 1, "makes something of"),
        ("{{ '%*d' % (9, 1) }}", 1, "wider than is meant"),
        ("{{ '%((a))9d' % {'(a)': 1} }}", 1, "brackets in a name"),
        ("{{ ('%s' * 1000) % (('x' * 10000,) * 1000) }}", 1, "makes something of"),
        ("{{ '{:900000000}'.format(1) }}", 1, "makes something of"),
        ("{{ '{a:900000000}'.format_map({'a': 1}) }}", 1, "makes something of"),
        ("{{ ('{0:{1}}' * 99).format(1, 999999) }}", 1, "makes something of"),
        ("{{ ('x' * 100000).replace('x', 'y' * 9000) }}", 1, "makes something of"),
        ("{{ ('x' * 100000) | replace('x', 'y' * 9000) }}", 1, "makes something of"),
        ("{{ ('x' * 10000).join(range(1000) | map('string')) }}", 1, "makes something of"),
        ("{{ range(1000) | join('x' * 10000) }}", 1, "makes something of"),
        ("{{ ('\t' * 10000).expandtabs(tabsize=1000000) }}", 1, "makes something of"),
        ("{{ ('x' * 10000).translate({120: 'x' * 1000}) }}", 1, "makes something of"),
        ("{{ ('\\n' * 10000) | indent(10000) }}", 1, "makes something of"),
        ("{{ ('x ' * 10000) | wordwrap(1, wrapstring='x' * 10000) }}", 1, "makes something of"),
        ("{{ range(10**9) }}", 1, "Range too big"),
        ("{{ ''.__class__ }}", 1, "unsafe"),
        ("\n\n{{ nothing }}", 3, "'nothing' is undefined"),
    ],
)  # fmt: skip
def test_a_template_that_does_not_end_is_told_with_its_line(
    text: str, line: int, says: str
) -> None:
    with pytest.raises(TemplateProblem, match=says) as error:
        render(text, {})
    assert error.value.line == line


def test_filters_and_methods_that_are_bounded_do_what_they_do_elsewhere() -> None:
    for text, made in (
        ("{{ '%s is %05.1f%%' | format('x', 5) }}", "x is 005.0%"),
        ("{{ '%(a)s' % {'a': 'b'} }}{{ '%d' % 5 }}", "b5"),
        ("{{ '{:>4}|{a[0]}'.format('x', a=[1]) }}{{ '{a}'.format_map({'a': 1}) }}", "   x|11"),
        ("{{ 'aba'.replace('a', 'c') }}{{ 'aba' | replace('a', 'c', 1) }}", "cbccba"),
        ("{{ '-'.join(['a', 'b'] | map('upper')) }}{{ [1, 'a'] | join(', ') }}", "A-B1, a"),
        ("{{ [{'n': 1}, {'n': 2}] | join('|', attribute='n') }}", "1|2"),
        ("{{ 'a\nb' | indent(2) }}{{ 'a b' | wordwrap(1) }}", "a\n  ba\nb"),
        ("{{ '\t'.expandtabs(2) }}{{ 'ab'.translate({97: 'c'}) }}", "  cb"),
        ("{% macro f(n) %}{{ n }}{{ f(n - 1) if n }}{% endmacro %}{{ f(3) }}", "3210"),
        ("{% for a in [[[]]] recursive %}x{{ loop(a) }}{% endfor %}", "xx"),
    ):
        assert render(text, {}) == made


def test_what_is_still_to_be_done_in_a_value_is_done() -> None:
    assert evaluate("['a'] | map('upper')", {}) == ["A"]
    for text in ("['x'] | map('round')", "[{}] | map(attribute='a') | list", "{'a': nothing}"):
        with pytest.raises(TemplateProblem):
            evaluate(text, {})


def test_values_keep_their_types_in_templates() -> None:
    there = {"n": 5, "list": [1, "a"], "none": None}
    assert value({"a": "{{ n }}", "b": "n={{ n }}", "c": [True]}, there) == {
        "a": 5, "b": "n=5", "c": [True],
    }  # fmt: skip
    assert render("{{ list }}{{ none }}{{ true }}", there) == '[1, "a"]true'
    assert evaluate("n > 3 and list[1] == 'a'", there) is True
    assert evaluate("{{ n }}", there) == 5


def test_the_published_schema_is_current_and_takes_the_example() -> None:
    assert (ROOT / schema.FILE).read_text("utf-8") == schema.text()
    example = (ROOT / "agent" / "tasks" / "example.yaml").read_text("utf-8")
    task(example)
    jsonschema.validate(yaml.safe_load(example), json.loads(schema.text()))
