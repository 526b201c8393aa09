"""What is written down of a turn, and what of it can be looked at afterwards."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Generator, Sequence
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage
from langchain_core.tools import BaseTool
from rich.console import Console

from agent.approval import Approval, Approver, Question, deny
from agent.engines.local import LocalEngine
from agent.engines.scripted import Line, ScriptedEngine, call, calls, fail, say
from agent.errors import EngineError, UnknownName, UsageError
from agent.events import Event, Notice, TextDelta, TurnEnded
from agent.loop import Agent, Limits
from agent.memory import window
from agent.memory.database import VERSION, connect
from agent.memory.sessions import Session, remove
from agent.offering import Embedder, Offering
from agent.trace.page import page
from agent.trace.read import read
from agent.trace.tree import took, tree
from agent.trace.turn import Step, Turn
from tests.speaker import Speaker
from tests.test_cli import ROOT, here, scripted, tinsmith
from tools.base import ToolError, tool
from tools.spec import ToolSpec

HOSTILE = (
    "</pre><script>alert(1)</script><img src=//evil onerror=x> \x1b[2J\x1b]0;t\x07 [red]x \ud800"
)


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool(effects={"writes"}, approval="ask")
def erase(name: str) -> str:
    """Erase something."""
    return f"erased {name}"


@tool
def refuse() -> str:
    """Refuse."""
    raise ToolError("not today")


@tool
def fetch() -> str:
    """Fetch what strangers wrote."""
    return HOSTILE


@tool
def die() -> str:
    """End the program."""
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


TOOLS: dict[str, BaseTool] = {one.name: one for one in (add, erase, refuse, fetch, die)}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


def agent_of(
    database: Path,
    *lines: Line,
    approve: Approver = deny,
    embedder: Embedder | None = None,
    engine: ScriptedEngine | None = None,
) -> Agent:
    session = Session.create(database)
    engine = engine or ScriptedEngine(*lines)
    return Agent(engine, TOOLS, session, Offering(embedder, 8), approve)


def turn(agent: Agent, text: str = "go") -> list[Event]:
    return list(agent.send(text))


def traced(agent: Agent, database: Path, number: int | None = None) -> list[Turn]:
    return read(database, agent.session.id, number)


def shown(turns: Sequence[Turn], width: int = 100) -> str:
    """In a terminal."""
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=True, highlight=False)
    for one in turns:
        console.print(tree(one))
    return out.getvalue()


def test_a_turn_is_written_down_step_by_step(database: Path) -> None:
    agent = agent_of(database, call("add", a=2, b=3), say("It is 5."))
    ended = turn(agent, "what is 2 + 3?")[-1]
    [one] = traced(agent, database)
    assert isinstance(ended, TurnEnded)
    assert (one.number, one.request, one.answer) == (1, "what is 2 + 3?", "It is 5.")
    assert (one.reason, one.usage, one.model) == ("answered", ended.usage, "scripted")
    first, second = one.steps
    [made] = first.calls
    assert (made.name, made.arguments, made.result, made.ok) == ("add", {"a": 2, "b": 3}, "5", True)
    assert made.began is not None
    assert first.ended <= second.began + 0.001
    assert second.reply is not None
    assert (second.reply.text, second.finish, second.calls) == ("It is 5.", "stop", ())


def sent(step: Step, agent: Agent) -> list[str]:
    """What the trace says that the model was sent."""
    places = window.view(agent.session.messages[: step.upto])
    return [str(message.text) for message in places][-len(step.sent) :]


def test_it_is_known_what_the_model_was_sent(database: Path) -> None:
    agent = agent_of(database, say("hello"), call("add", a=2, b=3), say("5"), say("bye"))
    for text in ("hi", "2 + 3?", "bye"):
        turn(agent, text)
    engine = agent.engine
    assert isinstance(engine, ScriptedEngine)
    steps = [step for one in traced(agent, database) for step in one.steps]
    for step, seen in zip(steps, engine.seen, strict=True):
        assert sent(step, agent) == [str(one.text) for one in seen.messages[1:]]
    assert [step.earlier for step in steps] == [0, 2, 2, steps[2].upto + 1]
    assert [message.text for message in steps[1].new] == [agent.system.text, "2 + 3?"]
    assert [message.role for message in steps[2].new] == ["assistant", "tool"]
    assert steps[2].new[0].text == 'add {"a": 2, "b": 3}'


def test_words_of_the_system_that_changed_are_those_of_their_turn(database: Path) -> None:
    agent = agent_of(database, say("a"), say("b"), say("c"))
    turn(agent)
    turn(agent)
    agent.system = SystemMessage("Be short.")
    turn(agent)
    first, second, third = traced(agent, database)
    assert first.system == second.system != third.system == "Be short."
    with contextlib.closing(sqlite3.connect(database)) as file:
        told = "SELECT count(*) FROM traces WHERE facts LIKE '%\"system\"%'"
        assert file.execute(told).fetchone() == (2,)


class Leaning(ScriptedEngine):
    """Has an opinion."""

    def fits(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> float | None:
        return -0.5


class Letters:
    """Embeds as which letters a text has: near are texts of the same letters."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = [[float(text.lower().count(chr(97 + at))) for at in range(26)] for text in texts]
        vectors = np.array(rows) + 1e-9
        unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def test_it_is_known_what_was_offered_and_what_else_was_likely(database: Path) -> None:
    engine = Leaning(call("add", a=2, b=3), say("5"))
    agent = agent_of(database, engine=engine, embedder=Letters())
    turn(agent, "add: Add two numbers.")
    step = traced(agent, database)[0].steps[0]
    assert step.offer is not None
    assert (step.mode, step.offer.why, step.offer.odds) == ("call", "a tool fits", -0.5)
    assert step.offer.score is not None
    assert step.offer.score > 0
    best, *others = step.offer.candidates
    assert (best.name, best.nearness) == ("add", 1.0)
    assert {one.name for one in others} == {"erase", "refuse", "fetch", "die"}
    near = [one.nearness or 0 for one in others]
    assert near == sorted(near, reverse=True)
    assert "the judge +" in shown(traced(agent, database))


