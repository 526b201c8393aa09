"""Text of models, tools and files, made fit for a terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What it could steer the terminal with, and what turns around the order in which it is read."""
HIDDEN = ("Cc", "Cf", "Zl", "Zp")
"""Categories of characters that are not seen: controls, formats, ends of lines and paragraphs."""


def clean(text: str) -> str:
    """Without what could steer the terminal."""
    return CONTROL.sub("", text)


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def visible(text: str) -> str:
    """With what is not seen as escapes: what is allowed must be what is seen."""
    return "".join(
        one if one in "\n\t" or unicodedata.category(one) not in HIDDEN else ascii(one)[1:-1]
        for one in text
    )


def written(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as it is shown: `calculate(expression="1 + 2")`."""
    import json

    values = (f"{key}={json.dumps(one, ensure_ascii=False)}" for key, one in arguments.items())
    return visible(f"{name}({', '.join(values)})")
