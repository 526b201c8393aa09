"""Citations: what is one, and whether it was given."""

from __future__ import annotations

import pytest

from agent.citations import Source, sources, unfounded


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("at two [docs/guide.md:7-11] and [a.md:3].", ["docs/guide.md:7-11", "a.md:3"]),
        ("[C:\\docs\\a.md:12]", ["C:\\docs\\a.md:12"]),
        ("[1] [see this](x) [12:30] a[1]", []),
        ("twice [a.md:3] [a.md:3]", ["a.md:3"]),
    ],
)
def test_what_a_citation_is(text: str, found: list[str]) -> None:
    assert [str(one) for one in sources(text)] == found


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ("It is two [docs/guide.md:8].", []),
        ("It is two [guide.md:7-11].", []),
        ("It is two [guide.md:7-12].", ["guide.md:7-12"]),
        ("It is two [other.md:8].", ["other.md:8"]),
        ("It is two [uide.md:8].", ["uide.md:8"]),
        ("It is two.", []),
    ],
)
def test_what_no_passage_holds_is_named(answer: str, wrong: list[str]) -> None:
    given = [Source("docs/guide.md", 7, 11)]
    assert [str(one) for one in unfounded(answer, given)] == wrong


def test_without_passages_nothing_is_a_citation() -> None:
    assert unfounded("see [x.py:3]", []) == []
