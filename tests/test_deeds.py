"""What is taken for a claim that something was done."""

from __future__ import annotations

import pytest

from agent.deeds import claimed


@pytest.mark.parametrize(
    ("answer", "verb"),
    [
        ("I have saved the list.", "saved"),
        ("I've successfully written the story to fox.txt.", "written"),
        ("The file notes.txt has been updated with your line.", "updated"),
        ("The documents have been indexed.", "indexed"),
        ("I will remember that. I have now stored your name.", "stored"),
        ("Successfully added the line to `todo.txt`.", "added"),
        ("The classifier has been trained.", "trained"),
    ],
)
def test_a_claim_is_seen(answer: str, verb: str) -> None:
    assert claimed(answer) == verb


@pytest.mark.parametrize(
    "answer",
    [
        "I have written a poem for you: roses are red.",
        "The Iliad was written by Homer.",
        "Save it with Ctrl-S; it is then saved in notes.txt.",
        "I could not save the file.",
        "The file has not been saved.",
        "To train it, call train.py. It was created in 1990.",
        "I have added the numbers: 5.",
        "",
    ],
)
def test_other_sentences_are_not(answer: str) -> None:
    assert claimed(answer) == ""
