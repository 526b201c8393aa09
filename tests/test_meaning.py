"""Searching what was said by its meaning."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage

from agent.memory import meaning, sessions
from agent.memory.sessions import Session, remove
from tests.test_cli import ROOT, tinsmith


class Topics:
    """An embedder that knows two topics, and what it was asked to embed."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.seen += texts
        rows = [
            (any(w in text for w in ("dog", "puppy")), any(w in text for w in ("rain", "storm")))
            for text in texts
        ]
        found: np.ndarray = np.array(rows, np.float32).reshape(-1, 2) + 1e-6
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        return found


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


def talk(database: Path, *words: str) -> Session:
    session = Session.create(database)
    for text in words:
        session.append(HumanMessage(text))
    return session


def found(database: Path, text: str, embed: Topics) -> list[tuple[int, str]]:
    hits = meaning.search(database, text, embed, lambda done, of: None)
    return [(one.session, one.text) for one in hits]


def vectors(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        count: int = connection.execute("SELECT count(*) FROM vectors").fetchone()[0]
        return count


def test_a_message_is_found_by_what_it_means_and_embedded_once(database: Path) -> None:
    session = talk(database, "my dog barks", "rain again")
    session.append(AIMessage("", tool_calls=[]))
    embed = Topics()
    assert found(database, "a puppy", embed) == [(session.id, "my dog barks")]
    session.append(HumanMessage("what a storm"))
    assert [text for _, text in found(database, "rain?", embed)] == ["rain again", "what a storm"]
    assert sorted(embed.seen) == [
        "a puppy", "my dog barks", "rain again", "rain?", "what a storm",
    ]  # fmt: skip
    session.close()


def test_a_fork_takes_the_vectors_along_and_is_found_once(database: Path) -> None:
    session = talk(database, "my dog barks")
    embed = Topics()
    found(database, "x", embed)
    session.fork().close()
    session.close()
    assert vectors(database) == 2
    assert found(database, "puppy", embed) == [(session.id, "my dog barks")]
    assert embed.seen.count("my dog barks") == 1


def test_a_removed_session_leaves_no_vector(database: Path) -> None:
    session = talk(database, "my dog barks")
    session.close()
    found(database, "x", Topics())
    remove(database, session.id)
    assert vectors(database) == 0


def test_numbers_of_messages_that_were_removed_meanwhile_get_no_vector(database: Path) -> None:
    session = talk(database, "my dog barks")
    session.close()

    def slow(texts: Sequence[str]) -> np.ndarray:
        if "my dog barks" in texts:
            remove(database, session.id)
            talk(database, "the same numbers, another message").close()
        return Topics()(texts)

    meaning.complete(database, slow, lambda done, of: None)
    assert vectors(database) == 0


def test_what_is_broken_off_goes_on_where_it_stopped(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "TOGETHER", 2)
    talk(database, *(f"dog {n}" for n in range(5))).close()

    def stop(done: int, of: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    embed = Topics()
    with pytest.raises(KeyboardInterrupt):
        meaning.complete(database, embed, stop)
    meaning.complete(database, embed, lambda done, of: None)
    assert embed.seen == [f"dog {n}" for n in range(5)]


def test_without_the_embedder_no_torch_is_loaded(state: Path) -> None:
    talk(state / "sessions.db", "my dog barks").close()
    (state / "torch").mkdir()
    (state / "torch" / "__init__.py").write_text("raise SystemExit('torch was loaded')")
    env = {"PYTHONPATH": f"{state}:{ROOT}"}
    done = tinsmith("sessions", "search", "puppy", env=env)
    assert (done.returncode, "tinsmith models pull all-minilm-l6-v2" in done.stderr) == (1, True)
    assert tinsmith("sessions", "search", "dog", env=env).returncode == 0


def test_the_command_shows_words_first_then_what_means_the_same(state: Path, minilm: Path) -> None:
    state.mkdir(exist_ok=True)
    (state / "models").mkdir()
    (state / "models" / minilm.name).symlink_to(minilm)
    session = talk(state / "sessions.db", "my puppy chews shoes", "is a storm coming?")
    session.append(HumanMessage("a dog is a friend"))
    session.close()
    lines = tinsmith("sessions", "search", "dog").stdout.splitlines()
    ends = ("a dog is a friend", "by meaning:", "my puppy chews shoes")
    assert [line.endswith(end) for line, end in zip(lines, ends, strict=True)] == [True] * 3
    assert sessions.search(state / "sessions.db", "puppy")[0].text == "my puppy chews shoes"
