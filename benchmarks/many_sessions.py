"""A home with many sessions: how long it takes to begin another one, to list and to search them.

    python -m benchmarks.many_sessions

Each session has four messages of some forty words, drawn from 20,000 by Zipf's law. Beginning is
the whole of what `tinsmith chat` does with the file before its prompt. The vectors of the search by
meaning are drawn at random, so embedding takes no time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from agent.memory import meaning, sessions
from agent.memory.database import connect

WORDS = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=10_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "sessions.db"
        fill(file, args.sessions)
        begun = milliseconds(lambda: sessions.Session.create(file).close())
        listed = milliseconds(lambda: sessions.sessions(file))
        chance = np.random.default_rng(1)
        asked = [f"w{word} w{int(word) % 50 + 1}" for word in chance.integers(1, 2000, 50)]
        took = []
        for words in asked:
            began = time.perf_counter()
            sessions.search(file, words)
            took.append(1000 * (time.perf_counter() - began))
        took.sort()
        meaning.complete(file, vectors, lambda done, of: None)
        meant = milliseconds(
            lambda: meaning.search(file, "w7", vectors, lambda done, of: None, count=10)
        )
    print(
        f"{args.sessions:,} sessions: beginning {begun:.0f} ms, listing {listed:.0f} ms, searching "
        f"p50 {took[25]:.1f} ms, most {took[-1]:.1f} ms, by meaning {meant:.0f} ms"
    )


def fill(file: Path, count: int) -> None:
    from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, message_to_dict

    sessions.Session.create(file).close()
    chance = np.random.default_rng(0)
    database = connect(file)
    with database:
        for _ in range(count):
            id = database.execute("INSERT INTO sessions (started) VALUES (0)").lastrowid
            for kind in (HumanMessage, AIMessage) * 2:
                text = " ".join(f"w{word}" for word in chance.zipf(1.2, 40) if word < WORDS)
                message: BaseMessage = kind(text or "w1")
                row = database.execute(
                    "INSERT INTO messages (session, written, type, message) VALUES (?, 0, ?, ?)",
                    (id, message.type, json.dumps(message_to_dict(message))),
                )
                database.execute(
                    "INSERT INTO words (rowid, text) VALUES (?, ?)", (row.lastrowid, message.text)
                )
    database.close()


def vectors(texts: Sequence[str]) -> np.ndarray:
    """As of all-minilm-l6-v2: 384 numbers."""
    found = np.random.default_rng(len(texts)).normal(size=(len(texts), 384)).astype(np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def milliseconds(work: Callable[[], object], times: int = 5) -> float:
    """The least of several."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(1000 * (time.perf_counter() - began))
    return min(found)


if __name__ == "__main__":
    main()