def test_of_many_tools_those_that_were_not_offered_are_named_too(database: Path) -> None:
    agent = agent_of(database, say("no"), embedder=Letters())
    agent._offering = Offering(Letters(), 2)
    more = {f"zzz{n}": _named(f"zzz{n}") for n in range(4)}
    agent.tools = {**TOOLS, **more}
    turn(agent, "add: Add two numbers.")
    step = traced(agent, database)[0].steps[0]
    assert step.offer is not None
    offered = [one.name for one in step.offer.candidates if one.offered]
    others = [one.name for one in step.offer.candidates if not one.offered]
    assert (len(offered), len(others)) == (5, 4)
    assert "add" in offered
    assert all(one.nearness is not None for one in step.offer.candidates)


def _named(name: str) -> BaseTool:
    @tool
    def made() -> str:
        """Sleep."""
        return ""

    made.name = name
    return made


def test_the_share_of_each_name_is_the_models(database: Path) -> None:
    said = '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b": 3}}\n</tool_call>'
    model = Speaker(said, "It is 5.")
    session = Session.create(database)
    agent = Agent(LocalEngine("speaker", model), TOOLS, session, Offering(None, 8))
    turn(agent)
    step = traced(agent, database)[0].steps[0]
    assert step.offer is not None
    best = step.offer.candidates[0]
    assert best.name == "add" == step.calls[0].name
    assert sum(one.own or 0 for one in step.offer.candidates) == pytest.approx(1, abs=0.01)
    assert best.own is not None
    assert best.own > 0.9
    assert best.share == pytest.approx(best.own)


def test_what_the_user_allowed_stands_at_its_call(database: Path) -> None:
    answers = iter([
        Approval(False, instead={"name": "c"}, answer="edit"),
        Approval(True, answer="once"),
        Approval(False, "keep it", answer="no"),
    ])  # fmt: skip

    def approve(question: Question) -> Approval:
        return next(answers)

    both = calls(call("erase", name="a"), call("erase", name="b"), call("add", a=1, b=1))
    agent = agent_of(database, both, say("done"), approve=approve)
    turn(agent)
    first, second, third = traced(agent, database)[0].steps[0].calls
    assert first.arguments == {"name": "c"}
    assert [(one.answer, one.allowed) for one in first.asked] == [("edit", False), ("once", True)]
    assert (first.ok, first.result) == (
        True,
        '(the user changed the call to {"name": "c"})\nerased c',
    )
    assert [(one.allowed, one.reason) for one in second.asked] == [(False, "keep it")]
    assert (second.ok, third.asked) == (False, ())
    written = shown(traced(agent, database))
    assert "approval: other arguments" in written
    assert "approval: refused, no (keep it)" in written


def test_what_was_said_before_a_question_was_broken_off_stands_at_no_later_call(
    database: Path,
) -> None:
    asked: list[Question] = []

    def approve(question: Question) -> Approval:
        asked.append(question)
        if len(asked) > 1:
            raise KeyboardInterrupt
        return Approval(False, instead={"name": "c"}, answer="edit")

    lines = (call("erase", name="a"), call("add", a=1, b=1), say("done"))
    agent = agent_of(database, *lines, approve=approve)
    turn(agent)
    turn(agent)
    [one] = traced(agent, database)[-1].steps[0].calls
    assert (one.name, one.asked) == ("add", ())


