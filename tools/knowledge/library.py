"""Documents added, searched, listed and removed. The parts are named in the package's docstring.

A file counts as read when all its passages of one reading are there. So whatever dies in the middle
of adding loses at most the files of one batch, and `add` again mends it.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from tools.errors import DocumentError
from tools.knowledge import formats
from tools.knowledge.mirror import Damaged, File, Mirror, Wanted
from tools.knowledge.passages import Passage, passages
from tools.knowledge.reranker import Reranker
from tools.knowledge.store import FRESH, NAME, Collection, Store, Stored
from tools.knowledge.vectors import Vectors
from tools.knowledge.walk import files_of

DEFAULT = "docs"
"""The collection when none is named."""
BATCH = 512
"""Passages that are embedded and written together."""
CANDIDATES = 50
"""Of each way of searching, that are joined; of the joined, that are reranked."""
LOOK_UP = 10
"""Of the joined, that are read together."""
SMOOTH = 60
"""Of reciprocal rank fusion (Cormack et al. 2009)."""
P = ParamSpec("P")
R = TypeVar("R")
Report = Callable[[int, int], None]
"""Told how many passages are done, of how many that are known of."""


@dataclass
class Added:
    """What became of the files of one `add`."""

    files: int = 0
    passages: int = 0
    unchanged: int = 0
    removed: int = 0
    """Files that are not there any more."""
    skipped: list[str] = field(default_factory=list)
    """Why, for each file that could not be read."""
    seconds: float = 0.0


@dataclass(frozen=True)
class _Reading:
    """A file as it was read."""

    path: Path
    sha256: str
    modified: int
    """Seconds since 1970, whole: Chroma gives floats back a little off."""
    passages: list[Passage]


@dataclass(frozen=True)
class Hit:
    id: str
    collection: str
    file: str
    """Absolute path."""
    kind: str
    first: int
    last: int
    heading: str
    text: str
    score: float


def _mending(method: Callable[P, R]) -> Callable[P, R]:
    """Once more when the mirror was found damaged: it is made again on the way."""

    @functools.wraps(method)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except Damaged:
            return method(*args, **kwargs)

    return run


def known(home: Path, url: str) -> list[str]:
    """Names of the collections that were used on this machine, without opening the store."""
    return sorted(file.stem for file in _words(home, url).glob("*.db"))


def _words(home: Path, url: str) -> Path:
    """The folder of the mirrors."""
    of_server = f"-{hashlib.sha256(url.encode()).hexdigest()[:16]}" if url else ""
    return home / "store" / f"words{of_server}"


class Library:
    def __init__(self, home: Path, url: str, embedder: str, reranker: str = "") -> None:
        """`url`: of a Chroma server; `reranker`: a cross-encoder. "": none."""
        self._home = home
        self._url = url
        self._store = Store(home / "store", url)
        self._vectors = Vectors(home, embedder)
        self._reranker = Reranker(home, reranker) if reranker else None
        self._mirrors: dict[str, Mirror] = {}

    def collections(self) -> list[Collection]:
        held = self._store.collections()
        names = {one.name for one in held}
        lost = [
            name for name in names if name.endswith(FRESH) and name.removesuffix(FRESH) not in names
        ]
        for name in lost:  # a program was killed between the last two steps of `reindex`
            self._store.rename(name, name.removesuffix(FRESH))
        if lost:
            held = self._store.collections()
        return [one for one in held if not one.name.endswith(FRESH)]

    @_mending
    def collection(self, name: str) -> Collection:
        """The collection, with the mirror equal to it. Raises DocumentError when there is none."""
        held = self._store.collection(name)
        if held is None:  # or it is lost on the way to its name, which `collections` mends
            known = {one.name: one for one in self.collections()}
            held = known.get(name)
        if held is None:
            names = ", ".join(known) or "none yet"
            raise DocumentError(
                f"there is no collection {name!r}; there are: {names}; add documents with: "
                "tinsmith docs add PATH"
            )
        mirror = self._mirror(name)
        if mirror.revision() != held.revision:
            there, here = self._store.ids(name), mirror.ids()
            new = self._store.get(name, sorted(there - here))
            mirror.change(held.revision, new, here - there)
        return held

    @_mending
    def files(self, collection: str) -> list[File]:
        self.collection(collection)
        return self._mirror(collection).files()

    @_mending
    def add(
        self, paths: Sequence[Path], collection: str = DEFAULT, report: Report | None = None
    ) -> Added:
        """Read files and folders: what is new or has changed; what vanished is removed.

        Raises DocumentError when a path is not there, or the store cannot be used.
        """
        began = time.monotonic()
        for path in paths:
            if not os.path.exists(path):  # Path.exists raises where a folder is closed
                raise DocumentError(f"there is no {path}")
        held = next((one for one in self.collections() if one.name == collection), None)
        if held is None:
            if not NAME.fullmatch(collection) or collection.endswith(FRESH):
                raise DocumentError(
                    f"{collection!r} is no name for a collection: 3 to 41 of a-z, 0-9, - and _, "
                    "such as docs"
                )
            with self._store.writing():
                self._store.create(collection, self._vectors.name, self._vectors.dimension)
        else:
            self._refuse_other(held)
        self.collection(collection)
        known = {one.name: one for one in self._mirror(collection).files()}
        done = Added()
        wanted = list(self._files(paths, done))
        batch: list[_Reading] = []
        waiting, total = 0, 0
        for path in wanted:
            read = self._read(path, known.get(str(path)), done)
            if read is None:
                continue
            batch.append(read)
            waiting += len(read.passages)
            if waiting >= BATCH:
                total += self._write(collection, batch, report, total)
                batch, waiting = [], 0
        if batch:
            self._write(collection, batch, report, total)
        there = set(map(str, wanted))
        gone = [
            name
            for name in known
            if name not in there and any(_within(name, path) for path in paths)
        ]
        self._remove(collection, gone)
        done.removed = len(gone)
        done.seconds = time.monotonic() - began
        return done

    def search(
        self,
        question: str,
        collection: str = DEFAULT,
        count: int = 5,
        file: str = "",
        kind: str = "",
        since: float = 0.0,
    ) -> list[Hit]:
        """The passages that fit best by words and by meaning. Raises DocumentError.

        `file`: a part of the path; `kind`: see `formats`; `since`: seconds since 1970.
        """
        self._refuse_other(self.collection(collection))
        vector = self._vectors.embed([question])[0]
        return self.search_by(question, vector, collection, count, file, kind, since)

    @_mending
    def search_by(
        self,
        question: str,
        vector: Any,
        collection: str,
        count: int,
        file: str = "",
        kind: str = "",
        since: float = 0.0,
    ) -> list[Hit]:
        """The same, with the question's vector at hand."""
        self.collection(collection)
        mirror = self._mirror(collection)
        names = mirror.names(file) if file else []
        if file and not names:
            raise DocumentError(f"no file of {collection} has {file!r} in its path")
        wanted = Wanted(file, kind, since)
        close = self._store.nearest(collection, vector, CANDIDATES, wanted.where(names))
        worded = mirror.best(question, CANDIDATES, wanted)
        scores: dict[str, float] = {}
        for ranked in (close, worded):
            for rank, id in enumerate(ranked, 1):
                scores[id] = scores.get(id, 0.0) + 1 / (SMOOTH + rank)
        hits = _hits(mirror, collection, scores)
        if self._reranker is None:
            return list(itertools.islice(hits, count))
        some = list(itertools.islice(hits, max(count, CANDIDATES)))
        return _reranked(self._reranker, question, some)[:count]

    def nearest(self, question: str) -> tuple[str, float]:
        """The collection whose nearest passage comes nearest, and the cosine of that; without
        documents "" and -1.

        Raises DocumentError.
        """
        mine = [one.name for one in self.collections() if one.embedder == self._vectors.name]
        if not mine:
            return "", -1.0
        vector = self._vectors.embed([question])[0]
        found = {name: list(self._store.nearest(name, vector, 1).values()) for name in mine}
        near = {name: one[0] for name, one in found.items() if one}
        return max(near.items(), key=lambda one: one[1], default=("", -1.0))

    @_mending
    def show(self, collection: str, id: str) -> Hit:
        """`id`: its beginning is enough. Raises DocumentError."""
        self.collection(collection)
        mirror = self._mirror(collection)
        found = [one for one in mirror.ids() if one.startswith(id)]
        if len(found) != 1:
            what = "several passages begin" if found else "no passage begins"
            raise DocumentError(f"{what} with {id!r}; tinsmith docs search shows ids")
        return _hit(collection, mirror.get(found)[found[0]], 0.0)

    @_mending
    def remove(self, collection: str, path: str) -> int:
        """A file, or all under a folder; gives how many files. Raises DocumentError."""
        self.collection(collection)
        place = Path(path).absolute()
        files = self._mirror(collection).files()
        gone = [one.name for one in files if _within(one.name, place)]
        if not gone:
            raise DocumentError(f"{place} is not in {collection}; tinsmith docs lists its files")
        self._remove(collection, gone)
        return len(gone)

    def drop(self, collection: str) -> None:
        """All of it. Raises DocumentError."""
        self.collection(collection)
        with self._store.writing():
            self._store.drop(collection)
        self._mirror(collection).remove()

    @_mending
    def reindex(self, collection: str, report: Report | None = None) -> int:
        """Embed it anew with the embedder of now; gives the number of passages.

        Until that is done, the old vectors stay.
        """
        self.collection(collection)
        fresh = collection + FRESH
        ids = sorted(self._mirror(collection).ids())
        with self._store.writing():
            if self._store.collection(fresh):
                self._store.drop(fresh)
            self._store.create(fresh, self._vectors.name, self._vectors.dimension)
            for begin in range(0, len(ids), BATCH):
                some = self._store.get(collection, ids[begin : begin + BATCH])
                vectors = self._vectors.embed([_embedded(one) for one in some])
                self._store.put(fresh, some, vectors)
                if report:
                    report(min(begin + BATCH, len(ids)), len(ids))
            self._store.drop(collection)
            self._store.rename(fresh, collection)
        return len(ids)

    def close(self) -> None:
        self._store.close()

    def _mirror(self, collection: str) -> Mirror:
        if collection not in self._mirrors:
            file = _words(self._home, self._url) / f"{collection}.db"
            self._mirrors[collection] = Mirror(file)
        return self._mirrors[collection]

    def _refuse_other(self, held: Collection) -> None:
        if held.embedder != self._vectors.name:
            raise DocumentError(
                f"{held.name} was embedded with {held.embedder}, and the embedder now is "
                f"{self._vectors.name}; embed it anew with: tinsmith docs reindex {held.name}"
            )

    def _files(self, paths: Iterable[Path], done: Added) -> Iterator[Path]:
        seen: set[Path] = set()
        for path in paths:
            place = path.absolute()
            for one in files_of(place, done.skipped) if place.is_dir() else [place]:
                if one not in seen:
                    seen.add(one)
                    yield one

    def _read(self, path: Path, known: File | None, done: Added) -> _Reading | None:
        """None when it is unchanged, or cannot be read."""
        try:
            _refuse_odd(path)
            modified, before = _modified(path), _sha256(path)
            if known and known.whole and known.sha256 == before:
                done.unchanged += 1
                return None
            found = list(passages(formats.blocks(path)))
            if _sha256(path) != before:
                raise DocumentError(f"{path.name} changed while it was read; add it again")
        except DocumentError as error:
            done.skipped.append(str(error))
            return None
        done.files += 1
        done.passages += len(found)
        return _Reading(path, before, modified, found)

    def _write(
        self,
        collection: str,
        batch: Sequence[_Reading],
        report: Report | None,
        before: int,
    ) -> int:
        """Gives the number of passages."""
        stored = [one for reading in batch for one in _stored(reading)]
        vectors = self._vectors.embed(
            [_embedded(one) for one in stored],
            lambda done, of: report(before + done, before + of) if report else None,
        )
        with self._store.writing():
            self.collection(collection)
            mirror = self._mirror(collection)
            new = {one.id for one in stored}
            old = {id for reading in batch for id in mirror.ids(str(reading.path))}
            self._change(collection, stored, vectors, sorted(old - new))
        return len(stored)

    def _remove(self, collection: str, files: Sequence[str]) -> None:
        if not files:
            return
        import numpy as np

        with self._store.writing():
            self.collection(collection)
            mirror = self._mirror(collection)
            gone = [id for name in files for id in mirror.ids(name)]
            self._change(collection, [], np.zeros((0, 1), np.float32), gone)

    def _change(
        self, collection: str, new: Sequence[Stored], vectors: Any, gone: Sequence[str]
    ) -> None:
        before, after = self._store.put(collection, new, vectors, gone)
        mirror = self._mirror(collection)
        if before != mirror.revision():
            after = ""  # somebody else wrote into the server meanwhile: read all of it again
        mirror.change(after, new, gone)


