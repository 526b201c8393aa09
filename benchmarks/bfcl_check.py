"""The Berkeley Function-Calling Leaderboard's rules, for Python `simple` and `multiple`.

Written anew after `ast_checker.py` of https://github.com/ShishirPatil/gorilla (folder
berkeley-function-call-leaderboard/bfcl_eval/eval_checker/ast_eval, Apache-2.0), quirks included:
a call that is right here is right there.

An accepted answer is `{function: {parameter: [value, ...]}}`; "" among the values says that the
parameter may be left out. A value whose type is not the declared one stands for a variable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tools.base import ToolSpec

Kind = Literal["right", "wrong tool", "wrong required", "wrong optional", "wrong count"]

CATEGORIES = ("multiple", "simple_python", "irrelevance")


@dataclass(frozen=True)
class Verdict:
    kind: Kind
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """One request of the leaderboard."""

    id: str
    question: str
    functions: tuple[Mapping[str, Any], ...]
    """As the leaderboard writes them."""
    answer: Mapping[str, Mapping[str, Sequence[Any]]]
    """{} where nothing should be called."""


def load(folder: Path, category: str) -> Iterator[Row]:
    """The rows of `BFCL_v4_<category>.json` in `folder`, with their accepted answers."""
    name = f"BFCL_v4_{category}.json"
    answers = {}
    if category != "irrelevance":
        lines = (folder / "possible_answer" / name).read_text("utf-8").splitlines()
        answers = {row["id"]: row["ground_truth"][0] for row in map(json.loads, lines)}
    for line in (folder / name).read_text("utf-8").splitlines():
        row = json.loads(line)
        question = row["question"][0][-1]["content"]
        yield Row(row["id"], question, tuple(row["function"]), answers.get(row["id"], {}))


def to_spec(function: Mapping[str, Any]) -> ToolSpec:
    """A function of the leaderboard as a tool. Names keep their dots."""
    parameters = _to_schema(function["parameters"])
    return ToolSpec(function["name"], function["description"], parameters)


def check(row: Row, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> Verdict:
    """Judge the calls of one reply, each a name and its arguments.

    Wrong arguments are told apart by whether the parameter at fault is required.
    """
    if len(calls) != 1:
        return Verdict("wrong count", f"{len(calls)} calls, one expected")
    [(expected, accepted)] = row.answer.items()
    name, arguments = calls[0]
    if name != expected:
        return Verdict("wrong tool", f"{name}, not {expected}")
    schema = next(f["parameters"] for f in row.functions if f["name"] == expected)
    properties, required = schema["properties"], schema["required"]
    for parameter in required:
        if parameter not in arguments:
            return Verdict("wrong required", f"{parameter} is missing")
    for parameter, value in arguments.items():
        kind: Kind = "wrong required" if parameter in required else "wrong optional"
        if parameter not in properties or parameter not in accepted:
            return Verdict(kind, f"{parameter} is not expected")
        if not _accepts(properties[parameter], accepted[parameter], value):
            reason = f"{parameter} = {value!r} is none of {list(accepted[parameter])!r}"
            return Verdict(kind, reason)
    for parameter, values in accepted.items():
        if parameter not in arguments and "" not in values:
            return Verdict("wrong optional", f"{parameter} is missing")
    return Verdict("right")


_PYTHON: Mapping[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}
_JSON = {"dict": "object", "float": "number", "tuple": "array"}


def _to_schema(node: Mapping[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in node.items() if key not in ("type", "optional")}
    if node["type"] != "any":
        schema["type"] = _JSON.get(node["type"], node["type"])
    if "properties" in node:
        schema["properties"] = {
            name: _to_schema(child) for name, child in node["properties"].items()
        }
        schema["additionalProperties"] = False
    if "items" in node:
        schema["items"] = _to_schema(node["items"])
    return schema


def _accepts(schema: Mapping[str, Any], accepted: Sequence[Any], value: Any) -> bool:
    declared = _PYTHON[schema["type"]]
    inner = _PYTHON[schema["items"]["type"]] if declared is list else None
    if isinstance(value, tuple) and schema["type"] == "tuple":
        value = list(value)
    if declared is float and type(value) is int:
        value = float(value)
    variable = _type_of(accepted)
    as_declared: bool = type(value) is declared
    if as_declared:
        if inner is not None and not _inner_types_fit(value, accepted, inner):
            return False
        is_variable = variable not in (None, declared)
    elif variable is not None and type(value) is variable:
        is_variable = True
    else:
        return False
    if is_variable:
        return value in accepted
    if declared is dict:
        return any(_same_object(value, one) for one in accepted if one != "")
    if inner is dict:
        return any(_same_objects(value, one) for one in accepted)
    if declared is str:
        return _plain(value) in [_plain(one) for one in accepted if isinstance(one, str)]
    if declared is list:
        return [_plain(part) for part in value] in [[_plain(p) for p in one] for one in accepted]
    return value in accepted


def _type_of(accepted: Sequence[Any]) -> type | None:
    return next((type(one) for one in accepted if one != ""), None)


def _inner_types_fit(value: list[Any], accepted: Sequence[Any], inner: type) -> bool:
    """An integer in a list of floats passes only where an accepted list begins with one, too."""
    return any(
        not isinstance(one, list)
        or all(type(part) is inner or type(part) is _type_of(one) for part in value)
        for one in accepted
    )


def _same_object(value: Mapping[str, Any], accepted: Mapping[str, Sequence[Any]]) -> bool:
    return all(
        key in accepted and _plain(part) in [_plain(one) for one in accepted[key]]
        for key, part in value.items()
    ) and all(key in value or "" in values for key, values in accepted.items())


def _same_objects(value: Sequence[Any], accepted: Sequence[Any]) -> bool:
    """Order counts."""
    return len(value) == len(accepted) and all(map(_same_object, value, accepted))


def _plain(value: Any) -> Any:
    """Strings without case, blanks and ,./-_*^ and with one kind of quotes; others as they are."""
    if not isinstance(value, str):
        return value
    return value.translate(_DROPPED).lower().replace("'", '"')


_DROPPED = str.maketrans("", "", " ,./-_*^")
