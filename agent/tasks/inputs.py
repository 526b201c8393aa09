"""What a task is given: texts from the command line, values from rows, files."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from agent.errors import UnknownName, UsageError
from agent.tasks import brought
from agent.tasks.form import Input
from agent.tasks.task import Task
from tools.errors import ToolError

NOUNS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "file": "the path of a file",
    "list": "a list",
    "object": "keys with values",
    "any": "anything",
    "functions": "a list of functions",
    "checks": "a list of checks",
}
WORDS = {"true": True, "yes": True, "false": False, "no": False}


class FileText(str):
    """The text of a file; `path` is what was given."""

    path: str


def misfit(kind: Any, value: Any) -> str:
    """Why `value` is none of its kind; "" when it is."""
    fits = {
        "string": isinstance(value, str),
        "file": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "list": isinstance(value, list | tuple),
        "object": isinstance(value, Mapping),
    }
    if kind in brought.KINDS:
        return brought.misfit(kind, value)
    if kind in fits and not fits[kind]:
        return f"is not {NOUNS[kind]}"
    if kind in ("number", "list", "object") and not _is_finite(value):
        return "is not finite" if kind == "number" else "holds a number that is not finite"
    return ""


def _is_finite(value: Any) -> bool:
    """Whether neither nan nor an infinity is in it."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, list | tuple) or all(map(_is_finite, value))


def from_text(task: Task, given: Mapping[str, str]) -> dict[str, Any]:
    """What `key=value` on a command line stands for. Raises UsageError."""
    _refuse_unknown(task, given)
    return {name: _parsed(name, task.form.inputs[name], text) for name, text in given.items()}


def from_cell(task: Task, name: str, text: str) -> Any:
    """What a cell of a table stands for. None: it is empty, and no text is wanted. Raises
    UsageError."""
    if task.form.inputs[name].type in ("string", "file"):
        return text
    return from_text(task, {name: text.strip()})[name] if text.strip() else None


def checked(task: Task, given: Mapping[str, Any]) -> dict[str, Any]:
    """All inputs, the defaults filled in, in the order of the file. Raises UsageError."""
    _refuse_unknown(task, given)
    missing = [name for name in task.needs() if given.get(name) is None]
    if missing:
        about = task.form.inputs[missing[0]].description
        said = f" ({about})" if about else ""
        raise UsageError(
            f"{task.name} needs {' and '.join(missing)}{said}; give it with --set {missing[0]}=…"
        )
    values: dict[str, Any] = {}
    for name, one in task.form.inputs.items():
        value = given.get(name)
        value = one.default if value is None else value
        if why := misfit(one.type, value):
            raise UsageError(f"{name} is {json.dumps(value, default=str)}, which {why}")
        if one.choices and value not in one.choices:
            raise UnknownName(f"choice of {name}", str(value), map(str, one.choices))
        values[name] = value
    return values


def filled(task: Task, values: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the templates: of a file, its text. Raises UsageError."""
    return {
        name: _text(name, values[name]) if one.type == "file" else values[name]
        for name, one in task.form.inputs.items()
    }


def in_templates(filled: Mapping[str, Any]) -> dict[str, Any]:
    """Each input by its name, and all of them as `inputs`."""
    return {**filled, "inputs": SimpleNamespace(**filled)}


def digests(task: Task, values: Mapping[str, Any]) -> dict[str, str]:
    """Of the texts of the files among `values`, as `filled` gives them."""
    return {
        name: hashlib.sha256(values[name].encode("utf-8", "surrogatepass")).hexdigest()
        for name, one in task.form.inputs.items()
        if one.type == "file"
    }


def _refuse_unknown(task: Task, given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in task.form.inputs:
            raise UnknownName("input", name, task.form.inputs, f"The task is {task.name}.")


def _parsed(name: str, one: Input, text: str) -> Any:
    try:
        if one.type == "boolean":
            return WORDS[text.lower()]
        if one.type == "integer":
            return int(text)
        if one.type == "number":
            return _finite(text)
        if one.type == "any":
            return _json_or_text(text)
        if one.type in ("list", "object", *brought.KINDS):
            return _json(text)
    except (ValueError, KeyError, RecursionError):
        hint = ", in JSON" if one.type in ("list", "object", *brought.KINDS) else ""
        raise UsageError(f"{name} = {text!r}; it is {NOUNS[one.type]}{hint}") from None
    return text


def _json_or_text(text: str) -> Any:
    try:
        return _json(text)
    except (ValueError, RecursionError):
        return text


def _json(text: str) -> Any:
    return json.loads(text, parse_constant=_no_constant, parse_float=_finite)


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(f"{text} is not finite")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value of JSON")


def _text(name: str, path: str) -> FileText:
    from tools.knowledge import formats

    try:
        file = Path(path).expanduser()
        if formats.kind_of(file) in ("pdf", "word", "html"):
            found = "\n".join(block.text for block in formats.blocks(file))
        else:
            found = file.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{name}: {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{name}: {path} is no text in UTF-8") from None
    except ToolError as error:
        raise UsageError(f"{name}: {error}") from error
    except (RuntimeError, ValueError) as error:  # no such user, or no name that a file can have
        raise UsageError(f"{name}: {path!r} cannot be read: {error}") from error
    made = FileText(found)
    made.path = path
    return made
