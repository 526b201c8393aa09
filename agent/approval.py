"""Who allows a call: nobody, the user for once or for good, or a list given beforehand."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agent.files import write_atomically


@dataclass(frozen=True)
class Approval:
    allowed: bool
    reason: str = ""
    """Why not, for the model."""


Approver = Callable[[str, Mapping[str, Any], str], Approval]
"""Given a tool's name, the arguments and a preview."""

Answer = Literal["once", "session", "always", "no"]


def deny(name: str, arguments: Mapping[str, Any], preview: str) -> Approval:
    """Nobody can be asked."""
    return Approval(False, "nobody is here to ask; it must be allowed beforehand")


def allow(names: Sequence[str]) -> Approver:
    """Allow the tools named beforehand, deny the rest."""

    def approve(name: str, arguments: Mapping[str, Any], preview: str) -> Approval:
        return Approval(True) if name in names else deny(name, arguments, preview)

    return approve


class Remembered:
    """Asks, and does not ask again what was allowed for this session or for good."""

    def __init__(
        self, file: Path, ask: Callable[[str, Mapping[str, Any], str], tuple[Answer, str]]
    ) -> None:
        """`file` keeps the patterns allowed for good. `ask` gives the answer and a reason."""
        self._file = file
        self._ask = ask
        self._session: set[str] = set()

    def __call__(self, name: str, arguments: Mapping[str, Any], preview: str) -> Approval:
        wanted = written(name, arguments)
        if any(fnmatch.fnmatchcase(wanted, one) for one in self._session | set(self.always())):
            return Approval(True)
        answer, reason = self._ask(name, arguments, preview)
        if answer == "no":
            return Approval(False, reason)
        if answer == "session":
            self._session.add(f"{fnmatch_escape(name)}(*")
        elif answer == "always":
            patterns = [*self.always(), pattern(name, arguments)]
            write_atomically(self._file, json.dumps(sorted(set(patterns)), indent=1))
        return Approval(True)

    def always(self) -> list[str]:
        """The patterns allowed for good."""
        try:
            patterns = json.loads(self._file.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return []
        return [str(one) for one in patterns]


def written(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as patterns see it: the tool and the first argument, `write_file(notes/a.md)`."""
    first = next(iter(arguments.values()), "")
    return f"{name}({first})"


def pattern(name: str, arguments: Mapping[str, Any]) -> str:
    """What "always" allows: the same tool in the same folder, or on the same first argument."""
    first = str(next(iter(arguments.values()), ""))
    folder, slash, _ = first.rpartition("/")
    if slash:
        return f"{name}({fnmatch_escape(folder)}/*)"
    return f"{name}({fnmatch_escape(first)})"


def fnmatch_escape(text: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)