def test_an_error_and_why_it_ended_are_kept(database: Path) -> None:
    agent = agent_of(database, call("refuse"), fail(EngineError("the model is gone")))
    turn(agent)
    [one] = traced(agent, database)
    assert (one.reason, one.notices) == ("failed", ("the model is gone",))
    first, second = one.steps
    assert (first.calls[0].ok, first.calls[0].result) == (False, "not today")
    assert (second.replied_at, second.reply) == (None, None)


def test_a_reply_that_was_asked_for_again_is_a_step_without_an_answer(database: Path) -> None:
    lines = call("add", a=1, b=1), call("add", a=1, b=1), say("2")
    agent = agent_of(database, *lines, embedder=Letters())
    turn(agent, "add: Add two numbers. And add: add two numbers.")
    steps = traced(agent, database)[0].steps
    assert [(step.mode, bool(step.calls)) for step in steps] == [
        ("call", True), ("call", False), ("text", False)
    ]  # fmt: skip
    assert steps[1].reply is None
    assert (steps[2].offer, steps[2].reply and steps[2].reply.text) == (None, "2")


def test_a_window_that_was_full_is_told_with_what_it_cost(database: Path) -> None:
    class Counted(ScriptedEngine):
        context = 1000

        def count_tokens(
            self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()
        ) -> int:
            return sum(len(str(message.text)) for message in messages) // 4

    lines = [say(f"answer {n} " + "word " * 110) for n in range(6)]
    lines.insert(5, say("They spoke of Rex."))
    agent = agent_of(database, engine=Counted(*lines))
    for number in range(6):
        turn(agent, f"request {number}")
    compacted = [one for one in traced(agent, database) if one.compactions]
    [done] = compacted[0].compactions
    assert done.what == "summarised"
    assert done.before > done.after
    assert done.usage.generated == 4
    told = [message.text for message in compacted[0].steps[0].new]
    assert "They spoke of Rex." in told[1]
    assert compacted[0].usage.generated == 4 + len(compacted[0].answer.split())


KILLED = """
import sys
from pathlib import Path
from agent.engines.scripted import call, say
from tests.test_trace import agent_of
agent = agent_of(Path(sys.argv[1]), call("add", a=2, b=3), call("die"))
list(agent.send("go"))
"""


def test_a_session_that_was_killed_in_a_turn_shows_what_there_was(database: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED, str(database)], check=False, env=env)
    assert done.returncode == -signal.SIGKILL
    [one] = read(database, 1)
    first, second = one.steps
    assert (one.reason, first.calls[0].result) == ("", "5")
    assert (second.calls[0].name, second.calls[0].result) == ("die", None)
    assert "the program was ended" in shown([one])
    Session.open(database, 1).close()
    result = read(database, 1)[0].steps[1].calls[0].result
    assert result == "interrupted, outcome unknown"


def test_of_a_reply_that_is_being_written_there_is_what_has_come(database: Path) -> None:
    agent = agent_of(database, say("one two three"))
    events = agent.send("go")
    next(events)
    next(events)
    [one] = traced(agent, database)
    assert one.steps[0].reply is not None
    assert (one.steps[0].reply.text, one.reason) == ("one two", "")
    assert "not yet" in shown([one])
    events.close()
    agent.session.close()


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_what_strangers_wrote_is_text_on_the_page_and_in_the_terminal(database: Path) -> None:
    agent = agent_of(database, call("fetch"), say(HOSTILE))
    turn(agent, HOSTILE.replace("\ud800", ""))
    turns = traced(agent, database)
    written = page(turns)
    read_back = Tags(written)
    allowed = {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "span", "i", "div",
        "details", "summary", "section", "pre", "table", "tr", "th", "td",
    }  # fmt: skip
    assert {tag for tag, _ in read_back.tags} <= allowed
    named = {name for _, attributes in read_back.tags for name in attributes}
    assert named <= {
        "lang",
        "charset",
        "name",
        "content",
        "http-equiv",
        "class",
        "style",
        "title",
        "open",
    }
    assert "<script>alert(1)</script>" in read_back.text
    assert "\x1b" not in written
    assert "://" not in written
    seen = shown(turns)
    assert "\x1b[2J" not in seen
    assert "\x1b]0" not in seen
    assert "[red]x" in seen


