"""Whether what must be true of a run is true, and what was seen."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import answers, patterns
from agent.cut import cut
from agent.engines.base import Sampling
from agent.tasks import accepted, agreement, paths
from agent.tasks.envelope import Called, Checked
from agent.tasks.form import Check
from agent.tasks.lines import Place

if TYPE_CHECKING:
    from agent.tasks.run import _Run

SHOWN = 200
"""Characters of what was seen."""
JUDGED = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "maxLength": 400},
        "verdict": {"enum": ["yes", "no"]},
    },
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
"""The reason comes first, so that the verdict follows from it."""
Stamp = tuple[int, int, int] | None


def snapshot(folder: Path | None, checks: Sequence[Check]) -> dict[str, Stamp]:
    """How the files that checks ask about are before the run."""
    named = [file for check in checks for file in check.files or ()]
    return {file: _stamp(folder, file) for file in named}


def all_of(
    run: _Run, files: Mapping[str, str], before: Mapping[str, Stamp], seconds: float
) -> list[Checked]:
    """`files`: the outputs that will be written. `seconds`: that the steps took."""
    tokens = sum(one.tokens for one in run.done)
    look = _Look(run, files, before, seconds, tokens)
    return [look.one(("checks", at), check) for at, check in enumerate(run.checks)]


class _Undecided(Exception):
    """Neither a check nor its contrary is true: there is an error in it, or in what it looks at."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(why)
        self.name = name


