"""The templates of a task file: Jinja in its sandbox, and each comes to an end."""

from __future__ import annotations

import contextlib
import json
import re
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jinja2
import jinja2.meta
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent.misnamed import misnamed
from agent.tasks import bounds, sizes

if TYPE_CHECKING:
    from jinja2.runtime import Context

_SPENT = "_spent"
_OWN = ("counted", "kept")
"""Filters that are put around what loops and what is assigned."""
_ALONE = re.compile(r"\s*\{\{(?P<inside>.*)\}\}\s*", re.DOTALL)


class TemplateProblem(Exception):
    """What is wrong in a template, and in which of its lines, from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class Misnamed(TemplateProblem):
    """It names filters or tests that are not there."""

    def __init__(self, found: Sequence[tuple[int, str]]) -> None:
        """`found`: lines of the template, from 1, and what is wrong there."""
        super().__init__(found[0][0], "; ".join(said for _, said in found))
        self.found = found


class _Skipped(jinja2.Undefined):
    """The answer of a step that was left out: nothing, which can be asked for and not written."""

    def _fail(self, *given: Any) -> Any:
        self._fail_with_undefined_error()

    __str__ = __iter__ = __len__ = _fail

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, _Skipped)

    def __hash__(self) -> int:
        return hash(None)


def skipped(id: str) -> Any:
    """What stands in templates for the answer of the step `id`, which was left out."""
    answer = f"steps.{id}.answer"
    return _Skipped(
        f"the step {id!r} was skipped and has no answer; ask first: "
        f"{{% if {answer} is not none %}}{{{{ {answer} }}}}{{% endif %}}"
    )


@dataclass(frozen=True)
class Use:
    """A value that a template uses: the parts of `steps.find.answer`, as far as they are known."""

    parts: tuple[str, ...]
    line: int
    is_asked: bool = False
    """The template asks whether it is there, or has something in its place."""


def render(text: str, values: Mapping[str, Any]) -> str:
    """Raises TemplateProblem."""
    if "{" not in text:
        return text
    written: list[str] = []
    size = 0
    with _explained():
        spent = _Spent()
        for piece in _compiled(text).generate({**values, _SPENT: spent}):
            size += len(piece)
            if size > bounds.RENDERED:
                raise sizes.Endless(f"gives more than {bounds.RENDERED:,} characters")
            spent.look()
            written.append(piece)
    return "".join(written)


def value(given: Any, values: Mapping[str, Any]) -> Any:
    """`given` with the templates in it filled in. A text that is one `{{ expression }}` and nothing
    else stands for the value itself, a number or a list, and not for its text.

    Raises TemplateProblem.
    """
    if isinstance(given, Mapping):
        return {key: value(one, values) for key, one in given.items()}
    if isinstance(given, list | tuple):
        return [value(one, values) for one in given]
    if not isinstance(given, str):
        return given
    inside = _expression_in(given)
    return render(given, values) if inside is None else evaluate(inside, values)


def evaluate(expression: str, values: Mapping[str, Any]) -> Any:
    """Of an expression as it stands between braces, or with them. Raises TemplateProblem."""
    with _explained():
        source = _expression_in(expression) or expression
        spent = _Spent()
        return _settled(_expression(source)({**values, _SPENT: spent}), spent)


def _settled(found: Any, spent: _Spent) -> Any:
    """With what is still to be done in it done, since it may fail."""
    if isinstance(found, _Skipped):
        return None
    if isinstance(found, jinja2.Undefined):
        found._fail_with_undefined_error()
    if isinstance(found, Iterator):
        settled = []
        for item in found:
            spent.round()
            settled.append(_settled(item, spent))
        return settled
    if isinstance(found, list):
        return [_settled(item, spent) for item in found]
    if type(found) is dict:  # another kind, as `show` has one, writes itself
        return {key: _settled(item, spent) for key, item in found.items()}
    return found


@lru_cache(256)
def uses(text: str, is_expression: bool = False) -> tuple[Use, ...]:
    """What a template takes from outside. Raises TemplateProblem where it is no template."""
    with _explained():
        if is_expression and _expression_in(text) is None:
            text = f"{{{{ {text} }}}}"
        tree = _environment().parse(text)
    if wrong := list(misnamed(tree, _environment(), _OWN)):
        raise Misnamed(wrong)
    with _explained():
        unknown = jinja2.meta.find_undeclared_variables(tree)
    found: list[Use] = []
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name in unknown:
            found.append(Use((name.name,), name.lineno))
    asked = {
        id(one.node)
        for one in tree.find_all((nodes.Filter, nodes.Test))
        if one.name in ("default", "d", "defined", "undefined")
    }
    for getter in tree.find_all((nodes.Getattr, nodes.Getitem)):
        parts = _parts(getter)
        if parts and parts[0] in unknown:
            found.append(Use(parts, getter.lineno, id(getter) in asked))
    return tuple(found)


def _parts(node: nodes.Node) -> tuple[str, ...]:
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        before = _parts(node.node)
        return (*before, node.attr) if before else ()
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        before = _parts(node.node)
        return (*before, str(node.arg.value)) if before else ()
    return ()


def _expression_in(text: str) -> str | None:
    """What stands between the braces of a text that is one expression and nothing else."""
    found = _ALONE.fullmatch(text)
    if found is None or "}}" in found["inside"] or "{{" in found["inside"]:
        return None
    return found["inside"]


class _Spent:
    """What one template has used up."""

    def __init__(self) -> None:
        self._rounds = 0
        self._deadline = time.monotonic() + bounds.SECONDS

    def look(self) -> None:
        if time.monotonic() > self._deadline:
            raise sizes.Endless(f"takes more than {bounds.SECONDS:g} seconds")

    def round(self) -> None:
        self._rounds += 1
        if self._rounds > bounds.ROUNDS:
            raise sizes.Endless(f"loops more than {bounds.ROUNDS:,} times")
        if self._rounds % 16 == 0:  # each may take long
            self.look()


class _Environment(ImmutableSandboxedEnvironment):
    """Loops are counted, and what one operation may make is bounded."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            counted = nodes.Filter(loop.iter, "counted", [], [], None, None)
            loop.iter = counted.set_lineno(loop.lineno)
        for one in tree.find_all(nodes.Assign):  # what a loop makes longer and longer, it keeps
            one.node = nodes.Filter(one.node, "kept", [], [], None, None).set_lineno(one.lineno)
        for block in tree.find_all(nodes.AssignBlock):
            block.filter = nodes.Filter(block.filter, "kept", [], [], None, None)
            block.filter.set_lineno(block.lineno)
        return tree

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            for many, one in ((left, right), (right, left)):
                if isinstance(many, str | bytes | list | tuple) and isinstance(one, int):
                    sizes.refuse_large(len(many) * one)
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            sizes.refuse_large(left.bit_length() * right // 8)
        if operator == "%" and isinstance(left, str):
            sizes.percent(left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, made: Any, /, *args: Any, **kwargs: Any) -> Any:
        spent: _Spent = context[_SPENT]
        spent.round()  # a macro or a recursive loop may call itself
        for one in (*args, *kwargs.values()):
            if isinstance(one, int) and made is not self.globals["range"]:
                sizes.refuse_large(one)
            sizes.kept(one)
        return super().call(context, made, *sizes.method(made, args, kwargs), **kwargs)

    def wrap_str_format(self, value: Any) -> Any:
        if super().wrap_str_format(value) is None:
            return None
        text, takes_mapping = str(value.__self__), value.__name__ == "format_map"

        def written(*args: Any, **kwargs: Any) -> str:
            if takes_mapping:
                (kwargs,), args = args, ()
            return sizes.Formatter(self).vformat(text, args, kwargs)

        return written


@jinja2.pass_context
def _counted(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    spent: _Spent = context[_SPENT]
    for item in items:
        spent.round()
        yield item


def _final(value: Any) -> Any:
    """What is no text is written as JSON, and nothing as nothing."""
    if value is None:
        return ""
    # a kind of dict, as `show` has one, writes itself
    if isinstance(value, bool | list | tuple) or type(value) is dict:
        return json.dumps(value, ensure_ascii=False, default=str)
    return value


@lru_cache(1)
def _environment() -> _Environment:
    environment = _Environment(
        undefined=jinja2.StrictUndefined,  # a typo is an error, not an empty text
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # a prompt is no web page
        finalize=_final,
    )
    environment.filters |= {"counted": _counted, "kept": sizes.kept, **sizes.filters()}
    environment.tests["none"] = lambda value: value is None or isinstance(value, _Skipped)
    del environment.filters["random"]  # a run can be done again
    del environment.globals["lipsum"]
    return environment


@lru_cache(512)
def _compiled(text: str) -> jinja2.Template:
    return _environment().from_string(text)


@lru_cache(512)
def _expression(source: str) -> Any:
    return _environment().compile_expression(source.strip(), undefined_to_none=False)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Whatever goes wrong in a template becomes a TemplateProblem with its line."""
    try:
        yield
    except jinja2.TemplateSyntaxError as error:
        raise TemplateProblem(error.lineno, str(error.message)) from None
    except sizes.Endless as error:
        raise TemplateProblem(_line(error), f"the template {error}") from None
    except RecursionError as error:
        raise TemplateProblem(_line(error), "the template calls itself without an end") from None
    except jinja2.UndefinedError as error:
        raise TemplateProblem(_line(error), str(error.message)) from None
    except Exception as error:  # a template can do most of what Python can
        raise TemplateProblem(_line(error), f"{type(error).__name__}: {error}") from None


def _line(error: Exception) -> int:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [one.lineno for one in frames if one.filename == "<template>"]
    return lines[-1] or 1 if lines else 1


def written(value: Any) -> str:
    """As it stands in a text."""
    return str(_final(value))
