"""Which tools are shown, whether one is called, with the real embedder and a scripted model."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from safetensors.torch import load_file

from agent.approval import deny
from agent.embedder import SentenceEmbedder
from agent.engines.base import Choice
from agent.engines.scripted import ScriptedEngine, call, say
from agent.events import ToolStarted, TurnEnded
from agent.loop import Agent
from agent.memory.sessions import Session
from agent.offering import OFFERED, Offering, SoFar, _names_one
from agent.prompts import render
from tools.base import tool, tools_of
from tools.calculate import calculate
from tools.files import Files
from tools.spec import ToolSpec, spec

SPECS = [one for one in map(spec, (calculate, *tools_of(Files(Path.cwd())))) if one is not None]
"""Whatever specialists the state folder holds."""


@pytest.fixture(scope="module")
def embedder(minilm: Path) -> SentenceEmbedder:
    return SentenceEmbedder(minilm)


def test_an_embedder_of_pickled_weights_is_not_loaded(minilm: Path, tmp_path: Path) -> None:
    import torch

    pickled = tmp_path / "pickled"
    shutil.copytree(minilm, pickled)
    weights = load_file(pickled / "model.safetensors")
    (pickled / "model.safetensors").unlink()
    torch.save(weights, pickled / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        SentenceEmbedder(pickled)


def asked(request: str, *served: tuple[str, str]) -> list[BaseMessage]:
    """The conversation after these calls, each with its result."""
    messages: list[BaseMessage] = [SystemMessage("s"), HumanMessage(request)]
    for number, (name, result) in enumerate(served):
        messages.append(AIMessage("", tool_calls=[{"name": name, "args": {}, "id": str(number)}]))
        messages.append(ToolMessage(result, tool_call_id=str(number)))
    return messages


def choice(embedder: SentenceEmbedder, request: str, *served: tuple[str, str]) -> Choice:
    offering = Offering(embedder, 8)
    names = [name for name, _ in served]
    return offering.offer(ScriptedEngine(), asked(request, *served), SPECS, SoFar(names))[1]


def best(found: Choice) -> str:
    return max(found.weights, key=lambda name: found.weights[name])


def test_a_call_that_its_tool_refused_is_made_once_more(embedder: SentenceEmbedder) -> None:
    messages = asked("and the other one?", ("read_file", "there is no file server"))
    found = Offering(embedder, 8).offer(ScriptedEngine(), messages, SPECS, SoFar(mend="read_file"))[
        1
    ]
    assert found.mode == "call"
    assert {name for name, weight in found.weights.items() if weight == -math.inf} == {
        spec.name for spec in SPECS
    } - {"read_file"}


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        ("how much is 12 times 30?", "calculate"),
        ("replace the word cat with dog in story.txt", "replace_in_file"),
        ("read the file report.txt", "read_file"),
        ("which files are in this folder?", "list_files"),
        ("save 'hello' to greeting.txt", "write_file"),
    ],
)
def test_a_request_that_a_tool_fits_is_made_a_call(
    embedder: SentenceEmbedder, request_: str, name: str
) -> None:
    found = choice(embedder, request_)
    assert found.mode == "call"
    assert best(found) == name


@pytest.mark.parametrize(
    "request_", ["Thank you, you are kind!", "hi", "Hello!", "who are you?", "Tell me a joke."]
)
def test_small_talk_is_answered_in_words(embedder: SentenceEmbedder, request_: str) -> None:
    assert choice(embedder, request_).mode == "text"


def test_a_part_of_the_request_that_is_left_wants_another_call(embedder: SentenceEmbedder) -> None:
    found = choice(
        embedder, "Work out 15 % of 2300, then list the files here", ("calculate", "345")
    )
    assert found.mode == "call"
    assert best(found) == "list_files"
    assert found.weights["calculate"] == -math.inf


def test_the_parts_of_a_request_are_taken_in_their_order(embedder: SentenceEmbedder) -> None:
    request_ = "What is 37 * 91 - 4, and which files here mention it?"
    assert best(choice(embedder, request_)) == "calculate"
    assert best(choice(embedder, request_, ("calculate", "3363"))) == "search_files"


def test_a_request_of_one_part_is_served_by_whatever_was_called(
    embedder: SentenceEmbedder,
) -> None:
    assert choice(embedder, "Which files here mention Ada?", ("read_file", "Ada")).mode == "free"


def test_a_request_that_was_served_wants_no_other_call(embedder: SentenceEmbedder) -> None:
    found = choice(embedder, "Work out 15 % of 2300 and be polite", ("calculate", "345"))
    assert found.mode == "free"


def test_a_call_that_fits_no_part_serves_the_part_that_no_tool_fits(
    embedder: SentenceEmbedder,
) -> None:
    request_ = "Be so kind as to find it out for me, then save the result to fee.txt"
    found = choice(embedder, request_, ("calculate", "1615"))
    assert (found.mode, best(found)) == ("call", "write_file")


class Reluctant(ScriptedEngine):
    """Would rather answer in words."""

    def fits(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> float:
        return -9.0


@pytest.mark.parametrize(
    ("request_", "mode"),
    [
        ("How much flour do I need? My recipe is in Pancakes.md.", "call"),
        ("How much flour do I need? My recipe is in waffles.md.", "text"),
        ("How much flour do I need for pancakes?", "text"),
    ],
)
def test_a_request_that_names_a_file_that_is_there_wants_a_tool(
    embedder: SentenceEmbedder, tmp_path: Path, request_: str, mode: str
) -> None:
    (tmp_path / "pancakes.md").write_text("220 g flour")
    specs = [one for one in map(spec, tools_of(Files(tmp_path))) if one is not None]
    found = Offering(embedder, 8).offer(Reluctant(), asked(request_), specs)[1]
    assert found.mode == mode


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Look at notes.md.", True),
        ("is NOTES.MD old?", True),
        ("see 'notes.md'", True),
        ("look at notes.mdx", False),
        ("look at my-notes.md", False),
        ("look at my notes", False),
        ("look at notes.md.bak", False),
        ("look at other/notes.md", False),
    ],
)
def test_a_name_counts_as_whole_words(text: str, named: bool) -> None:
    assert _names_one(text, ["todo.txt", "notes.md"]) is named


def test_after_the_first_request_a_reluctant_model_is_less_believed(
    embedder: SentenceEmbedder,
) -> None:
    first = asked("save 'hello' to greeting.txt")
    later = [*first, AIMessage("Done."), HumanMessage("and divided by 3?")]
    offering = Offering(embedder, 8)
    assert offering.offer(Reluctant(), asked("and divided by 3?"), SPECS)[1].mode == "text"
    assert offering.offer(Reluctant(), later, SPECS)[1].mode == "call"
    later[-1] = HumanMessage("who invented paper?")
    assert offering.offer(Reluctant(), later, SPECS)[1].mode == "text"


def test_without_an_embedder_the_model_decides_alone() -> None:
    specs, found = Offering(None, 8).offer(ScriptedEngine(), asked("2 + 2?"), SPECS)
    assert (list(specs), found) == (SPECS, Choice("free"))


def test_of_many_tools_the_likeliest_are_described_behind_the_prefix(
    embedder: SentenceEmbedder,
) -> None:
    many = [*SPECS, *(ToolSpec(f"paint_{n}", "Paint a wall.", {}) for n in range(20))]
    offering = Offering(embedder, 8)
    history: list[BaseMessage] = [SystemMessage("s")]
    assert offering.stable(many) == ()
    history += offering.announce(history, "how much is 12 times 30?", many)
    assert len(history) == 2
    assert "calculate" in str(history[1].text)
    history.append(HumanMessage("how much is 12 times 30?"))
    specs, found = offering.offer(ScriptedEngine(), history, many)
    assert (len(specs), found.mode, found.listed) == (OFFERED, "call", True)


def test_what_is_announced_is_not_announced_again(embedder: SentenceEmbedder) -> None:
    many = [*SPECS, *(ToolSpec(f"paint_{n}", "Paint a wall.", {}) for n in range(20))]
    offering = Offering(embedder, 8)
    history: list[BaseMessage] = [SystemMessage("s")]
    history += offering.announce(history, "how much is 12 times 30?", many)
    assert offering.announce(history, "how much is 12 times 30?", many) == []


class Words:
    """An embedder that knows two words: every text is about counting or about neither."""

    def embed(self, texts: Sequence[str]) -> object:
        import numpy as np

        return np.array([[1.0, 0.0] if "count" in text else [0.0, 1.0] for text in texts])


@tool(examples=["count them"])
def count(upto: int) -> str:
    """Do it up to a number."""
    return f"up to {upto}"


def test_a_model_made_to_call_that_only_repeats_itself_answers_instead(tmp_path: Path) -> None:
    engine = ScriptedEngine(call("count", upto=3), call("count", upto=3), say("done"))
    session = Session.create(tmp_path / "s.db")
    agent = Agent(engine, {"count": count}, session, Offering(Words(), 8), deny)  # type: ignore[arg-type]
    *events, end = agent.send("count to 3 and tell me how the count went")
    assert isinstance(end, TurnEnded)
    assert (end.answer, end.reason) == ("done", "answered")
    assert sum(isinstance(event, ToolStarted) for event in events) == 1
    assert [seen.choice.mode for seen in engine.seen] == ["call", "call", "text"]
    session.close()


class Content(ScriptedEngine):
    """Once a function has answered, it would go on in words."""

    def wants_call(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> bool:
        return False


def test_beside_tools_an_answer_is_asked_for_in_words(tmp_path: Path) -> None:
    engine = Content(say("Hello!"), call("count", upto=3), say("It is up to 3."))
    session = Session.create(tmp_path / "s.db")
    agent = Agent(engine, {"count": count}, session, Offering(Words(), 8), deny)  # type: ignore[arg-type]
    for request in ("good day", "count to 3"):
        *_, end = agent.send(request)
        assert isinstance(end, TurnEnded)
        assert end.reason == "answered"
    said = [str(message.text) for message in session.messages if message.type != "ai"]
    assert said == [
        "good day",
        render("answer", form=""),
        "count to 3",
        "up to 3",
        render("results", request="", failed=False, passages=False, form=""),
    ]
    session.close()


def test_a_request_that_took_several_calls_is_said_again(tmp_path: Path) -> None:
    request_ = "count to 3 and tell me how the count went"
    engine = Content(call("count", upto=3), call("count", upto=4), say("Up to 3, then 4."))
    session = Session.create(tmp_path / "s.db")
    agent = Agent(engine, {"count": count}, session, Offering(Words(), 8), deny)  # type: ignore[arg-type]
    list(agent.send(request_))
    assert str(session.messages[-2].text) == render(
        "results", request=request_, failed=False, passages=False, form=""
    )
    assert str(session.messages[-2].text).endswith(request_)
    session.close()


@pytest.mark.parametrize(("near", "mode"), [(0.5, "call"), (0.3, "text")])
def test_a_request_that_the_documents_answer_wants_a_search(
    embedder: SentenceEmbedder, near: float, mode: str
) -> None:
    search = ToolSpec("search", "Find passages.", {"type": "object"}, knows=lambda request: near)
    engine = ScriptedEngine()
    request = "Since when do otters hold hands while they sleep?"
    specs = [*SPECS, search]
    assert Offering(embedder, 20).offer(engine, asked(request), specs)[1].mode == mode
