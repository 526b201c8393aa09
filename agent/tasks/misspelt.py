"""What is misspelt in a JSON schema: keys, types, required properties that are not there.

A validator takes an unknown key for a remark and leaves it at that: `maxlength` would limit
nothing, and nobody would hear of it. What cannot be meant is a mistake; what may be is a doubt.
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
    "dependencies", "dependentRequired", "dependentSchemas", "deprecated", "description",
    "discriminator", "else", "enum", "example", "examples", "exclusiveMaximum", "exclusiveMinimum",
    "externalDocs", "format", "id", "if", "items", "maxContains", "maxItems", "maxLength",
    "maxProperties", "maximum", "minContains", "minItems", "minLength", "minProperties", "minimum",
    "multipleOf", "not", "nullable", "oneOf", "pattern", "patternProperties", "prefixItems",
    "properties", "propertyNames", "readOnly", "required", "then", "title", "type",
    "unevaluatedItems", "unevaluatedProperties", "uniqueItems", "writeOnly", "xml",
)  # fmt: skip
"""Of JSON Schema 2020-12, of the drafts before it, and of OpenAPI."""
OF_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keys under which schemas stand by names."""
NO_SCHEMA = (
    "const", "default", "dependencies", "dependentRequired", "discriminator", "enum", "example",
    "examples", "externalDocs", "required", "type", "xml",
)  # fmt: skip
"""Keys under which values stand."""
LIKE = 0.8
"""How alike a word has to be to one that is known, to be taken for it."""
SHORT = 5
"""Letters of a key; of a shorter one every other word is alike: `note` is no misspelt `not`."""


Found = tuple[Place, str]


def mistakes(schema: Any, place: Place) -> Iterator[Found]:
    """What cannot be meant. `place`: of the schema."""
    for one, where in _schemas(schema, place):
        for key in one:
            if key not in KEYS and (near := _BY_LOWER.get(key.lower())):
                yield (*where, key), f"a schema has no key {key!r}; did you mean {near!r}?"
        yield from _types(one.get("type"), (*where, "type"))
        if "type" in one and one["type"] is None:
            yield (*where, "type"), 'the type null is written in quotes: "null"'
        yield from _properties(one, where)
        if one.get("additionalProperties") is False:
            yield from _required(one, where)


def doubts(schema: Any, place: Place) -> Iterator[Found]:
    """What may be meant, as a schema may have keys of one's own and properties that are named
    elsewhere, and more likely is not."""
    for one, where in _schemas(schema, place):
        for key in one:
            if key not in KEYS and key.lower() not in _BY_LOWER and (near := _key_meant(key)):
                yield (*where, key), f"{key!r} is no key of a schema; did you mean {near!r}?"
        if one.get("additionalProperties") is not False:
            yield from (found for found in _required(one, where) if "did you mean" in found[1])


def _schemas(schema: Any, place: Place) -> Iterator[tuple[Mapping[str, Any], Place]]:
    """It, and those in it, each with its place."""
    if isinstance(schema, list):
        for at, one in enumerate(schema):
            yield from _schemas(one, (*place, at))
    if not isinstance(schema, Mapping):
        return
    yield schema, place
    for key, inside in schema.items():
        if key in OF_SCHEMAS and isinstance(inside, Mapping):
            for name, one in inside.items():
                yield from _schemas(one, (*place, key, name))
        elif key in KEYS and key not in NO_SCHEMA:
            yield from _schemas(inside, (*place, key))


def meant_by(word: str, known: Iterable[str]) -> str:
    """The type among `known` that goes by the name of `word` elsewhere; ""."""
    names = [*known]
    return next((one for one in SYNONYMS.get(word.lower(), ()) if one in names), "")


def _properties(schema: Mapping[str, Any], place: Place) -> Iterator[Found]:
    """What is indented otherwise than it is meant."""
    if "properties" in schema and schema["properties"] is None:
        yield (*place, "properties"), "'properties' is empty: indent those that belong to it"
    properties = schema.get("properties")
    for name, one in properties.items() if isinstance(properties, Mapping) else ():
        if isinstance(one, Mapping | bool):
            continue
        hint = "; is it to stand beside `properties`?" if name in KEYS else ""
        yield (*place, "properties", name), f"{name!r} among the properties is no schema{hint}"


def _types(type_: Any, place: Place) -> Iterator[Found]:
    for one in type_ if isinstance(type_, list) else [type_]:
        if one is None and isinstance(type_, list):
            yield place, 'the type null is written in quotes: "null"'
        if isinstance(one, str) and one not in TYPES:
            near = meant_by(one, TYPES) or _meant(one, TYPES)
            hint = f"did you mean {near!r}?" if near else f"there are: {', '.join(TYPES)}"
            yield place, f"a schema has no type {one!r}; {hint}"


def _required(schema: Mapping[str, Any], place: Place) -> Iterator[Found]:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping) or not isinstance(required, list):
        return
    others = [name for name in properties if name not in required]
    for at, name in enumerate(required):
        if isinstance(name, str) and name not in properties and "patternProperties" not in schema:
            near = _meant(name, others)
            hint = f"did you mean {near!r}?" if near else f"there are: {', '.join(properties)}"
            yield (*place, "required", at), f"{name!r} is required and no property; {hint}"


def _key_meant(word: str) -> str:
    near = _meant(word, (key for key in KEYS if key.startswith("$") == word.startswith("$")))
    return near if len(word) >= SHORT and abs(len(near) - len(word)) <= 1 else ""


def _meant(word: str, known: Iterable[str]) -> str:
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=LIKE)
    return by_lower[near[0]] if near else ""


_BY_LOWER = {key.lower(): key for key in KEYS}
