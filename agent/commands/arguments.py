"""What stands on the command line, as the commands take it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def words(given: Sequence[str]) -> str:
    """As one text, without halves of characters, which no embedder and no database take."""
    return " ".join(given).encode("utf-8", "replace").decode()


def number(text: str) -> int:
    """For argparse: of a session, a fact, a message."""
    if not text.isdecimal() or len(text) > DIGITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number that is listed")
    return int(text)


DIGITS = 9
"""Of the largest number that is taken for one of a list."""
