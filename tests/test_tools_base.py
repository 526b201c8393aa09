from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest
from langchain_core.tools import tool as langchain_tool
from pydantic import BaseModel

from agent import grammar
from tools.base import ToolError, tool, tools_of
from tools.running import invoke
from tools.spec import ToolMistake, effects_of, spec


class Color(Enum):
    RED = "red"
    GREEN = "green"


@dataclass
class Point:
    x: int
    y: int = 3


class Shape(BaseModel):
    name: str
    corners: list[Point] = []


class Tree(BaseModel):
    children: list[Tree]


@tool
def paint(
    shape: Shape, color: Color, how: Literal["fast", "well"] = "well", n: int | str = 1
) -> str:
    """Paint a shape.

    Args:
        shape: what to paint
        color: with which color
    """
    assert isinstance(shape.corners[0], Point)
    assert isinstance(color, Color)
    return f"{shape.name} {shape.corners[0].y} {color.value} {how} {n}"


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def names(self) -> list[str]:
        return [f"n{self.count}"]

    @tool(choices={"name": names})
    def more(self, name: str) -> int:
        """Count one more."""
        self.count += 1
        return self.count


def parameters(one: Any) -> dict[str, Any]:
    now = spec(one)
    assert now is not None
    return dict(now.parameters)


def test_nested_types_become_a_schema_without_references() -> None:
    schema = parameters(paint)
    assert "$ref" not in json.dumps(schema)
    assert schema["properties"]["color"]["enum"] == ["red", "green"]
    assert schema["properties"]["shape"]["description"] == "what to paint"
    assert schema["required"] == ["shape", "color"]
    jsonschema.Draft202012Validator.check_schema(schema)


def test_arguments_arrive_as_the_annotated_types() -> None:
    arguments = {"shape": {"name": "box", "corners": [{"x": 1}]}, "color": "red"}
    assert invoke(paint, arguments) == "box 3 red well 1"


def test_wrong_arguments_are_a_tool_error_that_names_them() -> None:
    with pytest.raises(ToolError, match=r"color"):
        invoke(paint, {"shape": {"name": "box"}, "color": "blue"})


def test_live_choices_are_read_anew_each_time() -> None:
    counter = Counter()
    (more,) = tools_of(counter)
    assert parameters(more)["properties"]["name"]["enum"] == ["n0"]
    invoke(more, {"name": "n0"})
    assert parameters(more)["properties"]["name"]["enum"] == ["n1"]


def test_a_tool_whose_choices_are_empty_is_not_offered() -> None:
    values: list[str] = []

    @tool(choices={"name": lambda: values})
    def pick(name: str) -> str:
        """Pick one."""
        return name

    assert spec(pick) is None
    values.append("a")
    assert spec(pick) is not None


def test_a_recursive_type_is_refused_by_name() -> None:
    with pytest.raises(ToolMistake, match="Tree"):

        @tool
        def grow(tree: Tree) -> str:
            """Grow."""
            return ""


def test_a_tool_without_docstring_or_type_is_refused() -> None:
    with pytest.raises(ToolMistake, match="docstring"):

        @tool
        def silent(a: int) -> int:
            return a

    with pytest.raises(ToolMistake, match="'a' has no type"):

        @tool
        def loose(a) -> str:  # type: ignore[no-untyped-def]
            """Loose."""
            return str(a)


def test_a_key_error_in_a_tool_stays_a_key_error() -> None:
    @tool
    def look(key: str) -> str:
        """Look."""
        return {"a": "b"}[key]

    with pytest.raises(KeyError):
        invoke(look, {"key": "z"})


def test_a_langchain_tool_works_as_it_is_and_is_taken_to_write() -> None:
    @langchain_tool
    def double(number: int) -> int:
        """Double a number."""
        return number * 2

    assert invoke(double, {"number": 4}) == "8"
    assert parameters(double)["required"] == ["number"]
    assert "writes" in effects_of(double)


def test_live_choices_reach_into_a_union() -> None:
    @tool(choices={"labels": lambda: ["red", "blue"]})
    def pick(labels: list[str] | None = None) -> str:
        """Pick labels."""
        return str(labels)

    union = parameters(pick)["properties"]["labels"]["anyOf"]
    assert [branch.get("items", {}).get("enum") for branch in union] == [["red", "blue"], None]


def test_a_type_whose_format_no_grammar_knows_can_be_offered() -> None:
    @tool
    def look(place: Path) -> str:
        """Look at a place."""
        return str(place)

    assert parameters(look)["properties"]["place"] == {"type": "string"}
    assert grammar.arguments(grammar.HERMES, "look", parameters(look))


@pytest.mark.parametrize("name", ['we "ird', "a b", "9lives", "x" * 65])
def test_a_name_that_no_call_can_carry_is_refused(name: str) -> None:
    def quiet() -> str:
        """Say nothing."""
        return ""

    with pytest.raises(ToolMistake, match="not a name"):
        tool(name=name)(quiet)


def test_a_parameter_that_langchain_keeps_for_itself_is_refused() -> None:
    def run(args: str) -> str:
        """Run something."""
        return args

    with pytest.raises(ToolMistake, match="'args'"):
        tool(run)


@pytest.mark.parametrize("given", ["notes", ["Ada", ""], [Path("x")], 3])
def test_subjects_that_are_no_names_are_refused_by_value(given: object) -> None:
    with pytest.raises(ToolMistake, match="subjects gives"):

        @tool(subjects=lambda: given)  # type: ignore[arg-type, return-value]
        def look(what: str) -> str:
            """Look at it."""
            return what


def test_subjects_are_a_function() -> None:
    with pytest.raises(ToolMistake, match="must be a function"):

        @tool(subjects=["Ada"])  # type: ignore[call-overload, untyped-decorator]
        def look(what: str) -> str:
            """Look at it."""
            return what


def test_the_model_is_told_what_each_live_choice_is() -> None:
    @tool(choices={"name": lambda: {"topics": "sport, politics", "plain": ""}})
    def classify(name: str) -> str:
        """Classify.

        Args:
            name: the classifier
        """
        return name

    now = spec(classify)
    assert now is not None
    place = now.parameters["properties"]["name"]
    assert place["enum"] == ["topics", "plain"]
    assert place["description"] == "the classifier (topics: sport, politics)"


def test_a_tool_that_writes_to_what_is_no_parameter_is_a_mistake() -> None:
    with pytest.raises(ToolMistake, match="writes_to is 'file', no such parameter"):

        @tool(effects={"writes"}, writes_to="file")
        def save(path: str) -> str:
            """Save."""
            return path
