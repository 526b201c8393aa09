"""Facts that last: kept, replaced, found again at the start of a turn, forgotten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import BaseMessage

from agent.catalog import EMBEDDER
from agent.embedder import SentenceEmbedder
from agent.engines.scripted import Line, ScriptedEngine, call, say
from agent.events import Notice, ToolFinished, TurnEnded
from agent.loop import Agent
from agent.memory import window
from agent.memory.sessions import Session
from agent.offering import Offering
from tests.test_cli import ROOT, here, tinsmith
from tools.base import tools_of
from tools.errors import FactError
from tools.knowledge.contradiction import takes_the_place
from tools.knowledge.facts import LONGEST, Facts
from tools.knowledge.secrets import secret_in
from tools.memory import Memory
from tools.running import Origin, invoke
from tools.spec import preview

REX = "The user's dog is called Rex."
BRUNO = "The user's dog is called Bruno."


@pytest.fixture(scope="module")
def embedder(minilm: Path) -> SentenceEmbedder:
    return SentenceEmbedder(minilm)


@pytest.fixture
def facts(state: Path, embedder: SentenceEmbedder) -> Facts:
    return Facts(state, EMBEDDER, embedder.embed)


def texts(facts: Facts) -> list[str]:
    return [fact.text for fact in facts.holding()]


# --- What takes the place of what ---


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (REX, BRUNO),
        (REX, "The user has a dog named Rex."),
        ("The user lives in Paris.", "The user lives in Rome now."),
        ("The project deadline is 12 March.", "The project deadline is 2 April."),
        ("The user is 34 years old.", "The user is 35 years old."),
        ("The user likes coffee.", "The user does not like coffee any more."),
        ("The server listens on port 8080.", "The server listens on port 9090."),
    ],
)
def test_what_takes_the_place(old: str, new: str, embedder: SentenceEmbedder) -> None:
    one, other = embedder.embed([old, new])
    assert takes_the_place(new, old, float(one @ other))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (REX, "The user's cat is called Mia."),
        (REX, "The user's dog is 4 years old."),
        ("The user likes coffee.", "The user likes tea."),
        ("The user speaks French.", "The user speaks Japanese."),
        ("The user lives in Paris.", "The user's parents live in Rome."),
        ("Server 1 is in Berlin.", "Server 2 is in Berlin."),
        (
            "The user's project number 1 is about bees.",
            "The user's project number 2 is about bees.",
        ),
        ("The user has two children.", "The user has one sister."),
        ("The user's mother is called Anna.", "The user's daughter is called Anna."),
        ("The user's friend Ben works at Google.", "The user's friend Tom works at Google."),
        ("The user takes aspirin every day.", "The user takes insulin every day."),
        ("The wifi is slow in room 3.", "The wifi is slow in room 4."),
    ],
)
def test_what_stands_beside(old: str, new: str, embedder: SentenceEmbedder) -> None:
    one, other = embedder.embed([old, new])
    assert not takes_the_place(new, old, float(one @ other))


@given(st.text(max_size=60), st.text(max_size=60), st.floats(-1, 1))
def test_any_two_texts_can_be_compared(old: str, new: str, cosine: float) -> None:
    takes_the_place(new, old, cosine)


# --- Secrets ---


@pytest.mark.parametrize(
    "text",
    [
        "My wifi password is hunter2",
        "the password for the router is correct horse battery",
        "password: swordfish",
        "The PIN is 4711.",
        "AKIAIOSFODNN7EXAMPLE is the key of my account",
        "The GitHub token is ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "My key: sk-proj-4fH7kQz9LmN2pRt6VwXyB3cD5eGjA8",
        "-----BEGIN RSA PRIVATE KEY-----",
        "The server is at https://bob:s3cr3t@example.com",
        "Das Passwort lautet Sonnenblume7",
        "The router password was on-call-2024",
        "The door code is 4711.",
    ],
)
def test_a_secret_is_seen(text: str) -> None:
    assert secret_in(text)


@pytest.mark.parametrize(
    "text",
    [
        REX,
        "The user forgot the password twice.",
        "The password is kept in the safe.",
        "The user's passport expires in May.",
        "The commit is 3f2a9c1be47d0a55b1d9c8e7f6a5b4c3d2e1f0a9.",
        "The user's mail is ada.lovelace.1815@example.com.",
        "The repository is github.com/analytical-engine/notes-of-the-translator.",
        "The user pins notes to the wall.",
        "The secret of good bread is time.",
        "The door is blue.",
    ],
)
def test_other_sentences_hold_none(text: str) -> None:
    assert secret_in(text) == ""


def test_a_secret_is_not_stored(facts: Facts, state: Path) -> None:
    with pytest.raises(FactError, match="holds a secret"):
        facts.remember("The wifi password is hunter2.", Origin())
    assert not (state / "facts").exists()


# --- The store ---


def test_a_fact_knows_where_it_came_from(facts: Facts) -> None:
    facts.remember(REX, Origin(3, 7))
    (fact,) = facts.all()
    assert (fact.number, fact.text, fact.origin) == (1, REX, Origin(3, 7))


def test_a_newer_fact_replaces_and_both_are_in_the_history(facts: Facts) -> None:
    facts.remember(REX, Origin(1, 1))
    done = facts.remember(BRUNO, Origin(2, 1))
    assert [one.text for one in done.replaced] == [REX]
    assert texts(facts) == [BRUNO]
    assert [(one.text, one.replaced_by) for one in facts.all()] == [(REX, 2), (BRUNO, 0)]


def test_the_same_again_is_not_kept_twice(facts: Facts) -> None:
    facts.remember(REX, Origin(1, 1))
    assert not facts.remember(f"  {REX.upper()}\n", Origin(2, 1)).is_new
    assert len(facts.all()) == 1


def test_what_is_relevant_is_found_and_nothing_else(facts: Facts) -> None:
    for text in (REX, "The user lives in Graz.", "The server listens on port 8080."):
        facts.remember(text, Origin())
    assert [one.text for one in facts.relevant("what is my dog called?", 4, 0.3)] == [REX]
    assert facts.relevant("tell me about photosynthesis", 4, 0.3) == {}
    assert facts.relevant("  ", 4, 0.3) == {}


def test_a_replaced_fact_is_not_found(facts: Facts) -> None:
    facts.remember(REX, Origin())
    facts.remember(BRUNO, Origin())
    assert [one.text for one in facts.relevant("what is my dog called?", 4, 0.3)] == [BRUNO]


def test_forgetting_takes_the_history_along(facts: Facts) -> None:
    facts.remember(REX, Origin())
    facts.remember("The user lives in Graz.", Origin())
    facts.remember(BRUNO, Origin())
    assert [one.text for one in facts.forget(3)] == [BRUNO, REX]
    assert [one.text for one in facts.all()] == ["The user lives in Graz."]
    with pytest.raises(FactError, match="there is no fact 3"):
        facts.forget(3)


def test_an_edited_fact_keeps_where_it_came_from(facts: Facts) -> None:
    facts.remember(REX, Origin(4, 2))
    facts.edit(1, "The user's dog is a beagle called Rex.")
    (fact,) = facts.holding()
    assert (fact.text, fact.origin) == ("The user's dog is a beagle called Rex.", Origin(4, 2))
    with pytest.raises(FactError, match="no fact 1"):
        facts.edit(1, "again")


def test_a_text_that_is_no_short_sentence_is_refused(facts: Facts) -> None:
    with pytest.raises(FactError, match="no short sentence"):
        facts.remember("x" * (LONGEST + 1), Origin())
    with pytest.raises(FactError, match="nothing to remember"):
        facts.remember(" \n", Origin())


def test_with_another_embedder_the_facts_are_embedded_anew(facts: Facts, state: Path) -> None:
    facts.remember(REX, Origin(1, 1))

    def embed(texts: Sequence[str]) -> np.ndarray:
        vectors = np.array([[len(text), 1, 1] for text in texts], np.float32)
        unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    others = Facts(state, "other", embed)
    assert [one.text for one in others.relevant("anything", 4, 0.0)] == [REX]
    assert [one.origin for one in others.all()] == [Origin(1, 1)]


def test_facts_outlive_a_death_while_they_are_embedded_anew(
    facts: Facts, state: Path, embedder: SentenceEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts.remember(REX, Origin())
    for step in ("create", "put", "drop", "rename"):
        others = Facts(state, f"other-{step}", embed_made)
        done = getattr(others._store, step)

        def die(*given: object, done: Callable[..., object] = done, **more: object) -> None:
            done(*given, **more)
            raise KeyboardInterrupt

        monkeypatch.setattr(others._store, step, die)
        with pytest.raises(KeyboardInterrupt):
            others.relevant("anything", 4, -1.0)
        assert [one.text for one in Facts(state, "new", embed_made).all()] == [REX]
        again = Facts(state, f"other-{step}", embed_made)
        assert [one.text for one in again.relevant("anything", 4, -1.0)] == [REX]


def test_a_fact_that_another_program_forgets_meanwhile_is_no_error(
    state: Path, facts: Facts, embedder: SentenceEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts.remember(REX, Origin())
    facts.remember("The user lives in Graz.", Origin())
    nearest = facts._store.nearest

    def gone(*given: Any) -> dict[str, float]:
        found = nearest(*given)
        Facts(state, EMBEDDER, embedder.embed).forget(1)
        return found

    monkeypatch.setattr(facts._store, "nearest", gone)
    assert facts.relevant("what is my dog called?", 4, 0.3) == {}


WRITES = """
import sys
from pathlib import Path
import numpy as np
from tools.running import Origin
from tools.knowledge.facts import Facts
def embed(texts):
    made = np.array([np.random.default_rng(len(t)).normal(size=8) for t in texts], np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)
