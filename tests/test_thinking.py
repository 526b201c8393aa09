from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.engines.thinking import ThinkSplitter

TEXTS = st.lists(st.sampled_from(["a", "<", ">", "</", "think", "<think>", "</think>", " ", "\n"]))


def split(pieces: list[str]) -> tuple[str, str]:
    """Reasoning and answer."""
    splitter = ThinkSplitter()
    deltas = [delta for piece in pieces for delta in splitter.feed(piece)]
    deltas += splitter.end()
    return (
        "".join(delta.text for delta in deltas if delta.kind == "reasoning"),
        "".join(delta.text for delta in deltas if delta.kind == "answer"),
    )


@given(TEXTS)
def test_the_pieces_in_which_a_text_comes_do_not_matter(pieces: list[str]) -> None:
    whole = "".join(pieces)
    assert split(pieces) == split(list(whole)) == split([whole])


@given(st.text("ab <>/think\n"))
def test_a_text_without_the_tag_at_its_beginning_is_all_answer(text: str) -> None:
    if not text.lstrip().startswith("<think>"):
        assert split(list(text)) == ("", text)


def test_thought_and_answer_come_apart() -> None:
    assert split(["<thi", "nk>two and", " two</th", "ink>\n\n4"]) == ("two and two", "4")


def test_a_thought_that_never_ends_is_a_thought() -> None:
    assert split(["<think>hm", "m</thi"]) == ("hmm</thi", "")
