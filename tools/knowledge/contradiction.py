"""Whether a new fact takes the place of an old one.

It does when it says the same in other words, or when the two differ only in what one word of which
there is one value says: "The user's dog is called Rex", "... is called Bruno". It errs towards
keeping both: whoever reads them sees the dates. English only; of other languages only what says the
same is found. How often it is right: `benchmarks/facts.py`.
"""

from __future__ import annotations

import difflib
import re

SAME = 0.85
"""Cosine from which two facts with the same numbers say the same."""
ALIKE = 0.45
"""Below it two facts that differ in one place are about different things."""
NUMBERS = {
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "first",
    "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "monday",
    "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january", "february",
    "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
}  # fmt: skip
ONE = {
    "is", "are", "was", "were", "called", "named", "lives", "live", "works", "work", "prefers",
    "prefer", "drives", "studies", "runs", "run", "listens", "leaves", "departs", "arrives", "ends",
    "begins", "starts", "costs", "weighs", "wakes", "meets", "meet", "moved", "hosted", "booked",
    "sent", "due",
}  # fmt: skip
"""What is said with them is true of one thing at a time; not so "likes", "speaks", "visited"."""
COUNTS = {"has", "have"}
"""With them a number is."""
BETWEEN = {
    "in", "on", "at", "for", "with", "to", "from", "by", "of", "the", "a", "an", "every", "up",
}  # fmt: skip
"""What may stand between such a word and its value; before a number a noun too: "in room 204"."""
NOT = {"not", "no", "never"}
NEGATION = NOT | {"longer", "doe", "do", "did"}
"""Stems that come with it."""
BESIDE_THE_POINT = {"now", "currently", "instead", "again", "any", "anymore", "more"}


def takes_the_place(new: str, old: str, cosine: float) -> bool:
    """Whether `old` no longer holds, or need not be kept, now that `new` is known."""
    before, after = _words(old), _words(new)
    if _denies(before) != _denies(after):
        return set(_stems(before)) ^ set(_stems(after)) <= NEGATION
    matcher = difflib.SequenceMatcher(None, _stems(before), _stems(after), autojunk=False)
    changes = [
        (before[a:b], after[c:d], a)
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
    ]
    if not changes:
        return True
    if all(_is_other_value(gone, come, before, at) for gone, come, at in changes):
        named = {_is_named(gone, old) == _is_named(come, new) for gone, come, _ in changes}
        return cosine >= ALIKE and named == {True}
    one_word = len(changes) == 1 and len(changes[0][0]) == len(changes[0][1]) == 1
    same = _numbers(before) == _numbers(after) and _names(old) == _names(new)
    return cosine >= SAME and same and not one_word


def _is_other_value(gone: list[str], come: list[str], before: list[str], at: int) -> bool:
    """Whether, at this place of an old fact, one value took the place of another."""
    if not gone or not come or _is_number(gone[-1:]) != _is_number(come[-1:]):
        return False
    numbers = _is_number(gone) and _is_number(come)
    one = ONE | COUNTS if numbers else ONE
    verb = next((place for place in range(at - 1, -1, -1) if before[place] in one), None)
    if verb is None or ONE & set(before[at + len(gone) :]):
        return False
    between = before[verb + 1 : at]
    if numbers and between and at == len(before) - len(gone):
        between = between[:-1]
    values = set(gone[:1] + come[:1])
    return set(between) <= BETWEEN and (gone[0] == come[0] or not values & BETWEEN - {"a", "an"})


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in BESIDE_THE_POINT]


def _stems(words: list[str]) -> list[str]:
    return [re.sub(r"'?s$", "", word) if len(word) > 3 else word for word in words]


def _numbers(words: list[str]) -> list[str]:
    return sorted(word for word in _stems(words) if _is_number([word]))


def _is_number(words: list[str]) -> bool:
    """Nothing but numbers, days and months."""
    return bool(words) and all(word[0].isdigit() or word in NUMBERS for word in _stems(words))


def _is_named(words: list[str], text: str) -> bool:
    """Whether one of `words` is written with a capital in `text`."""
    return any(word != word.lower() in words for word in _WORD.findall(text))


def _names(text: str) -> set[str]:
    """Words with a capital, but for the little ones that begin a sentence."""
    written = _WORD.findall(text)
    return {
        stem
        for word, stem in zip(written, _stems(written), strict=True)
        if word != word.lower() and word.lower() not in {"the", "my", "our", "a", "an", "i"}
    }


def _denies(words: list[str]) -> bool:
    return bool(NOT & set(words))


_WORD = re.compile(r"[\w:.'-]*\w")
