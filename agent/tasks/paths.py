"""JSON paths (RFC 9535): what stands where in a value."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


class PathProblem(Exception):
    """What cannot be looked at with a path. The message says why."""


def wrong_path(path: str) -> str:
    """Why it is no JSON path (RFC 9535); "" when it is one."""
    from jsonpath_rfc9535 import JSONPathError

    try:
        _path(path)
    except (JSONPathError, RecursionError) as error:
        return str(error).splitlines()[0]
    return ""


def at(path: str, value: Any) -> list[Any]:
    """All that stands at a JSON path. Raises PathProblem."""
    from jsonpath_rfc9535 import JSONPathError

    try:
        return list(_path(path).find(value).values())
    except (JSONPathError, RecursionError) as error:
        raise PathProblem(f"{path!r}: {str(error).splitlines()[0]}") from None


@lru_cache(128)
def _path(path: str) -> Any:
    import jsonpath_rfc9535

    return jsonpath_rfc9535.compile(path)
