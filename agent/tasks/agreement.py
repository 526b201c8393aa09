"""Whether an answer says what a label says, however it is written."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

WORDS = {"true": True, "yes": True, "false": False, "no": False}
NUMBER = re.compile(r"[-+]?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?")


def agrees(label: Any, said: Any, within: float = 0.0) -> bool:
    """By value: a text may stand for the JSON that it is, `within` is how far off a number may be.

    A list agrees with one of the same items in any order. Of a text that is to be a number, the
    last number counts.
    """
    if isinstance(label, Mapping | list | tuple):
        return _same_parts(label, _parsed(said), within)
    if isinstance(said, Mapping | list | tuple):
        found = _parsed(label)
        return isinstance(found, Mapping | list) and _same_parts(found, said, within)
    if isinstance(label, bool) or isinstance(said, bool):
        return label is not None and said is not None and _truth(label) == _truth(said)
    if label is None or said is None:
        return _is_nothing(label) and _is_nothing(said)
    wanted = _whole_number(label)
    if wanted is not None:
        found_number = number_in(said)
        return found_number is not None and near(wanted, found_number, within)
    return normalised(str(label)) == normalised(str(said))


def _is_nothing(value: Any) -> bool:
    """An empty cell of a table stands for null."""
    return value is None or (isinstance(value, str) and not value.strip())


def near(wanted: float, found: float, within: float) -> bool:
    # what binary fractions lose is no difference
    return abs(found - wanted) <= within or math.isclose(found, wanted, rel_tol=1e-9)


def number_in(value: Any) -> float | None:
    """The last number in a text: small models say first how they came to it. None also for one that
    is too large to reckon with: such are compared as texts."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _finite(value)
    if not isinstance(value, str):
        return None
    found = NUMBER.findall(value)
    return _finite(found[-1].replace(",", "")) if found else None


def _finite(number: float | str) -> float | None:
    try:
        found = float(number)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def normalised(text: str) -> str:
    """Without case, punctuation, and white space but one blank between words."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("\u2019", "")
    plain = "".join(" " if unicodedata.category(one)[0] == "P" else one for one in folded)
    return " ".join(plain.split()) or " ".join(folded.split())


def _same_parts(label: Any, said: Any, within: float) -> bool:
    if isinstance(label, Mapping) and isinstance(said, Mapping):
        return label.keys() == said.keys() and all(
            agrees(one, said[key], within) for key, one in label.items()
        )
    if isinstance(label, list | tuple) and isinstance(said, list | tuple):
        return len(label) == len(said) and _are_paired(label, said, within)
    return False


def _are_paired(label: Sequence[Any], said: Sequence[Any], within: float) -> bool:
    """Whether each item has one of its own on the other side. With a tolerance the first that fits
    may be the wrong one; the nearest are taken first by sorting what can be sorted."""
    left = sorted(said, key=_rank)
    for one in sorted(label, key=_rank):
        at = next((at for at, other in enumerate(left) if agrees(one, other, within)), None)
        if at is None:
            return False
        del left[at]
    return True


def _rank(value: Any) -> tuple[bool, float, str]:
    number = _whole_number(value)
    if number is not None:
        return (False, number, "")
    return (True, 0.0, json.dumps(value, default=str, skipkeys=True))


def _whole_number(value: Any) -> float | None:
    """Of a number, or a text that is nothing else."""
    if isinstance(value, str) and not NUMBER.fullmatch(value.strip()):
        return None
    return number_in(value)


def _truth(value: Any) -> Any:
    if isinstance(value, str):
        return WORDS.get(normalised(value), value)
    return value


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
