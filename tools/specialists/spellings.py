"""Labels that may be one label, spelt in two ways. The rarer of a pair comes first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

SHORTEST, LONGEST = 5, 40
"""Letters of a label in which a single letter may be a slip."""
SHORTEST_WORD = 3
"""Of such a label; shorter ones are what tells `class a` and `class b` apart."""
MOST = 5000
"""Labels among which slips are looked for; more are no classes."""


def same(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Those that differ only in case, and in blanks, hyphens and underscores between letters.

    `counts`: the rows of each label.
    """
    folded: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        folded[_folded(label)].append(label)
    return _with_the_commonest(folded.values(), counts)


def nearly(counts: Mapping[str, int], few: int) -> list[tuple[str, str]]:
    """Those of letters alone that differ in one, where the rarer has fewer than `few` rows."""
    words: dict[str, str] = {}
    for label in sorted(counts, key=lambda one: counts[one]):
        if _may_slip(label):
            words[_folded(label)] = label
    if len(words) > MOST:
        return []
    alike: dict[tuple[int, str], list[str]] = defaultdict(list)
    for word, label in words.items():
        for at in range(len(word)):
            shorter = word[:at] + word[at + 1 :]
            alike[at, shorter].append(label)
            if other := words.get(shorter):
                alike[-1, shorter] += [label, other]
    pairs = _with_the_commonest(alike.values(), counts)
    return [(rare, common) for rare, common in pairs if counts[rare] < few]


def _with_the_commonest(
    groups: Iterable[Sequence[str]], counts: Mapping[str, int]
) -> list[tuple[str, str]]:
    pairs = set()
    for group in groups:
        if len(group) > 1:
            *others, common = sorted(set(group), key=lambda label: (counts[label], label))
            pairs |= {(other, common) for other in others}
    return sorted(pairs)


def _folded(label: str) -> str:
    """A sign beside a digit or at an end says something: -1, A+, C#."""
    return _BETWEEN_LETTERS.sub("", label.strip().casefold())


def _may_slip(label: str) -> bool:
    folded = _folded(label)
    words = re.split(r"[\s_-]+", label.strip())
    return (
        SHORTEST <= len(folded) <= LONGEST
        and folded.isalpha()
        and all(len(word) >= SHORTEST_WORD for word in words)
    )


_BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])")
