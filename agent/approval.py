"""Who allows a call: nobody, a list given beforehand, or the user, for once or for good.

A pattern names a tool, and may name one argument: `write_file`, `write_file(path=notes/*.md)`.
`*` and `?` stop at a slash, `**` does not; `[*]` is a star. Nothing with `..` in it fits a star.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agent.errors import SettingsError, UnknownName, UsageError
from agent.files import write_atomically
from agent.settings import home


@dataclass(frozen=True)
class Approval:
    allowed: bool
    reason: str = ""
    """Why not, for the model."""


Approver = Callable[[str, Mapping[str, Any], str], Approval]
"""Given a tool's name, the arguments and a preview."""


@dataclass(frozen=True)
class Answer:
    """What the user said when asked."""

    kind: Literal["once", "session", "always", "no"]
    """session: any call of this tool; always: what fits `pattern`, in later sessions too."""
    pattern: str = ""
    reason: str = ""
    """Why not."""


def deny(name: str, arguments: Mapping[str, Any], preview: str) -> Approval:
    """Nobody can be asked."""
    return Approval(False, "nobody is here to ask; it must be allowed beforehand")


def allow(names: Sequence[str]) -> Approver:
    """Allow the tools named beforehand, deny the rest."""

    def approve(name: str, arguments: Mapping[str, Any], preview: str) -> Approval:
        return Approval(True) if name in names else deny(name, arguments, preview)

    return approve


class Approvals:
    """An Approver that asks, and does not ask again what was allowed before."""

    def __init__(self, ask: Callable[[str, Mapping[str, Any], str], Answer]) -> None:
        self._ask = ask
        self._session: set[str] = set()

    def __call__(self, name: str, arguments: Mapping[str, Any], preview: str) -> Approval:
        if any(fits(pattern, name, arguments) for pattern in (*self._session, *always())):
            return Approval(True)
        answer = self._ask(name, arguments, preview)
        if answer.kind == "no":
            return Approval(False, answer.reason)
        if answer.kind == "session":
            self._session.add(name)
        if answer.kind == "always":
            remember(answer.pattern)
        return Approval(True)


def always() -> list[str]:
    """The patterns allowed for good. Raises SettingsError when their file is damaged."""
    file = _file()
    try:
        patterns = json.loads(file.read_text("utf-8"))
        for pattern in patterns:
            check(pattern)
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, UsageError) as error:
        raise SettingsError(f"{file} is damaged: {error}; mend or delete it") from error
    return list(patterns)


def remember(pattern: str) -> None:
    """Allow what fits `pattern` for good. Raises UsageError when it is no pattern."""
    check(pattern)
    _write({*always(), pattern})


def forget(pattern: str) -> None:
    """Ask again. Raises UnknownName."""
    known = always()
    if pattern not in known:
        raise UnknownName("approval", pattern, known)
    _write(set(known) - {pattern})


def check(pattern: str) -> None:
    """Raises UsageError when it is no pattern."""
    if not _PATTERN.fullmatch(pattern):
        raise UsageError(f"{pattern!r} is no pattern; one is TOOL or TOOL(ARGUMENT=VALUE)")


def fits(pattern: str, name: str, arguments: Mapping[str, Any]) -> bool:
    """Whether `pattern` allows this call."""
    match = _PATTERN.fullmatch(pattern)
    if match is None or match["tool"] != name:
        return False
    if match["key"] is None:
        return True
    if match["key"] not in arguments:
        return False
    value = _text(arguments[match["key"]])
    glob = match["glob"]
    if ".." in value.split("/") and re.search("[*?]", _LITERAL.sub("", glob)):
        return False
    return re.fullmatch(_TOKEN.sub(_expression, glob), value, re.DOTALL) is not None


def suggest(name: str, arguments: Mapping[str, Any]) -> str:
    """The pattern to offer for "always": files like this one in its folder, else the same call."""
    if not arguments:
        return name
    key, first = next(iter(arguments.items()))
    value = _text(first)
    folder, slash, file = value.rpartition("/")
    if not slash or not file or ".." in value.split("/"):
        return f"{name}({key}={_literal(value)})"
    suffix = Path(file).suffix
    return f"{name}({key}={_literal(folder)}/*{_literal(suffix)})"


_PATTERN = re.compile(r"(?P<tool>[^\s()=]+)(\((?P<key>[^\s()=]+)=(?P<glob>.*)\))?", re.DOTALL)
_LITERAL = re.compile(r"\[([*?[])\]")
_TOKEN = re.compile(_LITERAL.pattern + r"|(?P<deep>\*\*)|(?P<star>\*)|(?P<one>\?)|.", re.DOTALL)


def _expression(token: re.Match[str]) -> str:
    if token["deep"]:
        return ".*"
    if token["star"]:
        return "[^/]*"
    return "[^/]" if token["one"] else re.escape(token[1] or token[0])


def _literal(text: str) -> str:
    return re.sub(r"[*?[]", r"[\g<0>]", text)


def _text(value: Any) -> str:
    """Windows writes folders with backslashes; patterns do not."""
    if isinstance(value, str):
        return value.replace("\\", "/")
    return json.dumps(value, ensure_ascii=False)


def _file() -> Path:
    return home() / "approvals.json"


def _write(patterns: set[str]) -> None:
    file = _file()
    try:
        write_atomically(file, json.dumps(sorted(patterns), indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}") from error