def _stored(reading: _Reading) -> Iterator[Stored]:
    for at, one in enumerate(reading.passages):
        yield Stored(
            _id(reading.path, reading.sha256, at),
            one.text,
            {
                "file": str(reading.path),
                "sha256": reading.sha256,
                "kind": formats.kind_of(reading.path),
                "modified": reading.modified,
                "first": one.first,
                "last": one.last,
                "heading": one.heading,
                "of": len(reading.passages),
            },
        )


def _refuse_odd(path: Path) -> None:
    """Raises DocumentError for a name that is no UTF-8, which the store does not take."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise DocumentError(f"{str(path)!r} has a name that is no UTF-8; rename it") from None


def _id(path: Path, digest: str, at: int) -> str:
    """What it names never changes, so two stores are equal when their ids are."""
    return hashlib.sha256(f"{path}\0{digest}\0{at}".encode("utf-8", "surrogateescape")).hexdigest()[
        :32
    ]


def _embedded(one: Stored) -> str:
    heading = str(one.facts["heading"])
    return Passage(one.text, 0, 0, heading).embedded


def _hits(mirror: Mirror, collection: str, scores: Mapping[str, float]) -> Iterator[Hit]:
    """The best first, no text twice; read from the disk as they are asked for."""
    best = sorted(scores, key=lambda id: -scores[id])
    seen: set[str] = set()
    for begin in range(0, len(best), LOOK_UP):
        some = best[begin : begin + LOOK_UP]
        there = mirror.get(some)
        for id in some:
            if id not in there:  # it was removed meanwhile
                continue
            one = _hit(collection, there[id], scores[id])
            text = " ".join(one.text.split()).casefold()
            if text not in seen:
                seen.add(text)
                yield one


def _reranked(reranker: Reranker, question: str, hits: Sequence[Hit]) -> list[Hit]:
    texts = [Passage(one.text, one.first, one.last, one.heading).embedded for one in hits]
    scores = reranker.scores(question, texts)
    found = [replace(one, score=float(score)) for one, score in zip(hits, scores, strict=True)]
    return sorted(found, key=lambda one: -one.score)


def _hit(collection: str, one: Stored, score: float) -> Hit:
    facts = one.facts
    return Hit(
        one.id,
        collection,
        str(facts["file"]),
        str(facts["kind"]),
        int(facts["first"]),
        int(facts["last"]),
        str(facts["heading"]),
        one.text,
        score,
    )


def _within(name: str, place: Path) -> bool:
    return Path(name) == place.absolute() or place.absolute() in Path(name).parents


def _modified(path: Path) -> int:
    try:
        return int(path.stat().st_mtime)
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}") from error


def _sha256(path: Path) -> str:
    try:
        if path.stat().st_size > formats.LARGEST:
            return ""  # it is refused with its size in a moment
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}") from error
