"""Which row writes which file: two rows with one name would leave one file, and nobody told."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from types import SimpleNamespace

from agent.errors import UsageError
from agent.tasks import inputs, templates
from agent.tasks.columns import Columns
from agent.tasks.rows import Row


class Outputs:
    """Of one pass over the rows. What is named after an answer is not known before, and not
    looked at; equal rows may write the same."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._task = columns.task
        self._varying = [path for path in self._task.form.outputs if "{" in path]
        self._index = sqlite3.connect("")  # SQLite puts on the disk what is too much
        self._index.execute("CREATE TABLE outputs (file TEXT PRIMARY KEY, content TEXT, at TEXT)")

    def expect(self, row: Row) -> None:
        """Raises UsageError when an earlier row that says something else writes the same file."""
        if not self._varying:
            return
        try:
            filled = inputs.filled(self._task, self._columns.given(row))
        except UsageError:  # this row will be told it
            return
        values = {**filled, "inputs": SimpleNamespace(**filled)}
        for path in self._varying:
            with suppress(templates.TemplateProblem):
                self._note(row, path, os.path.normpath(templates.render(path, values).strip()))

    def refuse_constant(self) -> None:
        """Raises UsageError for a name that all rows have in common."""
        for path in self._task.form.outputs:
            if path not in self._varying:
                raise UsageError(f"{self._where(path)}: every row would write {path!r}; {_WAY_OUT}")

    def _note(self, row: Row, path: str, file: str) -> None:
        self._index.execute(
            "INSERT OR IGNORE INTO outputs VALUES (?, ?, ?)", (file, row.content, row.where)
        )
        content, at = self._index.execute(
            "SELECT content, at FROM outputs WHERE file = ?", (file,)
        ).fetchone()
        if content != row.content:
            raise UsageError(
                f"{self._where(path)}: {row.where} would write {file!r}, as {at} does; {_WAY_OUT}"
            )

    def _where(self, path: str) -> str:
        return self._task.where(("outputs", path))


_WAY_OUT = "name it after something that each row has for itself, as in '{{ NAME }}.txt'"