class _Look:
    def __init__(
        self,
        run: _Run,
        files: Mapping[str, str],
        before: Mapping[str, Stamp],
        seconds: float,
        tokens: int,
    ) -> None:
        self._run = run
        self._files = files
        self._before = before
        self._seconds = seconds
        self._tokens = tokens
        self._values = {**run.values, "answer": run.answer}

    def one(self, place: Place, check: Check) -> Checked:
        try:
            name, passed, why = self._kind(place, check)
            passed = passed != check.negated
        except _Undecided as error:
            name, passed, why = error.name, False, str(error)
        name = check.name or (f"not {name}" if check.negated else name)
        return Checked(name, passed, why, _id(check))

    def _kind(self, place: Place, check: Check) -> tuple[str, bool, str]:
        """What is checked, whether it is so, and what was seen."""
        if check.called is not None:
            return self._called(place, check, check.called)
        if check.calls is not None:
            wanted = list(check.calls)
            made = [call.name for call in self._run.calls]
            rest = iter(made)
            return f"calls {wanted}", all(one in rest for one in wanted), _calls(self._run.calls)
        if check.accepted is not None:
            return self._accepted(place, check.accepted)
        if check.no_calls is not None:
            return "no calls", not self._run.calls, _calls(self._run.calls)
        if check.files is not None:
            return self._written(place, check.files)
        if check.seconds_under is not None:
            name = f"seconds under {check.seconds_under:g}"
            return name, self._seconds < check.seconds_under, f"it took {self._seconds:.2f} seconds"
        if check.tokens_under is not None:
            name = f"tokens under {check.tokens_under}"
            return name, self._tokens < check.tokens_under, f"it wrote {self._tokens} tokens"
        looked_at = self._run.answer
        if check.of is not None:
            looked_at = self._run.value((*place, "of"), check.of, self._values)
        if check.judge is not None:
            return self._judged(place, check.judge, looked_at)
        if check.json is not None:
            return _is_json(check, looked_at)
        if check.path is None:
            return self._compared(place, check, looked_at)
        return self._there(place, check, check.path, looked_at)

    def _there(
        self, place: Place, check: Check, path: str, looked_at: Any
    ) -> tuple[str, bool, str]:
        is_alone = _is_alone(check)
        name = path if is_alone else f"{path} {self._compared(place, check, None)[0]}"
        try:
            value = json.loads(looked_at) if isinstance(looked_at, str) else looked_at
        except (ValueError, RecursionError):
            raise _Undecided(name, f"it is no JSON: {_short(looked_at)}") from None
        try:
            found = paths.at(path, value)
        except paths.PathProblem as error:
            raise _Undecided(name, str(error)) from None
        if is_alone:
            return name, bool(found), f"there is {_short(found) if found else 'nothing'} at {path}"
        if not found:
            return name, False, f"there is nothing at {path} in {_short(value)}"
        seen = [self._compared(place, check, one) for one in found]
        _, passed, why = next((one for one in seen if one[1]), seen[0])
        return name, passed, why

    def _compared(self, place: Place, check: Check, looked_at: Any) -> tuple[str, bool, str]:
        text = looked_at if isinstance(looked_at, str) else _json(looked_at)
        saw = f"it is {_short(looked_at)}"
        if check.contains is not None:
            wanted = self._run.render((*place, "contains"), check.contains, self._values)
            return f"contains {wanted!r}", wanted in text, saw
        if check.matches is not None:
            pattern = self._run.render((*place, "matches"), check.matches, self._values)
            try:
                return f"matches {pattern!r}", patterns.found(pattern, text), saw
            except patterns.PatternProblem as problem:
                raise _Undecided(f"matches {pattern!r}", str(problem)) from None
        if check.number is not None:
            wanted_number = self._run.value((*place, "number"), check.number, self._values)
            return self._near(wanted_number, check.within, looked_at, saw)
        if check.same is not None:
            label = self._run.value((*place, "same"), check.same, self._values)
            agree = agreement.agrees(label, looked_at, check.within)
            return (
                f"same as {_short(label)}",
                agree,
                saw if agree else f"{saw}, not {_short(label)}",
            )
        expected = self._run.value((*place, "equals"), check.equals, self._values)
        return f"equals {_short(expected)}", equal(expected, looked_at), saw

    def _near(self, wanted: Any, within: float, looked_at: Any, saw: str) -> tuple[str, bool, str]:
        name = f"number {wanted}" + (f" within {within:g}" if within else "")
        near, found = agreement.number_in(wanted), agreement.number_in(looked_at)
        if near is None:
            raise _Undecided(name, f"{_short(wanted)} is no number")
        if found is None:
            return name, False, f"{saw}, which holds no number"
        return (
            name,
            agreement.near(near, found, within),
            f"it is {found:g}, {abs(found - near):g} off",
        )

    def _called(self, place: Place, check: Check, called: str) -> tuple[str, bool, str]:
        wanted = self._run.value((*place, "arguments"), check.arguments or {}, self._values)
        made = [
            call
            for call in self._run.calls
            if call.name == called
            and all(
                key in call.arguments and equal(one, call.arguments[key])
                for key, one in wanted.items()
            )
        ]
        name = f"called {called}" + (f" with {_short(wanted)}" if wanted else "")
        if check.count is None:
            return name, bool(made), _calls(self._run.calls)
        return f"{name} {check.count} times", len(made) == check.count, _calls(self._run.calls)

    def _accepted(self, place: Place, wanted: Any) -> tuple[str, bool, str]:
        right = self._run.value((*place, "accepted"), wanted, self._values)
        name = f"accepted {_short(right)}"
        if not isinstance(right, list | tuple) or not all(map(_is_call, right)):
            said = f"{_short(right)} is no list of {{function: {{argument: [values]}}}}"
            raise _Undecided(name, said)
        made = [(call.name, call.arguments) for call in self._run.calls]
        found = accepted.judge(self._run.parameters(), right, made)
        return (
            name,
            found.kind == "right",
            f"{found.kind}: {found.reason}" if found.reason else _calls(self._run.calls),
        )

    def _written(self, place: Place, files: Sequence[str]) -> tuple[str, bool, str]:
        seen = []
        for file in files:
            path = self._run.render((*place, "files"), file, self._values)
            if path in self._files:
                continue
            how = self._run.fact("file", functools.partial(self._how, file, path))
            if how != "written":
                seen.append(f"{path} is {how}")
        return f"files {', '.join(files)}", not seen, "; ".join(seen) or "all were written"

    def _how(self, file: str, path: str) -> str:
        now = _stamp(self._run.means.folder, path)
        if now is None:
            return "not there"
        return "unchanged" if now == self._before.get(file) else "written"

    def _judged(self, place: Place, question: str, looked_at: Any) -> tuple[str, bool, str]:
        from agent.prompts import render

        asked = self._run.render((*place, "judge"), question, self._values)
        text = looked_at if isinstance(looked_at, str) else _json(looked_at)
        prompt = render("judge", question=asked, answer=text)
        said = json.loads(self._run.judge(prompt, JUDGED, Sampling(max_tokens=400)))
        return f"judge {_short(asked)}", said["verdict"] == "yes", str(said["reason"])


