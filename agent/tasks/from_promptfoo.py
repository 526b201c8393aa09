"""A promptfooconfig.yaml becomes a task for each of its prompts, and one file of rows.

A test is a row; its assertions become the checks that the row brings. What has no counterpart is
told with its line. A test whose every assertion is lost is left out: it would always be right.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.errors import UsageError
from agent.tasks import assertions, brought, lines, meaning, templates
from agent.tasks.imported import Imported
from agent.tasks.lines import Place, Read

PROVIDERS = "choose models with `tinsmith eval --models A,B`"
IGNORED: Mapping[str, str] = {
    "providers": PROVIDERS,
    "targets": PROVIDERS,
    "description": "",
    "prompts": "",
    "tests": "",
    "defaultTest": "",
}
"""Keys of the file, and what is said of those that have no counterpart; "": they are read."""
OF_TEST = ("vars", "assert", "description")
CHECKS = "checks"
"""The input, and column, in which a row brings its checks."""


def read(file: Path) -> Imported:
    """Raises UsageError for a file that cannot be taken at all."""
    try:
        found = lines.read(file.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    if found.problems:
        raise UsageError("\n".join(f"{file}:{line}: {said}" for line, said in found.problems))
    if not isinstance(found.data, dict) or not ({"prompts", "tests"} <= found.data.keys()):
        raise UsageError(f"{file}: a configuration of promptfoo has `prompts` and `tests`")
    return _Read(file, found).all()


class _Read:
    def __init__(self, file: Path, found: Read) -> None:
        self._file = file
        self._found = found
        self._data: Mapping[str, Any] = found.data
        self._left_out: list[tuple[int, str]] = []

    def all(self) -> Imported:
        for key in self._data:
            if said := IGNORED.get(key, "tasks have nothing like it"):
                self._leave((key,), f"{key} is left out: {said}")
        usual = self._test(("defaultTest",), self._data.get("defaultTest") or {})
        defaults, checks = usual or ({}, [])
        if isinstance(self._data.get("defaultTest"), str):
            self._leave(("defaultTest",), "defaultTest is left out: it stands in another file")
        rows = [{**defaults, **row} for row in self._rows(bool(checks))]
        names = list(dict.fromkeys(name for row in rows for name in row if name != CHECKS))
        if not rows:
            said = "no test can be taken over"
            raise UsageError("\n".join([f"{self._file}: {said}", *self._told()]))
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", self._file.stem).strip("-") or "promptfoo"
        prompts = list(self._prompts(names))
        if not prompts:
            raise UsageError("\n".join([f"{self._file}: no prompt can be taken", *self._told()]))
        tasks = {
            (stem if len(prompts) == 1 else f"{stem}-{number}"): self._task(
                prompt, names, checks, f"{stem}.jsonl"
            )
            for number, prompt in enumerate(prompts, 1)
        }
        return Imported(tasks, {stem: rows}, tuple(self._told()))

    def _told(self) -> list[str]:
        return [f"{self._file}:{line}: {said}" for line, said in sorted(set(self._left_out))]

    def _leave(self, place: Place, said: str) -> None:
        self._left_out.append((self._found.line(place), said))

    def _rows(self, have_defaults: bool) -> Iterator[dict[str, Any]]:
        tests = self._data["tests"]
        if isinstance(tests, str) or not isinstance(tests, list):
            self._leave(("tests",), "tests is left out: only tests in the file itself are read")
            return
        for at, test in enumerate(tests):
            place: Place = ("tests", at)
            if not isinstance(test, Mapping):
                self._leave(place, "the test is left out: it stands in another file")
                continue
            made = self._test(place, test)
            if made is None:
                continue
            given, checks = made
            if not checks and (test.get("assert") or not have_defaults):
                why = "none of its assertions is" if test.get("assert") else "it has no assertion"
                why += " carried over" if test.get("assert") else ""
                self._leave(place, f"the test is left out: {why}")
                continue
            yield from ({**one, CHECKS: checks} for one in _combined(given))

    def _test(self, place: Place, test: Any) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """Its variables and its checks. None: it cannot be taken."""
        if not isinstance(test, Mapping):
            return {}, []
        for key in test:
            if key not in OF_TEST:
                self._leave((*place, key), f"{key} is left out: tasks have nothing like it")
        given = test.get("vars") or {}
        if not isinstance(given, Mapping):
            self._leave((*place, "vars"), "the test is left out: its vars stand in another file")
            return None
        for name, value in given.items():
            if why := _unusable(name, value):
                self._leave((*place, "vars", name), f"the test is left out: {why}")
                return None
        return dict(given), list(self._checks(place, test.get("assert") or []))

    def _checks(self, place: Place, asserted: Any) -> Iterator[dict[str, Any]]:
        if not isinstance(asserted, list):
            self._leave((*place, "assert"), "assert is left out: it is no list")
            return
        for at, one in enumerate(asserted):
            here: Place = (*place, "assert", at)
            try:
                made, beside = assertions.checks(one)
            except assertions.Unlike as error:
                self._leave(here, f"the assertion is left out: {error}")
                continue
            for key in beside:
                said = f"{key} of the assertion is left out: tasks have nothing like it"
                self._leave((*here, key), said)
            if why := brought.misfit("checks", made):
                self._leave(here, f"the assertion is left out: it {why}")
                continue
            yield from made

    def _prompts(self, names: Sequence[str]) -> Iterator[str]:
        prompts = self._data["prompts"]
        for at, one in enumerate([prompts] if isinstance(prompts, str) else prompts or []):
            place: Place = ("prompts", at) if isinstance(prompts, list) else ("prompts",)
            for prompt in self._texts(place, one):
                if why := _unlike(prompt, names):
                    self._leave(place, f"the prompt is left out: {why}")
                else:
                    yield prompt

    def _texts(self, place: Place, one: Any) -> Iterator[str]:
        if isinstance(one, Mapping):
            one = one.get("raw", one.get("id"))
        if not isinstance(one, str) or not one.strip():
            self._leave(place, "the prompt is left out: it is no text")
            return
        is_file = one.startswith("file://") or re.fullmatch(r"[\w./-]+\.(txt|md|json|py|js)", one)
        if not is_file:
            yield one
            return
        path = self._file.parent / one.removeprefix("file://")
        if path.suffix not in (".txt", ".md"):
            self._leave(place, f"the prompt is left out: {one} is no text file")
            return
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            self._leave(place, f"the prompt is left out: {path} cannot be read: {error}")
            return
        # promptfoo keeps several prompts in one text file, with a line of dashes between them
        pieces = re.split(r"(?m)^---\s*$", text) if path.suffix == ".txt" else [text]
        yield from (piece.strip() for piece in pieces if piece.strip())

    def _task(
        self, prompt: str, names: Sequence[str], checks: Sequence[Mapping[str, Any]], rows: str
    ) -> str:
        import yaml

        form: dict[str, Any] = {
            "description": str(self._data.get("description") or ""),
            "inputs": {
                **{name: {"type": "any", "default": ""} for name in names},
                CHECKS: {"type": "checks", "default": []},
            },
            "prompt": prompt,
            "checks": list(checks),
            "eval": {"rows": rows},
        }
        kept = {key: one for key, one in form.items() if one}
        # through JSON, so that two checks which are the same are written out and not as an alias
        written = yaml.safe_dump(
            json.loads(json.dumps(kept)), sort_keys=False, allow_unicode=True, width=100
        )
        return f"# Made from {self._file.name} by `tinsmith tasks import promptfoo`.\n{written}"


def _combined(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A variable that is a list stands for a test with each of its values."""
    values = [one if isinstance(one, list) else [one] for one in given.values()]
    for chosen in itertools.product(*values):
        yield dict(zip(given, chosen, strict=True))


def _unusable(name: Any, value: Any) -> str:
    reserved = (*meaning.ALWAYS, "item", "answer", CHECKS)
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return f"the variable {name!r} cannot be the name of an input"
    if name in reserved:
        return f"the variable {name!r} means something else in a task"
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and one.startswith(("file://", "package:")):
            return f"the variable {name!r} stands in another file"
        if isinstance(one, str) and ("{{" in one or "{%" in one):
            return f"the variable {name!r} is a template itself"
    return ""


def _unlike(prompt: str, names: Sequence[str]) -> str:
    """Why a template of promptfoo (Nunjucks) is none of a task (Jinja); "" when it is."""
    try:
        used = templates.uses(prompt)
    except templates.TemplateProblem as error:
        return f"its line {error.line}: {error}"
    known = (*names, *meaning.ALWAYS)
    strange = next((use for use in used if use.parts[0] not in known), None)
    if strange is None:
        return ""
    return f"its line {strange.line}: no test gives the variable {strange.parts[0]!r}"
