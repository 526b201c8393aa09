"""How far a run over rows is: a bar in a terminal, elsewhere a line now and then; on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.commands.following import time_left
from agent.commands.output import has_bars, tell

if TYPE_CHECKING:
    from agent.tasks.envelope import Envelope
    from agent.tasks.rows import Row

    Hear = Callable[[Row, Envelope], None]

BETWEEN = 10.0
"""Seconds between two lines, at least."""


@contextmanager
def counting(total: int, before: int, failed: int, at_once: int, is_shown: bool) -> Iterator[Hear]:
    """Gives what is told of each row that has ended. `before`: of the `total` rows, those that have
    results already, `failed` of these not right. `at_once`: rows that are under way together."""
    count = Count(total, before, failed, at_once)
    if not is_shown:
        yield count.hear
        return
    if not has_bars():
        yield _lines(count)
        return
    from rich import progress
    from rich.console import Console

    facts = progress.TextColumn("{task.fields[facts]}", markup=False)
    columns = (progress.TextColumn("rows"), progress.BarColumn(), facts)
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("", total=total, completed=before, facts=str(count))

        def hear(row: Row, envelope: Envelope) -> None:
            count.hear(row, envelope)
            bars.update(bar, completed=count.done, facts=str(count))

        yield hear


def _lines(count: Count) -> Hear:
    told = time.monotonic()

    def hear(row: Row, envelope: Envelope) -> None:
        nonlocal told
        count.hear(row, envelope)
        if time.monotonic() - told >= BETWEEN:
            told = time.monotonic()
            tell(str(count))

    return hear


class Count:
    def __init__(self, total: int, before: int, failed: int, at_once: int) -> None:
        self.done = before
        self._at_once = at_once
        self._before = before
        self._total = total
        self._failed = failed
        self._began = time.monotonic()

    def hear(self, row: Row, envelope: Envelope) -> None:
        self.done += 1
        self._failed += not envelope.ok

    def __str__(self) -> str:
        said = f"{self.done:,} of {self._total:,}"
        failed = f", {self._failed:,} not right" if self._failed else ""
        if self.done < self._before + self._at_once:  # the first to end says nothing of the rest
            return said + failed
        spent = max(time.monotonic() - self._began, 1e-3)
        a_second = (self.done - self._before) / spent
        rate = f"{a_second * 60:,.1f} a minute"
        left = time_left((self._total - self.done) / a_second)
        return f"{said}, {rate}, {left} left{failed}"
