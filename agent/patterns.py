"""Regular expressions that others wrote: each search comes to an end."""

from __future__ import annotations

SECONDS = 1.0
"""That one search may take."""


class PatternProblem(Exception):
    """Why a pattern cannot be searched for. The message names it."""


def wrong(pattern: str) -> str:
    """Why it is no regular expression; "" when it is one."""
    import regex

    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        return f"{pattern!r} is no regular expression: {error}"
    return ""


def found(pattern: str, text: str) -> bool:
    """Whether it is somewhere in `text`. Raises PatternProblem."""
    import regex

    if why := wrong(pattern):
        raise PatternProblem(why)
    try:
        return regex.search(pattern, text, timeout=SECONDS) is not None
    except TimeoutError:
        said = (
            f"{pattern!r} is not decided within {SECONDS:g} second; write it so that"
            " a text matches in one way only"
        )
        raise PatternProblem(said) from None
