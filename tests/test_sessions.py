from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from agent.errors import SessionError, UnknownName
from agent.events import Usage
from agent.memory import sessions as module
from agent.memory.sessions import Session, search, sessions

ROOT = Path(__file__).parent.parent
CALL = AIMessage(
    "",
    tool_calls=[
        {"name": "wait", "args": {"what": "x"}, "id": "one"},
        {"name": "wait", "args": {"what": "y"}, "id": "two"},
    ],
)


@pytest.fixture
def path(state: Path) -> Path:
    return state / "sessions.db"


@contextmanager
def program(body: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process with a session in `session`; killed at the end if it still runs."""
    start = "import sys, time\nfrom pathlib import Path\nfrom langchain_core.messages import *\n"
    start += "from agent.memory.sessions import Session\npath = Path(sys.argv[1])\n"
    with subprocess.Popen(
        [sys.executable, "-c", start + textwrap.dedent(body), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_session_comes_back_as_it_was(path: Path) -> None:
    session = Session.create(path)
    messages = [
        SystemMessage("tools", additional_kwargs={"offer": ["wait"]}),
        HumanMessage("Grüße 🦊"),
        CALL,
        ToolMessage("r1", tool_call_id="one", name="wait"),
        ToolMessage("r2", tool_call_id="two", name="wait", status="error"),
        AIMessage("done", additional_kwargs={"reasoning": "hm"}),
    ]
    for message in messages:
        session.append(message)
    session.close()
    assert Session.open(path, session.id).messages == messages


def test_without_an_id_the_latest_session_with_words_in_it_is_opened(path: Path) -> None:
    first = Session.create(path)
    first.append(HumanMessage("one"))
    Session.create(path).close()
    first.close()
    assert Session.open(path).id == first.id


def test_an_unknown_session_is_refused_by_name(path: Path) -> None:
    session = Session.create(path)
    session.append(HumanMessage("one"))
    with pytest.raises(UnknownName, match=r"no session named '99'; there are: 1"):
        Session.open(path, 99)


def test_with_no_session_to_go_on_with_the_way_out_is_told(path: Path) -> None:
    with pytest.raises(SessionError, match="begin one with"):
        Session.open(path)


def test_the_cost_of_a_reply_is_kept_with_it(path: Path) -> None:
    session = Session.create(path)
    session.append(AIMessage("hello"), Usage(cached=3, generated=2))
    row = sqlite3.connect(path).execute("SELECT usage FROM messages").fetchone()
    assert '"cached": 3' in row[0]


def test_the_list_of_sessions_shows_the_first_words_latest_first(path: Path) -> None:
    for text in ("first\nwords", "second"):
        session = Session.create(path)
        session.append(SystemMessage("not these"))
        session.append(HumanMessage(text))
        session.close()
    Session.create(path).close()
    assert [(one.title, one.messages) for one in sessions(path)] == [
        ("second", 2),
        ("first words", 2),
    ]


def test_the_list_of_sessions_makes_no_file(path: Path) -> None:
    assert sessions(path) == []
    assert search(path, "x") == []
    assert not path.exists()


def test_words_are_found_over_all_sessions(path: Path) -> None:
    for text in ("a hammer and a nail", "a hammer", 'quoted "nail" OR (broken'):
        session = Session.create(path)
        session.append(HumanMessage(text))
        session.close()
    assert [one.text for one in search(path, "nail hammer")] == ["a hammer and a nail"]
    assert [one.session for one in search(path, '"nail" OR (')] == [3]
    assert search(path, "saw") == []


def test_calls_are_kept_with_their_arguments_and_times(path: Path) -> None:
    session = Session.create(path)
    session.append(CALL)
    session.call_started("one")
    session.call_finished("one")
    (row,) = sqlite3.connect(path).execute("SELECT name, arguments, finished >= started FROM calls")
    assert row == ("wait", '{"what": "x"}', 1)


def test_kill_in_the_middle_of_a_call_loses_nothing_and_the_talk_goes_on(path: Path) -> None:
    body = """
    session = Session.create(path)
    session.append(HumanMessage("please wait"))
    call = {"name": "wait", "args": {}, "id": "one"}
    session.append(AIMessage("", tool_calls=[call, {**call, "id": "two"}]))
    session.call_started("one")
    print("running", flush=True)
    time.sleep(60)
    """
    with program(body, path) as process:
        assert said(process) == "running"
        process.send_signal(signal.SIGKILL)
    session = Session.open(path)
    assert [message.type for message in session.messages] == ["human", "ai", "tool", "tool"]
    begun, waiting = session.messages[2:]
    assert isinstance(begun, ToolMessage)
    assert isinstance(waiting, ToolMessage)
    assert (begun.tool_call_id, begun.status) == ("one", "error")
    assert begun.text == "interrupted, outcome unknown"
    assert (waiting.tool_call_id, waiting.text) == ("two", "interrupted before it ran")
    session.append(HumanMessage("and?"))
    session.close()
    assert [message.type for message in Session.open(path).messages][4:] == ["human"]


def test_a_session_that_is_open_elsewhere_is_not_touched(path: Path) -> None:
    body = """
    session = Session.create(path)
    session.append(AIMessage("", tool_calls=[{"name": "wait", "args": {}, "id": "one"}]))
    print(session.id, flush=True)
    time.sleep(60)
    """
    with program(body, path) as process:
        id = int(said(process))
        with pytest.raises(SessionError, match=f"session {id} is open in another Tinsmith"):
            Session.open(path, id)
    assert len(Session.open(path, id).messages) == 2


def test_two_processes_make_and_write_the_same_file_at_once(path: Path) -> None:
    body = """
    session = Session.create(path)
    for number in range(20):
        session.append(HumanMessage(f"message {number}"))
    session.close()
    print("done", flush=True)
    """
    with program(body, path) as first, program(body, path) as second, program(body, path) as third:
        assert [said(one) for one in (first, second, third)] == ["done"] * 3
    assert [one.messages for one in sessions(path)] == [20, 20, 20]


def test_a_damaged_file_is_a_clear_error(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database, but long enough to be looked at by SQLite" * 20)
    with pytest.raises(SessionError, match=r"sessions\.db is damaged.*move it away"):
        Session.create(path)


def test_a_damaged_message_is_a_clear_error(path: Path) -> None:
    session = Session.create(path)
    session.append(HumanMessage("one"))
    session.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE messages SET message = '{}'")
    with pytest.raises(SessionError, match=r"session 1 of .* is damaged"):
        Session.open(path, 1)


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    Session.create(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(SessionError, match=r"newer Tinsmith \(version 99"):
        Session.create(path)


def test_a_file_of_an_older_version_is_brought_up_to_date(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as database:
        database.executescript(module.MIGRATIONS[0])
        database.execute("PRAGMA user_version = 1")
        database.execute("INSERT INTO sessions (started) VALUES (1.0)")
    session = Session.open(path, 1)
    session.append(CALL)
    session.call_started("one")
    session.close()
    assert Session.open(path).id == 1


def test_a_session_in_memory_is_kept_nowhere(state: Path) -> None:
    session = Session.create(":memory:")
    session.append(HumanMessage("one"))
    assert [message.text for message in session.messages] == ["one"]
    assert not state.exists()


def test_closing_twice_does_nothing(path: Path) -> None:
    session = Session.create(path)
    session.close()
    session.close()
