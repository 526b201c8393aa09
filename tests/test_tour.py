"""/tour: which step is taken when, that a restart goes on, and that all it makes can be removed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from rich.console import Console, RenderableType

from agent.app import toolbox
from agent.approval import allow
from agent.engines.scripted import Line, ScriptedEngine, call, say
from agent.errors import UsageError
from agent.events import TurnEnded
from agent.loop import Agent
from agent.memory.sessions import Session, sessions
from agent.offering import Offering
from agent.repl.commands.tour import tour as command
from agent.repl.tour_steps import STEPS
from agent.settings import home
from tests import small
from tools.loader import Toolbox
from tools.specialists.jobs import Job, Jobs, remember_process
from tools.specialists.proposal import Wishes, propose

if TYPE_CHECKING:
    from agent.repl.repl import Repl
    from agent.repl.tour import Tour

EMBEDDER = "all-minilm-l6-v2"
LINES = {step.name: step.line.replace("NAME", "bikeshop") for step in STEPS}
CALCULATES = (call("calculate", expression="37 * 91 - 4"), say("It is 3363."))
TURNS = (call("distance_per_turn", front_teeth=50, back_teeth=17), say("6.18 metres."))


class Screen:
    """What was shown."""

    def __init__(self) -> None:
        self.text = ""
        self.ended = ""

    def plain(self, text: str) -> None:
        self.text += f"{text}\n"

    dim = notice = plain

    def show(self, shown: RenderableType) -> None:
        console = Console(width=1000, color_system=None)
        with console.capture() as written:
            console.print(shown)
        self.plain(written.get())


class Talk:
    """The conversation, as the tour knows it, with a model that says what it is told."""

    def __init__(self, *lines: Line, typing: bool = True) -> None:
        self.screen = Screen()
        self.tour: Tour | None = None
        self.line = ""
        """What is proposed."""
        self.has_user = typing
        self.session = Session.create(home() / "sessions.db")
        self._box = toolbox([], False)
        approve = allow(["add_documents", "train_specialist"])
        self._agent = Agent(
            ScriptedEngine(*lines), self._box.tools, self.session, Offering(None, False), approve
        )

    def enter(self, text: str | None = None) -> None:
        """Send `text`, else what is proposed."""
        text, self.line = self.line if text is None else text, ""
        if text.startswith("/tour"):
            command(cast("Repl", self), text[5:].strip())
            return
        *_, ended = self._agent.send(text)
        assert isinstance(ended, TurnEnded)
        self.screen.ended = ended.reason
        if self.tour is not None:
            self.tour.after_turn()

    def propose(self, text: str) -> None:
        self.line = text

    def toolbox(self) -> Toolbox:
        return self._box

    def tools_changed(self) -> None:
        self._agent.tools = self._box.tools

    def warm(self) -> None:
        """Nothing to read ahead."""

    def go_on_with(self, session: Session) -> Session:
        before, self.session = self.session, session
        self._agent.session = session
        before.close()
        return before


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's working folder."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def embedder(state: Path) -> None:
    small.bert(state / "models" / EMBEDDER)


def training(state: str, stage: str = "training") -> Job:
    """One on the tour's messages, of which this process is said to be the one that trains."""
    plan = propose(home(), Wishes(home() / "tour" / "bikeshop.csv")).plan
    folder = home() / "jobs" / "bikeshop-1"
    folder.mkdir(parents=True, exist_ok=True)
    kept = {"plan": plan.as_json(), "state": state, "created": "2026-01-01", "stage": stage}
    (folder / "job.json").write_text(json.dumps(kept))
    remember_process(folder, os.getpid())
    return Job(folder)


def test_each_step_puts_its_line_into_the_prompt_and_goes_on_when_it_is_done(mine: Path) -> None:
    talk = Talk(say("It shifts gears."), *CALCULATES, *TURNS)
    talk.enter("/tour")
    assert talk.line == LINES["ask"]
    assert Path.cwd() == home() / "tour"
    talk.enter()
    assert talk.line == LINES["tool"]
    talk.enter()
    assert (
        "left out: train a specialist, because it takes: tinsmith models pull" in talk.screen.text
    )
    assert talk.line == "/tour write"
    assert "def distance_per_turn(front_teeth: int" in talk.screen.text
    assert not list((home() / "tour" / "tools").iterdir())  # not before it is sent
    talk.enter()
    assert talk.line == LINES["call"]
    talk.enter()
    assert "The tour is over" in talk.screen.text
    assert (talk.line, talk.tour, Path.cwd()) == ("", None, mine)
    assert "distance_per_turn" not in talk.toolbox().tools


def test_a_step_whose_tool_was_not_called_is_tried_again() -> None:
    talk = Talk(say("It shifts gears."), say("It is 3000."), *CALCULATES)
    talk.enter("/tour")
    talk.enter()
    talk.enter()
    assert "calculate was not called" in talk.screen.text
    assert talk.line == LINES["tool"]
    talk.enter()
    assert talk.line == "/tour write"


def test_a_question_of_ones_own_leaves_the_tour_where_it_is() -> None:
    talk = Talk(say("It shifts gears."), say("Good day."))
    talk.enter("/tour")
    talk.enter()
    talk.enter("good day")
    assert talk.line == ""
    talk.enter("/tour")
    assert talk.line == LINES["tool"]


def test_an_answer_that_was_broken_off_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk()  # the script has run out: the turn fails
    talk.enter("/tour")
    talk.enter()
    assert talk.screen.ended == "failed"
    talk.enter("/tour")
    assert talk.line == LINES["ask"]


def test_a_step_can_be_left_out() -> None:
    talk = Talk()
    talk.enter("/tour")
    talk.enter("/tour next")
    talk.enter("/tour next")
    talk.enter("/tour next")
    assert "left out: call it, because its tool was not written" in talk.screen.text
    assert "The tour is over" in talk.screen.text