def test_on_twenty_columns_nothing_is_lost_or_too_wide(database: Path) -> None:
    agent = agent_of(database, call("add", a=2, b=3), say("It is 5."))
    turn(agent, "what is two and three?")
    out = StringIO()
    console = Console(file=out, width=20, highlight=False)
    console.print(tree(traced(agent, database)[0]))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 20
    assert "add(" in out.getvalue()


SECOND = """
CREATE TABLE sessions (id INTEGER PRIMARY KEY, started REAL NOT NULL);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions(id),
    written REAL NOT NULL,
    type TEXT NOT NULL,
    message TEXT NOT NULL,
    usage TEXT
);
CREATE INDEX messages_of ON messages(session, id);
CREATE TABLE calls (
    id TEXT NOT NULL,
    session INTEGER NOT NULL REFERENCES sessions(id),
    started REAL NOT NULL,
    finished REAL,
    PRIMARY KEY (session, id)
);
CREATE VIRTUAL TABLE words USING fts5(text, content='');
ALTER TABLE sessions ADD COLUMN parent INTEGER REFERENCES sessions(id) ON DELETE SET NULL;
ALTER TABLE calls ADD COLUMN result TEXT;
CREATE TABLE pieces (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
    text TEXT NOT NULL
);
CREATE TABLE vectors (
    message INTEGER PRIMARY KEY REFERENCES messages(id) ON DELETE CASCADE,
    vector BLOB
);
PRAGMA user_version = 2;
INSERT INTO sessions VALUES (1, 0, NULL);
INSERT INTO messages VALUES
    (1, 1, 0, 'human', '{"type": "human", "data": {"content": "hi"}}', NULL),
    (2, 1, 0, 'ai', '{"type": "ai", "data": {"content": "hello"}}', NULL);
INSERT INTO words (rowid, text) VALUES (1, 'hi'), (2, 'hello');
"""
"""Version 2 as it was written."""


def test_a_session_of_the_version_before_goes_on_and_is_traced(state: Path) -> None:
    file = state / "sessions.db"
    state.mkdir()
    with contextlib.closing(sqlite3.connect(file)) as before:
        before.executescript(SECOND)
    nothing = here("trace", "1")
    assert (nothing.returncode, "nothing was written down of session 1" in nothing.stderr) == (
        1,
        True,
    )
    session = Session.open(file, 1)
    agent = Agent(ScriptedEngine(say("again")), TOOLS, session, Offering(None, 8))
    turn(agent, "hi again")
    session.close()
    [one] = read(file, 1)
    assert (one.number, one.request, one.steps[0].earlier) == (2, "hi again", 2)
    with pytest.raises(UsageError, match="nothing was written down of turn 1"):
        read(file, 1, 1)
    with contextlib.closing(sqlite3.connect(file)) as now:
        assert now.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_a_fork_has_the_traces_of_what_it_keeps(database: Path) -> None:
    agent = agent_of(database, say("one"), call("add", a=1, b=2), say("two"), say("three"))
    for text in ("first", "second", "third"):
        turn(agent, text)
    fork = agent.session.fork(2)
    before = traced(agent, database)
    assert [dataclasses.replace(one, session=1) for one in read(database, fork.id)] == before[:2]
    agent.session.close()
    remove(database, agent.session.id)
    assert [one.answer for one in read(database, fork.id)] == ["one", "two"]
    agent.session = fork
    agent.engine = ScriptedEngine(say("another"))
    turn(agent, "third, anew")
    assert [one.answer for one in read(database, fork.id)] == ["one", "two", "another"]
    fork.close()


def test_with_a_session_its_traces_are_removed(database: Path) -> None:
    agent = agent_of(database, say("one"))
    turn(agent)
    agent.session.close()
    remove(database, agent.session.id)
    with contextlib.closing(sqlite3.connect(database)) as file:
        assert file.execute("SELECT count(*) FROM traces").fetchone() == (0,)
    with pytest.raises(UnknownName):
        read(database, agent.session.id)


def test_a_turn_that_failed_before_the_words_were_kept_is_replaced_by_the_next(
    database: Path,
) -> None:
    agent = agent_of(database, say("yes"))
    usual, agent.engine.context = agent.engine.context, 1
    agent.trace._begin(agent)  # and the program was killed
    agent.engine.context = usual
    turn(agent, "now")
    [one] = traced(agent, database)
    assert (one.number, one.window, one.answer) == (1, usual, "yes")


