from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import small
from tools.errors import SpecialistError, UnknownSpecialist
from tools.specialists.jobs import ALIVE, Job, Jobs, Stopped, curves, the_device
from tools.specialists.plan import Plan
from tools.specialists.registry import Registry
from tools.specialists.room import wait_for_room

LIMIT = 150.0
"""Seconds until a test that waits for a job fails; on an idle machine all takes a few."""
EPOCHS = 4
STEPS = 9
"""Of an epoch."""


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # so small a model is quicker with one
        yield


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.bert(tmp_path_factory.mktemp("base"), hidden_size=64)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write(tmp_path_factory.mktemp("data") / "topics.jsonl", small.rows("classifier"))


@pytest.fixture
def plan(base: Path, data: Path) -> Callable[..., Plan]:
    def make(**changes: Any) -> Plan:
        facts: dict[str, Any] = {
            "name": "topics",
            "task": "classifier",
            "data": str(data),
            "base": "small",
            "base_path": str(base),
            "epochs": EPOCHS,
            "batch": 16,
            "rate": 3.5e-3,
            "length": 40,
        }
        return Plan(**facts | changes)

    return make


@pytest.fixture
def jobs(state: Path) -> Iterator[Jobs]:
    made = Jobs(state)
    yield made
    for job in made.all():
        if job.is_alive:
            kill(job)


def kill(job: Job) -> None:
    pid = json.loads((job.folder / "process.json").read_text())["pid"]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    until(lambda: not job.is_alive, job)


def until(there: Callable[[], Any], job: Job) -> None:
    begin = time.monotonic()
    while not there():
        if time.monotonic() - begin > LIMIT:
            log = (job.folder / "log.txt").read_text()[-3000:]
            pytest.fail(f"{job.id} is {job.reread().state}: {job.reread().stage}\n{log}")
        time.sleep(0.02)


def ended(job: Job) -> Job:
    until(lambda: job.reread().state not in ALIVE, job)
    return job.reread()


def stage(jobs: Jobs, id: str) -> str:
    """Empty when it has ended."""
    job = jobs.job(id)
    return job.stage if job.state in ALIVE else ""


def weights(jobs: Jobs, job: Job) -> str:
    assert job.state == "done", (job.stage, (job.folder / "log.txt").read_text()[-3000:])
    folder = Registry(jobs.home).folder(job.plan.name, job.version)
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def undisturbed(
    base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[Any]]:
    """The weights of a job that was never stopped, and what it measured after each epoch."""
    jobs = Jobs(tmp_path_factory.mktemp("undisturbed"))
    plan = Plan("topics", "classifier", str(data), base="small", base_path=str(base))
    settings = {"epochs": EPOCHS, "batch": 16, "rate": 3.5e-3, "length": 40}
    job = ended(jobs.start(Plan(**plan.as_json() | settings)))
    return weights(jobs, job), held(job)


def held(job: Job) -> list[Any]:
    return [(x["step"], x["held_loss"]) for x in job.metrics() if "held_loss" in x]