facts = Facts(Path(sys.argv[1]), "made", embed)
for n in range(int(sys.argv[2])):
    done = facts.remember(f"{sys.argv[3]} {'x' * n}", Origin())
    print(done.fact.number, flush=True)
"""


def writer(state: Path, count: int, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITES, str(state), str(count), name],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def embed_made(texts: Sequence[str]) -> np.ndarray:
    return np.ones((len(texts), 8), np.float32)


def test_two_programs_write_at_once(state: Path) -> None:
    both = [writer(state, 5, name) for name in ("one", "another")]
    numbers = [int(line) for one in both for line in one.communicate(timeout=120)[0].split()]
    assert sorted(numbers) == list(range(1, 11))
    assert [one.number for one in Facts(state, "made", embed_made).all()] == list(range(1, 11))


def test_what_was_said_to_be_kept_outlives_a_kill(state: Path) -> None:
    with writer(state, 1000, "one") as one:
        assert one.stdout
        told = [int(one.stdout.readline()) for _ in range(3)]
        one.send_signal(signal.SIGKILL)
    facts = Facts(state, "made", embed_made)
    assert {one.number for one in facts.all()} >= set(told)
    assert facts.relevant("x", 4, -1.0)


# --- In a conversation ---


def agent_of(facts: Facts, *lines: Line, session: Session | None = None) -> Agent:
    tools = {tool.name: tool for tool in tools_of(Memory(facts))}
    session = session or Session.create(":memory:")
    return Agent(ScriptedEngine(*lines), tools, session, Offering(None, 8), facts=facts)


def sent(agent: Agent) -> list[BaseMessage]:
    assert isinstance(agent.engine, ScriptedEngine)
    return list(agent.engine.seen[-1].messages)


def told(messages: Sequence[BaseMessage]) -> list[str]:
    return [str(one.text) for one in messages if "facts" in one.additional_kwargs]


def test_what_one_conversation_keeps_the_next_is_told_before_the_request(facts: Facts) -> None:
    first = agent_of(facts, say("hello"), call("remember", fact=REX), say("I will"))
    list(first.send("hello"))
    list(first.send("remember that my dog is called Rex"))
    assert facts.all()[0].origin == Origin(first.session.id, 2)
    second = agent_of(facts, say("Rex"))
    list(second.send("what is my dog called?"))
    before, request = [one for one in sent(second) if one.type in ("human", "system")][-2:]
    assert REX in str(before.text)
    assert request.text == "what is my dog called?"


def test_a_fact_is_told_once_for_as_long_as_it_is_read(facts: Facts) -> None:
    facts.remember(REX, Origin())
    agent = agent_of(facts, say("Rex"), say("it is Rex"))
    list(agent.send("what is my dog called?"))
    list(agent.send("and once more: what is my dog called?"))
    assert len(told(sent(agent))) == 1
    cut = window.Cut(summarised=len(agent.session.messages), summary="a talk")
    agent.session.append(window.mark(cut))
    agent.engine = ScriptedEngine(say("Rex"))
    list(agent.send("what is my dog called?"))
    assert len(told(sent(agent))) == 1


def test_what_has_nothing_to_do_with_it_is_not_told(facts: Facts) -> None:
    facts.remember(REX, Origin())
    agent = agent_of(facts, say("light makes sugar"))
    list(agent.send("explain photosynthesis"))
    assert told(sent(agent)) == []


def test_a_fact_that_is_nearer_than_any_tool_is_answered_from(
    facts: Facts, embedder: SentenceEmbedder
) -> None:
    facts.remember(REX, Origin())
    tools = {tool.name: tool for tool in tools_of(Memory(facts))}
    engine = ScriptedEngine(say("Rex"), call("remember", fact=BRUNO), say("I will"))
    session, offering = Session.create(":memory:"), Offering(embedder, 8)
    agent = Agent(engine, tools, session, offering, facts=facts)
    list(agent.send("what is my dog called?"))
    assert engine.seen[-1].choice.mode == "text"
    list(agent.send("remember that my dog is called Bruno"))
    assert [one.text for one in facts.holding()] == [BRUNO]


def test_a_summary_never_parts_a_fact_from_its_request(facts: Facts) -> None:
    facts.remember(REX, Origin())
    agent = agent_of(facts, say("hello"), say("Rex"))
    list(agent.send("hello there"))
    list(agent.send("what is my dog called?"))
    messages = agent.session.messages
    assert "facts" in messages[window.turns(messages)[1]].additional_kwargs


def test_facts_that_cannot_be_read_do_not_end_the_turn(state: Path) -> None:
    def embed(texts: Sequence[str]) -> np.ndarray:
        raise FactError("no embedder")

    (state / "facts").mkdir(parents=True)
    facts = Facts(state, EMBEDDER, embed_made)
    facts.remember(REX, Origin())
    agent = agent_of(Facts(state, EMBEDDER, embed), say("hello"))
    events = list(agent.send("hello"))
    assert any(isinstance(one, Notice) and "no embedder" in one.text for one in events)
    assert isinstance(events[-1], TurnEnded)
    assert events[-1].answer == "hello"


def test_the_model_is_told_of_a_secret_once_and_not_made_to_try_again(facts: Facts) -> None:
    agent = agent_of(facts, call("remember", fact="The password is hunter2."), say("I cannot"))
    events = list(agent.send("remember my password"))
    done = [one for one in events if isinstance(one, ToolFinished)]
    assert [one.ok for one in done] == [False]
    assert "holds a secret" in done[0].result
    assert facts.all() == []


def test_the_tools_recall_and_forget(facts: Facts) -> None:
    box = {tool.name: tool for tool in tools_of(Memory(facts))}
    assert invoke(box["recall"], {"question": "my dog"}) == "nothing is remembered yet"
    invoke(box["remember"], {"fact": REX})
    assert "in place of: " + REX in invoke(box["remember"], {"fact": BRUNO})
    assert BRUNO in invoke(box["recall"], {"question": "my dog"})
    assert BRUNO in preview(box["forget"], {"fact": "the name of the dog"})
    invoke(box["forget"], {"fact": "the name of the dog"})
    assert facts.all() == []
    with pytest.raises(FactError, match="nothing like"):
        invoke(box["forget"], {"fact": "the name of the dog"})


# --- The command ---


def test_the_command_lists_adds_changes_and_forgets(state: Path, minilm: Path) -> None:
    (state / "models").mkdir(parents=True)
    (state / "models" / EMBEDDER).symlink_to(minilm)
    assert tinsmith("memory", "add", *REX.split()).stdout == f"1: {REX}\n"
    assert here("memory", "add", BRUNO).stdout == f"2: {BRUNO}\nin place of 1: {REX}\n"
    assert "replaced by 2" in here("memory", "history").stdout
    failed = here("memory", "edit", "1", "again")
    assert (failed.returncode, "there is no fact 1" in failed.stderr) == (1, True)
    assert here("memory", "forget", "2").stdout.count("forgot") == 2
    assert here("memory", "history").stdout == ""


def test_without_the_embedder_the_command_says_what_to_do(state: Path) -> None:
    done = here("memory", "add", REX)
    assert (done.returncode, f"tinsmith models pull {EMBEDDER}" in done.stderr) == (1, True)
    assert here("memory").returncode == 0
