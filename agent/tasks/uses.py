"""Which inputs the templates of a task name: those of its work, and those of its checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agent.tasks import templates
from agent.tasks.lines import texts

Text = tuple[str, bool]
"""What may be a template, and whether it is an expression."""
EXPRESSIONS = ("if", "each")
"""Keys of a step that are not filled in but worked out."""
UNFILLED = ("name", "schema")
"""Keys of a check that are no templates."""


def of_work(said: Mapping[str, Any]) -> Iterator[Text]:
    """`said`: what a task file says, without its mistakes."""
    for step in said.get("steps", ()):
        yield from ((step[key], True) for key in EXPRESSIONS if isinstance(step.get(key), str))
        yield from _below(step.get("prompt"))
        yield from _below(step.get("arguments"))
    yield from _below(said.get("prompt"))
    outputs = said.get("outputs", {})
    yield from _below([*outputs, *outputs.values()])


def of_checks(said: Mapping[str, Any]) -> Iterator[Text]:
    for check in said.get("checks", ()):
        yield from _below({key: one for key, one in check.items() if key not in UNFILLED})


def named(templated: Iterable[Text]) -> set[str] | None:
    """Names that may be those of inputs; None: all of them are taken, as `inputs`."""
    found: set[str] = set()
    whole = 0
    for text, is_expression in templated:
        for use in templates.uses(text, is_expression):
            first, *rest = use.parts
            if first == "inputs":
                whole += (not rest) - (len(rest) == 1)  # each `inputs.x` is a use of `inputs`, too
                found.update(rest[:1])
            elif not rest:
                found.add(first)
    return None if whole else found


def only_checked(said: Mapping[str, Any]) -> set[str]:
    """The inputs that change nothing in what is answered."""
    worked = named(of_work(said))
    if worked is None:
        return set()
    return {
        name
        for name, one in said.get("inputs", {}).items()
        if one.get("type") != "functions" and name not in worked
    }


def _below(value: Any) -> Iterator[Text]:
    return ((text, False) for _, text in texts(value, ()))
