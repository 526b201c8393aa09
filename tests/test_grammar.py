"""The grammar of a call's arguments, on schemas and values drawn at random."""

from __future__ import annotations

import json
import random
from functools import lru_cache
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import grammar
from agent.errors import GrammarError

WORDS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"]), max_size=6
)
NAMES = st.text("abcdefgh_", min_size=1, max_size=5)


def leaf() -> st.SearchStrategy[tuple[dict[str, Any], Any]]:
    """A schema and a value of it."""
    return st.one_of(
        st.tuples(st.just({"type": "string", "maxLength": 6}), WORDS),
        st.tuples(st.just({"type": "integer"}), st.integers(-(10**6), 10**6)),
        st.tuples(st.just({"type": "boolean"}), st.booleans()),
        st.tuples(st.just({"type": "null"}), st.none()),
        st.lists(WORDS, min_size=1, max_size=4, unique=True).flatmap(
            lambda words: st.tuples(st.just({"enum": words}), st.sampled_from(words))
        ),
    )


def deeper(
    inner: st.SearchStrategy[tuple[dict[str, Any], Any]],
) -> st.SearchStrategy[tuple[dict[str, Any], Any]]:
    def array(pair: tuple[dict[str, Any], Any]) -> tuple[dict[str, Any], Any]:
        return {"type": "array", "items": pair[0], "maxItems": 3}, [pair[1]]

    def union(pairs: list[tuple[dict[str, Any], Any]]) -> tuple[dict[str, Any], Any]:
        return {"anyOf": [schema for schema, _ in pairs]}, pairs[0][1]

    return st.one_of(
        inner.map(array), st.lists(inner, min_size=2, max_size=2).map(union), objects(inner)
    )


def objects(
    inner: st.SearchStrategy[tuple[dict[str, Any], Any]],
) -> st.SearchStrategy[tuple[dict[str, Any], Any]]:
    def build(
        drawn: tuple[dict[str, tuple[dict[str, Any], Any]], list[bool], list[bool]],
    ) -> tuple[dict[str, Any], Any]:
        properties, required, given_too = drawn
        needed = [name for name, must in zip(properties, required, strict=False) if must]
        present = [
            name for name, too in zip(properties, given_too, strict=False) if too or name in needed
        ]
        schema = {
            "type": "object",
            "properties": {name: pair[0] for name, pair in properties.items()},
            "required": needed,
            "additionalProperties": False,
        }
        return schema, {name: properties[name][1] for name in present}

    flags = st.lists(st.booleans(), min_size=3, max_size=3)
    return st.tuples(st.dictionaries(NAMES, inner, max_size=3), flags, flags).map(build)


CASES = objects(st.recursive(leaf(), deeper, max_leaves=5))


@lru_cache
def tables() -> Any:
    import llguidance

    return llguidance.LLTokenizer("byte")


def matcher(schema: dict[str, Any]) -> Any:
    from llguidance import LLMatcher

    lark = grammar.arguments(grammar.HERMES, "drawn", schema).removeprefix(grammar.HEAD)
    return LLMatcher(tables(), LLMatcher.grammar_from_lark(lark))


def accepts(schema: dict[str, Any], text: str) -> bool:
    """Whether the whole text, with the end of a call, is a sentence of the grammar."""
    tokens = list((text + grammar.HERMES.end).encode())
    reader = matcher(schema)
    return reader.try_consume_tokens(tokens) == len(tokens) and bool(reader.is_accepting())


@given(CASES)
@settings(deadline=None, max_examples=60)
def test_every_value_of_the_schema_can_be_written(case: tuple[dict[str, Any], Any]) -> None:
    schema, value = case
    assert accepts(schema, " " + json.dumps(value, ensure_ascii=False))


@given(CASES, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_whatever_is_written_is_a_value_of_the_schema(
    case: tuple[dict[str, Any], Any], chance: random.Random
) -> None:
    schema, _ = case
    writer = matcher(schema)
    text = bytearray()
    while not writer.is_stopped() and len(text) < 400:
        mask = np.unpackbits(np.frombuffer(writer.compute_bitmask(), np.uint8), bitorder="little")
        allowed = [int(token) for token in np.flatnonzero(mask) if token < 256]
        if not allowed or (writer.is_accepting() and chance.random() < 0.5):
            break
        # closing characters more often, or strings of any length would never end
        closing = [token for token in allowed if chr(token) in '"]},']
        token = chance.choice(closing if closing and chance.random() < 0.5 else allowed)
        writer.consume_token(token)
        text.append(token)
    if len(text) < 400:
        written = text.decode("utf-8", "replace").removesuffix(grammar.HERMES.end)
        jsonschema.validate(json.loads(written), schema)


@given(CASES, st.sampled_from(["surplus", "number"]))
@settings(deadline=None, max_examples=40)
def test_an_argument_that_the_schema_does_not_know_cannot_be_written(
    case: tuple[dict[str, Any], Any], name: str
) -> None:
    schema, value = case
    assert not accepts(schema, " " + json.dumps({**value, name: 1}))


def test_a_missing_required_argument_cannot_be_written() -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    }
    assert accepts(schema, ' {"city": "Rome", "days": 3}')
    assert not accepts(schema, ' {"city": "Rome"}')


