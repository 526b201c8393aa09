"""The words of a collection: the best by BM25, and a file that may break."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tools.errors import DocumentError
from tools.knowledge.mirror import OFTEN, VERSION, Damaged, Mirror, Wanted
from tools.knowledge.store import Stored

WORDS = [f"word{number}" for number in range(400)]
RARITY = [1 / (1 + number) for number in range(400)]
COUNT = 20


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    """800 passages of words of which some are in nearly all and most in few."""
    made = Mirror(tmp_path / "words" / "docs.db")
    chance = random.Random(0)
    some = [
        stored(
            f"{at}",
            " ".join(chance.choices(WORDS, RARITY, k=chance.randint(10, 60))),
            file=f"/docs/{at % 40}.txt",
            kind=chance.choice(["text", "code"]),
            modified=at,
        )
        for at in range(800)
    ]
    made.change("1", some, [])
    return made


def stored(id: str, text: str, **facts: str | int) -> Stored:
    plain: dict[str, str | int | float] = {
        "file": "/docs/a.txt", "sha256": "0", "kind": "text", "modified": 0, "first": 1, "last": 1,
        "heading": "", "of": 20,
    }  # fmt: skip
    return Stored(id, text, plain | facts)


def scores(mirror: Mirror, words: list[str], rule: str = "TRUE") -> dict[str, float]:
    """Of all passages with any of the words that count, by bm25() itself."""
    with closing(sqlite3.connect(mirror._file)) as database:
        held = {
            word: database.execute(
                "SELECT count(*) FROM words WHERE words MATCH ?", (word,)
            ).fetchone()[0]
            for word in words
        }
        counted = [word for word in words if held[word] <= 800 * OFTEN] or words
        found = database.execute(
            "SELECT id, -bm25(words) FROM words JOIN passages ON row = words.rowid "
            f"WHERE words MATCH ? AND {rule}",
            (" OR ".join(counted),),
        )
        return dict(found.fetchall())


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        (Wanted(), "TRUE"),
        (Wanted(kind="code"), "kind = 'code'"),
        (Wanted(since=700), "modified >= 700"),
        (Wanted(file="/7."), "file = '/docs/7.txt'"),
        (Wanted("3", "text", 100), "file LIKE '%3%' AND kind = 'text' AND modified >= 100"),
    ],
)
def test_the_best_are_those_of_bm25_over_all_words(
    mirror: Mirror, wanted: Wanted, rule: str
) -> None:
    chance = random.Random(1)
    rare = [" ".join(chance.sample(WORDS, 6)) for _ in range(10)]
    mixed = [" ".join(chance.choices(WORDS, RARITY, k=12)) for _ in range(10)]
    frequent = ["word0", "word0 word1", "word3 word4 word5 word6 word7", "word2 word9 word390"]
    for question in [*rare, *mixed, *frequent]:
        score = scores(mirror, list(dict.fromkeys(question.split())), rule)
        found = mirror.best(question, COUNT, wanted)
        expected = sorted(score.values(), reverse=True)[:COUNT]
        assert [score[id] for id in found] == pytest.approx(expected), question


def test_a_word_of_nearly_all_passages_does_not_hide_a_rarer_one(mirror: Mirror) -> None:
    mirror.change("2", [stored("new", "word0 unheard of")], [])
    assert mirror.best("word0 unheard", COUNT, Wanted()) == ["new"]
    mirror.change("3", [], ["new"])
    assert len(mirror.best("word0 unheard", COUNT, Wanted())) == COUNT


def test_words_are_found_in_another_form_and_signs_are_none(mirror: Mirror) -> None:
    mirror.change("2", [stored("new", "The backups_of refunds: naïve")], [])
    for question in ("backup", "Refunding?", "naive", 'NEAR("refund" AND', "backups_of"):
        assert mirror.best(question, COUNT, Wanted()) == ["new"], question
    assert mirror.best('?! " _', COUNT, Wanted()) == []


def junk(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")


@pytest.mark.parametrize("spoil", [junk, half, newer])
def test_what_is_damaged_or_of_another_version_is_thrown_away(
    mirror: Mirror, spoil: Callable[[Path], None]
) -> None:
    spoil(mirror._file)
    with pytest.raises(Damaged, match="made again"):
        mirror.files()
    assert (mirror.revision(), mirror.files()) == ("", [])


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("a file where a folder should be")
    with pytest.raises(DocumentError, match=r"docs\.db cannot be used"):
        Mirror(tmp_path / "words" / "docs.db").revision()