def test_a_restart_goes_on_where_it_was(mine: Path) -> None:
    talk = Talk(say("It shifts gears."))
    talk.enter("/tour")
    talk.enter()
    talk.enter("/tour next")
    talk.enter()
    within = talk.session.id
    talk.session.close()
    os.chdir(mine)
    again = Talk(*TURNS)
    again.enter("/tour")
    assert (again.line, again.session.id) == (LINES["call"], within)
    assert "distance_per_turn" in again.toolbox().tools
    again.enter()
    assert "The tour is over" in again.screen.text


def test_stopping_goes_back_to_the_folder_and_the_conversation_of_before(mine: Path) -> None:
    talk = Talk(say("Good day."))
    talk.enter("good day")
    before = talk.session.id
    talk.enter("/tour")
    assert talk.session.id != before
    assert "read_file" in talk.toolbox().tools
    talk.enter("/tour stop")
    assert (talk.session.id, Path.cwd()) == (before, mine)
    assert [str(one.text) for one in talk.session.messages if one.type == "human"] == ["good day"]


def test_nothing_of_the_users_is_touched(mine: Path) -> None:
    (home() / "specialists" / "bikeshop" / "1").mkdir(parents=True)
    talk = Talk()
    talk.enter("/tour")
    assert (home() / "tour" / "bikeshop2.csv").exists()
    talk.enter("/tour remove")
    assert (home() / "specialists" / "bikeshop" / "1").exists()
    assert list(mine.iterdir()) == []


@pytest.mark.usefixtures("embedder")
def test_a_document_is_added_and_asked(mine: Path) -> None:
    talk = Talk(
        call("add_documents", path="handbook", collection="bikeshop"),
        say("It is added."),
        call("search_documents", collection="bikeshop", question="return a tent"),
        say("Within 14 days."),
    )
    talk.enter("/tour")
    for _ in range(3):
        talk.enter("/tour next")
    assert talk.line == LINES["document"]
    talk.enter()
    assert talk.line == LINES["read"]
    talk.enter()
    assert "handbook/handbook.md:" in str(
        talk.session.messages[-1].text
    )  # what the answer rests on
    assert talk.line == "/tour write"


@pytest.mark.usefixtures("embedder")
def test_the_specialist_is_waited_for_until_it_is_trained() -> None:
    talk = Talk()
    talk.enter("/tour")
    for _ in range(4):
        talk.enter("/tour next")
    assert "left out: ask the document" in talk.screen.text
    training("running")
    talk.enter("/tour next")
    assert "Wait for the specialist" in talk.screen.text
    assert talk.line == "/tour"
    training("done")
    talk.enter()
    assert talk.line == LINES["use"]


@pytest.mark.usefixtures("embedder")
def test_a_training_that_failed_is_not_waited_for() -> None:
    talk = Talk()
    talk.enter("/tour")
    training("failed", "the disk is full")
    for _ in range(5):
        talk.enter("/tour next")
    assert "because bikeshop-1 is failed: the disk is full" in talk.screen.text
    assert "The tour is over" in talk.screen.text


@pytest.mark.usefixtures("embedder")
def test_all_that_it_made_is_removed(mine: Path) -> None:
    talk = Talk(call("add_documents", path="handbook", collection="bikeshop"), say("Added."))
    talk.enter("/tour")
    for _ in range(3):
        talk.enter("/tour next")
    talk.enter()
    within = talk.session.id
    training("running")
    with pytest.raises(UsageError, match="tinsmith jobs stop bikeshop-1, then /tour remove"):
        talk.enter("/tour remove")
    assert talk.tour is not None
    training("done")
    talk.enter("/tour remove")
    gone = f"training bikeshop-1, collection bikeshop, conversation {within}, {home()}/tour"
    assert gone in talk.screen.text
    assert (talk.line, Path.cwd()) == ("", mine)
    assert not (home() / "tour").exists()
    assert not Jobs(home()).all()
    assert within not in [one.id for one in sessions(home() / "sessions.db")]
    talk.enter("/tour remove")
    assert "the tour has made nothing" in talk.screen.text


def test_it_begins_again_in_a_new_conversation_when_it_is_over() -> None:
    talk = Talk()
    talk.enter("/tour")
    first = talk.session.id
    for _ in range(3):
        talk.enter("/tour next")
    talk.enter("/tour")
    assert talk.line == LINES["ask"]
    assert talk.session.id != first
    talk.enter("/tour remove")
    assert "conversation" in talk.screen.text


def test_a_damaged_state_begins_anew() -> None:
    talk = Talk()
    talk.enter("/tour")
    talk.enter("/tour next")
    talk.enter("/tour stop")
    (home() / "tour" / "tour.json").write_text('{"step": ')
    talk.enter("/tour")
    assert talk.line == LINES["ask"]


def test_where_nobody_types_there_is_no_tour(mine: Path) -> None:
    talk = Talk(typing=False)
    with pytest.raises(UsageError, match="nobody here to be led"):
        talk.enter("/tour")
    assert (talk.tour, Path.cwd()) == (None, mine)


@pytest.mark.parametrize("rest", ["next", "stop", "write"])
def test_without_a_tour_its_commands_say_how_to_begin_one(rest: str) -> None:
    with pytest.raises(UsageError, match="/tour begins one"):
        Talk().enter(f"/tour {rest}")


def test_what_is_no_part_of_it_is_told() -> None:
    talk = Talk()
    with pytest.raises(UsageError, match="/tour on: it is /tour, /tour next"):
        talk.enter("/tour on")
    talk.enter("/tour")
    with pytest.raises(UsageError, match="/tour write: now the tour is at: ask"):
        talk.enter("/tour write")