@pytest.mark.parametrize(
    ("kind", "text"),
    [("number", "-3.14159"), ("number", "7"), ("integer", "-42"), ("array", "[1.5, 2]")],
)
def test_ordinary_numbers_and_lists_can_be_written(kind: str, text: str) -> None:
    assert accepts(of(kind), f' {{"value": {text}}}')


def of(kind: str) -> dict[str, Any]:
    value = {"type": kind} | ({"items": {"type": "number"}} if kind == "array" else {})
    return {"type": "object", "properties": {"value": value}, "required": ["value"]}


def test_a_schema_that_cannot_be_a_grammar_is_an_error_that_names_the_tool() -> None:
    with pytest.raises(GrammarError, match="tool 'odd'"):
        grammar.arguments(
            grammar.HERMES, "odd", {"type": "object", "properties": {"a": {"type": "banana"}}}
        )


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "x"}',
        "  [1, 2]",
        '```json\n{"name"',
        "```json\nname: read_file",
        "<tool_call>",
        ', {"name": "x"',
    ],
)
def test_an_answer_among_tools_does_not_begin_like_a_call(text: str) -> None:
    assert not begins(text, tools=True)


@pytest.mark.parametrize(
    "text",
    [
        "3363.",
        "\n\nThe files are:\n- a.txt",
        '"Rome" it is',
        "Ça va",
        "(Yes.)",
        "```python\nprint(1)\n```",
        'In package.json: {"name": "demo"}',
    ],
)
def test_an_answer_in_words_may_be_written(text: str) -> None:
    assert begins(text, tools=True)


def test_without_tools_an_answer_may_begin_with_code() -> None:
    assert begins("```python\nprint({})\n```", tools=False)


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("- a/b: yes\n- c: no", True),
        ("- a/b: yes\nSo it is.", False),
        ("Here it is:", False),
        ("- <tool_call>: x", False),
    ],
)
def test_a_text_is_held_to_a_pattern_as_a_whole(text: str, may: bool) -> None:
    pattern = r"- [\w/<>]+: \w+(\n- \w+: \w+)*"
    assert not grammar.wrong_pattern(pattern)
    assert begins(text, tools=True, pattern=pattern) == may


@pytest.mark.parametrize("pattern", [r"x\/ #.*", r"(.|\n)*[\\]*\/ # (.|\n)*", "x/ #.*"])
def test_a_slash_in_a_pattern_does_not_end_it(pattern: str) -> None:
    assert begins("x/ # y", tools=True, pattern=pattern)
    assert not begins("x/ # <tool_call>", tools=True, pattern=pattern)


def test_a_pattern_does_not_allow_an_empty_text() -> None:
    assert not begins("\xff", tools=True, pattern="a*")
    assert begins("a\xff", tools=True, pattern="a*")


def test_a_text_does_not_end_before_it_matches_its_pattern() -> None:
    assert begins("text,label\na,b\xff", tools=True, pattern=r"text,label(\n\w,\w)+")
    assert not begins("text,label\n\xff", tools=True, pattern=r"text,label(\n\w,\w)+")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a(b", "unclosed group"),
        ("a(?=b)", "look-around, including look-ahead and look-behind, is not supported"),
        ("a\nb", "a line end is written"),
        (r"a/b\p{L}", ""),
        (r"x\/y", ""),
        (r"x\/ # ", ""),
    ],
)
def test_what_no_text_can_be_held_to_is_told(pattern: str, why: str) -> None:
    assert why in grammar.wrong_pattern(pattern)
    assert bool(why) == bool(grammar.wrong_pattern(pattern))


def begins(text: str, tools: bool, pattern: str = "") -> bool:
    """Whether `text` may be written; \xff in it is the token that ends a turn."""
    from llguidance import LLMatcher

    written = grammar.text(grammar.HERMES, lambda text: [1, 2], [255], tools, pattern)
    lark = written.removeprefix(grammar.HEAD)
    reader = LLMatcher(tables(), LLMatcher.grammar_from_lark(lark))
    tokens = list(text.encode("latin-1" if "\xff" in text else "utf-8"))
    return bool(reader.try_consume_tokens(tokens) == len(tokens))
