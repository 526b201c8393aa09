"""Which file an output is, and which rows would write the same one: one of them would be lost."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.errors import UsageError
from agent.tasks import inputs, templates
from agent.tasks.columns import Columns
from agent.tasks.rows import Row

LATER = {"answer", "steps"}
"""What a name may be made of that is not known before a row has run."""
WAY_OUT = "name it after something that each row has for itself, as in '{{ NAME }}.txt'"


def place_of(file: str) -> str:
    """Where an output of this name stands in the working folder; "" where no file can."""
    path = Path(file)
    is_inside = (
        bool(path.name)
        and "\0" not in file
        and is_utf8(file)
        and not path.is_absolute()
        and ".." not in path.parts
    )
    return os.path.normpath(file) if is_inside else ""


def is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Collisions:
    """Looked for among all rows before one is run, as far as names are made of inputs. Rows whose
    inputs are equal may write the same."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._task = columns.task
        uses = {path: _names(path) for path in self._task.form.outputs}
        self._constant = [path for path in uses if "{" not in path]
        self._known = [path for path in uses if "{" in path and not uses[path] & LATER]
        files = {name for name, one in self._task.form.inputs.items() if one.type == "file"}
        self._reads = any(uses[path] & files for path in self._known)
        """Whether a name is made of what stands in a file."""
        self._first = ""
        self._index = sqlite3.connect("")  # SQLite puts on the disk what is too much
        self._index.execute("CREATE TABLE outputs (file TEXT PRIMARY KEY, given BLOB, at TEXT)")

    def close(self) -> None:
        self._index.close()

    def look(self, row: Row) -> None:
        if not self._known or self._first:
            return
        try:
            given = self._columns.given(row)
            filled = inputs.filled(self._task, given) if self._reads else given
        except UsageError:  # this row will be told it
            return
        values = inputs.in_templates(filled)
        for path in self._known:
            with suppress(templates.TemplateProblem):
                if file := place_of(templates.render(path, values).strip()):
                    self._note(row, path, file, given)

    def refuse(self) -> None:
        """Raises UsageError where a file would be written over."""
        if self._constant:
            path = self._constant[0]
            raise UsageError(f"{self._where(path)}: every row would write {path!r}; {WAY_OUT}")
        if self._first:
            raise UsageError(self._first)

    def _note(self, row: Row, path: str, file: str, given: Mapping[str, Any]) -> None:
        said = json.dumps(given, sort_keys=True, default=str).encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(said).digest()
        added = self._index.execute(
            "INSERT OR IGNORE INTO outputs VALUES (?, ?, ?)", (file, digest, row.where)
        )
        if added.rowcount:
            return
        other, at = self._index.execute(
            "SELECT given, at FROM outputs WHERE file = ?", (file,)
        ).fetchone()
        if other != digest:
            self._first = (
                f"{self._where(path)}: {row.where} would write {file!r}, as {at} does; {WAY_OUT}"
            )

    def _where(self, path: str) -> str:
        return self._task.where(("outputs", path))


def _names(path: str) -> set[str]:
    """Of all that it uses, the first parts, and those behind `inputs`."""
    parts = [use.parts for use in templates.uses(path)]
    return {one for some in parts for one in (some[:2] if some[0] == "inputs" else some[:1])}
