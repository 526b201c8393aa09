"""Citations: what is one, and whether it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.citations import Source, sources, support, unfounded
from agent.engines.scripted import ScriptedEngine, call, say
from agent.events import TextDelta, ToolFinished, ToolStarted, TurnEnded
from agent.loop import Agent
from agent.memory.sessions import Session
from agent.offering import Offering
from agent.repl.screen import Screen
from tools.base import tool
from tools.documents import DATA


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


def test_a_number_of_a_thousand_digits_is_no_line() -> None:
    assert sources(f"[a.md:{'7' * 5000}] [a.md:7]") == [Source("a.md", 7, 7)]


def test_without_passages_nothing_is_a_citation() -> None:
    assert unfounded("see [x.py:3]", []) == []


GUIDE = [
    (
        Source("guide.md", 7, 9),
        [(7, "Backups are made every night."), (8, ""), (9, "They are kept for 30 days.")],
    ),
    (Source("ports.md", 3, 4), [(3, "The web server listens on 8080."), (4, "Nothing else does.")]),
]


@pytest.mark.parametrize(
    ("request_", "answer", "line"),
    [
        ("How long are backups kept?", "For 30 days.", "guide.md:9"),
        ("When are backups made?", "Backups are made every night.", "guide.md:7"),
        ("Which port is it?", "It listens on port 8080.", "ports.md:3"),
        ("How long are backups kept?", "For 30 days [guide.md:8].", "guide.md:9"),
        ("How long are backups kept?", "For 30 days [guide.md:7-9].", None),
        ("Which port is it?", "I do not know.", None),
        ("Are they kept?", "There is no information about refunds every night.", None),
        ("Are they kept?", "The passages do not say that backups are kept.", None),
        ("How many people?", "Paris has two million people, as we know.", None),
        ("When are backups made?", "Backups are made.", None),
        ("Who wrote it?", "Ada Lovelace.", None),
    ],
)
def test_the_line_that_an_answer_rests_on(request_: str, answer: str, line: str | None) -> None:
    assert [str(one) for one in support(answer, request_, GUIDE)] == ([line] if line else [])


def test_each_sentence_has_its_line() -> None:
    answer = "They are made every night. Where, I was not told. The port is 8080."
    found = support(answer, "When are backups made, and which port is it?", GUIDE)
    assert [str(one) for one in found] == ["guide.md:7", "ports.md:3"]


@pytest.mark.parametrize("end", ["\n```", ""])
def test_code_rests_on_no_line(end: str) -> None:
    answer = "```\nbackups are made every night, the port is 8080" + end
    assert support(answer, "When are backups made?", GUIDE) == []
    after = f"```\nsh\n```\nThe port is 8080.{end}"
    assert [str(one) for one in support(after, "Which port?", GUIDE)] == ["ports.md:3"]


def test_the_screen_says_where_passages_stand_and_not_how_they_are_introduced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = Screen(draws=False)
    given = f"{DATA}\n\n[1] [guide.md:1-3] Guide\nKept.\n\n[2] [ports.md:3] Ports\n8080."
    screen.draw(ToolStarted("1", "search_documents", {"question": "how long?"}))
    screen.draw(ToolFinished("1", "search_documents", given, True, 0.1))
    assert "→ 2 passages: guide.md:1-3, ports.md:3\n" in capsys.readouterr().err


def test_an_answer_that_cites_nothing_is_given_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("guide.md").write_text("# Guide\n\nBackups are kept for 30 days.\n", "utf-8")

    @tool(effects={"reads", "untrusted"})
    def search_documents(question: str) -> str:
        """Look it up."""
        return "[1] [guide.md:1-3] Guide\nBackups are kept for 30 days."

    lines = [
        call("search_documents", question="how long?"), say("For 30 days."),
        call("search_documents", question="how long now?"), say("Thirty, see [guide.md:3]."),
        say("It is 30 as I said."),
    ]  # fmt: skip
    session = Session.create(":memory:")
    agent = Agent(
        ScriptedEngine(*lines),
        {search_documents.name: search_documents},
        session,
        Offering(None, 8),
    )
    events = list(agent.send("How long are backups kept?"))
    assert TextDelta(" [guide.md:3]") in events
    assert isinstance(events[-1], TurnEnded)
    assert events[-1].answer == str(session.messages[-1].text) == "For 30 days. [guide.md:3]"
    for request in ("And now?", "Sure?"):  # one that cites itself, one that looked nothing up
        *_, end = agent.send(request)
        assert isinstance(end, TurnEnded)
        assert end.answer.count("guide.md") == (request == "And now?")
