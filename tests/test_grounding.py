"""Whether values stand in the conversation, and whether a further call is about more."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from agent.grounding import (
    is_about_more,
    is_grounded,
    is_made_up,
    keep_grounded,
    names_more,
    without_invented_options,
)
from tools.spec import ToolSpec

WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "unit": {"enum": ["C", "F"]},
        "hourly": {"type": "boolean", "description": "a value for each hour"},
        "show": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["city"],
}


@pytest.mark.parametrize(
    ("arguments", "said", "kept"),
    [
        ({"city": "Rome", "days": 7}, "weather in Rome", {"city": "Rome"}),
        (
            {"city": "Rome", "days": 7},
            "weather in Rome for seven days",
            {"city": "Rome", "days": 7},
        ),
        ({"city": "Rome", "unit": "C"}, "is Rome warm?", {"city": "Rome", "unit": "C"}),
        ({"city": "Rome", "hourly": True}, "is Rome warm?", {"city": "Rome"}),
        (
            {"city": "Rome", "hourly": True},
            "Rome hour by hour",
            {"city": "Rome", "hourly": True},
        ),
        (
            {"city": "Rome", "show": ["rain", "snow"]},
            "rain in Rome?",
            {"city": "Rome", "show": ["rain"]},
        ),
        ({"city": "Paris"}, "and there?", {"city": "Paris"}),  # required: it cannot be left out
    ],
)
def test_an_option_that_nobody_mentioned_is_left_out(
    arguments: dict[str, Any], said: str, kept: dict[str, Any]
) -> None:
    assert keep_grounded(arguments, WEATHER, said) == kept


@pytest.mark.parametrize(
    ("more", "earlier", "said", "about_more"),
    [
        ({"city": "Paris"}, {"city": "Rome"}, "weather in Rome and in Paris", True),
        ({"path": "main_test.py"}, {"path": "main.py"}, "read main.py and main_test.py", True),
        ({"n": 7}, {"n": 5}, "factorial of 5 and 7", True),
        ({"city": "Oslo"}, {"city": "Rome"}, "weather in Rome", False),  # invented
        ({"a": 18, "b": 12}, {"a": 12, "b": 18}, "gcd of 12 and 18", False),  # swapped
        ({"id": 9, "open": False}, {"id": 9, "open": True}, "is case 9 open?", False),  # switched
        ({"type": "aa"}, {"type": "AA"}, "frequency of AA", False),  # the same in small letters
        ({"rooms": ["a", "x"]}, {"rooms": ["a"]}, "book room a", False),  # one part is invented
        (
            {"sum": "2 * 3, and its name"},
            {"sum": "2 * 3"},
            "2 * 3, and its name",
            False,
        ),  # spun out
        ({}, {}, "again", False),
    ],
)
def test_a_further_call_must_be_about_something_more_that_was_said(
    more: dict[str, Any], earlier: dict[str, Any], said: str, about_more: bool
) -> None:
    assert is_about_more(more, [earlier], said) is about_more


@pytest.mark.parametrize(
    ("arguments", "request_", "more"),
    [
        ({"city": "Rome"}, "What is the weather in Rome and in Paris?", True),
        ({"n": 5}, "factorial of 5, 7 and 12", True),
        ({"path": "a.txt"}, "Read a.txt and then b.txt", True),
        ({"symbol": "IBM"}, "compare the prices of IBM & Oracle", True),
        ({"a": 12, "b": 18}, "gcd of 12 and 18", False),  # both are in the call already
        ({"base": 10, "height": 5}, "area with base 10 and height 5", False),
        ({"article": "apples"}, "How many apples do we have in stock?", False),
        ({"city": "Oslo"}, "How warm is it there?", False),
    ],
)
def test_another_call_is_looked_for_only_where_the_request_joins_something(
    arguments: dict[str, Any], request_: str, more: bool
) -> None:
    assert names_more(arguments, request_) is more


@pytest.mark.parametrize(
    ("value", "said", "grounded"),
    [
        (-5, "shift by -5", True),
        (0.07, "at 7 %", True),
        (1000, "up to 1e3", True),
        (1200, "1,200 euros", True),
        (",", "split by ','", True),
        ("北京", "查询北京明天的天气", True),
        (10**400, "a lot", False),
        (float("inf"), "a lot", False),
        (12, "between 3 and 4", False),
        (" ", "a lot", False),
    ],
)
def test_a_value_is_grounded_when_it_is_written_somehow(
    value: Any, said: str, grounded: bool
) -> None:
    assert is_grounded(value, said) is grounded


def test_a_call_stays_valid_when_something_is_left_out() -> None:
    colours = {"type": "array", "items": {"type": "string"}, "minItems": 2}
    schema = {"type": "object", "properties": {"colours": colours}}
    made = {"name": "paint", "args": {"colours": ["red", "blue"]}, "id": "1"}
    message = without_invented_options(
        AIMessage("", tool_calls=[made]),
        [HumanMessage("paint it red")],
        [ToolSpec("paint", "Paint.", schema)],
    )
    assert message.tool_calls[0]["args"] == made["args"]


@pytest.mark.parametrize(
    ("arguments", "made_up"),
    [
        ({"path": "in/July.txt"}, True),
        ({"path": "in/June.txt"}, False),
        ({"path": "june.txt"}, False),
        ({"city": "Paris", "unit": "inch"}, False),
        ({"day": "2025-03-02"}, False),
    ],
)
def test_the_name_of_a_file_that_nobody_said_is_made_up(
    arguments: dict[str, str], made_up: bool
) -> None:
    assert is_made_up(arguments, "in: May.txt, June.txt") == made_up
