from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.base import ToolError
from tools.calculate import calculate
from tools.running import invoke


def worked_out(expression: str) -> str:
    return invoke(calculate, {"expression": expression})


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("37 * 91 - 4", "3363"),
        ("0.1 + 0.2", "0.3"),
        ("2 ^ 10", "1024"),
        ("17 % of 200", "34"),
        ("200 * 17%", "34"),
        ("1,000 + 1", "1001"),
        ("3 × 4 ÷ 2 =", "6"),
        ("sqrt(16)", "4"),
        ("max(1,200)", "200"),
        ("mod(17, 5)", "2"),
    ],
)
def test_what_people_write_is_understood(expression: str, result: str) -> None:
    assert worked_out(expression) == result


@pytest.mark.parametrize(
    "expression",
    ["__import__('os')", "1/0", "9**9**9**9", "(" * 300, "'a'*10**9", "", "x + 1", "1" * 2000,
     "().__class__", "[1]*9", "17 % 3363"],
)  # fmt: skip
def test_what_is_no_arithmetic_is_an_error_for_the_model(expression: str) -> None:
    with pytest.raises(ToolError):
        worked_out(expression)


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), st.sampled_from("+-*"))
def test_whole_numbers_are_exact(a: int, b: int, sign: str) -> None:
    expected = {"+": a + b, "-": a - b, "*": a * b}[sign]
    assert worked_out(f"({a}) {sign} ({b})") == str(expected)


@given(st.text(max_size=40))
def test_no_text_raises_anything_but_a_tool_error(text: str) -> None:
    with contextlib.suppress(ToolError):
        worked_out(text)
