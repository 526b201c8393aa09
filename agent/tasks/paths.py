"""JSON paths (RFC 9535): what stands where in a value."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


def wrong_path(path: str) -> str:
    """Why it is no JSON path (RFC 9535); "" when it is one."""
    from jsonpath.exceptions import JSONPathError

    try:
        _path(path)
    except JSONPathError as error:
        return str(error).splitlines()[0]
    return ""


def at(path: str, value: Any) -> list[Any]:
    """All that stands at a JSON path."""
    return list(_path(path).findall(value))


@lru_cache(128)
def _path(path: str) -> Any:
    import jsonpath

    return jsonpath.compile(path)
