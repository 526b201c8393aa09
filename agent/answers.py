"""Answers under a JSON schema: whether one can be given, and whether one was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from agent.errors import GrammarError


class Unparsable(Exception):
    """An answer that does not follow its schema. The message says why."""


def parsed(text: str, schema: Mapping[str, Any]) -> Any:
    """Raises Unparsable."""
    import jsonschema

    try:
        value = json.loads(text)
        # the schema itself was checked when the task was read, which costs more than this
        jsonschema.Draft202012Validator(schema).validate(value)
    except (ValueError, RecursionError) as error:
        raise Unparsable(f"it is no JSON ({error}): {text[:200]!r}") from None
    except jsonschema.ValidationError as error:
        raise Unparsable(f"{error.message} (at {error.json_path})") from None
    return value


def wrong_schema(schema: Mapping[str, Any]) -> str:
    """Why no model can answer under `schema`; "" when one can. Nothing is fetched."""
    import jsonschema

    from agent import grammar

    if away := next(_elsewhere(schema), ""):
        return f"the schema takes {away!r} from elsewhere; only #/… can be used"
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return f"this is no JSON schema: {error.message} (at {error.json_path})"
    try:
        grammar.answer(schema, ())
    except GrammarError as error:
        return str(error)
    return ""


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
