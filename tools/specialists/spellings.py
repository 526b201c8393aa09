"""Labels that are likely one label, spelt in two ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

SHORTEST = 5
"""Letters of a label, from which on a single letter may be a slip."""


def alike(counts: Mapping[str, int], few: int) -> list[tuple[str, str]]:
    """Pairs of labels that differ only in case, blanks and punctuation, or in one letter where the
    rarer has fewer than `few` rows. The rarer comes first.

    `counts`: the rows of each label.
    """
    folded: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        folded[_folded(label)].append(label)
    pairs = [(one, other) for same in folded.values() for one in same[1:] for other in same[:1]]
    for first, second in _one_letter_apart(folded):
        for one in folded[first]:
            pairs += [
                (one, other) for other in folded[second] if min(counts[one], counts[other]) < few
            ]
    ordered = (sorted(pair, key=lambda label: (counts[label], label)) for pair in pairs)
    return sorted({(rare, common) for rare, common in ordered})


def _folded(label: str) -> str:
    letters = "".join(char for char in label.casefold() if char.isalnum())
    return letters or label


def _one_letter_apart(words: Iterable[str]) -> set[tuple[str, str]]:
    """Numbers tell labels apart, so a digit is no letter."""
    there = {word for word in words if len(word) >= SHORTEST}
    pairs = set()
    without: dict[tuple[int, str], list[str]] = defaultdict(list)
    for word in sorted(there):
        for at, char in enumerate(word):
            if char.isdigit():
                continue
            shorter = word[:at] + word[at + 1 :]
            if shorter in there:
                pairs.add((shorter, word))
            pairs |= {(other, word) for other in without[at, shorter]}
            without[at, shorter].append(word)
    return pairs
