"""Search: how good on Cranfield, how fast to add, to add again, and to ask.

    TINSMITH_DATA=... python -m benchmarks.retrieval --only cranfield
    python -m benchmarks.retrieval --only adding --only asking

cranfield: nDCG@10 (binary, grades 1 to 4 relevant) over 100 queries, by words alone (BM25), by
vectors alone and by both; a document counts at the place of its best passage. adding: passages a
second, once the model is loaded, against the bare embedder on the same texts, and against 32 bits
in the order of the ids; then adding again with nothing changed. asking: a query at 50,000 passages
whose vectors are random, without the embedding of the question.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from agent import catalog
from benchmarks.parts import data, path
from tools.knowledge.library import DEFAULT, Library, _embedded
from tools.knowledge.mirror import Wanted
from tools.knowledge.store import Stored
from tools.quiet import quiet
from tools.specialists import metrics

AT = 10
DEEP = 50
"""Passages that are looked through for ten documents."""
DIMENSION = 384
FACTS: dict[str, str | int | float] = {
    "sha256": "", "kind": "text", "modified": 0.0, "first": 1, "last": 2, "heading": "", "of": 20,
}  # fmt: skip
WHAT = ("cranfield", "adding", "asking")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=WHAT)
    parser.add_argument("--embedder", default=catalog.EMBEDDER)
    parser.add_argument("--passages", type=int, default=50_000, help="that are asked")
    args = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "cranfield"
        if args.only != ["asking"]:
            documents(folder)
        home = Path(place) / "home"
        (home / "models").mkdir(parents=True)
        (home / "models" / args.embedder).symlink_to(path(args.embedder))
        library = Library(home, "", args.embedder)
        if not args.only or "adding" in args.only:
            adding(library, folder, args.embedder)
        if not args.only or "cranfield" in args.only:
            library.add([folder])
            cranfield(library)
        if not args.only or "asking" in args.only:
            asking(home / "large", args.passages)


def documents(folder: Path) -> None:
    """A file for each abstract: its title, an empty line, its text."""
    folder.mkdir(parents=True)
    for number, (title, text) in enumerate(records("cran.all.1400"), 1):
        (folder / f"{number}.txt").write_text(f"{title}\n\n{text}\n", "utf-8")


def adding(library: Library, folder: Path, embedder: str) -> None:
    embed = library._vectors.embed
    embed(["loads the model"])
    ours = Clock()
    first = library.add([folder])
    ours.stop()
    again = library.add([folder])
    mirror = library._mirror(DEFAULT)
    texts = [_embedded(one) for one in mirror.get(sorted(mirror.ids())).values()]
    bare = Clock()
    embed(texts)
    bare.stop()
    slow = textbook(embedder, texts)
    print(
        f"adding: {first.files} files, {len(texts)} passages, {len(texts) / ours.wall:.1f} a second"
        f" of the clock, {len(texts) / ours.busy:.1f} of the processors:"
    )
    for name, clock in (("the bare embedder", bare), ("32 bits unsorted", slow)):
        print(
            f"  {name}: {len(texts) / clock.wall:.1f}, so {clock.wall / ours.wall:.2f} times that; "
            f"{len(texts) / clock.busy:.1f} of the processors, {clock.busy / ours.busy:.2f} times"
        )
    print(f"again: {again.seconds:.2f} s, {again.seconds / ours.wall:.2%} of the first time")


class Clock:
    """Seconds of the clock, and of the processors, which others on the machine lengthen less."""

    def __init__(self) -> None:
        self.wall, self.busy = -time.perf_counter(), -time.process_time()

    def stop(self) -> None:
        self.wall += time.perf_counter()
        self.busy += time.process_time()


def textbook(embedder: str, texts: list[str]) -> Clock:
    """In 32 bits, 32 texts at once as they come."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(path(embedder)), model_kwargs={"use_safetensors": True})
    clock = Clock()
    for begin in range(0, len(texts), 32):
        model.encode(texts[begin : begin + 32], normalize_embeddings=True)
    clock.stop()
    return clock


