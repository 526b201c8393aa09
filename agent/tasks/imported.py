"""What another program's file has become, before it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import UsageError


@dataclass(frozen=True)
class Imported:
    tasks: Mapping[str, str]
    """By name, the text of a task file."""
    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    """By name, what a file of rows holds."""
    left_out: tuple[str, ...] = ()
    """What could not be taken over, each with its file and line."""

    def write(self, folder: Path) -> list[Path]:
        """The task files. Raises UsageError where one is there already, and writes none."""
        from agent.tasks.read import parse
        from tools.storage import write_atomically

        texts = {folder / f"{name}.task.yaml": text for name, text in self.tasks.items()}
        files = {
            folder / f"{name}.jsonl": "".join(
                json.dumps(row, ensure_ascii=False) + "\n" for row in rows
            )
            for name, rows in self.rows.items()
        }
        for file in (*texts, *files):
            if file.exists():
                raise UsageError(f"{file} is there already; move it away, or work elsewhere")
        for file, text in texts.items():
            parse(text, file)  # raises TaskFileError
        for file, text in (files | texts).items():  # a task file is there when its rows are
            write_atomically(file, text)
        return list(texts)
