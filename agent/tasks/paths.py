"""JSON paths (RFC 9535): what stands where in a value."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tools.errors import first_line


class PathProblem(Exception):
    """What cannot be looked at with a path. The message says why."""


def wrong_path(path: str) -> str:
    """Why it is no JSON path (RFC 9535); "" when it is one."""
    try:
        _path(path)
    except _failures() as error:
        meant = f"$.{path}"
        if not path.startswith(("$", "[")) and not wrong_path(meant):
            return f"it begins with $; did you mean {meant!r}?"
        return first_line(error)
    return ""


def at(path: str, value: Any) -> list[Any]:
    """All that stands at a JSON path. Raises PathProblem."""
    try:
        return list(_path(path).find(value).values())
    except _failures() as error:
        raise PathProblem(f"{path!r}: {first_line(error)}") from None


def _failures() -> tuple[type[Exception], ...]:
    """The library's own, and what escapes it for numbers and functions that do not fit."""
    from jsonpath_rfc9535 import JSONPathError

    return JSONPathError, RecursionError, OverflowError, TypeError, AttributeError, ValueError


@lru_cache(128)
def _path(path: str) -> Any:
    import jsonpath_rfc9535

    return jsonpath_rfc9535.compile(path)
