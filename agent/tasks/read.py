"""A task file becomes a Task, or all of its mistakes are told, each with its line.

    task = read(Path("triage.task.yaml"))          # raises TaskFileError

YAML, or Markdown whose head between two `---` is the same YAML and whose body is the prompt.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cut import cut
from agent.errors import UsageError
from agent.tasks import bounds, lines, meaning, uses
from agent.tasks.form import ALIASES, Bounds, Check, Drawing, Form, Input, Labels, Step
from agent.tasks.lines import Place
from agent.tasks.misspelt import KEYS, meant_by
from agent.tasks.task import Task, TaskFileError

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

ENDINGS = (".yaml", ".yml", ".md")
UNHASHED = ("name", "description", "eval")
"""Keys that change nothing in what comes of a run."""
NOUNS = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "keys with values",
    "tuple": "a list",
    "list": "a list",
    "dataclass": "keys with values",
}


def read(file: Path) -> Task:
    """Raises TaskFileError with every mistake; UsageError for a file that cannot be read."""
    if file.suffix.lower() not in ENDINGS:
        raise UsageError(f"{file}: a task is a file that ends in {', '.join(ENDINGS)}")
    try:
        if file.stat().st_size > bounds.FILE:
            raise UsageError(f"{file} is larger than {bounds.FILE:,} bytes; a task is not")
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: {error.reason}") from error
    return parse(text, file)


def parse(text: str, file: Path) -> Task:
    """`read`, of a text that stands in `file`. Raises TaskFileError."""
    found = _markdown(text) if file.suffix.lower() == ".md" else lines.read(text)
    form = None if found.problems else _form(found)
    if found.problems or form is None:
        there = dict.fromkeys(sorted(found.problems))
        raise TaskFileError(f"{file}:{line}: {said}" for line, said in there)
    return Task(form, file, hash_of(form), found.lines, found.texts)


def plain(form: Form) -> dict[str, Any]:
    """What a form says, without what says nothing, as JSON holds it."""
    written: dict[str, Any] = _adapter().dump_python(
        form, mode="json", by_alias=True, exclude_defaults=True
    )
    return written


def hash_of(form: Form) -> str:
    """That of what makes the answers, a dot, and that of the checks and of the inputs that only
    these name."""
    said = {key: one for key, one in plain(form).items() if key not in UNHASHED}
    alone = uses.only_checked(said)
    inputs = said.pop("inputs", {})
    checks = [said.pop("checks", []), {name: inputs[name] for name in inputs if name in alone}]
    said["inputs"] = {name: inputs[name] for name in inputs if name not in alone}
    # the order of a schema's keys is the order in which the model writes them: it is not sorted
    parts = (json.dumps(one, ensure_ascii=False) for one in (said, checks))
    hashes = [hashlib.sha256(one.encode("utf-8", "surrogatepass")).hexdigest() for one in parts]
    return f"{hashes[0][:12]}.{hashes[1][:8]}"


@lru_cache(1)
def _adapter() -> TypeAdapter[Form]:
    from pydantic import TypeAdapter

    return TypeAdapter(Form)


def _markdown(text: str) -> lines.Read:
    rows = text.split("\n")
    if rows[0].rstrip() != "---":
        found = lines.Read(data={}, lines={(): 1})
        body, begins = text, 1
    else:
        end = next((at for at, row in enumerate(rows[1:], 1) if row.rstrip() == "---"), None)
        if end is None:
            return lines.Read(problems=[(1, "the head that begins here has no end (---)")])
        found = lines.read("\n".join(rows[1:end]), 2)
        body, begins = "\n".join(rows[end + 1 :]), end + 2
    if found.problems:
        return found
    found.data = {} if found.data is None else found.data
    if not body.strip():
        return found
    if isinstance(found.data, dict):
        if "prompt" in found.data:
            line = found.line(("prompt",))
            found.problems.append((line, "the text below the head is the prompt; this is another"))
        blank = len(body) - len(body.lstrip("\n"))
        found.data["prompt"] = body.strip("\n").rstrip() + "\n"
        found.lines["prompt",] = found.texts["prompt",] = begins + blank
    return found


def _form(found: lines.Read) -> Form | None:
    """Adds to the problems what is wrong."""
    from pydantic import ValidationError

    if not isinstance(found.data, dict):
        said = "a task has keys, such as `prompt: …`; `tinsmith tasks new` writes one"
        found.problems.append((found.line(()), said))
        return None
    _keep_nulls(found.data.get("checks"))
    form = None
    try:
        # as JSON, in which a list may be a tuple and nothing else is taken for something else
        written = json.dumps(found.data, ensure_ascii=True)
        form = _adapter().validate_json(written, strict=True)
    except ValidationError as error:
        seen: set[Place] = set()
        for one in error.errors(include_url=False):
            place = _place(found.data, one["loc"])
            if place not in seen:  # of a value that may be several things, each complains
                seen.add(place)
                found.problems.append((found.line(place), _said(place, one, found.data)))
    except (TypeError, ValueError) as error:
        found.problems.append((found.line(()), f"holds what JSON cannot hold: {error}"))
    found.problems += meaning.mistakes(found)
    return form


def _keep_nulls(checks: Any) -> None:
    """A value that is asked for and is null would be as good as not said."""
    for check in checks if isinstance(checks, list) else ():
        for key in meaning.NULLS if isinstance(check, dict) else ():
            if key in check and check[key] is None:
                check[key] = "{{ none }}"


def _place(data: Any, loc: Iterable[str | int]) -> Place:
    """As much of pydantic's `loc` as is in the data; the rest are names of types."""
    place: list[str | int] = []
    last = False
    for part in loc:
        if last:
            break
        if isinstance(data, Mapping) and part in data:
            data = data[str(part)]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif isinstance(data, Mapping) and isinstance(part, str) and part.isidentifier():
            last = True  # a key that is missing
        else:
            break
        place.append(part)
    return tuple(place)


