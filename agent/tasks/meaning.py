"""What is wrong in a task file whose form is right: names that are not there, templates, schemas.

It looks at the bare values and says nothing of those that have a wrong form; so all mistakes of a
file can be told at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agent import answers
from agent.tasks import known, misspelt, paths, templates
from agent.tasks.agreement import number_in
from agent.tasks.lines import Place, Read, texts

KINDS = (
    "contains", "matches", "equals", "same", "json", "number", "called", "calls", "accepted",
    "no_calls", "files", "seconds_under", "tokens_under", "judge",
)  # fmt: skip
"""The keys of a check that say what is checked."""
OF_ANSWER = ("contains", "matches", "equals", "same", "number")
"""Those that `path` goes with."""
NULLS = ("equals", "same")
"""Those that may be asked whether it is null."""
ALWAYS = ("inputs", "steps")
RESULT = ("answer", "skipped")
"""What a step has that was done."""
_GLOBALS = ("range", "dict", "namespace", "cycler", "joiner", "true", "false", "none")
Mistake = tuple[int, str]


def mistakes(found: Read) -> list[Mistake]:
    """Lines, and what is wrong there."""
    return list(_Look(found).all())


class _Look:
    def __init__(self, found: Read) -> None:
        self._found = found
        self._data: Mapping[str, Any] = found.data
        self._inputs = _mapping(self._data.get("inputs"))
        self._steps = [_mapping(step) for step in _list(self._data.get("steps"))]
        self._ids = [str(step["id"]) for step in self._steps if "id" in step]
        self._answers = known.Answers(self._data)

    def all(self) -> Iterator[Mistake]:
        yield from self._what_is_asked()
        yield from self._given()
        for at, step in enumerate(self._steps):
            yield from self._step(at, step)
        if isinstance(self._data.get("prompt"), str):
            yield from self._template(("prompt",), self._data["prompt"], [], [])
        yield from self._schema(("schema",), self._data.get("schema"))
        for path, text in _mapping(self._data.get("outputs")).items():
            place: Place = ("outputs", path)
            yield from self._template(place, path, self._all_ids(), ["answer"])
            yield from self._template(place, text, self._all_ids(), ["answer"])
            if path.startswith(("/", "~", "\\")) or ".." in re.split(r"[/\\]", path):
                yield self._at(place, f"{path!r} lies outside of the working folder")
        for at, check in enumerate(_list(self._data.get("checks"))):
            yield from self._check(("checks", at), _mapping(check))
        for column, path in _mapping(_mapping(self._data.get("eval")).get("label")).items():
            if isinstance(path, str):
                yield from self._path(("eval", "label", column), path, self._answers.last())

    def _all_ids(self) -> list[str]:
        return self._ids or ["answer"]

    def _at(self, place: Place, said: str) -> Mistake:
        return self._found.line(place), said

    def _what_is_asked(self) -> Iterator[Mistake]:
        both = "prompt" in self._data and "steps" in self._data
        if both:
            yield self._at(("steps",), "a task has a prompt or steps, and this one has both")
        elif not self._data.get("prompt") and not self._data.get("steps"):
            yield self._at((), "a task needs a `prompt`, or `steps`")
        if "schema" in self._data and "steps" in self._data:
            said = "with steps, the schema stands in the step whose answer follows it"
            yield self._at(("schema",), said)
        for at, one in enumerate(self._ids):
            if one in self._ids[:at]:
                yield self._at(("steps", at, "id"), f"there are two steps named {one!r}")

    def _given(self) -> Iterator[Mistake]:
        from agent.tasks.inputs import misfit

        for name, one in self._inputs.items():
            if name in (*ALWAYS, "item", "answer", *_GLOBALS):
                yield self._at(("inputs", name), f"{name!r} means something else in a template")
            facts = _mapping(one)
            kind, choices = facts.get("type", "string"), _list(facts.get("choices"))
            for at, choice in enumerate(choices):
                if why := misfit(kind, choice):
                    yield self._at(("inputs", name, "choices", at), f"the choice {choice!r} {why}")
            default = facts.get("default")
            if default is None:
                continue
            place = ("inputs", name, "default")
            if why := misfit(kind, default):
                yield self._at(place, f"the default {default!r} {why}")
            elif choices and default not in choices:
                yield self._at(place, f"the default {default!r} is none of the choices")

    def _step(self, at: int, step: Mapping[str, Any]) -> Iterator[Mistake]:
        place: Place = ("steps", at)
        before, inside = self._ids[:at], []
        if ("prompt" in step) == ("tool" in step):
            both = "both" if "prompt" in step else "neither"
            yield self._at(place, f"a step has a prompt or a tool, and this one has {both}")
        for key in ("arguments",) if "tool" not in step else ("schema", "tools"):
            if key in step:
                other = "a tool" if key == "arguments" else "a prompt"
                yield self._at((*place, key), f"{key!r} goes with {other}, which this step lacks")
        offered = [name for name in _list(self._data.get("tools")) if isinstance(name, str)]
        for number, name in enumerate(_list(step.get("tools"))):
            if isinstance(name, str) and name not in offered:
                said = f"the task's `tools` have no {name!r}; {_nearest(name, offered)}"
                yield self._at((*place, "tools", number), said)
        if isinstance(step.get("each"), str):
            yield from self._template((*place, "each"), step["each"], before, [], True)
        if "each" in step:
            inside = ["item"]
        if isinstance(step.get("if"), str):
            yield from self._template((*place, "if"), step["if"], before, [], True)
        if isinstance(step.get("prompt"), str):
            yield from self._template((*place, "prompt"), step["prompt"], before, inside)
        for below, text in texts(step.get("arguments"), (*place, "arguments")):
            yield from self._template(below, text, before, inside)
        yield from self._schema((*place, "schema"), step.get("schema"))

    def _check(self, place: Place, check: Mapping[str, Any]) -> Iterator[Mistake]:
        kinds = [key for key in KINDS if key in check]
        if len(kinds) > 1:
            yield self._at(place, f"a check says one thing, and this one {' and '.join(kinds)}")
        elif not kinds and "path" not in check:
            yield self._at(place, f"a check says what is checked: {', '.join(KINDS)} or path")
        for key, wanted in (
            ("within", ("number", "same")),
            ("schema", ("json",)),
            ("arguments", ("called",)),
            ("count", ("called",)),
            ("path", (*OF_ANSWER, "path")),
            ("of", (*OF_ANSWER, "json", "judge", "path")),
        ):
            says = kinds or [one for one in ("path",) if one in check]
            if key in check and says and not set(wanted) & set(says):
                goes = " or ".join(one for one in wanted if one != "path")
                yield self._at((*place, key), f"{key!r} goes with {goes}, not with {says[0]}")
        for key, value in check.items():
            if value is None and key not in NULLS:
                yield self._at((*place, key), f"{key!r} is empty")
        number = check.get("number")
        if isinstance(number, str) and "{" not in number and number_in(number) is None:
            yield self._at((*place, "number"), f"{number!r} is no number, and no template for one")
        looked_at = check.get("of")
        names = ("answer", "steps", "inputs", *self._inputs)
        if isinstance(looked_at, str) and re.split(r"\W", looked_at)[0] in names:
            said = f"{looked_at!r} is the words themselves; write {{{{ {looked_at} }}}}"
            yield self._at((*place, "of"), said)
        for below, text in texts(check, place):
            if below[-1] != "name":
                yield from self._template(below, text, self._all_ids(), ["answer"])
        if isinstance(pattern := check.get("matches"), str) and "{{" not in pattern:
            try:
                re.compile(pattern)
            except re.error as error:
                said = f"{pattern!r} is no regular expression: {error}"
                yield self._at((*place, "matches"), said)
        seen = None if check.get("not") else self._answers.looked_at(check.get("of"))
        if isinstance(path := check.get("path", "$"), str):
            yield from self._path((*place, "path"), path, seen)
            yield from self._equals((*place, "equals"), path, seen, check.get("equals"))
        yield from self._schema((*place, "schema"), check.get("schema"))
        if any(_mapping(one).get("type") == "functions" for one in self._inputs.values()):
            return  # which functions there are, only the row says
        named = [*_list(self._data.get("tools")), *(step.get("tool") for step in self._steps)]
        offered = [name for name in named if isinstance(name, str)]
        for key in ("called", "calls"):
            for name in [check[key]] if isinstance(check.get(key), str) else _list(check.get(key)):
                if isinstance(name, str) and name not in offered and "{{" not in name:
                    near = _nearest(name, offered)
                    yield self._at((*place, key), f"the task has no tool {name!r}; {near}")

    def _path(self, place: Place, path: str, schema: Any) -> Iterator[Mistake]:
        """`schema`: of what is looked at, as far as it is known."""
        if why := paths.wrong_path(path):
            yield self._at(place, f"{path!r} is no JSON path: {why}")
            return
        try:
            known.at(schema, known.parts_of_path(path) or [])
        except known.NotThere as lack:
            near = _nearest(lack.part, lack.known)
            yield self._at(place, f"{path}: the schema has no {lack.part!r}; {near}")

    def _equals(self, place: Place, path: str, schema: Any, wanted: Any) -> Iterator[Mistake]:
        parts = known.parts_of_path(path)
        if parts is None or not isinstance(wanted, str | int | float) or "{" in str(wanted):
            return
        try:
            there = known.at(schema, parts)
        except known.NotThere:
            return
        try:
            known.refuse_value(there, wanted)
        except known.NotThere as lack:
            near = _nearest(lack.part, lack.known)
            yield self._at(place, f"{wanted!r} is no value that the schema has here; {near}")

    def _schema(self, place: Place, schema: Any) -> Iterator[Mistake]:
        if not isinstance(schema, Mapping):
            return
        found = [*misspelt.mistakes(schema, place)]
        yield from (self._at(*one) for one in found)
        if not found:
            below, why = answers.mistake_in(schema)
            if why:
                yield self._at((*place, *below), why)

    def _template(
        self,
        place: Place,
        text: Any,
        before: Iterable[str],
        inside: Iterable[str],
        is_expression: bool = False,
    ) -> Iterator[Mistake]:
        """`before`: the steps whose results are there. `inside`: other names that are."""
        if not isinstance(text, str):
            return
        begins = self._found.texts.get(place) or self._found.line(place)
        try:
            used = templates.uses(text, is_expression)
        except templates.Misnamed as error:
            yield from ((begins + line - 1, said) for line, said in error.found)
            return
        except templates.TemplateProblem as error:
            yield begins + error.line - 1, f"in the template: {error}"
            return
        names = [*self._inputs, *inside, *ALWAYS]
        for use in used:
            line = begins + use.line - 1
            first, *rest = use.parts
            if first == "item" and first not in names:
                yield line, "'item' is there only in a step with `each`"
            elif first not in (*names, *_GLOBALS):
                yield line, f"there is no {first!r} here; {_nearest(first, names)}"
            elif first == "inputs" and rest and rest[0] not in self._inputs:
                yield line, f"there is no input {rest[0]!r}; {_nearest(rest[0], self._inputs)}"
            elif first == "steps" and rest and rest[0] not in before:
                if rest[0] in self._ids:
                    yield line, f"the step {rest[0]!r} has not been done here yet"
                else:
                    yield line, f"there is no step {rest[0]!r} before; {_nearest(rest[0], before)}"
            elif not use.is_asked:
                yield from ((line, said) for said in self._taken(first, rest))

    def _taken(self, first: str, rest: Sequence[str]) -> Iterator[str]:
        """What a template takes of an answer, and is not there."""
        if first == "steps" and len(rest) > 1:
            id, what, *inside = rest
            if what not in RESULT:
                yield f"a step has no {what!r}; {_nearest(what, RESULT)}"
                return
            schema, whose = self._answers.of(id), f"the answer of {id!r}"
        elif first == "answer":
            inside, schema, whose = [*rest], self._answers.last(), "the answer"
        else:
            return
        try:
            known.at(schema, known.parts_of_use(inside))
        except known.NotThere as lack:
            yield f"{whose} has no {lack.part!r}; {_nearest(lack.part, lack.known)}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _nearest(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    there = f"there are: {', '.join(names)}" if names else "there are none"
    return f"did you mean {near[0]!r}?" if near else there
