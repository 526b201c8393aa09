"""Whether the calls that a model made are the right ones, by the rules of the Berkeley
Function-Calling Leaderboard for Python.

Written anew after `ast_checker.py` of https://github.com/ShishirPatil/gorilla (folder
berkeley-function-call-leaderboard/bfcl_eval/eval_checker/ast_eval, Apache-2.0), quirks included:
a call that is right here is right there.

An accepted call is `{function: {parameter: [value, ...]}}`; "" among the values says that the
parameter may be left out. A value whose type is not the declared one stands for a variable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "right", "wrong tool", "wrong required", "wrong optional", "wrong count", "called", "not called"
]
Accepted = Mapping[str, Mapping[str, Sequence[Any]]]
"""One call."""
Call = tuple[str, Mapping[str, Any]]
"""A name and its arguments."""


@dataclass(frozen=True)
class Verdict:
    kind: Kind
    reason: str = ""


def judge(
    parameters: Mapping[str, Mapping[str, Any]], accepted: Sequence[Accepted], calls: Sequence[Call]
) -> Verdict:
    """Of all calls of a run: each of `accepted` was made, in whatever order, and no other.

    `parameters`: by function, the schema of its parameters, in the leaderboard's types or in JSON
    schema's.
    """
    if not accepted:
        return Verdict("called", f"{calls[0][0]} was called") if calls else Verdict("right")
    if not calls:
        return Verdict("not called", "nothing was called")
    if len(calls) != len(accepted):
        return Verdict("wrong count", f"{len(calls)} calls, {len(accepted)} expected")
    left = list(calls)
    for one in accepted:
        verdicts = [check(parameters, one, call) for call in left]
        right = next((at for at, found in enumerate(verdicts) if found.kind == "right"), None)
        if right is None:  # the call that came nearest says most of what is wrong
            return min(verdicts, key=lambda found: NEAREST.index(found.kind))
        del left[right]
    return Verdict("right")


NEAREST: Sequence[Kind] = ("wrong optional", "wrong required", "wrong tool")


def check(parameters: Mapping[str, Mapping[str, Any]], accepted: Accepted, call: Call) -> Verdict:
    """Judge one call. Wrong arguments are told apart by whether the parameter at fault is
    required."""
    [(expected, values_of)] = accepted.items()
    name, arguments = call
    if name != expected:
        return Verdict("wrong tool", f"{name}, not {expected}")
    schema = parameters.get(expected, {})
    properties, required = schema.get("properties", {}), schema.get("required", [])
    for parameter in required:
        if parameter not in arguments:
            return Verdict("wrong required", f"{parameter} is missing")
    for parameter, value in arguments.items():
        kind: Kind = "wrong required" if parameter in required else "wrong optional"
        if parameter not in properties or parameter not in values_of:
            return Verdict(kind, f"{parameter} is not expected")
        if not _accepts(properties[parameter], values_of[parameter], value):
            reason = f"{parameter} = {value!r} is none of {list(values_of[parameter])!r}"
            return Verdict(kind, reason)
    for parameter, values in values_of.items():
        if parameter not in arguments and "" not in values:
            return Verdict("wrong optional", f"{parameter} is missing")
    return Verdict("right")


_PYTHON: Mapping[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "number": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "object": dict,
}
"""By the name of a type, the leaderboard's or JSON schema's."""


def _accepts(schema: Mapping[str, Any], accepted: Sequence[Any], value: Any) -> bool:
    declared = _declared(schema, value)
    inner = None
    if declared is list and value:
        items = schema.get("items") if isinstance(schema, Mapping) else None
        inner = _declared(items, value[0])
    if isinstance(value, tuple):
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


def _declared(schema: Any, value: Any) -> type:
    """Of a parameter that may be anything, as under the schema `true`, what it is."""
    said = schema.get("type") if isinstance(schema, Mapping) else None
    return _PYTHON.get(str(said), type(value))


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
