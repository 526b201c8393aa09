"""What an assertion of promptfoo is as checks of a task."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

READ = ("type", "value", "threshold", "metric")
LOWER = "{{ answer | lower }}"


class Unlike(Exception):
    """There is no check for it. The message says which assertion, and why."""


def checks(assertion: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Its checks, all of which must pass, and the keys of it that have no counterpart. Raises
    Unlike."""
    if not isinstance(assertion, Mapping) or not isinstance(assertion.get("type"), str):
        raise Unlike("it has no type")
    kind = assertion["type"]
    negated = kind.startswith("not-")
    bare = kind.removeprefix("not-")
    make = TYPES.get(bare)
    if make is None:
        raise Unlike(f"{kind} has no counterpart; there are: {', '.join(TYPES)}")
    value = assertion.get("value")
    if isinstance(value, str) and value.startswith(("file://", "package:")):
        raise Unlike(f"the value of {kind} stands in another file: {value}")
    made = make(kind, assertion)
    if negated and len(made) > 1:
        raise Unlike(f"{kind} of several values: say not-contains for each that must not be there")
    name = assertion.get("metric")
    for one in made:
        if negated:
            one["not"] = True
        if isinstance(name, str) and name:
            one["name"] = name
    beside = [key for key in assertion if key not in READ]
    if "threshold" in assertion and bare != "latency":
        beside.append("threshold")
    return made, beside


def _equals(kind: str, one: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "value" not in one or one["value"] is None:
        raise Unlike(f"{kind} has no value")
    return [{"equals": one["value"]}]


def _contains(kind: str, one: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"contains": _text(kind, one)}]


def _icontains(kind: str, one: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_without_case(_text(kind, one))]


def _contains_all(kind: str, one: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"contains": text} for text in _texts(kind, one)]


def _icontains_all(kind: str, one: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_without_case(text) for text in _texts(kind, one)]


def _any(kind: str, one: Mapping[str, Any]) -> list[dict[str, Any]]:
    texts = _texts(kind, one)
    if any("{{" in text for text in texts):
        raise Unlike(f"{kind} with a variable in its values")
    either = "|".join(map(re.escape, texts))
    return [{"matches": f"(?i:{either})" if "icontains" in kind else either}]


def _starts(kind: str, one: Mapping[str, Any]) -> list[dict[str, Any]]:
    text = _text(kind, one)
    if "{{" in text:
        raise Unlike(f"{kind} with a variable in its value")
    return [{"matches": rf"\A{re.escape(text)}"}]


def _regex(kind: str, one: Mapping[str, Any]) -> list[dict[str, Any]]:
    pattern = _text(kind, one)
    if "{{" not in pattern:
        try:
            re.compile(pattern)
        except re.error as error:
            raise Unlike(f"{pattern!r} is no regular expression in Python: {error}") from None
    return [{"matches": pattern}]


def _json(kind: str, one: Mapping[str, Any]) -> list[dict[str, Any]]:
    made: dict[str, Any] = {"json": "inside" if "contains" in kind else "whole"}
    schema = one.get("value")
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except ValueError:
            raise Unlike(f"{kind} with a schema that is no JSON") from None
    if schema is not None:
        made["schema"] = schema
    return [made]


def _rubric(kind: str, one: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"judge": f"Is this true of the answer, or does it do this? {_text(kind, one)}"}]


def _latency(kind: str, one: Mapping[str, Any]) -> list[dict[str, Any]]:
    most = one.get("threshold")
    if isinstance(most, bool) or not isinstance(most, int | float) or most <= 0:
        raise Unlike(f"{kind} needs a threshold in milliseconds")
    return [{"seconds_under": most / 1000}]


def _text(kind: str, one: Mapping[str, Any]) -> str:
    value = one.get("value")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unlike(f"{kind} needs a text as its value")
    return str(value)


def _texts(kind: str, one: Mapping[str, Any]) -> Sequence[str]:
    value = one.get("value")
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if not isinstance(value, list) or not value:
        raise Unlike(f"{kind} needs a list of texts as its value")
    return [str(part) for part in value]


def _without_case(text: str) -> dict[str, Any]:
    small = text.lower() if "{" not in text else f"{{% filter lower %}}{text}{{% endfilter %}}"
    return {"of": LOWER, "contains": small, "name": f"contains {text!r} in any case"}


TYPES: Mapping[str, Callable[[str, Mapping[str, Any]], list[dict[str, Any]]]] = {
    "equals": _equals,
    "contains": _contains,
    "icontains": _icontains,
    "contains-all": _contains_all,
    "icontains-all": _icontains_all,
    "contains-any": _any,
    "icontains-any": _any,
    "starts-with": _starts,
    "regex": _regex,
    "is-json": _json,
    "contains-json": _json,
    "llm-rubric": _rubric,
    "latency": _latency,
}
