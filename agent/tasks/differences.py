"""In what two tasks differ, in words: where, what was there, what is there now."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from agent.cut import cut

SHOWN = 120
"""Characters of a value."""
BEFORE = 24
"""Of these, those before the first that differs."""
MOST = 5
"""Differences that are told."""


def told(then: Mapping[str, Any], now: Mapping[str, Any], unseen: tuple[str, ...]) -> list[str]:
    """`then`, `now`: what a task says, as JSON. `unseen`: keys of it that may differ."""
    kept = [{key: one for key, one in it.items() if key not in unseen} for it in (then, now)]
    found = list(itertools.islice(_below("", *kept), MOST + 1))
    return [*found[:MOST], "and more"] if len(found) > MOST else found


def _below(name: str, then: Any, now: Any) -> Iterator[str]:
    """Where in two values something is not the same; `name`: that of the two."""
    # as text: the order of a schema's keys is the order in which they are written
    if json.dumps(then) == json.dumps(now):
        return
    if isinstance(then, dict) and isinstance(now, dict) and then and now:
        yield from _keys(name, then, now)
    elif name == "steps" and _has_ids(then) and _has_ids(now):
        yield from _steps(then, now)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for at, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _below(f"{name}[{at}]", one, other)
    else:
        was, is_now = apart(then, now)
        yield f"{name} was {was} and is {is_now}"


def _keys(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if then.keys() == now.keys() and list(then) != list(now):
        yield f"the order of the keys of {name} is another"
    for key in dict.fromkeys([*then, *now]):
        inside = f"{name}{'' if name.endswith(' ') or not name else '.'}{key}"
        if key not in then:
            yield f"{inside} is new: {_short(now[key])}"
        elif key not in now:
            yield f"{inside} is gone: {_short(then[key])}"
        else:
            yield from _below(inside, then[key], now[key])


def _steps(then: list[Any], now: list[Any]) -> Iterator[str]:
    were, are = ({one["id"]: one for one in steps} for steps in (then, now))
    for id in dict.fromkeys([*were, *are]):
        if id not in were:
            yield f"step {id!r} is new"
        elif id not in are:
            yield f"step {id!r} is gone"
        else:
            yield from _below(f"step {id!r}: ", were[id], are[id])
    if were.keys() == are.keys() and list(were) != list(are):
        yield f"the order of the steps was {', '.join(were)} and is {', '.join(are)}"


def _has_ids(steps: Any) -> bool:
    return isinstance(steps, list) and all(
        isinstance(one, dict) and isinstance(one.get("id"), str) for one in steps
    )


def apart(then: Any, now: Any) -> tuple[str, str]:
    """Both, short enough to be read; of long texts what begins shortly before they differ."""
    if not isinstance(then, str) or not isinstance(now, str):
        return _short(then), _short(now)
    pairs = enumerate(zip(then, now, strict=False))
    first = next((at for at, (one, other) in pairs if one != other), min(len(then), len(now)))
    begin = max(0, first - BEFORE) if max(len(then), len(now)) > SHOWN else 0
    was, is_now = (("…" if begin else "") + text[begin:] for text in (then, now))
    return _short(was), _short(is_now)


def _short(value: Any) -> str:
    return cut(json.dumps(value, ensure_ascii=False), SHOWN)
