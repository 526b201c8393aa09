"""Arithmetic without `eval`: simpleeval walks the syntax tree and knows only what is listed."""

from __future__ import annotations

import math
import operator
import re

from tools.base import ToolError, tool

LONGEST = 1000
"""Characters of an expression."""
MOST_DIGITS = 10_000
"""Of a whole number; more take minutes to compute and nobody reads them."""

FUNCTIONS = {
    "abs": abs, "round": round, "min": min, "max": max, "sum": lambda *values: sum(values),
    "sqrt": math.sqrt, "exp": math.exp, "log": math.log, "ln": math.log, "log2": math.log2,
    "log10": math.log10, "sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin,
    "acos": math.acos, "atan": math.atan, "atan2": math.atan2, "degrees": math.degrees,
    "radians": math.radians, "floor": math.floor, "ceil": math.ceil, "hypot": math.hypot,
    "mod": operator.mod, "gcd": math.gcd, "lcm": math.lcm,
}  # fmt: skip
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "^": "**"})
NAMES = {"pi": math.pi, "e": math.e, "tau": math.tau}


@tool(
    examples=[
        "what is 12 plus 30?",
        "what is 58 * 7 - 3?",
        "how much is 1200 / 16?",
        "multiply 4.5 by 19 and take away 3",
        "17 % of 230",
        "how large is a garden of 12 m by 7.5 m?",
        "what do 9 tickets at 14.80 cost?",
        "share 84 euros among 5 people",
        "square root of 2",
    ]
)
def calculate(expression: str) -> str:
    """Work out an arithmetic expression exactly.

    Args:
        expression: numbers, + - * / // **, brackets, functions such as sqrt and mod
    """
    from simpleeval import InvalidExpression, SimpleEval

    if len(expression) > LONGEST:
        raise ToolError(f"the expression is {len(expression)} characters long, at most {LONGEST}")
    evaluator = SimpleEval(functions=FUNCTIONS, names=NAMES)
    try:
        value = evaluator.eval(_as_python(expression))
    except (InvalidExpression, SyntaxError, TypeError, KeyError, RecursionError) as error:
        why = getattr(error, "msg", None) or error
        raise ToolError(f"cannot work out {expression!r}: {why}") from error
    except (ArithmeticError, ValueError, MemoryError) as error:
        raise ToolError(f"{expression!r}: {error}") from error
    if not isinstance(value, int | float):
        raise ToolError(f"{expression!r} is not a number")
    return _written(value)


def _as_python(expression: str) -> str:
    """What people write instead: ×, ÷, −, ^, "17 % of 230", "1,000", a trailing "="."""
    text = expression.strip().rstrip("=").strip()
    text = text.translate(_SIGNS)
    text = re.sub(r"([\d.)]+)\s*%\s*of\b", r"\1/100*", text)
    text = re.sub(r"(\d+(?:\.\d+)?)\s*%(?=\s*(?:$|[-+*/)]))", r"(\1/100)", text)
    if "%" in text:  # a remainder to programmers, a share to all others, and to small models
        raise ToolError(
            f"{expression!r}: % is not clear; write 17/100*230 for a share of 17 percent, or "
            "mod(17, 5) for a remainder"
        )
    return re.sub(r"(?<![\d.(])(\d{1,3}(?:,\d{3})+)(?![\d,)])", _without_commas, text)


def _without_commas(match: re.Match[str]) -> str:
    return match[1].replace(",", "")


def _written(value: float) -> str:
    if isinstance(value, int):
        if abs(int(value)).bit_length() > MOST_DIGITS * 3.33:
            raise ToolError(f"the result has more than {MOST_DIGITS} digits")
        return str(int(value))
    # 0.1 + 0.2 is 0.3 to whoever asks
    return f"{value:.15g}"
