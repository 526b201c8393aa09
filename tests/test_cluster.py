"""Rows on a real Ray of this machine with two workers: one start of Ray serves all tests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent import app
from agent.errors import EngineError, UsageError
from agent.settings import Settings
from agent.tasks import joining
from agent.tasks.batch import Batch
from agent.tasks.cluster import hired
from agent.tasks.columns import Columns
from agent.tasks.joining import JOIN, joined
from agent.tasks.lanes import Lanes, Threads
from agent.tasks.means import Means
from agent.tasks.read import read
from agent.tasks.results import Results
from agent.tasks.rows import opened
from agent.tasks.selection import Selection
from agent.tasks.task import Task
from agent.tasks.worker import Order
from benchmarks.cluster import SlowServer, workers_of
from tests.emulator import hearing

pytest.importorskip("ray")

TASK = """
inputs: {number: {type: integer}}
sampling: {max_tokens: 8}
prompt: "Say {{ number }}"
"""
DEADLY = """
from tools.base import tool
import os, signal

@tool
def survive(number: int) -> str:
    '''Survive a number.'''
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return str(number)
"""


@pytest.fixture(scope="module")
def silent() -> Iterator[subprocess.Popen[str]]:
    """`joined` to an address where somebody listens and nobody answers; it takes its time."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        at = f"127.0.0.1:{nobody.getsockname()[1]}"
        code = f"from agent.tasks.joining import joined\nwith joined({at!r}, None): pass"
        with subprocess.Popen(
            [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True
        ) as trying:
            yield trying
            trying.kill()


@pytest.fixture(scope="module")
def ray(silent: subprocess.Popen[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINSMITH_HOME", str(tmp_path_factory.mktemp("home")))  # of the workers
        patch.delenv("RAY_ADDRESS", raising=False)
        with joined("ray", 2) as started:
            yield started


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "say.task.yaml").write_text(TASK)
    return tmp_path


def rows(work: Path, count: int) -> None:
    lines = (json.dumps({"number": number}) + "\n" for number in range(count))
    (work / "rows.jsonl").write_text("".join(lines))


def run_over(task: Task, out: Path, lanes: Lanes) -> list[dict[str, Any]]:
    columns = Columns(task)
    with opened("rows.jsonl") as source, Results(out, columns) as results:
        assert Batch(source, columns, Selection(), results).run(lanes)
        results.sort()
    return lines_of(out)


def lines_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


def answers(lines: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """All that may not differ: times do, and what was in a cache when the row came."""
    keys = ("id", "at", "row", "hash", "inputs", "answer", "reason", "error", "model")
    return [(*(one[key] for key in keys), one["usage"]["generated"]) for one in lines]


def test_two_workers_give_what_one_machine_gives(ray: Any, work: Path, smollm: Path) -> None:
    task = read(work / "say.task.yaml")
    settings = Settings(model=str(smollm), context=512)
    rows(work, 4)
    engine = app.load_engine(settings)
    alone = run_over(task, work / "alone.jsonl", Threads(task, [Means(engine)]))
    engine.close()
    with hired(ray, Order(task, settings, (), work, 1), 2, 4, print) as lanes:
        lanes.load(2)
        found = run_over(task, work / "found.jsonl", lanes)
    assert answers(found) == answers(alone)
    assert len({one["answer"] for one in found}) > 1


def test_a_row_that_ends_its_workers_fails_and_takes_no_other_along(ray: Any, work: Path) -> None:
    (work / "deadly.py").write_text(DEADLY)
    (work / "script.jsonl").write_text("")
    (work / "say.task.yaml").write_text(
        "inputs: {number: {type: integer}}\n"
        "steps: [{id: one, tool: survive, arguments: {number: '{{ number }}'}}]\n"
    )
    task = read(work / "say.task.yaml")
    settings = Settings(engine="scripted", script=str(work / "script.jsonl"))
    rows(work, 8)
    said: list[str] = []
    order = Order(task, settings, (work / "deadly.py",), work, 2)
    with hired(ray, order, 2, 8, said.append) as lanes:
        found = run_over(task, work / "found.jsonl", lanes)
    reasons = {one["row"]["number"]: one["reason"] for one in found}
    assert reasons == dict.fromkeys(range(8), "done") | {3: "failed"}
    assert found[3]["error"] == "the worker that ran it was lost 3 times"
    assert len(said) == 3


def test_workers_that_cannot_load_the_model_say_which_and_why(ray: Any, work: Path) -> None:
    task = read(work / "say.task.yaml")
    order = Order(task, Settings(model="smolm2-135m"), (), work, 1)
    with (
        pytest.raises(
            UsageError, match=r"worker \(.+, process \d+\): no model named 'smolm2-135m'"
        ),
        hired(ray, order, 1, 1, print),
    ):
        pass


class Command:
    """`tinsmith run --each` on the cluster that is there already, over a slow model server."""

    def __init__(self, ray: Any, work: Path, server: SlowServer) -> None:
        self.out = work / "results.jsonl"
        self._words = [
            *(sys.executable, "-m", "agent", "run", "say.task.yaml", "--each", "rows.jsonl"),
            *("--out", str(self.out), "--engine", "openai", "--url", server.url, "--lanes", "2"),
            *("--workers", "2", "--on", ray.get_runtime_context().gcs_address),
        ]
        self._server = server
        self._root = Path(__file__).parent.parent

    def start(self) -> subprocess.Popen[str]:
        path = f"{self._root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        return subprocess.Popen(
            self._words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=hearing,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )

    def wait_for(self, count: int) -> None:
        """Until so many rows have results."""
        until = time.monotonic() + 60
        while not self.out.exists() or self.out.read_bytes().count(b"\n") < count:
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.fixture
def command(ray: Any, work: Path) -> Iterator[Command]:
    rows(work, 24)
    with SlowServer(0.4).running() as server:
        yield Command(ray, work, server)


def test_a_worker_that_is_killed_in_the_middle_costs_no_row(command: Command) -> None:
    running = command.start()
    command.wait_for(6)
    os.kill(workers_of(os.getpid())[0].pid, signal.SIGKILL)
    said, log = running.communicate(timeout=90)
    assert running.returncode == 0, log
    assert "a worker was lost" in log
    told = json.loads(said)
    assert (told["reason"], told["rows"], told["run"]) == ("done", 24, 24)
    found = lines_of(command.out)
    assert [one["answer"] for one in found] == [str(number) for number in range(24)]
    assert set(Counter(one["id"] for one in found).values()) == {1}


def test_ctrl_c_stops_and_the_same_command_goes_on(command: Command) -> None:
    running = command.start()
    command.wait_for(4)
    running.send_signal(signal.SIGINT)
    said, log = running.communicate(timeout=30)
    assert running.returncode == 130, log
    told = json.loads(said)
    assert told["reason"] == "interrupted"
    assert 0 < told["missing"] < 24
    going_on = command.start()
    said, log = going_on.communicate(timeout=90)
    assert (going_on.returncode, json.loads(said)["run"]) == (0, told["missing"]), log
    assert [one["answer"] for one in lines_of(command.out)] == [str(one) for one in range(24)]


@pytest.mark.parametrize("on", ["head", "ray://", "head:port", "http://head:10001"])
def test_what_is_no_address_is_refused(on: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"), joined(on, None):
        pass


def test_an_address_where_nobody_listens_is_an_error_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(EngineError, match="nobody answers there"), joined(f"127.0.0.1:{port}", 1):
        pass


def test_no_cluster_on_this_machine_is_said_in_our_words() -> None:
    of_ray = (
        "ConnectionError: Could not find any running Ray instance. Please specify the one to "
        "connect to by setting `--address` flag or `RAY_ADDRESS` environment variable."
    )
    said = joining._why("auto", of_ray, "")
    assert said.startswith("--on auto: no cluster runs on this machine; is it running (ray start")


def test_an_address_that_is_silent_is_an_error_within_seconds(
    silent: subprocess.Popen[str],
) -> None:
    _, log = silent.communicate(timeout=JOIN + 20)
    assert f"no cluster answers within {JOIN:g} seconds" in log
