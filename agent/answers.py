"""Answers under a JSON schema: whether one can be given, and whether one was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from agent import patterns
from agent.errors import GrammarError


class Unparsable(Exception):
    """An answer that does not follow its schema. The message says why."""


class Unfollowable(Exception):
    """A schema of which nobody can say whether a value follows it. The message says why."""


def parsed(text: str, schema: Mapping[str, Any]) -> Any:
    """Raises Unparsable."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unparsable(f"it is no JSON ({error}): {text[:200]!r}") from None
    try:  # the schema itself was checked when the task was read, which costs more than this
        why = breach(schema, value)
    except Unfollowable as error:
        raise Unparsable(str(error)) from None
    if why:
        raise Unparsable(why)
    return value


def breach(schema: Mapping[str, Any], value: Any) -> str:
    """Why `value` does not follow `schema`; "" when it does. Nothing is fetched.

    Raises Unfollowable.
    """
    import jsonschema
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        _validator()(schema, registry=Registry()).validate(value)
    except jsonschema.ValidationError as error:
        return f"{error.message} (at {error.json_path})"
    except Unresolvable as error:
        raise Unfollowable(f"the schema takes {error.ref!r} from where it is not") from None
    except (patterns.PatternProblem, re.error, RecursionError) as error:
        raise Unfollowable(f"the schema cannot be followed: {error}") from None
    return ""


@lru_cache(1)
def _validator() -> Any:
    """With patterns that come to an end."""
    import jsonschema

    return jsonschema.validators.extend(  # type: ignore[no-untyped-call]
        jsonschema.Draft202012Validator,
        {"pattern": _pattern, "patternProperties": _pattern_properties},
    )


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Any]:
    import jsonschema

    if isinstance(value, str) and not patterns.found(pattern, value):
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, wanted: Mapping[str, Any], value: Any, schema: Any
) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for pattern, inside in wanted.items():
            for key, one in value.items():
                if patterns.found(pattern, key):
                    yield from validator.descend(one, inside, path=key, schema_path=pattern)


def wrong_schema(schema: Mapping[str, Any]) -> str:
    """Why no model can answer under `schema`; "" when one can. Nothing is fetched."""
    return mistake_in(schema)[1]


def mistake_in(schema: Mapping[str, Any]) -> tuple[tuple[str | int, ...], str]:
    """`wrong_schema`, and where in it that is."""
    import jsonschema

    from agent import grammar

    try:
        if away := next(_elsewhere(schema), ""):
            return (), f"the schema takes {away!r} from elsewhere; only #/… can be used"
        jsonschema.Draft202012Validator.check_schema(schema)
        grammar.answer(schema, ())
    except jsonschema.SchemaError as error:
        said = f"this is no JSON schema: {error.message} (at {error.json_path})"
        return tuple(error.absolute_path), said
    except RecursionError:
        return (), "the parts of the schema lie too deep in each other"
    except GrammarError as error:
        return (), str(error)
    return (), ""


def _elsewhere(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key in ("$ref", "$dynamicRef"):
            if isinstance(there := schema.get(key), str) and not there.startswith("#"):
                yield there
        for one in schema.values():
            yield from _elsewhere(one)
    elif isinstance(schema, list | tuple):
        for one in schema:
            yield from _elsewhere(one)
