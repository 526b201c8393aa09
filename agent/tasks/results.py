"""The file of results: a JSON object a line, one for each row, and nothing else.

    with Results(Path("results.jsonl"), columns) as results:
        results.add(row, envelope)              # there, whole, when this returns

A line is `{"id": …, "at": "reviews.csv:17", "row": {…}, **envelope}`. It says by itself of what
task, model and inputs it comes, so there is no header and no file beside it: what two machines
made of two parts of the rows is put together with `cat`. While a run goes on, results stand as they
came; at its end in the order of the rows. A row that is run again (it failed, ran out of time, or
named a file that was not there) gets a second line, and the later one counts; that order at the end
leaves the earlier one out.
"""

from __future__ import annotations

import itertools
import json
import os
import shlex
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from agent.cut import cut
from agent.errors import TinsmithError, UsageError
from agent.events import Usage
from agent.tasks.envelope import CODES, Envelope, Reason
from agent.tasks.task import answers_alike

if TYPE_CHECKING:
    from filelock import FileLock

    from agent.tasks.columns import Columns
    from agent.tasks.rows import Row

AGAIN: tuple[Reason, ...] = ("failed", "seconds")
"""Why a row is run again by the same command, as is one of reason "usage" that the task can be
given: a file that it names may be there now. What else ended it would end it again."""
HALF = "sorted"
"""What the file that is being sorted is called besides."""
SYNC = 1.0
"""Seconds between two times that the disk is waited for: what a power cut may cost."""


