"""A task over rows: what is missing is run, what comes of it is kept, whatever happens.

columns = Columns(task)
with opened("rows.jsonl") as source, Results(Path("results.jsonl"), columns) as results:
    batch = Batch(source, columns, Selection(), results)     # refuses what cannot be run
    if batch.left:
        batch.run(Threads(task, means))
    results.sort()
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

from agent.errors import TinsmithError, UsageError
from agent.events import Usage
from agent.tasks.columns import Columns
from agent.tasks.envelope import Envelope
from agent.tasks.lanes import Job, Lanes
from agent.tasks.outputs import Collisions
from agent.tasks.results import Results
from agent.tasks.rows import Row, Source
from agent.tasks.selection import Selection

ALIKE = 5
"""So many rows in a row that fail with the same words, and twice as many as are under way at once,
say that no other will fare better."""


class Hopeless(TinsmithError):
    """No row can be run any more, for a reason that is not the rows'."""


def _nobody(row: Row, envelope: Envelope) -> None:
    """Hears nothing."""


class Batch:
    def __init__(
        self, source: Source, columns: Columns, selection: Selection, results: Results
    ) -> None:
        """Reads all rows once, and runs none. Raises UsageError where the task cannot be run over
        them, or the results are of other rows."""
        self._source = source
        self._columns = columns
        self._results = results
        self._lock = threading.Lock()
        self._alike: tuple[str | None, int] = (None, 0)
        """The error of the last rows, and of how many."""
        self._hopeless = ""
        self._is_through = False
        self.total = 0
        """Rows that are selected."""
        self.left = 0
        """Of these, the ones that are to be run."""
        self.ran = 0
        """Rows that were given a result by now."""
        self.usage = Usage()
        """Of these."""
        self.doubts: list[str] = []
        """What may be wrong with the columns."""
        self._is_chosen = selection.chooser(source.rows())
        with closing(Collisions(columns)) as collisions:
            self._look(collisions)

    def run(self, lanes: Lanes, hear: Callable[[Row, Envelope], None] = _nobody) -> bool:
        """Run what is left. `hear` is told of each row that has a result, never of two at once.

        True: to the end. False: it was stopped by `lanes.stop`; the same call goes on. Raises
        UsageError when the results are another model's, TinsmithError when they cannot be written,
        Hopeless when the last rows all failed alike; what was under way is then kept.
        """
        self._results.refuse_model(lanes.model)
        interrupted = False
        ended = lanes.run(self._jobs(lanes.model, hear))
        try:
            for row, envelope in ended:
                if envelope.reason == "interrupted":
                    interrupted = True
                    continue
                self._keep(row, envelope, hear)
                self._judge(envelope, max(ALIKE, 2 * lanes.count))
        except BaseException:
            lanes.stop()
            raise
        if self._hopeless:
            raise Hopeless(self._hopeless)
        return self._is_through and not interrupted

    def _look(self, collisions: Collisions) -> None:
        there: set[str] = set()
        wrong = None
        readable = 0
        for row in self._source.rows():
            there.update(row.values)
            wrong = wrong or (row if row.wrong else None)
            readable += not row.wrong
            chosen = self._is_chosen(row)
            self.total += chosen
            self.left += self._results.expect(row, chosen)
            collisions.look(row)
        if wrong is not None and not readable:
            raise UsageError(f"no row can be read; {wrong.where}: {wrong.wrong}")
        if not readable:
            raise UsageError(f"{self._source.name} has no rows")
        self._columns.refuse_missing(there, self._source.name)
        self.doubts += self._columns.doubts(there)
        self._results.refuse_strangers(self._source.name)
        if self.total > 1:
            collisions.refuse()

    def _jobs(self, model: str, hear: Callable[[Row, Envelope], None]) -> Iterator[Job]:
        """What is to be run. A row that the task cannot be given has its result at once."""
        for row in self._source.rows():
            if self._hopeless:
                return
            if not self._is_chosen(row) or self._results.is_done(row):
                continue
            try:
                given = self._columns.given(row)
            except UsageError as error:
                task = self._columns.task
                said = f"{row.where}: {error}"
                self._keep(row, Envelope(task.name, task.hash, {}, reason="usage", error=said,
                                         model=model), hear)  # fmt: skip
                continue
            yield row, given
        self._is_through = True

    def _keep(self, row: Row, envelope: Envelope, hear: Callable[[Row, Envelope], None]) -> None:
        with self._lock:
            self._results.add(row, envelope)
            self.ran += 1
            self.usage += envelope.usage
            hear(row, envelope)

    def _judge(self, envelope: Envelope, most: int) -> None:
        """Whether it is worth it to go on."""
        reason, used = envelope.reason, envelope.usage != Usage()
        error = envelope.error if reason == "failed" or (reason == "usage" and used) else None
        same, count = self._alike
        self._alike = (error, count + 1 if error == same else 1)
        if error is not None and self._alike[1] >= most:
            self._hopeless = (
                f"the last {self._alike[1]} rows failed alike, no other was begun: {error}"
            )