def paused(
    jobs: Jobs, plan: Plan, at: int, then: str, monkeypatch: pytest.MonkeyPatch, where: str = ""
) -> Job:
    """A job whose process does something to itself at a step, as another would from outside."""
    monkeypatch.setenv("TEST_AT", f"{at} {then} {where}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "disturbed"))
    job = jobs.start(plan)
    monkeypatch.delenv("TEST_AT")
    return job


def test_a_job_trains_measures_and_registers(
    jobs: Jobs, plan: Callable[..., Plan], undisturbed: tuple[str, list[Any]]
) -> None:
    job = ended(jobs.start(plan()))
    assert weights(jobs, job) == undisturbed[0]
    until(lambda: not job.is_alive, job)
    assert not (job.folder / "checkpoints").exists()
    one = Registry(jobs.home).manifest("topics", 1)
    assert (one.rows + one.held_rows, one.base, one.seconds > 0) == (160, "small", True)
    now = job.progress()
    assert now.held
    assert now.held["accuracy"] > 0.6
    assert (Registry(jobs.home).folder("topics", 1) / "curves.png").exists()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_job_killed_at_any_moment_goes_on_to_the_same_weights(
    jobs: Jobs,
    plan: Callable[..., Plan],
    undisturbed: tuple[str, list[Any]],
    seed: int,
) -> None:
    chance = random.Random(seed)
    job = jobs.start(plan())
    for _ in range(2):
        until(lambda: stage(jobs, job.id) in ("training", ""), job)  # noqa: B023
        wanted = chance.choice(["", *(f"checkpoint-{STEPS * n}" for n in (1, 2, 3))])
        place = job.folder / "checkpoints" / wanted
        until(lambda: place.exists() or not stage(jobs, job.id), job)  # noqa: B023
        time.sleep(chance.random() * 0.15)
        if job.reread().state not in ALIVE:
            break
        kill(job)
        assert job.reread().state == "interrupted"
        job = jobs.go_on(job.id)
    job = ended(job)
    assert (weights(jobs, job), held(job)) == undisturbed


def test_a_stopped_job_goes_on_to_the_same_weights(
    jobs: Jobs,
    plan: Callable[..., Plan],
    undisturbed: tuple[str, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # within an epoch, at the end of one, and at the last step of all
    job = paused(jobs, plan(), 13, "stop", monkeypatch)
    for at in (2 * STEPS, EPOCHS * STEPS, 0):
        job = ended(job)
        assert job.state == "stopped", job.stage
        assert "jobs continue topics-1" in job.stage
        assert any((job.folder / "checkpoints").iterdir())
        if at:
            monkeypatch.setenv("TEST_AT", f"{at} stop")
        job = jobs.go_on(job.id)
        monkeypatch.delenv("TEST_AT", raising=False)
    job = ended(job)
    assert (weights(jobs, job), held(job)) == undisturbed


def test_a_training_that_ended_early_ends_there_again(
    jobs: Jobs, plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    poor = plan(rate=1e-8, epochs=9)  # nothing gets better
    job = ended(paused(jobs, poor, 0, "die", monkeypatch, "measuring"))
    assert job.state == "interrupted"
    before = held(job)
    assert len(before) < 9
    job = ended(jobs.go_on(job.id))
    assert job.state == "done", job.stage
    assert held(job) == before


@pytest.mark.parametrize("what", ["model.safetensors", "trainer_state.json"])
def test_a_kill_between_the_files_of_a_checkpoint_costs_nothing_but_time(
    jobs: Jobs,
    plan: Callable[..., Plan],
    undisturbed: tuple[str, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    job = ended(paused(jobs, plan(), 2 * STEPS, "die", monkeypatch, what))
    assert job.state == "interrupted"
    assert (job.folder / f"checkpoints/checkpoint-{2 * STEPS}").exists()
    job = ended(jobs.go_on(job.id))
    assert (weights(jobs, job), held(job)) == undisturbed


def test_a_full_disk_is_said_and_the_job_goes_on_when_there_is_room(
    jobs: Jobs,
    plan: Callable[..., Plan],
    undisturbed: tuple[str, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = ended(paused(jobs, plan(), STEPS + 1, "full", monkeypatch))
    assert job.state == "failed"
    assert f"the disk of {job.folder} is full" in job.stage
    assert "tinsmith jobs continue topics-1" in job.stage
    assert [one.name for one in (job.folder / "checkpoints").iterdir()] == [f"checkpoint-{STEPS}"]
    job = ended(jobs.go_on(job.id))
    assert (weights(jobs, job), held(job)) == undisturbed


def test_the_end_of_who_started_it_does_not_end_a_job(
    jobs: Jobs, plan: Callable[..., Plan], tmp_path: Path
) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(plan(epochs=1).as_json()))
    code = (
        "import json, os, sys; from pathlib import Path\n"
        "from tools.specialists.jobs import Jobs; from tools.specialists.plan import Plan\n"
        "Jobs(Path(sys.argv[1])).start(Plan(**json.loads(Path(sys.argv[2]).read_text())))\n"
        "os.killpg(0, 9)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(jobs.home), str(tmp_path / "plan.json")],
        start_new_session=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    assert ended(jobs.job("topics-1")).state == "done"


def test_a_second_job_waits_for_the_first(jobs: Jobs, plan: Callable[..., Plan]) -> None:
    first = jobs.start(plan(epochs=2))
    second = jobs.start(plan(epochs=1))
    third = jobs.start(plan(epochs=1))
    until(lambda: second.reread().stage == f"waiting for {first.id}", second)
    assert second.reread().state == "waiting"
    assert first.reread().is_alive
    jobs.stop(third.id)
    assert ended(third).stage == "before it began"
    assert ended(first).state == "done"
    assert ended(second).state == "done"
    assert (first.reread().version, second.reread().version) == (1, 2)


def test_a_bug_is_in_the_log(jobs: Jobs, plan: Callable[..., Plan], base: Path) -> None:
    job = ended(jobs.start(plan(columns={"text": "text", "label": "label"}, batch=-1)))
    assert job.state == "failed"
    assert "a bug, please report it with log.txt" in job.stage
    assert "Traceback" in (job.folder / "log.txt").read_text()


def test_a_base_that_is_gone_is_a_sentence(jobs: Jobs, plan: Callable[..., Plan]) -> None:
    job = ended(jobs.start(plan(base_path="/nowhere")))
    assert (job.state, "/nowhere" in job.stage) == ("failed", True)
    assert "a bug" not in job.stage


def test_a_damaged_job_is_named_and_can_be_removed(jobs: Jobs) -> None:
    for id, text in (("a-1", "{"), ("b-1", "[]"), ("c-1", '{"state": "asleep"}')):
        folder = jobs.place / id
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(text)
    assert jobs.all() == []
    assert len(jobs.broken()) == 3
    for id, why in zip("abc", jobs.broken(), strict=True):
        assert f"tinsmith jobs rm {id}-1 removes it" in why
    with pytest.raises(SpecialistError, match="tinsmith jobs rm a-1 removes it"):
        jobs.job("a-1")
    assert jobs.remove("a-1") == 1
    with pytest.raises(UnknownSpecialist, match="did you mean b-1"):
        jobs.job("b1")


def test_a_job_that_runs_is_not_removed(jobs: Jobs, plan: Callable[..., Plan]) -> None:
    made = _job(jobs, plan(), "running")
    (made.folder / "process.json").write_text(
        json.dumps({"pid": os.getpid(), "made": psutil.Process().create_time()})
    )
    with pytest.raises(SpecialistError, match="stop it first"):
        jobs.remove(made.id)
    with pytest.raises(SpecialistError, match="nothing to continue"):
        jobs.go_on(made.id)
    (made.folder / "process.json").unlink()
    with pytest.raises(SpecialistError, match="does not run; it is interrupted"):
        jobs.stop(made.id)
    jobs.remove(made.id)
    assert jobs.all() == []
    assert [one.name for one in jobs.place.iterdir() if one.is_dir()] == []


def test_the_number_of_another_process_is_not_the_job(
    jobs: Jobs, plan: Callable[..., Plan]
) -> None:
    made = _job(jobs, plan(), "running")
    (made.folder / "process.json").write_text(json.dumps({"pid": os.getpid(), "made": 1.0}))
    assert made.state == "interrupted"


def test_a_waiting_job_hears_a_stop(jobs: Jobs, plan: Callable[..., Plan]) -> None:
    first, second = _job(jobs, plan(), "running"), _job(jobs, plan(), "waiting")
    with the_device(jobs, first, "device"):
        (second.folder / "stop").touch()
        with pytest.raises(Stopped), the_device(jobs, second, "device"):
            pass


def test_a_job_waits_for_memory_until_it_is_told_to_begin(
    jobs: Jobs, plan: Callable[..., Plan]
) -> None:
    job = jobs.start(plan(memory=1 << 60, epochs=1))
    assert ended(jobs.start(plan(epochs=1))).state == "done"  # another need not wait behind it
    assert job.reread().waits_for_memory
    assert "1152921504.6 GB are needed" in job.reread().stage
    assert "reading the examples" not in (job.folder / "log.txt").read_text()
    jobs.begin(job.id)
    assert ended(job).state == "done"
    with pytest.raises(SpecialistError, match="does not wait for memory"):
        jobs.begin(job.id)


def test_a_job_that_waits_for_memory_hears_a_stop(jobs: Jobs, plan: Callable[..., Plan]) -> None:
    job = jobs.start(plan(memory=1 << 60))
    until(lambda: job.reread().waits_for_memory, job)
    jobs.stop(job.id)
    assert ended(job).stage == "before it began"


def test_a_job_begins_when_there_is_room(jobs: Jobs, plan: Callable[..., Plan]) -> None:
    job = jobs.start(plan(memory=1 << 60))
    until(lambda: job.reread().waits_for_memory, job)
    kill(job)
    free = [1, 2, 3]
    wait_for_room(Waiting(job.folder), lambda: free.pop(0) << 60)
    assert free == [3]


class Waiting(Job):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.plan = replace(self.plan, memory=2 << 60)


def test_a_job_whose_base_was_removed_is_not_continued(
    jobs: Jobs, plan: Callable[..., Plan], base: Path, tmp_path: Path
) -> None:
    own = shutil.copytree(base, tmp_path / "own")
    job = jobs.start(plan(base="own", base_path=str(own), memory=1 << 60))
    until(lambda: job.reread().waits_for_memory, job)
    jobs.stop(job.id)
    ended(job)
    shutil.rmtree(own)
    with pytest.raises(SpecialistError, match="own, the base of topics-1, is not at"):
        jobs.go_on(job.id)
    assert jobs.job(job.id).state == "stopped"


def test_a_line_that_was_not_finished_is_left_out(jobs: Jobs, plan: Callable[..., Plan]) -> None:
    made = _job(jobs, plan(), "running")
    made.write({"step": 1, "of": 9, "loss": 2.0})
    made.write({"step": 2, "held_loss": 1.5})
    with (made.folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')
    now = made.progress()
    assert (now.step, now.of, now.loss, now.held) == (2, 9, 2.0, {"loss": 1.5})
    assert curves(made.metrics()) == {"loss": ([1], [2.0]), "held loss": ([2], [1.5])}
    made.forget_after(1)
    assert [line["step"] for line in made.metrics()] == [1]


def test_two_processes_train_stop_and_go_on(
    jobs: Jobs, plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ended(paused(jobs, plan(processes=2, batch=4), 8, "stop", monkeypatch))
    assert job.state == "stopped", (job.folder / "log.txt").read_text()[-3000:]
    job = ended(jobs.go_on(job.id))
    assert weights(jobs, job)
    assert [step for step, _ in held(job)] == [17, 34, 51, 68]  # of 132 rows, 8 at once


def test_no_process_outlives_a_killed_job_of_two(jobs: Jobs, plan: Callable[..., Plan]) -> None:
    job = jobs.start(plan(processes=2, epochs=500))
    until(lambda: job.progress().step, job)
    pid = json.loads((job.folder / "process.json").read_text())["pid"]
    children = psutil.Process(pid).children(recursive=True)
    psutil.Process(pid).kill()
    assert len(children) >= 2
    _, alive = psutil.wait_procs(children, timeout=LIMIT)
    assert not alive


def test_the_processes_may_be_those_of_ray(jobs: Jobs, plan: Callable[..., Plan]) -> None:
    pytest.importorskip("ray")
    job = ended(jobs.start(plan(processes=2, ray=True, epochs=1)))
    assert weights(jobs, job)
    assert [step for step, _ in held(job)] == [5]  # of 132 rows, 32 at once


def _job(jobs: Jobs, plan: Plan, state: str) -> Job:
    folder = jobs._new(plan.name)
    facts = {"plan": plan.as_json(), "state": state, "created": folder.name, "stage": ""}
    (folder / "job.json").write_text(json.dumps(facts))
    return Job(folder)