class Results:
    """Open for one program at a time; `add` may be called from any thread."""

    def __init__(self, file: Path, columns: Columns) -> None:
        """Begin `file`, or go on with it: a line that was torn by a kill is taken away.

        Raises UsageError, and changes nothing, when another program writes it, when it is no file
        of results, or of another task or other inputs than those that `columns` gives.
        """
        self._file = file
        self._columns = columns
        self._lock = threading.Lock()
        self._synced = time.monotonic()
        self._held = _held(file)
        self._index = index()
        self.model: str | None = None
        """Of the results that are there; None: there are none."""
        try:
            self._stream = self._opened()
        except BaseException:
            self._index.close()
            _free(self._held)
            raise

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        if not self._stream.closed:
            with suppress(OSError):
                os.fsync(self._stream.fileno())
            self._stream.close()
        with suppress(OSError):
            if not self._file.stat().st_size:  # nothing came of it
                self._file.unlink()
        self._index.close()
        _free(self._held)

    def expect(self, row: Row, selected: bool) -> bool:
        """Told of every row there is, before the first is run. True: it is `selected` and has no
        result yet, or one that is made again."""
        with self._lock:
            self._index.execute(
                "UPDATE results SET number = ?, selected = ? WHERE id = ?",
                (row.number, selected, row.id),
            )
            return selected and not self._is_done(row)

    def refuse_strangers(self, source: str) -> None:
        """After `expect`: raises UsageError when there are results of rows that it never named."""
        with self._lock:
            count, first = self._index.execute(
                "SELECT count(*), min(at) FROM results WHERE number IS NULL"
            ).fetchone()
        if count:
            raise UsageError(
                f"{self._file} holds {count:,} results of rows that are not in {source} (the first "
                f"was at {first}); give another file to --out"
            )

    def refuse_model(self, model: str) -> None:
        """Raises UsageError when the results that are there come from another one."""
        if self.model not in (None, model):
            raise UsageError(
                f"{self._file} holds results of the model {self.model}, this run has {model}; "
                "give another file to --out"
            )

    def is_done(self, row: Row) -> bool:
        with self._lock:
            return self._is_done(row)

    def add(self, row: Row, envelope: Envelope) -> None:
        """Raises TinsmithError when the disk is full or gone; what was there stays."""
        facts = {"id": row.id, "at": row.where, "row": row.values, **envelope.as_dict()}
        written = line_of(facts)
        self.model = self.model or envelope.model
        with self._lock:
            try:
                begin = self._append(written)
            except OSError as error:
                raise TinsmithError(
                    f"{self._file} cannot be written: {error.strerror or error}; what was written "
                    "before is kept, and the same command goes on"
                ) from error
            noted = (row.id, row.where, begin, len(written), envelope.reason, row.number, True)
            self._index.execute(NOTE, noted)

    def reasons(self) -> dict[Reason, int]:
        """How many of the selected rows ended how."""
        with self._lock:
            return dict(
                self._index.execute(
                    "SELECT reason, count(*) FROM results WHERE selected GROUP BY reason"
                )
            )

    def sort(self) -> None:
        """Into the order of the rows, each with its last result; after all else. A kill leaves the
        file as it was. Raises TinsmithError."""
        with self._lock:
            if self._is_sorted():
                return
            self._stream.close()
            try:
                with replacing(self._file, HALF) as new, self._file.open("rb") as old:
                    for start, size in self._index.execute(
                        "SELECT start, size FROM results ORDER BY number"
                    ):
                        old.seek(start)
                        new.write(old.read(size))
            except OSError as error:
                raise TinsmithError(
                    f"{self._file} is whole, but not in the order of the rows: "
                    f"{error.strerror or error}"
                ) from error

    def _is_sorted(self) -> bool:
        size = self._index.execute("SELECT total(size) FROM results").fetchone()[0]
        if size != self._file.stat().st_size:
            return False
        found = self._index.execute("SELECT number FROM results ORDER BY start")
        return all(one[0] < other[0] for one, other in itertools.pairwise(found))

    def _is_done(self, row: Row) -> bool:
        found = self._index.execute("SELECT reason FROM results WHERE id = ?", (row.id,)).fetchone()
        if found is None or found[0] != "usage":
            return found is not None and found[0] not in AGAIN
        try:
            self._columns.given(row)
        except UsageError:
            return True
        return False

    def _append(self, written: bytes) -> int:
        """Gives where it begins."""
        descriptor = self._stream.fileno()
        begin = os.lseek(descriptor, 0, os.SEEK_END)
        left = memoryview(written)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, begin)
            raise
        if time.monotonic() - self._synced > SYNC:
            os.fsync(descriptor)
            self._synced = time.monotonic()
        return begin

    def _opened(self) -> IO[bytes]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            beside(self._file, HALF).unlink()
        stream = self._file.open("a+b", buffering=0)
        try:
            end = self._read(stream)
            if end is not None:
                os.ftruncate(stream.fileno(), end)
        except BaseException:
            stream.close()
            raise
        return stream

    def _read(self, stream: IO[bytes]) -> int | None:
        """Note what is there. Gives where to cut off a torn line, if there is one."""
        torn, is_open = None, False
        for number, start, raw, facts in lines(self._file):
            if facts is None:
                torn = start
                break
            self._refuse_other(f"{self._file}:{number}", facts)
            self.model = self.model or facts["model"]
            is_open = not raw.endswith(b"\n")
            size = len(raw) + is_open
            self._index.execute(
                NOTE, (facts["id"], facts["at"], start, size, facts["reason"], None, False)
            )
        if is_open:  # an editor took the end of the last line away
            stream.write(b"\n")
        return torn

    def _refuse_other(self, where: str, facts: Mapping[str, Any]) -> None:
        from agent.tasks.rows import content_of

        task = self._columns.task
        if facts["hash"] != task.hash:
            by_labels = bool(self._columns.labels)  # checks that do not stand in the file
            if answers_alike(facts["hash"], task.hash) and not by_labels:
                raise UsageError(
                    f"{where} was made with other checks than {task.file} has now; `tinsmith "
                    f"results check {shlex.join([str(self._file), str(task.file)])} --out NEW` "
                    "checks all of them anew, without the model"
                )
            raise UsageError(
                f"{where} is a result of the task {facts['task']} ({facts['hash']}), and "
                f"{task.file} is now {task.name} ({task.hash}); give another "
                f"{'folder' if by_labels else 'file'} to --out"
            )
        if facts["reason"] == "usage":
            return
        row = _row_of(facts, content_of(facts["row"]))
        try:
            given = json.loads(json.dumps(self._columns.given(row)))
        except UsageError:
            given = None
        if given == facts["inputs"]:
            return
        called = self._columns.labels
        differ = [
            f"{called.get(name, name)} {_short(one)} (now {_short((given or {}).get(name))})"
            for name, one in facts["inputs"].items()
            if given is None or given.get(name) != one
        ]
        raise UsageError(
            f"{where} was made with {', '.join(differ) or 'other inputs'}; give another file to "
            "--out"
        )


NOTE = """
INSERT INTO results (id, at, start, size, reason, number, selected) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET at = excluded.at, start = excluded.start, size = excluded.size,
reason = excluded.reason, number = excluded.number, selected = excluded.selected
"""


def index() -> sqlite3.Connection:
    """By row: where in the file its last result is. SQLite puts on the disk what is too much."""
    made = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    made.execute(
        "CREATE TABLE results (id TEXT PRIMARY KEY, at TEXT, start INTEGER, size INTEGER,"
        " reason TEXT, number INTEGER, selected INTEGER) WITHOUT ROWID"
    )
    made.execute("BEGIN")
    return made


