"""Citations such as [docs/setup.md:12], checked against the passages that were given.

Small models seldom cite, also when they are told to, and then often the wrong line. So none is told
to: an answer that rests on passages is given the lines that hold most of its words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tools.knowledge.passages import location

CITED = re.compile(r"\[([^\[\]\n:]*(?::[^\[\]\n:\d][^\[\]\n:]*)*):(\d{1,9})(?:-(\d{1,9}))?\]")
"""A file, and a line or several. A path of Windows has a colon of its own."""

MOST = 3
"""Lines that an answer is given."""
REQUEST = 0.3
"""What a word of the request weighs beside one of the answer."""
FILE = re.compile(r"[./\\]")
"""In the name of a file, and not in a time of the day."""


@dataclass(frozen=True)
class Source:
    file: str
    first: int
    last: int

    def __str__(self) -> str:
        return location(self.file, self.first, self.last)


def sources(text: str) -> list[Source]:
    """Each once, in order."""
    found = (
        Source(match[1].strip(), int(match[2]), int(match[3] or match[2]))
        for match in CITED.finditer(text)
        if FILE.search(match[1])
    )
    return list(dict.fromkeys(found))


def unfounded(answer: str, given: Iterable[Source]) -> list[Source]:
    """What `answer` cites although no passage of `given` has those lines. None without passages:
    there, what looks like a citation is something else."""
    passages = list(given)
    if not passages:
        return []
    return [one for one in sources(answer) if not any(_holds(other, one) for other in passages)]


def support(
    answer: str, request: str, passages: Sequence[tuple[Source, Sequence[tuple[int, str]]]]
) -> list[Source]:
    """The lines that the sentences of `answer` rest on and do not cite; up to `MOST`.

    `passages`: their numbered lines, the likeliest passage first. A sentence rests on a passage
    that has at least half of the words that it did not take from the request, and on a line with a
    number of it, with two words, or with one of them and two of the request.
    """
    found: list[Source] = []
    for sentence in _SENTENCE.split(_CODE.sub(" ", answer)):
        if _REFUSAL.search(sentence):
            continue
        best = _best_line(_words(CITED.sub("", sentence)), _words(request), passages)
        if best and best not in found and not any(_holds(x, best) for x in sources(answer)):
            found.append(best)
    return found[:MOST]


def _best_line(
    said: set[str], asked: set[str], passages: Sequence[tuple[Source, Sequence[tuple[int, str]]]]
) -> Source | None:
    """A word counts the more the fewer lines have it; those of the request too, for what it is
    about stands nearby."""
    new = said - asked - _IDLE
    lines = [
        (one.file, at, _words(text))
        for one, texts in passages
        if 2 * len(new & _words("\n".join(text for _, text in texts))) >= len(new)
        for at, text in texts
    ]
    rare = Counter(word for _, _, words in lines for word in words)
    best, most = None, 0.0
    for file, at, words in lines:
        if not _says_enough(new & words, asked & words):
            continue
        score = sum(1 / rare[word] for word in new & words)
        score += REQUEST * sum(1 / rare[word] for word in asked & words)
        if score > most:
            best, most = Source(file, at, at), score
    return best


def _says_enough(new: set[str], asked: set[str]) -> bool:
    """Whether the words that a line shares with a sentence, and with the request, are no chance."""
    return any(word[0].isdigit() for word in new) or len(new) + min(1, len(asked) // 2) > 1


def _words(text: str) -> set[str]:
    """Numbers, and words of at least four letters, without the ending of the plural."""
    found = _WORD.findall(text.lower())
    return {word.removesuffix("s") for word in found if len(word) > 3 or word[0].isdigit()}


def _holds(passage: Source, one: Source) -> bool:
    """A model may shorten the path."""
    same = passage.file == one.file or passage.file.endswith(f"/{one.file}")
    return same and passage.first <= one.first and one.last <= passage.last


_CODE = re.compile(r"^ *```.*?(?:^ *```|\Z)", re.MULTILINE | re.DOTALL)
"""It says nothing, and a line behind it would be part of one that is not closed."""
_REFUSAL = re.compile(
    r"\b(?:no information|not (?:mention|specif|provid|contain|tell|say|known|stated|clear)\w*|"
    r"(?:do|does) not (?:mention|specify|provide|contain|tell|say|know|include)|cannot|can't|"
    r"unable|sorry|do not know|don't know)\b",
    re.IGNORECASE,
)
"""A sentence that says that the passages do not tell rests on none of them."""
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W_]+")
_IDLE = _words(
    "about also answer been cannot context does document file from given have help information "
    "into just know known like line more need only passage please provided said says should some "
    "sorry that their them there these they this tell text told used using what when where which "
    "will with would your"
)
"""Words that say nothing of what a sentence is about."""
