"""Passages in Chroma: embedded in the state folder, or a server that several people share.

The only file that imports chromadb. Each collection knows its embedder and a revision, which is new
after each change, so that whoever has read it can tell that it must read again.
"""

from __future__ import annotations

import contextlib
import re
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import DocumentError, first_line

if TYPE_CHECKING:
    import numpy as np

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{2,40}")
FRESH = "--new"
"""Behind the name of a collection that is being embedded anew."""
PATIENCE = 600.0
"""Seconds that a program waits for another one to end its writing."""
_OPENING = threading.Lock()
"""Chroma's clients of one folder share what two threads at once would both begin."""
PAGE = 2000
"""Passages of one request."""
LOOKED_AT = 200
"""Neighbours that the search of a graph keeps in sight (ef): the more, the surer it finds them."""


@dataclass(frozen=True)
class Collection:
    name: str
    embedder: str
    """The model whose vectors these are."""
    dimension: int
    revision: str


@dataclass(frozen=True)
class Stored:
    id: str
    text: str
    facts: Mapping[str, str | int | float]
    """file, sha256, kind, heading, first, last, modified, of (passages of that file)."""


class Store:
    def __init__(self, place: Path, url: str = "") -> None:
        """`url`: of a Chroma server; "": the store in the folder `place`. Nothing is opened yet."""
        self._place = place
        self._url = url
        self._client: Any = None
        self._seen: dict[str, str] = {}
        """Revision of each collection when the client was opened or wrote last."""

    def collections(self) -> list[Collection]:
        if not self._is_there:
            return []
        with self._errors():
            found = self._open().list_collections()
        return sorted(filter(None, map(_collection, found)), key=lambda one: one.name)

    def collection(self, name: str) -> Collection | None:
        from chromadb.errors import NotFoundError

        if not self._is_there:
            return None
        with self._errors():
            try:
                return _collection(self._open().get_collection(name, embedding_function=None))
            except NotFoundError:
                return None

    @property
    def _is_there(self) -> bool:
        return bool(self._url) or self._place.is_dir()

    def create(self, name: str, embedder: str, dimension: int) -> Collection:
        facts = {"embedder": embedder, "dimension": dimension, "revision": uuid.uuid4().hex}
        with self._errors():
            made = self._open().create_collection(
                name,
                metadata=facts,
                embedding_function=None,
                configuration={"hnsw": {"space": "cosine", "ef_search": LOOKED_AT}},
            )
        one = _collection(made)
        assert one is not None
        self._seen[name] = one.revision
        return one

    def drop(self, name: str) -> None:
        with self._errors():
            self._open().delete_collection(name)

    def rename(self, name: str, new: str) -> None:
        with self._errors():
            self._open().get_collection(name, embedding_function=None).modify(name=new)
            self._seen.pop(name, None)

    def put(
        self,
        name: str,
        passages: Sequence[Stored],
        vectors: np.ndarray,
        gone: Sequence[str] = (),
        changed: Sequence[Stored] = (),
    ) -> tuple[str, str]:
        """Add those `passages` that are not there, give those that are `changed` their facts, then
        delete those of the ids `gone`; for one writer at a time.

        Gives the revision before and after.
        """
        with self._errors():
            held = self._current(name)
            most = int(self._open().get_max_batch_size())
            for begin in range(0, len(passages), most):
                some = passages[begin : begin + most]
                held.add(  # not upsert: it cuts equal vectors that are there out of the graph
                    ids=[one.id for one in some],
                    embeddings=vectors[begin : begin + most],
                    documents=[one.text for one in some],
                    metadatas=[dict(one.facts) for one in some],
                )
            for one in changed:
                held.update(ids=[one.id], metadatas=[dict(one.facts)])
            for begin in range(0, len(gone), most):
                held.delete(ids=list(gone[begin : begin + most]))
            before, revision = str(held.metadata["revision"]), uuid.uuid4().hex
            held.modify(metadata={**held.metadata, "revision": revision})
            self._seen[name] = revision
        return before, revision

    def ids(self, name: str) -> set[str]:
        with self._errors():
            return set(self._current(name).get(include=[])["ids"])

    def get(self, name: str, ids: Sequence[str]) -> list[Stored]:
        """Those that are there, in any order."""
        found: list[Stored] = []
        with self._errors():
            held = self._current(name)
            for begin in range(0, len(ids), PAGE):
                page = held.get(
                    ids=list(ids[begin : begin + PAGE]), include=["documents", "metadatas"]
                )
                found += map(Stored, page["ids"], page["documents"], page["metadatas"])
        return found

    def nearest(
        self, name: str, vector: np.ndarray, count: int, where: Mapping[str, Any] | None = None
    ) -> dict[str, float]:
        """Ids of the `count` nearest passages and their cosines, the nearest first.

        `where`: Chroma's filter.
        """
        with self._errors():
            found = self._current(name).query(
                query_embeddings=vector[None], n_results=count, where=where, include=["distances"]
            )
        return {
            id: 1.0 - distance
            for id, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        }

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Held by the one program that changes the store in the state folder.

        Two writers at once would spoil the graph of the vectors. A server sees to it itself.
        """
        from filelock import FileLock, Timeout

        if self._url:
            yield
            return
        with self._errors():
            self._place.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._place / ".lock", timeout=PATIENCE):
                yield
        except Timeout:
            raise DocumentError(
                f"another program has been writing into {self._place} for {PATIENCE / 60:.0f} "
                "minutes; try again when it is done"
            ) from None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _current(self, name: str) -> Any:
        """The collection as it is now: vectors that another program wrote are not seen by a client
        that was open before."""
        held = self._open().get_collection(name, embedding_function=None)
        revision = str((held.metadata or {}).get("revision", ""))
        if self._seen.setdefault(name, revision) != revision:
            if not self._url:
                self.close()
                held = self._open().get_collection(name, embedding_function=None)
            self._seen[name] = revision
        return held

    def _open(self) -> Any:
        with _OPENING:
            if self._client is None:
                self._client = self._connected()
        return self._client

    def _connected(self) -> Any:
        import chromadb
        from chromadb.config import Settings

        settings = Settings(anonymized_telemetry=False)
        if self._url:
            host, port, ssl = _address(self._url)
            return chromadb.HttpClient(host, port, ssl, settings=settings)
        self._place.mkdir(parents=True, exist_ok=True)
        return chromadb.PersistentClient(self._place, settings=settings)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Raises DocumentError with the way out, whatever Chroma or its client raise."""
        import httpx
        from chromadb.errors import ChromaError, NotFoundError

        try:
            yield
        except NotFoundError as error:
            raise DocumentError(
                f"{first_line(error)}; tinsmith docs lists what is there"
            ) from error
        except (ChromaError, httpx.HTTPError, OSError, ValueError, RuntimeError) as error:
            self.close()  # a server may come back; after a full disk the client waits for itself
            if self._url:
                raise DocumentError(
                    f"the Chroma server at {self._url} does not do it: {first_line(error)}; start "
                    "it with `chroma run`, or take the store of this machine: tinsmith config "
                    "unset store_url"
                ) from error
            raise DocumentError(
                f"the store {self._place} does not do it: {first_line(error)}; is the disk full?"
            ) from error


def _collection(held: Any) -> Collection | None:
    """None: of somebody else, without an embedder that we know of."""
    facts = held.metadata or {}
    if not NAME.fullmatch(held.name.removesuffix(FRESH)):  # it names a file, too
        return None
    if not all(key in facts for key in ("embedder", "dimension", "revision")):
        return None
    return Collection(
        held.name, str(facts["embedder"]), int(facts["dimension"]), str(facts["revision"])
    )


def _address(url: str) -> tuple[str, int, bool]:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
        raise DocumentError(f"store_url {url!r} is no address such as http://127.0.0.1:8000")
    ssl = parts.scheme == "https"
    return parts.hostname, port or (443 if ssl else 8000), ssl
