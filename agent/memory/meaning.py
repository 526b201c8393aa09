"""What was said, searched by its meaning: a vector for each message of the user and of the model.

The vectors lie beside the messages, in 16 bits, so that they go where these go; all are compared
with the question at once, which takes less time than loading the embedder up to some 100,000. Of a
long message the embedder reads the beginning (of all-minilm-l6-v2 256 tokens).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.memory.database import connect, explained
from agent.memory.sessions import Found, distinct, texts

if TYPE_CHECKING:
    import numpy as np

TOGETHER = 256
"""Messages that are embedded and written at once."""
LEAST = 0.3
"""Cosine from which a message is worth showing."""
Embed = Callable[[Sequence[str]], "np.ndarray"]
"""Gives unit vectors, shape (texts, dimension)."""
Report = Callable[[int, int], None]
"""Told how many messages are done, of how many."""


def search(path: Path, text: str, embed: Embed, report: Report, count: int = 10) -> list[Found]:
    """Messages that mean something like `text`, the nearest first; those that have no vector yet
    are given one. What was done stays done when it is broken off. Raises SessionError.
    """
    import numpy as np

    complete(path, embed, report)
    with contextlib.closing(connect(path)) as database, explained(path), database:
        database.execute("BEGIN")  # as it is now, whatever is removed meanwhile
        rows = database.execute(
            "SELECT message, vector FROM vectors WHERE vector IS NOT NULL"
        ).fetchall()
        if not rows:
            return []
        kept = np.frombuffer(b"".join(row[1] for row in rows), "<f2").reshape(len(rows), -1)
        cosines = kept.astype(np.float32) @ embed([text])[0]
        near = (rows[at][0] for at in np.argsort(-cosines) if cosines[at] >= LEAST)
        return distinct(
            (
                database.execute(
                    "SELECT session, type, written, message FROM messages WHERE id = ?", (id,)
                ).fetchone()
                for id in near
            ),
            count,
        )


def complete(path: Path, embed: Embed, report: Report) -> None:
    """Give a vector to every message that has none yet."""
    with contextlib.closing(connect(path)) as database, explained(path):
        new = database.execute(
            "SELECT id, written, message FROM messages WHERE type IN ('human', 'ai')"
            " AND id NOT IN (SELECT message FROM vectors)"
        ).fetchall()
        for begin in range(0, len(new), TOGETHER):
            some = new[begin : begin + TOGETHER]
            said = texts(some)
            vectors = embed([text for text in said if text.strip()]).astype("<f2")
            made = iter(vectors)
            rows = [
                (next(made).tobytes() if text.strip() else None, id, written)
                for (id, written, _), text in zip(some, said, strict=True)
            ]
            with database:
                # a session may have been removed meanwhile, and its numbers be another's now
                database.executemany(
                    "INSERT OR IGNORE INTO vectors (message, vector)"
                    " SELECT id, ? FROM messages WHERE id = ? AND written = ?",
                    rows,
                )
            report(begin + len(some), len(new))
