"""Who allows a call: nobody, the user for once or for good, or a list given beforehand."""

from __future__ import annotations

import contextlib
import json
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tools.storage import locked, write_atomically

Answer = Literal["once", "session", "always", "no", "edit"]


@dataclass(frozen=True)
class Approval:
    allowed: bool
    reason: str = ""
    """Why not, for the model."""
    instead: Mapping[str, Any] | None = None
    """Arguments that the user wants in the place of the model's; they are to be asked about."""
    answer: Answer | Literal["before", "nobody"] = "nobody"
    """What the user said; allowed before, or nobody was asked."""


@dataclass(frozen=True)
class Question:
    """Whether a call may run."""

    tool: str
    arguments: Mapping[str, Any]
    preview: str = ""
    """What the user should see of it; "" when the arguments say it all."""
    untrusted: bool = False
    """The turn has read what strangers wrote: what was allowed before is asked again."""
    writes_to: str = ""
    """The argument that names the one file it writes; "" when the tool does not say."""
    problem: str = ""
    """Why the arguments, as the user wrote them, do not fit: then only others can be allowed."""

    @property
    def pattern(self) -> str:
        """What "always" allows: calls with the same pattern. Empty: it cannot be allowed for good.

        `write_file(notes/*)` is the tool on the files of that folder itself. Without a folder it is
        that one file. A tool that does not say what it writes to may write anywhere: all arguments
        have to be the same.
        """
        given = self.arguments.get(self.writes_to) if self.writes_to else None
        if not isinstance(given, str):
            values = (
                f"{key}={json.dumps(value, sort_keys=True, ensure_ascii=False)}"
                for key, value in sorted(self.arguments.items())
            )
            return f"{self.tool}({', '.join(values)})"
        path = posixpath.normpath(given)
        # a backslash parts folders on Windows, where a colon comes behind a drive
        if path.startswith(("..", "/", "~")) or "\\" in path or ":" in path:
            return ""
        folder, slash, _ = path.rpartition("/")
        return f"{self.tool}({folder}/*)" if slash else f"{self.tool}({path})"


Approver = Callable[[Question], Approval]


def deny(question: Question) -> Approval:
    """Nobody can be asked."""
    return Approval(False, "nobody is here to ask; it must be allowed beforehand")


def allow(names: Sequence[str]) -> Approver:
    """Allow the tools named beforehand, deny the rest."""

    def approve(question: Question) -> Approval:
        if question.tool in names:
            return Approval(True, answer="before")
        return deny(question)

    return approve


class Remembered:
    """Asks, and does not ask again what was allowed for this session or for good."""

    def __init__(
        self,
        file: Path,
        ask: Callable[[Question], tuple[Answer, str]],
        tell: Callable[[str], None],
    ) -> None:
        """`file` keeps what is allowed for good, in the working folder of now and no other.

        `ask` gives the answer and a reason; with "edit" other arguments, in JSON. `tell` hears
        when the file cannot be used.
        """
        self._file = file
        self._ask = ask
        self._tell = tell
        self._session: set[str] = set()

    @property
    def _folder(self) -> str:
        return str(Path.cwd())  # not that of the start: the tour works in one of its own

    def __call__(self, question: Question) -> Approval:
        name, wanted = question.tool, question.pattern
        known = not question.untrusted and not question.problem
        if known and (name in self._session or wanted in self.always()):
            return Approval(True, answer="before")
        answer, reason = self._ask(question)
        if answer == "no":
            return Approval(False, reason, answer=answer)
        if answer == "edit":
            return Approval(False, instead=json.loads(reason), answer=answer)
        if answer == "session":
            self._session.add(name)
        elif answer == "always" and wanted:
            self._keep(wanted)
        return Approval(True, reason, answer=answer)

    def forget_session(self) -> None:
        """A new session begins."""
        self._session.clear()

    def always(self) -> list[str]:
        """The patterns allowed for good in this working folder."""
        return self._read().get(self._folder, [])

    def everywhere(self) -> dict[str, list[str]]:
        """The patterns allowed for good, by working folder."""
        return self._read()

    def take_back(self, wanted: str) -> None:
        """Ask again for what was allowed for good in this folder. Raises OSError."""
        self._change(lambda kept: kept - {wanted})

    def _keep(self, wanted: str) -> None:
        try:
            self._change(lambda kept: kept | {wanted})
        except OSError as error:
            self._tell(f"{wanted} is allowed only now, {self._file} cannot be written: {error}")

    def _change(self, change: Callable[[set[str]], set[str]]) -> None:
        with locked(self._file):
            kept = self._read()
            kept[self._folder] = sorted(change(set(kept.get(self._folder, []))))
            write_atomically(self._file, json.dumps(kept, indent=1))

    def _read(self) -> dict[str, list[str]]:
        """By working folder. What cannot be understood is put aside, not written over."""
        try:
            kept = json.loads(self._file.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._tell(f"{self._file} cannot be read: {error}; what it allows is asked again")
            return {}
        except ValueError:
            kept = None
        if _is_right(kept):
            return dict(kept)
        aside = self._file.with_name(f"{self._file.name}.damaged")
        with contextlib.suppress(OSError):
            self._file.replace(aside)
            self._tell(
                f"{self._file} is damaged, it is {aside} now; what it allowed is asked again"
            )
        return {}


def _is_right(kept: object) -> bool:
    return isinstance(kept, dict) and all(
        isinstance(one, list) and all(isinstance(text, str) for text in one)
        for one in kept.values()
    )
