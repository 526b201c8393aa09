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


def told(schema: Any) -> list[str]:
    return [f"{'.'.join(map(str, place))}: {said}" for place, said in misspelt.mistakes(schema, ())]


@pytest.mark.parametrize(
    ("schema", "mistakes"),
    [
        (
            {"maxlength": 4},
            ["maxlength: a schema has no key 'maxlength'; did you mean 'maxLen"],
        ),
        ({"proprties": {}}, ["proprties: a schema has no key 'proprties'; did you mean 'propert"]),
        ({"type": "int"}, ["type: a schema has no type 'int'; did you mean 'integer'?"]),
        ({"type": ["str", "null"]}, ["type: a schema has no type 'str'; did you mean 'string'?"]),
        ({"type": "Strng"}, ["type: a schema has no type 'Strng'; did you mean 'string'?"]),
        ({"type": "§§"}, ["type: a schema has no type '§§'; there are: string, integer"]),
        (
            {"properties": {"kind": {}, "of": {}}, "required": ["kinds", "of"]},
            ["required.0: 'kinds' is required and no property; did you mean 'kind'?"],
        ),
        (
            {"properties": {"a": {}}, "required": ["other"], "additionalProperties": False},
            ["required.0: 'other' is required and no property; there are: a"],
        ),
        (
            {"items": {"anyOf": [{}, {"properties": {"tags": {"type": "list"}}}]}},
            ["items.anyOf.1.properties.tags.type: a schema has no type 'list'; did you mean 'ar"],
        ),
        ({"$defs": {"one": {"minimun": 3}}}, ["$defs.one.minimun: a schema has no key 'minimun'"]),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_nearest_word(
    schema: Any, mistakes: list[str]
) -> None:
    found = told(schema)
    assert len(found) == len(mistakes)
    assert all(one.startswith(begin) for one, begin in zip(found, mistakes, strict=True))


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"x-unit": "m", "comment": "free words", "nullable": True},
        {"title_en": "a", "description_de": "b", "note": "c", "when": "d"},
        {"properties": {"maxlength": {"type": "string"}, "type": {"enum": ["int"]}}},
        {"properties": {"a": {}}, "required": ["other"]},
        {"properties": {"name": {}, "names": {}}, "required": ["name", "names"]},
        {"patternProperties": {"^a": {}}, "properties": {"b": {}}, "required": ["ab"]},
        {"const": {"type": "int", "maxlength": 4}, "default": {"type": "int"}},
        {"enum": [{"type": "int"}], "examples": [{"maxlength": 1}]},
    ],
)
def test_what_a_schema_may_say_is_no_mistake(schema: Any) -> None:
    assert told(schema) == []


WORDS = st.sampled_from(misspelt.KEYS) | st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(WORDS, inside, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_nothing_that_is_json_is_an_error(schema: Any) -> None:
    assert all(isinstance(said, str) for _, said in misspelt.mistakes(schema, ("schema",)))


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


@pytest.mark.parametrize(
    "text", ["inputs:\n  text: {}\n prompt: hi\n", "steps:\n  - id: a\n  prompt: hi\n"]
)
def test_a_wrong_indent_is_called_so(text: str) -> None:
    with pytest.raises(TaskFileError, match=r"t\.yaml:3: .*not indented as those around it"):
        parse(text, Path("t.yaml"))


def test_a_type_that_is_called_otherwise_elsewhere_is_known() -> None:
    with pytest.raises(TaskFileError, match="is 'str'; did you mean 'string'"):
        parse("inputs: {text: {type: str}}\nprompt: '{{ text }}'\n", Path("t.yaml"))
