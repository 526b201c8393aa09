"""What was typed, in a file that several programs write and that may be of any size.

The file is that of prompt-toolkit's FileHistory: lines that begin with +, a blank line and a date
between entries. That class reads all of it before the first key, ends the prompt when it cannot be
written, and writes an entry in pieces.
"""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prompt_toolkit.history import History

from agent.repl.clean import clean

MOST = 2000
"""Entries that are read, the newest."""
LONGEST = 10_000
"""Characters of an entry that is written down; a longer one was pasted."""
BLOCK = 1 << 16
"""Bytes that are read at once, from the end of the file."""
FURTHEST = 8 << 20
"""Bytes that are read at most."""


PASTED = "[pasted text"
"""How the name of a long paste begins; what it stands for is kept nowhere."""


class Typed(History):
    def __init__(self, file: Path, tell: Callable[[str], None]) -> None:
        """`tell` hears, once, when the file cannot be used; what is typed is then kept until the
        program ends. It hears, too, of each entry that is not written since a secret is in it."""
        super().__init__()
        self._file = file
        self._tell = tell
        self._told = False

    def load_history_strings(self) -> Iterable[str]:
        """The newest first."""
        found: list[str] = []
        try:
            for entry in _entries(self._file):
                found.append(entry)
                if len(found) == MOST:
                    break
        except FileNotFoundError:
            pass
        except OSError as error:
            self._cannot("read", error)
        # its rules take a moment to import, and the first Enter should not wait for them
        threading.Thread(target=_kind_of_secret, args=("",), name="secrets", daemon=True).start()
        return found

    def store_string(self, string: str) -> None:
        text = clean(string)
        if not text.strip() or len(text) > LONGEST or PASTED in text:
            return
        if kind := _kind_of_secret(text):
            self._tell(f"there is a secret in that line ({kind}); it is not kept in the history")
            return
        lines = "".join(f"+{line}\n" for line in text.split("\n"))
        entry = f"\n# {datetime.datetime.now()}\n{lines}"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # in one piece, at the end: another program may write at the same moment
            place = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(place, entry.encode("utf-8", "replace"))
            finally:
                os.close(place)
        except OSError as error:
            self._cannot("written", error)

    def _cannot(self, what: str, error: OSError) -> None:
        if not self._told:
            self._told = True
            self._tell(
                f"{self._file} cannot be {what} ({error.strerror}); what you type is kept until "
                "you leave"
            )


def _kind_of_secret(text: str) -> str:
    """ "" for none."""
    from tools.knowledge.secrets import secret_in

    return secret_in(text)


def _entries(file: Path) -> Iterator[str]:
    """From the newest back. Raises OSError."""
    lines: list[str] = []
    for line in _backwards(file):
        if line.startswith("+"):
            lines.append(clean(line[1:]))
        elif lines:
            yield "\n".join(reversed(lines))
            lines = []
    if lines:
        yield "\n".join(reversed(lines))


def _backwards(file: Path) -> Iterator[str]:
    """The lines of a file from its end, so that its size does not matter."""
    with file.open("rb") as stream:
        at = stream.seek(0, os.SEEK_END)
        least = max(0, at - FURTHEST)
        rest = b""
        while at > least:
            begin = max(least, at - BLOCK)
            stream.seek(begin)
            first, *whole = (stream.read(at - begin) + rest).split(b"\n")
            for line in reversed(whole):
                yield line.decode("utf-8", "replace")
            rest, at = first, begin
        if not least:
            yield rest.decode("utf-8", "replace")
