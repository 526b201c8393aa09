"""Facts that last: short sentences, each with the conversation and the message it came from.

They are in a Chroma store of their own in the state folder, and never on a server: others need not
read them. A fact that another one replaced is kept as its history; one that is forgotten is gone,
with its history; Chroma may hold its text in the file until it tidies up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tools.errors import FactError
from tools.knowledge.contradiction import takes_the_place
from tools.knowledge.secrets import secret_in
from tools.knowledge.store import Store, Stored
from tools.running import Origin

if TYPE_CHECKING:
    import numpy as np

COLLECTION = "facts"
FRESH = "facts--new"
"""While they are embedded anew."""
LONGEST = 300
"""Characters of a fact."""
COMPARED = 8
"""Of the facts that are kept, with a new one."""
Embed = Callable[[Sequence[str]], "np.ndarray"]
"""Unit vectors of texts, shape (len(texts), dimension)."""


@dataclass(frozen=True)
class Fact:
    number: int
    text: str
    origin: Origin
    written: int
    """Seconds since 1970."""
    replaced_by: int = 0
    """The number of the fact that holds in its place; 0: this one holds."""


@dataclass(frozen=True)
class Remembered:
    fact: Fact
    is_new: bool
    """False: just this was known."""
    replaced: Sequence[Fact] = ()
    """Those whose place it takes."""


class Facts:
    def __init__(self, home: Path, embedder: str, embed: Embed) -> None:
        """`embedder`: the name of the model behind `embed`; facts of another one are embedded anew.

        Nothing is opened yet.
        """
        self._place = home / "facts"
        self._store = Store(self._place)
        self._embedder = embedder
        self._embed = embed

    def all(self) -> list[Fact]:
        """In the order of their numbers, those that were replaced too."""
        if not self._place.is_dir():
            return []
        for name in (COLLECTION, FRESH):  # that one alone, where a program was killed
            if self._store.collection(name):
                kept = self._store.get(name, sorted(self._store.ids(name)))
                return sorted(map(_fact, kept), key=lambda fact: fact.number)
        return []

    def holding(self) -> list[Fact]:
        return [fact for fact in self.all() if not fact.replaced_by]

    def remember(self, text: str, origin: Origin) -> Remembered:
        """Raises FactError: for a text that is no short sentence, or that holds a secret."""
        text = _sentence(text)
        with self._store.writing():
            self._collection()
            vector = self._embed([text])[0]
            held = self.all()
            numbers = {fact.number: fact for fact in held}
            near = self._near(vector, COMPARED)
            for number in near:
                if numbers[number].text.casefold() == text.casefold():
                    return Remembered(numbers[number], is_new=False)
            gone = [
                numbers[number]
                for number, cosine in near.items()
                if takes_the_place(text, numbers[number].text, cosine)
            ]
            return self._keep(text, origin, gone, held)

    def edit(self, number: int, text: str) -> Remembered:
        """Another text for a fact; the one before is its history. Raises FactError."""
        text = _sentence(text)
        with self._store.writing():
            old = self.find(number)
            if old.text == text:
                return Remembered(old, is_new=False)
            self._collection()
            return self._keep(text, old.origin, [old], self.all())

    def forget(self, number: int) -> list[Fact]:
        """Delete a fact and those that it replaced; gives them all. Raises FactError."""
        with self._store.writing():
            gone = [self.find(number)]
            held = self.all()
            for one in gone:
                gone += [fact for fact in held if fact.replaced_by == one.number]
            self._put([], gone)
        return gone

    def find(self, number: int) -> Fact:
        """One that holds. Raises FactError."""
        for fact in self.holding():
            if fact.number == number:
                return fact
        raise FactError(f"there is no fact {number}; /memory and `tinsmith memory` list them")

    def relevant(self, question: str, count: int, least: float) -> dict[Fact, float]:
        """Up to `count` that hold and whose cosine with the question is at least `least`.

        With their cosines, the nearest first.
        """
        if not question.strip() or not self._place.is_dir():
            return {}
        held = self._store.collection(COLLECTION)
        if held is None or held.embedder != self._embedder:
            with self._store.writing():
                self._collection()
        near = self._near(self._embed([question])[0], count)
        # another program may have forgotten one just now
        facts = map(_fact, self._store.get(COLLECTION, list(map(str, near))))
        numbers = {fact.number: fact for fact in facts if not fact.replaced_by}
        return {
            numbers[number]: cosine
            for number, cosine in near.items()
            if cosine >= least and number in numbers
        }

    def _near(self, vector: np.ndarray, count: int) -> dict[int, float]:
        """Numbers and cosines of the nearest facts that hold."""
        found = self._store.nearest(COLLECTION, vector, count, {"replaced_by": 0})
        return {int(id): cosine for id, cosine in found.items()}

    def _collection(self) -> None:
        """See that there is one, embedded with the embedder of now; for one writer at a time.

        Killed in the middle, the facts are in the one or in the other collection.
        """
        held = self._store.collection(COLLECTION)
        if held is None and self._store.collection(FRESH):
            self._store.rename(FRESH, COLLECTION)
            held = self._store.collection(COLLECTION)
        if held and held.embedder == self._embedder:
            return
        kept = self.all()
        vectors = self._embed([fact.text for fact in kept] or [COLLECTION])
        if self._store.collection(FRESH):
            self._store.drop(FRESH)
        self._store.create(FRESH, self._embedder, vectors.shape[1])
        if kept:
            self._store.put(FRESH, list(map(_stored, kept)), vectors)
        if held:
            self._store.drop(COLLECTION)
        self._store.rename(FRESH, COLLECTION)

    def _keep(
        self, text: str, origin: Origin, gone: Sequence[Fact], held: Sequence[Fact]
    ) -> Remembered:
        new = Fact(
            max((fact.number for fact in held), default=0) + 1, text, origin, int(time.time())
        )
        # killed in between, both hold
        self._put([new], changed=[replace(fact, replaced_by=new.number) for fact in gone])
        return Remembered(new, is_new=True, replaced=gone)

    def _put(
        self, new: Sequence[Fact], gone: Sequence[Fact] = (), changed: Sequence[Fact] = ()
    ) -> None:
        import numpy as np

        vectors = self._embed([fact.text for fact in new]) if new else np.zeros((0, 0))
        self._store.put(
            COLLECTION,
            list(map(_stored, new)),
            vectors,
            [str(fact.number) for fact in gone],
            list(map(_stored, changed)),
        )


def _sentence(text: str) -> str:
    text = " ".join(text.encode("utf-8", "replace").decode().split())
    if not text:
        raise FactError("there is nothing to remember; say it in a sentence")
    if len(text) > LONGEST:
        raise FactError(
            f"{len(text)} characters are no short sentence (at most {LONGEST}); remember the parts "
            "one by one, or save it in a file"
        )
    if secret := secret_in(text):
        raise FactError(f"that holds a secret ({secret}), and secrets are not remembered")
    return text


def _fact(one: Stored) -> Fact:
    facts = one.facts
    origin = Origin(int(facts["session"]), int(facts["message"]))
    return Fact(int(one.id), one.text, origin, int(facts["written"]), int(facts["replaced_by"]))


def _stored(fact: Fact) -> Stored:
    facts: dict[str, str | int | float] = {
        "session": fact.origin.session,
        "message": fact.origin.message,
        "written": fact.written,
        "replaced_by": fact.replaced_by,
    }
    return Stored(str(fact.number), fact.text, facts)
