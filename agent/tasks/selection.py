"""Which of the rows are run: the first, some drawn by chance, one part of several."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from agent.tasks.rows import Row


@dataclass(frozen=True)
class Selection:
    """First `limit`, of those `sample`, of those `shard`. A row's lot depends on its identity (but
    for `limit`, on its place), so that all parts of a selection make up the whole of it, each row
    in one of them, and rows that are added move no other into another part."""

    limit: int | None = None
    """Only so many rows from the begin of the file."""
    sample: int | None = None
    """So many rows, drawn by chance."""
    seed: int = 0
    """For another draw."""
    shard: tuple[int, int] = (1, 1)
    """(i, n): the i-th of n parts, from 1. They are about equally large."""

    def chooser(self, rows: Iterable[Row]) -> Callable[[Row], bool]:
        """Whether a row is one of them. `rows`: all there are, read once where some are drawn."""
        last = self._last_drawn(rows)
        part, parts = self.shard

        def is_chosen(row: Row) -> bool:
            return (
                (self.limit is None or row.number <= self.limit)
                and (last is None or self._lot(row) <= last)
                and (int(row.content[:8], 16) + row.copy - 1) % parts == part - 1
            )

        return is_chosen

    def _last_drawn(self, rows: Iterable[Row]) -> str | None:
        """The highest lot of the sample; None: all are in it."""
        if self.sample is None:
            return None
        drawn = (self._lot(row) for row in rows if self.limit is None or row.number <= self.limit)
        lowest = heapq.nsmallest(self.sample, drawn)
        return lowest[-1] if lowest else None

    def _lot(self, row: Row) -> str:
        return hashlib.sha256(f"{self.seed} {row.id}".encode()).hexdigest()
