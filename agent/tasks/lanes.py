"""Who runs the rows: threads here, and whatever else keeps this contract, such as a cluster.

lanes = Threads(task, [Means(engine, tools) for engine in engines])
for row, envelope in lanes.run(iter([(row, {"text": "…"}), ...])):
    ...
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from agent.tasks.envelope import Envelope
from agent.tasks.means import Means
from agent.tasks.rows import Row
from agent.tasks.run import run
from agent.tasks.task import Task

Job = tuple[Row, Mapping[str, Any]]
"""A row, and what the task is given for it: its inputs, checked."""


class Lanes(Protocol):
    model: str
    """What the user calls it; the `model` of every envelope."""
    count: int
    """Rows that are under way at once, about."""

    def run(self, jobs: Iterator[Job]) -> Iterator[tuple[Row, Envelope]]:
        """Each job, once, with what came of it, in the order in which they end.

        `jobs` is advanced only as there is room, by one thread at a time, and may end early: what
        is under way is then still given. It may be endless. An envelope whose reason is
        "interrupted" says that the row was not done. A row that fails is an envelope, too; what is
        raised here says that no row can be run any more. Called once.
        """
        ...

    def stop(self) -> None:
        """From any thread: no more jobs are begun, those under way end at once, as interrupted."""
        ...


class Threads:
    """`Lanes` of this process: a thread for each `Means`, whose engine is used by no other."""

    def __init__(self, task: Task, means: Sequence[Means]) -> None:
        self.model = means[0].engine.name
        self.count = len(means)
        self._task = task
        self._means = means
        self._stopped = threading.Event()
        self._next = threading.Lock()
        self._done: queue.Queue[tuple[Row, Envelope] | BaseException | None]
        self._done = queue.Queue(2 * len(means))

    def run(self, jobs: Iterator[Job]) -> Iterator[tuple[Row, Envelope]]:
        for number, means in enumerate(self._means, 1):
            threading.Thread(
                target=self._work, args=(jobs, means), name=f"rows-{number}", daemon=True
            ).start()
        left = len(self._means)
        failed: BaseException | None = None
        while left:
            ended = self._done.get()
            if ended is None:
                left -= 1
            elif isinstance(ended, BaseException):
                failed = ended
                self.stop()
            else:
                yield ended
        if failed is not None:
            raise failed

    def stop(self) -> None:
        self._stopped.set()
        for means in self._means:
            means.stop.now()

    def _work(self, jobs: Iterator[Job], means: Means) -> None:
        try:
            while (job := self._take(jobs)) is not None:
                row, given = job
                self._done.put((row, run(self._task, given, means)))
        except BaseException as error:  # a bug, or the rows cannot be read any further
            self._done.put(error)
        finally:
            self._done.put(None)

    def _take(self, jobs: Iterator[Job]) -> Job | None:
        with self._next:
            return None if self._stopped.is_set() else next(jobs, None)
