"""What is misspelt in a JSON schema: keys, types, required properties that are not there.

A validator takes an unknown key for a remark and leaves it at that: `maxlength` would limit
nothing, and nobody would hear of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agent.tasks.lines import Place

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "str": ("string",), "text": ("string",), "int": ("integer",), "float": ("number",),
    "double": ("number",), "bool": ("boolean",), "list": ("array",), "tuple": ("array",),
    "array": ("list",), "dict": ("object",), "map": ("object",), "none": ("null",),
}  # fmt: skip
"""What other languages call a type."""
KEYS = (
    "$anchor", "$comment", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$ref", "$schema",
    "$vocabulary", "additionalItems", "additionalProperties", "allOf", "anyOf", "const", "contains",
    "contentEncoding", "contentMediaType", "contentSchema", "default", "definitions",
    "dependencies", "dependentRequired", "dependentSchemas", "deprecated", "description", "else",
    "enum", "examples", "exclusiveMaximum", "exclusiveMinimum", "format", "id", "if", "items",
    "maxContains", "maxItems", "maxLength", "maxProperties", "maximum", "minContains", "minItems",
    "minLength", "minProperties", "minimum", "multipleOf", "not", "nullable", "oneOf", "pattern",
    "patternProperties", "prefixItems", "properties", "propertyNames", "readOnly", "required",
    "then", "title", "type", "unevaluatedItems", "unevaluatedProperties", "uniqueItems",
    "writeOnly",
)  # fmt: skip
"""Of JSON Schema 2020-12, of the drafts before it, and OpenAPI's `nullable`."""
OF_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keys under which schemas stand by names."""
NO_SCHEMA = ("const", "default", "enum", "examples", "required", "type")
"""Keys under which values stand."""
LIKE = 0.8
"""How alike a word has to be to one that is known, to be taken for it."""
SHORT = 5
"""Letters of a key; of a shorter one every other word is alike: `note` is no misspelt `not`."""


def mistakes(schema: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """`place`: of the schema."""
    if isinstance(schema, list):
        for at, one in enumerate(schema):
            yield from mistakes(one, (*place, at))
    if not isinstance(schema, Mapping):
        return
    for key in schema:
        if key not in KEYS and (near := _key_meant(key)):
            yield (*place, key), f"a schema has no key {key!r}; did you mean {near!r}?"
    yield from _types(schema.get("type"), (*place, "type"))
    yield from _required(schema, place)
    for key, inside in schema.items():
        if key in OF_SCHEMAS and isinstance(inside, Mapping):
            for name, one in inside.items():
                yield from mistakes(one, (*place, key, name))
        elif key in KEYS and key not in NO_SCHEMA:
            yield from mistakes(inside, (*place, key))


def meant_by(word: str, known: Iterable[str]) -> str:
    """The type among `known` that goes by the name of `word` elsewhere; ""."""
    names = [*known]
    return next((one for one in SYNONYMS.get(word.lower(), ()) if one in names), "")


def _types(type_: Any, place: Place) -> Iterator[tuple[Place, str]]:
    for one in type_ if isinstance(type_, list) else [type_]:
        if isinstance(one, str) and one not in TYPES:
            near = meant_by(one, TYPES) or _meant(one, TYPES, 0.5)
            hint = f"did you mean {near!r}?" if near else f"there are: {', '.join(TYPES)}"
            yield place, f"a schema has no type {one!r}; {hint}"


def _required(schema: Mapping[str, Any], place: Place) -> Iterator[tuple[Place, str]]:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping) or not isinstance(required, list):
        return
    others = [name for name in properties if name not in required]
    for at, name in enumerate(required):
        if not isinstance(name, str) or name in properties or "patternProperties" in schema:
            continue
        near = _meant(name, others)
        if near or schema.get("additionalProperties") is False:
            hint = f"did you mean {near!r}?" if near else f"there are: {', '.join(properties)}"
            yield (*place, "required", at), f"{name!r} is required and no property; {hint}"


def _key_meant(word: str) -> str:
    """A schema may hold keys of one's own: `title_en` is no misspelt `title`."""
    near = _meant(word, (key for key in KEYS if key.startswith("$") == word.startswith("$")))
    is_one = abs(len(near) - len(word)) <= 1 and len(word) >= SHORT
    return near if is_one or near.lower() == word.lower() else ""


def _meant(word: str, known: Iterable[str], like: float = LIKE) -> str:
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=like)
    return by_lower[near[0]] if near else ""
