"""The leaderboard's rules, one by one. Data written for this test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent import grammar
from benchmarks.bfcl_check import Row, check, load, to_spec

OPTIONAL = ""


def a_row(properties: Mapping[str, Any], accepted: Mapping[str, Any], required: Any = None) -> Row:
    parameters = {
        "type": "dict",
        "properties": properties,
        "required": list(properties) if required is None else list(required),
    }
    function = {"name": "shop.find", "description": "Find things.", "parameters": parameters}
    other = {**function, "name": "shop.buy"}
    return Row("r_0", "q", (other, function), {"shop.find": accepted})


def kind(row: Row, **arguments: Any) -> str:
    return check(row, [("shop.find", arguments)]).kind


def is_right(schema: Mapping[str, Any], accepted: list[Any], value: Any) -> bool:
    return kind(a_row({"x": schema}, {"x": accepted}), x=value) == "right"


def test_an_accepted_call_is_right() -> None:
    assert kind(a_row({"x": {"type": "integer"}}, {"x": [5]}), x=5) == "right"


def test_another_function_is_the_wrong_tool() -> None:
    row = a_row({"x": {"type": "integer"}}, {"x": [5]})
    assert check(row, [("shop.buy", {"x": 5})]).kind == "wrong tool"


def test_a_dot_in_a_name_is_not_an_underscore() -> None:
    row = a_row({"x": {"type": "integer"}}, {"x": [5]})
    assert check(row, [("shop_find", {"x": 5})]).kind == "wrong tool"


@pytest.mark.parametrize("count", [0, 2])
def test_exactly_one_call_is_expected(count: int) -> None:
    row = a_row({"x": {"type": "integer"}}, {"x": [5]})
    assert check(row, [("shop.find", {"x": 5})] * count).kind == "wrong count"


def test_a_missing_required_parameter_is_wrong_even_if_it_may_be_left_out() -> None:
    assert kind(a_row({"x": {"type": "integer"}}, {"x": [5, OPTIONAL]})) == "wrong required"


def test_a_parameter_that_the_function_does_not_have_is_wrong() -> None:
    assert kind(a_row({"x": {"type": "integer"}}, {"x": [5]}), x=5, y=1) == "wrong optional"


def test_a_parameter_that_no_answer_expects_is_wrong() -> None:
    row = a_row({"x": {"type": "integer"}, "y": {"type": "integer"}}, {"x": [5]}, ["x"])
    assert kind(row, x=5, y=1) == "wrong optional"


def test_an_optional_parameter_may_be_left_out_where_the_empty_answer_is_accepted() -> None:
    row = a_row({"x": {"type": "integer"}}, {"x": [5, OPTIONAL]}, [])
    assert kind(row) == "right"


def test_an_optional_parameter_that_was_meant_must_be_there() -> None:
    assert kind(a_row({"x": {"type": "integer"}}, {"x": [5]}, [])) == "wrong optional"


def test_a_wrong_value_is_told_apart_by_whether_it_is_required() -> None:
    row = a_row({"x": {"type": "integer"}, "y": {"type": "integer"}}, {"x": [5], "y": [1]}, ["x"])
    assert kind(row, x=6, y=1) == "wrong required"
    assert kind(row, x=5, y=2) == "wrong optional"


def test_an_integer_passes_for_a_float() -> None:
    assert is_right({"type": "float"}, [5.0], 5)
    assert is_right({"type": "float"}, [5], 5.0)


def test_a_float_does_not_pass_for_an_integer() -> None:
    assert not is_right({"type": "integer"}, [5], 5.0)


@pytest.mark.parametrize(
    ("schema", "accepted", "value"),
    [
        ({"type": "boolean"}, [True], 1),
        ({"type": "integer"}, [1], True),
        ({"type": "integer"}, [1], "1"),
        ({"type": "string"}, ["1"], 1),
        ({"type": "array", "items": {"type": "string"}}, [["a"]], "a"),
    ],
)
def test_types_are_exact(schema: dict[str, Any], accepted: list[Any], value: Any) -> None:
    assert not is_right(schema, accepted, value)


@pytest.mark.parametrize(
    "written", ["april 1, 2024", "April 1 2024", "APRIL 1,2024", "april_1-2024", "a.p*r^i/l 12024"]
)
def test_case_blanks_and_punctuation_of_strings_do_not_count(written: str) -> None:
    assert is_right({"type": "string"}, ["April 1, 2024"], written)


def test_other_punctuation_of_strings_counts() -> None:
    assert not is_right({"type": "string"}, ["rock & roll"], "rock roll")
    assert not is_right({"type": "string"}, ["a b"], "a\tb")


def test_single_and_double_quotes_are_the_same() -> None:
    assert is_right({"type": "string"}, ['say "hi"'], "say 'hi'")


def test_strings_in_a_list_are_compared_like_strings() -> None:
    schema = {"type": "array", "items": {"type": "string"}}
    assert is_right(schema, [["New York", "Rome"]], ["new york", "ROME"])


def test_a_list_is_compared_in_order() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert not is_right(schema, [[1, 2]], [2, 1])
    assert is_right(schema, [[1, 2], [2, 1]], [2, 1])


def test_an_empty_list_counts_as_left_out() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert is_right(schema, [[1], OPTIONAL], [])


def test_an_element_of_the_wrong_type_makes_a_list_wrong() -> None:
    assert not is_right({"type": "array", "items": {"type": "integer"}}, [[1, 2]], [1, "2"])


def test_integers_pass_in_a_list_of_floats_only_where_the_answer_has_them() -> None:
    schema = {"type": "array", "items": {"type": "float"}}
    assert is_right(schema, [[1, 2]], [1, 2])
    assert is_right(schema, [[1, 2]], [1.0, 2.0])
    assert not is_right(schema, [[1.0, 2.0]], [1, 2])


def test_lists_within_lists_are_compared_as_they_are() -> None:
    schema = {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}
    assert is_right(schema, [[["Go"]]], [["Go"]])
    assert not is_right(schema, [[["Go"]]], [["go"]])


def test_a_tuple_is_compared_as_a_list() -> None:
    schema = {"type": "tuple", "items": {"type": "float"}}
    assert is_right(schema, [[4.5, 2.0]], (4.5, 2.0))
    assert is_right(schema, [[4.5, 2.0]], [4.5, 2.0])


OBJECT = {"type": "dict", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}


def test_each_key_of_an_object_has_its_own_accepted_values() -> None:
    accepted = [{"city": ["New York", "NYC"], "days": [2]}]
    assert is_right(OBJECT, accepted, {"city": "nyc", "days": 2})
    assert not is_right(OBJECT, accepted, {"city": "nyc", "days": 3})


def test_an_object_may_leave_out_what_may_be_left_out() -> None:
    accepted = [{"city": ["Rome"], "days": [2, OPTIONAL]}]
    assert is_right(OBJECT, accepted, {"city": "Rome"})
    assert not is_right(OBJECT, accepted, {"days": 2})


def test_an_unexpected_key_makes_an_object_wrong() -> None:
    assert not is_right(OBJECT, [{"city": ["Rome"]}], {"city": "Rome", "days": 2})


def test_an_object_may_match_any_of_the_accepted_ones() -> None:
    accepted = [OPTIONAL, {"city": ["Rome"]}, {"city": ["Oslo"], "days": [1]}]
    assert is_right(OBJECT, accepted, {"city": "Oslo", "days": 1})
    assert not is_right(OBJECT, accepted, {"city": "Oslo"})


def test_objects_within_objects_are_compared_as_they_are() -> None:
    assert is_right(OBJECT, [{"city": [{"name": "Rome"}]}], {"city": {"name": "Rome"}})
    assert not is_right(OBJECT, [{"city": [{"name": "Rome"}]}], {"city": {"name": "rome"}})


def test_a_list_of_objects_is_compared_in_order_and_number() -> None:
    schema = {"type": "array", "items": OBJECT}
    accepted = [[{"city": ["Rome"]}, {"city": ["Oslo"]}]]
    assert is_right(schema, accepted, [{"city": "rome"}, {"city": "oslo"}])
    assert not is_right(schema, accepted, [{"city": "oslo"}, {"city": "rome"}])
    assert not is_right(schema, accepted, [{"city": "rome"}])


def test_a_variable_is_accepted_by_its_exact_name() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert is_right(schema, ["my_data"], "my_data")
    assert not is_right(schema, ["my_data"], "My_Data")


def test_any_means_text() -> None:
    assert is_right({"type": "any"}, ["my_data"], "my_data")
    assert not is_right({"type": "any"}, ["my_data"], ["my_data"])


def a_function() -> dict[str, Any]:
    properties = {
        "price": {"type": "float", "description": "the most", "default": 2.5, "optional": True},
        "place": {"type": "tuple", "items": {"type": "float"}},
        "type": {"type": "string", "enum": ["new", "used"]},
        "filter": {"type": "dict", "properties": {"brand": {"type": "string"}}},
        "notes": {"type": "dict"},
        "raw": {"type": "any", "description": "whatever"},
    }
    parameters = {"type": "dict", "properties": properties, "required": ["type"]}
    return {"name": "shop.find", "description": "Find things.", "parameters": parameters}


def test_a_function_becomes_a_json_schema() -> None:
    spec = to_spec(a_function())
    assert spec.name == "shop.find"
    jsonschema.Draft202012Validator.check_schema(spec.parameters)
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "price": {"type": "number", "description": "the most", "default": 2.5},
            "place": {"type": "array", "items": {"type": "number"}},
            "type": {"type": "string", "enum": ["new", "used"]},
            "filter": {
                "type": "object",
                "properties": {"brand": {"type": "string"}},
                "additionalProperties": False,
            },
            "notes": {"type": "object"},
            "raw": {"description": "whatever"},
        },
        "required": ["type"],
        "additionalProperties": False,
    }


def test_a_converted_function_can_be_a_grammar() -> None:
    spec = to_spec(a_function())
    assert grammar.arguments(grammar.HERMES, spec.name, spec.parameters)


def test_rows_are_read_with_their_answers(tmp_path: Path) -> None:
    question = [[{"role": "user", "content": "find a bike"}]]
    row = {"id": "multiple_0", "question": question, "function": [a_function()]}
    answer = {"id": "multiple_0", "ground_truth": [{"shop.find": {"type": ["used"]}}]}
    (tmp_path / "possible_answer").mkdir()
    (tmp_path / "BFCL_v4_multiple.json").write_text(json.dumps(row) + "\n")
    (tmp_path / "possible_answer" / "BFCL_v4_multiple.json").write_text(json.dumps(answer) + "\n")
    [found] = load(tmp_path, "multiple")
    assert (found.question, found.answer) == ("find a bike", {"shop.find": {"type": ["used"]}})
    assert check(found, [("shop.find", {"type": "Used"})]).kind == "right"