def test_a_trace_that_cannot_be_written_ends_no_turn(database: Path) -> None:
    agent = agent_of(database, call("add", a=1, b=2), say("3"), say("on"))
    with contextlib.closing(connect(database)) as other, other:
        other.execute("DROP TABLE traces")
    events = turn(agent)
    assert isinstance(events[-1], TurnEnded)
    assert (events[-1].reason, events[-1].answer) == ("answered", "3")
    told = [event.text for event in events if isinstance(event, Notice)]
    assert [text.partition(":")[0] for text in told] == ["this turn is not traced any further"]


@pytest.mark.parametrize("facts", ["{", "{}", '{"upto": "x", "started": 0}'])
def test_a_damaged_trace_is_said_to_be_damaged(asked: Path, facts: str) -> None:
    with contextlib.closing(sqlite3.connect(asked)) as file, file:
        file.execute("UPDATE traces SET facts = ? WHERE kind IN ('begun', 'sent')", (facts,))
    done = here("trace")
    assert (done.returncode, "the trace of session 1 is damaged" in done.stderr) == (1, True)


def test_the_choice_of_a_reply_that_must_be_words_is_told(database: Path) -> None:
    agent = agent_of(database, call("add", a=1, b=2), say("3"))
    agent._limits = Limits(steps=2)
    turn(agent)
    [one] = traced(agent, database)
    assert ([step.mode for step in one.steps], one.reason) == (["free", "text"], "steps")


def test_the_last_turn_and_those_before_are_shown_in_the_conversation(tmp_path: Path) -> None:
    lines = scripted(tmp_path, {"say": "one"}, {"say": "two"})
    done = tinsmith("chat", *lines, stdin="first\nsecond\n/trace\n/trace 2\n")
    assert done.returncode == 0, done.stderr
    last, before = done.stdout.index("said: two"), done.stdout.index("said: one")
    assert last < before
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("first\n/trace 3", "there is no turn 3 in session 1; it has 1 so far"),
        ("first\n/trace 0", "1 is the last turn"),
        ("first\n/trace x", "takes the number of a turn"),
        ("/trace", "nothing was said in this conversation yet"),
    ],
)
def test_a_turn_that_is_not_there_is_an_error(tmp_path: Path, typed: str, says: str) -> None:
    done = tinsmith("chat", *scripted(tmp_path, {"say": "one"}), stdin=f"{typed}\n")
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


@pytest.fixture
def asked(state: Path) -> Path:
    """The database of two turns."""
    file = state / "sessions.db"
    agent = agent_of(file, call("add", a=2, b=3), say("It is 5."), say("bye"))
    turn(agent, "what is 2 + 3?")
    turn(agent, "thanks")
    agent.session.close()
    return file


def test_all_turns_of_the_last_session_are_shown_or_one(asked: Path) -> None:
    every, one = here("trace").stdout, here("trace", "1", "--turn", "2").stdout
    assert ("It is 5." in every, "said: bye" in every) == (True, True)
    assert ("It is 5." in one, "said: bye" in one) == (False, True)


def test_as_json_it_is_what_was_read(asked: Path) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    done = json.loads(here("trace", "--json").stdout, parse_constant=refuse)
    turns = read(asked, 1)
    assert done == json.loads(
        json.dumps({"session": 1, "turns": [*map(dataclasses.asdict, turns)]})
    )


def test_a_page_is_written_once_and_never_over_another_file(
    asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert here("trace", "--html").returncode == 0
    assert "It is 5." in Tags((tmp_path / "trace-1.html").read_text("utf-8")).text
    again = here("trace", "--html")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    number = here("trace", "--html", "3")
    assert (number.returncode, "ends in .html" in number.stderr) == (2, True)
    assert not Path("3").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("trace", "9"), "no session named '9'"),
        (("trace", "1", "--turn", "7"), "there is no turn 7 in session 1; it has 2 so far"),
        (("trace", "x"), "no number that is listed"),
        (("trace", "--json", "--html"), "not allowed with"),
    ],
)
def test_what_cannot_be_shown_is_said(asked: Path, words: Sequence[str], says: str) -> None:
    done = here(*words)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_before_anything_was_said_it_says_so(state: Path) -> None:
    done = here("trace")
    assert (done.returncode, "nothing was said yet" in done.stderr) == (2, True)


class Broken(ScriptedEngine):
    """Is stopped in the middle of a call."""

    def reply(self, *args: Any, **named: Any) -> Generator[TextDelta, None, AIMessage]:
        yield from ()
        return AIMessage("", response_metadata={"finish": "interrupted", "begun_call": "<call>{"})


def test_a_call_that_was_broken_off_is_shown(database: Path) -> None:
    agent = agent_of(database, engine=Broken())
    turn(agent)
    found = traced(agent, database)[0]
    assert found.steps[0].begun == "<call>{"
    assert took(found.steps[0]).startswith("a call that was broken off, ")
