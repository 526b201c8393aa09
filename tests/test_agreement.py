"""Labels and answers that say the same, and ones that do not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tasks.agreement import agrees

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("New York", " new  york. "),
        ("don't", "Don\u2019t!"),
        ("3", 3),
        (3, "that makes 1, 2, 3"),
        ("1,000", "1000.0"),
        (0.3, 0.1 + 0.2),
        ([1, "b", "A"], ["a", 1, "B"]),
        ('["x", "y"]', ["y", "x"]),
        ({"a": 1, "b": [2, 3]}, '{"b": [3, 2], "a": 1}'),
        (True, "Yes."),
        ("true", True),
        ("?!", "?!"),
    ],
)
def test_a_label_agrees_with_what_says_the_same(label: Any, said: Any) -> None:
    assert agrees(label, said)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("cat", "the cat"),
        ("C++", "C"),
        (3, "three"),
        (3, 3.1),
        ([1, 1], [1]),
        ([1, 1, 2], [1, 2, 2]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, "a: 1"),
        (True, "no"),
        (True, "perhaps"),
        ("?", "!"),
        ("x", None),
    ],
)
def test_a_label_does_not_agree_with_anything_else(label: Any, said: Any) -> None:
    assert not agrees(label, said)


def test_a_number_may_be_off_by_so_much_and_no_more_also_in_a_list() -> None:
    assert agrees(10, "about 10.5", within=0.5)
    assert not agrees(10, 10.6, within=0.5)
    assert agrees([1, 2], [2.4, 1.4], within=0.5)


@given(JSON)
def test_everything_agrees_with_itself_and_nothing_raises(value: Any) -> None:
    assert agrees(value, value)


@given(JSON, JSON)
def test_any_two_values_can_be_compared(one: Any, other: Any) -> None:
    assert agrees(one, other) in (True, False)


def test_what_is_no_json_or_too_large_for_a_fraction_is_compared_all_the_same() -> None:
    huge = 10**400
    assert agrees(huge, huge)
    assert agrees(huge, str(huge))
    assert not agrees(huge, huge + 1)
    assert not agrees(huge, 5)
    assert not agrees([object(), 1], [1, 2])
    assert not agrees([{(1, 2): 3}], [{"a": 3}])


@pytest.mark.parametrize(("label", "said"), [("", None), (" ", None), (None, ""), (None, None)])
def test_an_empty_cell_stands_for_null(label: Any, said: Any) -> None:
    assert agrees(label, said)
    assert not agrees(label, "x")
    assert not agrees("x", said)
    assert not agrees(label, 0)
