"""Text cut to what there is room for."""

from __future__ import annotations


def cut(text: str, most: int) -> str:
    """At most `most` characters; an ellipsis stands for the rest."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def cut_and_counted(text: str, most: int) -> str:
    """`cut`; what is cut says how many characters there are in all."""
    return text if len(text) <= most else f"{cut(text, most)} ({len(text):,} characters)"