def _said(place: Place, error: ErrorDetails, data: Any) -> str:
    kind, given = error["type"], error["input"]
    named = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in place)[1:]
    if error["loc"][-1:] == ("[key]",):
        return f"{error['loc'][-2]!r} cannot be the name of an input; take letters, digits and _"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        key, known = str(place[-1]), keys_of(place[:-1])
        belongs = key in KEYS and not difflib.get_close_matches(key, known, n=1, cutoff=0.8)
        hint = "it belongs under `schema`, further in" if belongs else nearest(key, known)
        return f"unknown key {key!r}; {hint}"
    if kind in ("missing", "missing_argument"):
        return f"{_of(place[:-1])} needs a key {place[-1]!r}"
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        if not known or not isinstance(given, str):
            return f"{named} is {_shown(given)}, and must be {error['ctx']['expected']}"
        return f"{named} is {given!r}; {nearest(given, known)}"
    if kind == "string_pattern_mismatch":
        return f"{named} is {given!r}; take letters, digits and _"
    noun = NOUNS.get(kind.removesuffix("_type").removesuffix("_exact"))
    if noun is not None:
        quotes = "; put it in quotes" if noun == "a text" and not isinstance(given, str) else ""
        return f"{named or 'the file'} is {_shown(given)}, and must be {noun}{quotes}"
    said = error["msg"][0].lower() + error["msg"][1:]
    return f"{named} is {_shown(given)}: {said}"


def _shown(given: Any) -> str:
    if given is None:
        return "empty"
    return cut(json.dumps(given, ensure_ascii=False, default=str), 60)


def _of(place: Place) -> str:
    if not place:
        return "a task"
    kind = {"steps": "a step", "inputs": "an input", "checks": "a check"}.get(str(place[0]))
    return kind or f"{place[0]!r}"


def keys_of(place: Place) -> list[str]:
    """The keys that may stand in what is at `place`."""
    kinds: dict[str, Any] = {"inputs": Input, "steps": Step, "checks": Check}
    if not place:
        kind: Any = Form
    elif len(place) == 2:
        kind = kinds[str(place[0])]
    else:
        kind = {"sampling": Drawing, "limits": Bounds, "eval": Labels}[str(place[0])]
    return [ALIASES.get(field.name, field.name) for field in dataclasses.fields(kind)]


def nearest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    if meant := meant_by(word, names):
        return f"did you mean {meant!r}?"
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
