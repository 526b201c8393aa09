"""What a template's filters and methods may make, told before it is made or while it grows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import Environment, pass_environment
from jinja2.filters import FILTERS, make_attrgetter
from jinja2.sandbox import SandboxedFormatter

from agent.tasks import bounds

_PERCENT = re.compile(
    r"%(?:\([^()]*\))?[-+ #0]*(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d+)?)?[hlL]?(?P<kind>.?)",
    re.DOTALL,
)
_WIDE = ("center", "batch", "slice")
"""Filters whose numbers say how much they write."""


class Endless(Exception):
    """A template does more than it may. The message goes on after "the template"."""


def refuse_large(size: int) -> None:
    if size > bounds.RENDERED:
        raise Endless(f"makes something of {size:,} parts")


def kept(value: Any) -> Any:
    """`value`, which a template keeps or hands on."""
    if isinstance(value, str | bytes | list | tuple | dict):
        refuse_large(len(value))
    return value


def percent(text: str, given: Any) -> None:
    """Of `text % given`."""
    if re.search(r"%\([^)]*\(", text):
        raise Endless("has brackets in a name between %( and )")
    size = len(text)
    longest = None
    for found in _PERCENT.finditer(text):
        if found["kind"] == "%" and not found["width"]:
            continue
        if "*" in (found["width"], found["precision"]):
            raise Endless("writes a value wider than is meant")
        if longest is None:
            longest = _longest(given)
        size += int(found["width"] or 0) + int(found["precision"] or 0) + longest
    refuse_large(size)


def _longest(given: Any) -> int:
    if isinstance(given, Mapping):
        return max(map(_length, given.values()), default=0)
    if isinstance(given, tuple):
        return max(map(_length, given), default=0)
    return _length(given)


def _length(value: Any) -> int:
    if isinstance(value, int):
        return value.bit_length() // 3
    return len(value if isinstance(value, str) else str(value))


class Formatter(SandboxedFormatter):
    """Of str.format. Counts what it writes."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._size = 0

    def format_field(self, value: Any, format_spec: str) -> Any:
        for number in re.findall(r"\d+", format_spec):
            refuse_large(int(number))
        made = super().format_field(value, format_spec)
        self._size += len(made)
        refuse_large(self._size)
        return made


def method(made: Any, args: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, ...]:
    """Of a call of `made` with `args`, which are given back as they can be used."""
    text = getattr(made, "__self__", None)
    if not isinstance(text, str | bytes):
        return args
    name = made.__name__
    if name == "expandtabs":
        tab: Any = "\t" if isinstance(text, str) else b"\t"
        widths = [one for one in (*args, *named.values()) if isinstance(one, int)]
        refuse_large(len(text) + text.count(tab) * max(widths, default=8))
    if not args:
        return args
    if name == "join":
        return (_bounded(args[0], len(text)), *args[1:])
    if name == "replace" and len(args) > 1:
        _replaced(text, *args[:3])
    elif name == "translate" and isinstance(args[0], Mapping):
        refuse_large(len(text) * max(1, _longest(args[0])))
    return args


def _replaced(text: Any, old: Any, new: Any, most: Any = -1) -> None:
    if isinstance(old, type(text) if isinstance(text, bytes) else str):
        times = text.count(old)
        if isinstance(most, int) and most >= 0:
            times = min(times, most)
        refuse_large(len(text) + times * (len(new) - len(old)))


def _bounded(items: Iterable[Any], between: int) -> list[Any]:
    """`items`, of which a text is to be made."""
    found, size = [], 0
    for item in items:
        size += between + (len(item) if isinstance(item, str | bytes) else 1)
        refuse_large(size)
        found.append(item)
    return found


def filters() -> dict[str, Any]:
    """Those of Jinja that could make too much, bounded."""
    bounded = {name: _narrow(FILTERS[name]) for name in _WIDE}
    return {
        **bounded,
        "format": _format,
        "replace": _replace,
        "join": _join,
        "indent": _indent,
        "wordwrap": _wordwrap,
    }


def _narrow(wide: Any) -> Any:
    def narrow(*args: Any, **kwargs: Any) -> Any:
        for one in (*args, *kwargs.values()):
            if isinstance(one, int):
                refuse_large(one)
        return wide(*args, **kwargs)

    return narrow


def _format(text: Any, *args: Any, **kwargs: Any) -> Any:
    percent(str(text), kwargs or args)
    return FILTERS["format"](text, *args, **kwargs)


def _replace(text: Any, old: Any, new: Any, count: int | None = None) -> str:
    most = -1 if count is None else count
    given, old, new = str(text), str(old), str(new)
    _replaced(given, old, new, most)
    return given.replace(old, new, most)


@pass_environment
def _join(
    environment: Environment, value: Iterable[Any], d: Any = "", attribute: Any = None
) -> str:
    if attribute is not None:
        value = map(make_attrgetter(environment, attribute), value)
    between = str(d)
    return between.join(_bounded(map(str, value), len(between)))


def _indent(text: Any, width: Any = 4, first: bool = False, blank: bool = False) -> Any:
    wide = width if isinstance(width, int) else len(width)
    refuse_large(len(text) + (len(text.splitlines()) + 1) * wide)
    return FILTERS["indent"](text, width, first, blank)


@pass_environment
def _wordwrap(
    environment: Environment,
    text: str,
    width: int = 79,
    break_long_words: bool = True,
    wrapstring: str | None = None,
    break_on_hyphens: bool = True,
) -> Any:
    if wrapstring is not None:
        refuse_large(len(text) * (1 + len(wrapstring) // max(1, width)))
    return FILTERS["wordwrap"](
        environment, text, width, break_long_words, wrapstring, break_on_hyphens
    )
