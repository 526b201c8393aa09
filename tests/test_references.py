"""What a line refers to, whatever is typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.references import MOST, SIGNS, Reference, begun, references, written

PATHS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters='"`'),
    min_size=1,
    max_size=40,
)


def names(text: str) -> list[tuple[str, str]]:
    return [(one.kind, one.spellings()[-1]) for one in references(text)]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("classify @reviews.csv, please", [("@", "reviews.csv")]),
        ('look at @"my file.csv".', [("@", "my file.csv")]),
        ("(see @docs/a.md)", [("@", "docs/a.md")]),
        ("compare @a.txt,@b.txt and @a.txt", [("@", "a.txt"), ("@", "b.txt")]),
        ("ask #manual and $topics", [("#", "manual"), ("$", "topics")]),
        ("write to ada@example.com", []),
        ("a#b, a$b, C#", []),
        ("# Heading\n## Another", []),
        ("it costs $5", [("$", "5")]),
        ("use `@tool` like this:\n```python\n@tool\ndef f(): ...\n```\nnow", []),
        ("an open fence\n```\n@tool", []),
        ('what is in @"my folder/', [("@", "my folder/")]),
    ],
)
def test_what_is_meant(text: str, meant: list[tuple[str, str]]) -> None:
    assert names(text) == meant


def test_the_signs_of_a_sentence_may_belong_to_the_name() -> None:
    assert references("is it @a(1).txt?")[0].spellings() == ["a(1).txt?", "a(1).txt"]


@given(PATHS)
def test_a_path_is_found_as_it_was_written(path: str) -> None:
    found = references(f"read {written(path)} now")
    assert path in found[0].spellings()


@given(st.text(max_size=200))
def test_any_text_has_references_with_names(text: str) -> None:
    for one in references(text):
        assert all(one.spellings()), one
        assert one.name in text


@given(st.text(max_size=80))
def test_one_that_is_begun_is_the_end_of_the_text(text: str) -> None:
    one = begun(text)
    if one is not None:
        assert text.endswith(f'{one.kind}"{one.name}' if one.quoted else one.kind + one.name)


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("read @", Reference("@", "")),
        ("read @src/ma", Reference("@", "src/ma")),
        ('read @"my fi', Reference("@", "my fi", quoted=True)),
        ("in #man", Reference("#", "man")),
        ("with $", Reference("$", "")),
        ("read @a.txt ", None),
        ("mail ada@exa", None),
        ("read @a\nand", None),
    ],
)
def test_what_is_begun(text: str, one: Reference | None) -> None:
    assert begun(text) == one


def test_a_large_paste_is_looked_at_as_far_as_it_matters() -> None:
    assert len(references("".join(f"@a{n}," for n in range(100_000)))) == MOST
    assert len(references("@a" + "." * 1_000_000)[0].spellings()) == SIGNS + 1
    assert begun("@" + "x" * 1_000_000) is None
