"""Whether a new fact takes the place of an old one.

It does when it says the same in other words, or when the two differ in one place behind what they
are about: "The user's dog is called Rex", "... is called Bruno". Verbs of which several hold at
once ("likes", "speaks") are left out. It errs towards keeping both: whoever reads them sees which
is the newer. English only; of other languages only what says the same is found. How often it is
right: `benchmarks/facts.py`.
"""

from __future__ import annotations

import difflib
import re

SAME = 0.85
"""Cosine from which two facts with the same numbers say the same."""
ALIKE = 0.45
"""Below it two facts that differ in one place are about different things."""
ABOUT = 3
"""Words at the beginning, at least, in which two facts agree that are about the same."""
SLOT = 2
"""Words behind the place where they differ, that make even "uses" a matter of one thing alone:
"uses tabs for indentation"."""
NUMBERS = {
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "first",
    "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "monday",
    "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january", "february",
    "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
}  # fmt: skip
SEVERAL = {
    "likes", "loves", "enjoys", "hates", "dislikes", "speaks", "knows", "learns", "learning",
    "visits", "visited", "reads", "owns", "has", "have", "had", "plays", "uses", "watches",
    "collects", "eats", "drinks", "wants", "needs", "met", "bought", "been", "allergic",
    "interested", "good", "friends", "member", "fan",
}  # fmt: skip
STATES = {"is", "are", "was", "were", "has", "have", "had", "will", "can"}
"""Before them stands what a fact is about."""
NOT = {"not", "no", "never"}
NEGATION = NOT | {"longer", "doe", "do", "did"}
"""Stems that come with it."""
BESIDE_THE_POINT = {"now", "currently", "instead", "again", "any", "anymore", "more"}
PLACES = {"in", "on", "at", "as", "for", "with", "to", "from", "by", "of"}


def takes_the_place(new: str, old: str, cosine: float) -> bool:
    """Whether `old` no longer holds, or need not be kept, now that `new` is known."""
    before, after = _words(old), _words(new)
    if _denies(before) != _denies(after):
        return set(_stems(before)) ^ set(_stems(after)) <= NEGATION
    if cosine >= SAME and _numbers(before) == _numbers(after):
        return True
    if cosine < ALIKE:
        return False
    matcher = difflib.SequenceMatcher(None, _stems(before), _stems(after), autojunk=False)
    changes = [
        (before[a:b], after[c:d], a, len(before) - b)
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
    ]
    if not changes or changes[0][2] < ABOUT or STATES & set(before[changes[0][2] :]):
        return False
    if all(_is_number(gone) and _is_number(come) for gone, come, _, _ in changes):
        return True
    if len(changes) > 1:
        return False
    gone, come, begin, behind = changes[0]
    if not gone or not come or _is_named(gone, old) != _is_named(come, new):
        return False
    if gone[0] != come[0] and (gone[0] in PLACES or come[0] in PLACES):
        return False
    if bool(_numbers(gone)) != bool(_numbers(come)):
        return False
    return behind >= SLOT or not SEVERAL & set(before[:begin])


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


def _denies(words: list[str]) -> bool:
    return bool(NOT & set(words))


_WORD = re.compile(r"[\w:.'-]*\w")