def cranfield(library: Library) -> None:
    queries = [text for _, text in records("cran.qry")]
    relevant: dict[int, set[str]] = {}
    for line in (data("cranfield") / "cranqrel").read_text("utf-8").splitlines():
        query, document, grade = map(int, line.split()[:3])
        if grade > 0:
            relevant.setdefault(query, set()).add(f"{document}.txt")
    numbers = sorted(relevant)[:100]
    vectors = library._vectors.embed([queries[number - 1] for number in numbers])
    ranked: dict[str, list[list[bool]]] = {"words": [], "vectors": [], "both": []}
    for number, vector in zip(numbers, vectors, strict=True):
        question = queries[number - 1]
        ways = {
            "words": library._mirror(DEFAULT).best(question, DEEP, Wanted()),
            "vectors": list(library._store.nearest(DEFAULT, vector, DEEP)),
            "both": [one.id for one in library.search_by(question, vector, DEFAULT, DEEP)],
        }
        for way, ids in ways.items():
            there = library._mirror(DEFAULT).get(ids)
            files = dict.fromkeys(Path(str(there[id].facts["file"])).name for id in ids)
            ranked[way].append([file in relevant[number] for file in list(files)[:AT]])
    count = [len(relevant[number]) for number in numbers]
    scores = {way: metrics.ndcg(rows, count, AT) for way, rows in ranked.items()}
    print(f"cranfield, {len(numbers)} queries, nDCG@{AT}: ", end="")
    print(", ".join(f"{way} {score:.3f}" for way, score in scores.items()))


def asking(home: Path, count: int) -> None:
    """Texts of words drawn by Zipf's law, so that some are frequent and most are rare."""
    library = Library(home, "", "none")
    chance = np.random.default_rng(0)
    with library._store.writing():
        library._store.create(DEFAULT, "none", DIMENSION)
        for begin in range(0, count, 5000):
            some = [
                Stored(f"{at}", _text(chance), FACTS | {"file": f"/docs/{at // 20}.txt"})
                for at in range(begin, min(begin + 5000, count))
            ]
            vectors = chance.normal(size=(len(some), DIMENSION)).astype(np.float32)
            library._store.put(DEFAULT, some, vectors)
    library.files(DEFAULT)
    took = []
    for at in range(220):
        question = " ".join(_text(chance).split()[:12])
        vector = chance.normal(size=DIMENSION).astype(np.float32)
        clock = Clock()
        library.search_by(question, vector, DEFAULT, 5)
        clock.stop()
        if at >= 20:
            took.append((1000 * clock.wall, 1000 * clock.busy))
    half, most = np.percentile(took, [50, 99], axis=0)
    print(
        f"a query at {count:,} passages: p50 {half[0]:.1f} ms, p99 {most[0]:.1f} ms of the clock; "
        f"{half[1]:.1f} and {most[1]:.1f} ms of the processors"
    )


def _text(chance: np.random.Generator) -> str:
    return " ".join(f"w{word}" for word in chance.zipf(1.3, 120) if word < 100_000)


def records(name: str) -> list[tuple[str, str]]:
    """Title and text of the records of a file in Cranfield's format."""
    found = []
    for record in (data("cranfield") / name).read_text("utf-8").split("\n.I ")[0:]:
        parts: dict[str, list[str]] = {}
        mark = ""
        for line in record.splitlines():
            if line[:1] == "." and line[1:2].isupper() and not line[2:].strip():
                mark = line[:2]
            elif mark:
                parts.setdefault(mark, []).append(line)
        title = " ".join(" ".join(parts.get(".T", [])).split())
        found.append((title, "\n".join(parts.get(".W", [])).strip()))
    return found


if __name__ == "__main__":
    main()