def _id(check: Check) -> str:
    written = json.dumps(vars(check), sort_keys=True, default=str)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _is_alone(check: Check) -> bool:
    others = (check.contains, check.matches, check.equals, check.same, check.number)
    return all(one is None for one in others)


def equal(expected: Any, seen: Any) -> bool:
    """As the check `equals` takes it."""
    if isinstance(expected, str) or isinstance(seen, str):
        return _plain(expected) == _plain(seen)
    if isinstance(expected, bool) or isinstance(seen, bool):
        return expected is seen
    if isinstance(expected, Mapping) and isinstance(seen, Mapping):
        return expected.keys() == seen.keys() and all(
            equal(one, seen[key]) for key, one in expected.items()
        )
    if isinstance(expected, list | tuple) and isinstance(seen, list | tuple):
        return len(expected) == len(seen) and all(map(equal, expected, seen))
    return bool(expected == seen)


def _plain(value: Any) -> str:
    """A text without the white space around it; of a value, its JSON."""
    return (value if isinstance(value, str) else _json(value)).strip()


def _is_call(one: Any) -> bool:
    return (
        isinstance(one, Mapping)
        and len(one) == 1
        and all(isinstance(found, Mapping) for found in one.values())
        and all(
            isinstance(values, list | tuple) for found in one.values() for values in found.values()
        )
    )


def _is_json(check: Check, looked_at: Any) -> tuple[str, bool, str]:
    name = "JSON" if check.json == "whole" else "JSON inside"
    name += " after the schema" if check.schema is not None else ""
    saw = f"it is {_short(looked_at)}"
    problem = f"{saw}, which is no JSON" if check.json == "whole" else f"{saw}, without JSON"
    for value in _json_in(looked_at, check.json == "inside"):
        try:
            breach = "" if check.schema is None else answers.breach(check.schema, value)
        except answers.Unfollowable as error:
            raise _Undecided(name, str(error)) from None
        problem = cut(breach, SHOWN)
        if not problem:
            return name, True, saw
    return name, False, problem


def _json_in(looked_at: Any, anywhere: bool) -> Iterator[Any]:
    if not isinstance(looked_at, str):
        yield looked_at
        return
    if not anywhere:
        with suppress(ValueError, RecursionError):
            yield json.loads(looked_at)
        return
    for begin in re.finditer(r"[{\[]", looked_at):
        with suppress(ValueError, RecursionError):
            yield json.JSONDecoder().raw_decode(looked_at, begin.start())[0]


def _stamp(folder: Path | None, file: str) -> Stamp:
    try:
        found = os.stat((folder or Path()) / file)
    except (OSError, ValueError):  # of a name that no file can have
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _calls(made: Sequence[Called]) -> str:
    if not made:
        return "nothing was called"
    said = ", ".join(f"{one.name}({_json(one.arguments)})" for one in made)
    return f"called were {cut(said, SHOWN)}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _short(value: Any) -> str:
    return cut(_json(value), SHOWN)
