"""The same text again: kept once, or dropped where its rows contradict each other."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from tools.specialists.data import Example, Problem


def content(one: Example) -> str:
    """All that is written, apart from what is to be learned of it; without regard to white space
    and case."""
    if one.messages:
        said = [{**x, "content": _normal(str(x.get("content") or ""))} for x in one.messages]
        return json.dumps([said, one.tools], ensure_ascii=False, sort_keys=True, default=str)
    return "\0".join(_normal(part) for part in (one.text, *one.words, one.second))


def query(one: Example) -> str:
    """What decides in which part a row stands."""
    if one.messages:
        asked = (x.get("content") for x in one.messages if x["role"] == "user")
        return _normal(next((x for x in asked if isinstance(x, str)), content(one)))
    return _normal(" ".join(one.words) if one.words else one.text)


def once(rows: Iterable[Example], many: bool) -> tuple[list[Example], list[Problem], list[Problem]]:
    """Usable rows; problems of rows that repeat another; of rows that contradict another."""
    alike: dict[str, list[Example]] = {}
    for one in rows:
        alike.setdefault(content(one), []).append(one)
    usable: list[Example] = []
    repeated: list[Problem] = []
    contradicting: list[Problem] = []
    for first, *others in alike.values():
        if many:
            labels = {label for one in (first, *others) for label in one.labels}
            first = replace(first, labels=tuple(sorted(labels)))
        elif any(_answer(one) != _answer(first) for one in others):
            what = "the same text with another label, tags or score, dropped"
            contradicting.append(Problem(first.where, f"{what}: see {others[0].where}"))
            contradicting += [Problem(x.where, f"{what}: see {first.where}") for x in others]
            continue
        usable.append(first)
        what = "a text again, kept once" + (" with all labels" if many else "")
        repeated += [Problem(x.where, f"{what}: see {first.where}") for x in others]
    return usable, repeated, contradicting


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())


def _answer(one: Example) -> object:
    return one.labels, one.tags, one.score