def is_claimed(file: Path) -> bool:
    """Whether another program writes it now."""
    if not beside(file, "lock").exists():
        return False
    try:
        with claimed(file):
            return False
    except UsageError:
        return True


Line = tuple[int, int, bytes, dict[str, Any] | None]
"""Its number, where it begins, as it is, what it says. None, of the last line: it was torn."""


def lines(file: Path) -> Iterator[Line]:
    """Of a file of results. Raises UsageError for what is no result."""
    try:
        with file.open("rb") as stream:
            yield from lines_of(file, stream)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error


def lines_of(file: Path, stream: IO[bytes]) -> Iterator[Line]:
    """The same of one that is open."""
    start = 0
    for number, raw in enumerate(stream, 1):
        facts = _facts(raw)
        if facts is None and raw.endswith(b"\n"):
            raise UsageError(
                f"{file}:{number} is no result of `tinsmith run --each`; is it the right file? If "
                "it is, take this line away, and its row is run again"
            )
        if facts is None and not raw.startswith(BEGIN[: len(raw)]):
            raise UsageError(f"{file}:{number} is no result, and no part of one")
        yield number, start, raw, facts
        start += len(raw)


BEGIN = b'{"id": "'
"""Of every line."""
KINDS: Mapping[str, Any] = {
    "id": str, "at": str, "row": dict, "ok": bool, "task": str, "hash": str, "inputs": dict,
    "answer": object, "reason": str, "error": str | None, "calls": list, "checks": list,
    "usage": dict, "model": str | None, "seconds": int | float,
}  # fmt: skip
"""The keys of a line that are read again, and what stands under them."""
CHECK: Mapping[str, Any] = {"name": str, "passed": bool, "why": str}
CALL: Mapping[str, Any] = {"name": str, "arguments": dict, "ok": bool}
SPENT = ("prefilled", "generated")
USED = frozenset(one.name for one in fields(Usage))


def _facts(raw: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not has_kinds(found, KINDS) or found["reason"] not in REASONS:
        return None
    usage = found["usage"]
    is_whole = (
        all(has_kinds(one, CHECK) for one in found["checks"])
        and all(has_kinds(one, CALL) for one in found["calls"])
        and all(key in usage for key in SPENT)
        and all(key in USED and isinstance(one, int | float) for key, one in usage.items())
    )
    return found if is_whole else None


def has_kinds(found: Any, kinds: Mapping[str, Any]) -> bool:
    """Whether it is a mapping in which what `kinds` names is there, and of that kind."""
    return isinstance(found, dict) and all(
        key in found and isinstance(found[key], kind) for key, kind in kinds.items()
    )


REASONS = (*CODES, "failed", "steps", "tokens", "repeats")


def _row_of(facts: Mapping[str, Any], content: str) -> Row:
    from agent.tasks.rows import Row

    return Row(0, facts["at"], facts["row"], content)


def line_of(facts: Mapping[str, Any]) -> bytes:
    """A result as it stands in the file."""
    try:
        return (json.dumps(facts, ensure_ascii=False) + "\n").encode("utf-8")
    except UnicodeEncodeError:  # half a character, which UTF-8 cannot hold
        return (json.dumps(facts) + "\n").encode("utf-8")


def _short(value: Any) -> str:
    return cut(json.dumps(value, ensure_ascii=False), 40)


def beside(file: Path, what: str) -> Path:
    """A hidden file, for what is under way."""
    return file.with_name(f".{file.name}.{what}")


@contextmanager
def replacing(file: Path, what: str) -> Iterator[IO[bytes]]:
    """What is written takes the place of `file`, which is claimed, when nothing was raised. What a
    kill leaves has always the same name, and is written over. Raises OSError."""
    half = beside(file, what)
    try:
        with half.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(half, file)
    except BaseException:
        with suppress(OSError):
            half.unlink()
        raise


def _held(file: Path) -> FileLock:
    """Two programs would write a row twice. Free again when a program ends, however it does."""
    from filelock import FileLock, Timeout

    if not file.name:
        raise UsageError(f"--out {str(file)!r} is no name of a file")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(beside(file, "lock"), timeout=0, thread_local=False)
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"{file} is being written by another program; wait for it, or give another file to "
            "--out"
        ) from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}") from error
    return lock


@contextmanager
def claimed(file: Path) -> Iterator[None]:
    """No other program writes results into `file` meanwhile. Raises UsageError where one does."""
    lock = _held(file)
    try:
        yield
    finally:
        _free(lock)


def _free(lock: FileLock) -> None:
    # before it is free: afterwards it may be another program's
    with suppress(OSError):  # Windows keeps a file that is open
        os.unlink(lock.lock_file)
    lock.release()
