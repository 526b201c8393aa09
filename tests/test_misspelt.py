"""What is misspelt in a JSON schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tasks import misspelt
from agent.tasks.read import parse
from agent.tasks.task import TaskFileError
from tests.test_cli import here


def told(schema: Any, look: Any = misspelt.mistakes) -> list[str]:
    return [f"{'.'.join(map(str, place))}: {said}" for place, said in look(schema, ())]


CLOSED = {"properties": {"kind": {}, "of": {}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "mistakes"),
    [
        ({"maxlength": 4}, ["maxlength: a schema has no key 'maxlength'; did you mean 'maxLen"]),
        ({"Type": "string"}, ["Type: a schema has no key 'Type'; did you mean 'type'?"]),
        ({"type": "int"}, ["type: a schema has no type 'int'; did you mean 'integer'?"]),
        ({"type": ["str", "null"]}, ["type: a schema has no type 'str'; did you mean 'string'?"]),
        ({"type": "Strng"}, ["type: a schema has no type 'Strng'; did you mean 'string'?"]),
        ({"type": None}, ['type: the type null is written in quotes: "null"']),
        ({"type": ["string", None]}, ['type: the type null is written in quotes: "null"']),
        ({"properties": None}, ["properties: 'properties' is empty: indent those that belong"]),
        (
            {"properties": {"a": {}, "required": ["a"], "b": None}},
            [
                "properties.required: 'required' among the properties is no schema; is it to stand",
                "properties.b: 'b' among the properties is no schema",
            ],
        ),
        ({"type": "any"}, ["type: a schema has no type 'any'; there are: string, integer"]),
        ({"type": "enum"}, ["type: a schema has no type 'enum'; there are: string, integer"]),
        (
            {**CLOSED, "required": ["kinds", "of"]},
            ["required.0: 'kinds' is required and no property; did you mean 'kind'?"],
        ),
        (
            {**CLOSED, "required": ["other"]},
            ["required.0: 'other' is required and no property; there are: kind, of"],
        ),
        (
            {"items": {"anyOf": [{}, {"properties": {"tags": {"type": "list"}}}]}},
            ["items.anyOf.1.properties.tags.type: a schema has no type 'list'; did you mean 'ar"],
        ),
        ({"$defs": {"one": {"maxitems": 3}}}, ["$defs.one.maxitems: a schema has no key 'maxit"]),
        ({"definitions": {"one": {"type": "str"}}}, ["definitions.one.type: a schema has no type"]),
        ({"dependentSchemas": {"a": {"type": "str"}}}, ["dependentSchemas.a.type: a schema has "]),
    ],
)
def test_what_cannot_be_meant_is_a_mistake_with_its_place_and_the_nearest_word(
    schema: Any, mistakes: list[str]
) -> None:
    found = told(schema)
    assert len(found) == len(mistakes)
    assert all(one.startswith(begin) for one, begin in zip(found, mistakes, strict=True))


@pytest.mark.parametrize(
    ("schema", "doubts"),
    [
        (
            {"proprties": {}},
            ["proprties: 'proprties' is no key of a schema; did you mean 'propert"],
        ),
        ({"items": {"minimun": 3}}, ["items.minimun: 'minimun' is no key of a schema; did you "]),
        ({"formats": 1}, ["formats: 'formats' is no key of a schema; did you mean 'format'?"]),
        (
            {"properties": {"kind": {}}, "required": ["kinds"]},
            ["required.0: 'kinds' is required and no property; did you mean 'kind'?"],
        ),
    ],
)
def test_what_may_be_meant_is_a_doubt_and_no_mistake(schema: Any, doubts: list[str]) -> None:
    assert told(schema) == []
    found = told(schema, misspelt.doubts)
    assert len(found) == len(doubts)
    assert all(one.startswith(begin) for one, begin in zip(found, doubts, strict=True))


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"x-unit": "m", "comment": "free words", "nullable": True},
        {"title_en": "a", "description_de": "b", "note": "c", "when": "d"},
        {"properties": {"name": {"type": "string", "example": "Ada", "xml": {"name": "n"}}}},
        {"properties": {"maxlength": {"type": "string"}, "type": {"enum": ["int"]}}},
        {"properties": {"a": {}}, "required": ["other"]},
        {**CLOSED, "properties": {"name": {}, "names": {}}, "required": ["name", "names"]},
        {**CLOSED, "patternProperties": {"^a": {}}, "required": ["ab"]},
        {"const": {"type": "int", "maxlength": 4}, "default": {"type": "int"}},
        {"enum": [{"type": "int"}], "examples": [{"maxlength": 1}], "example": {"type": "int"}},
        {"dependentRequired": {"type": ["kind"]}, "dependencies": {"type": ["kind"]}},
    ],
)
def test_what_a_schema_may_say_is_neither(schema: Any) -> None:
    assert told(schema) == told(schema, misspelt.doubts) == []


WORDS = st.sampled_from(misspelt.KEYS) | st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(WORDS, inside, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_nothing_that_is_json_is_an_error(schema: Any) -> None:
    found = [*misspelt.mistakes(schema, ("schema",)), *misspelt.doubts(schema, ("schema",))]
    assert all(place[0] == "schema" and said for place, said in found)


def test_a_task_file_tells_the_line_of_each() -> None:
    text = """prompt: hi
schema:
  type: object
  properties:
    kind: {type: string, maxlength: 4}
    n:
      type: integer
      maximum: "5"
checks:
  - json: whole
    schema:
      type: dict
"""
    with pytest.raises(TaskFileError) as caught:
        parse(text, Path("t.yaml"))
    assert [one.partition(": ")[0] for one in caught.value.mistakes] == ["t.yaml:5", "t.yaml:12"]
    with pytest.raises(TaskFileError) as caught:
        parse(text.replace("maxlength", "maxLength").replace("dict", "object"), Path("t.yaml"))
    (mistake,) = caught.value.mistakes
    assert mistake.startswith("t.yaml:8: this is no JSON schema: '5' is not of type 'number'")


def test_a_doubt_is_told_by_the_check_and_the_task_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "prompt: hi\nsteps:\n- id: a\n  prompt: hi\n  schema:\n    minimun: 3\n"
    Path("a.task.yaml").write_text(text.replace("prompt: hi\nsteps", "steps"))
    done = here("tasks", "check", "a.task.yaml")
    assert done.returncode == 0
    assert "a.task.yaml:5: 'minimun' is no key of a schema; did you mean 'minimum'?" in done.stderr


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("inputs:\n  text: {}\n prompt: hi\n", 3, "begins in the same column"),
        ("steps:\n  - id: a\n  prompt: hi\n", 3, "begins in the same column"),
        ("prompt: 'it's fine'\n", 1, "a text that begins with a quote ends with it"),
        ('name: a\ndescription: "Hello" world\n', 2, "a text that begins with a quote ends"),
    ],
)
def test_a_line_that_is_no_yaml_says_what_it_lacks(text: str, line: int, says: str) -> None:
    with pytest.raises(TaskFileError, match=rf"t\.yaml:{line}: .*{says}"):
        parse(text, Path("t.yaml"))


def test_a_type_that_is_called_otherwise_elsewhere_is_known() -> None:
    with pytest.raises(TaskFileError, match="is 'str'; did you mean 'string'"):
        parse("inputs: {text: {type: str}}\nprompt: '{{ text }}'\n", Path("t.yaml"))
