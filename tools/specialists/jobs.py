"""Training as a job: a process of its own that outlives the terminal.

A job is a folder of `jobs/` in the state folder:

    job.json        the plan and how it stands; written by the job alone, once it runs
    process.json    which process it is: a number, and when that process was made
    metrics.jsonl   a line for each second or so: step, loss, rows a second, held-out scores
    log.txt         what it and its libraries print
    checkpoints/    from which it goes on
    stop            there when it is to save a checkpoint and end
    begin           there when it is not to wait for memory

Whether it lives is asked of the operating system, so `kill -9` needs no cleaning up: such a job is
"interrupted", and `go_on` continues from its last checkpoint. One job at a time has the device;
the others wait, the oldest first.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tools.errors import SpecialistError, UnknownSpecialist
from tools.quiet import QUIET
from tools.specialists.plan import Plan, from_json
from tools.storage import locked, size_of, write_atomically

State = Literal["waiting", "running", "done", "failed", "stopped", "interrupted"]
ALIVE: tuple[State, ...] = ("waiting", "running")
GLANCE = 0.5
"""Seconds between two looks at whether the device is free."""
OFFLINE = QUIET | {
    "RAY_USAGE_STATS_ENABLED": "0",
    # threads that wait by spinning make both three times as slow where a talk goes on beside it
    "OMP_WAIT_POLICY": "PASSIVE",
}
NICE = 10
"""The talk goes first, where both want the processor."""


class Stopped(Exception):
    """The user stopped the job."""


@dataclass(frozen=True)
class Progress:
    step: int = 0
    of: int = 0
    """Steps of the whole training, should it not end early."""
    rows_per_second: float = 0.0
    left: float | None = None
    """Seconds, of training alone."""
    seconds: float = 0.0
    loss: float | None = None
    held: Mapping[str, float] | None = None
    """What was last measured on the held-out rows."""


class Job:
    """One job, as its folder tells."""

    def __init__(self, folder: Path) -> None:
        """Raises SpecialistError when the folder's job.json is not one."""
        self.folder = folder
        self._kept = self._read()
        self.plan: Plan = from_json(self._kept.get("plan"), str(folder / "job.json"))

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def state(self) -> State:
        said: State = self._kept["state"]
        if said in ALIVE and not self.is_alive:
            return "interrupted"
        return said

    @property
    def stage(self) -> str:
        """What it is doing, or why it ended."""
        return str(self._kept.get("stage", ""))

    @property
    def version(self) -> int:
        """The version that came of it; 0: none yet."""
        return int(self._kept.get("version", 0))

    @property
    def created(self) -> str:
        """ISO 8601, UTC."""
        return str(self._kept["created"])

    @property
    def is_alive(self) -> bool:
        import psutil

        try:
            known = json.loads((self.folder / "process.json").read_text("utf-8"))
            process = psutil.Process(known["pid"])
            return (
                abs(process.create_time() - known["made"]) < 2
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except (OSError, ValueError, KeyError, TypeError, psutil.Error):
            return False

    @property
    def is_to_stop(self) -> bool:
        return (self.folder / "stop").exists()

    @property
    def is_to_begin(self) -> bool:
        return (self.folder / "begin").exists()

    @property
    def waits_for_memory(self) -> bool:
        return self.state == "waiting" and self.stage.startswith("waiting for memory")

    def progress(self) -> Progress:
        now: dict[str, Any] = {}
        held: dict[str, float] = {}
        for line in self.metrics():
            now |= line
            held = {k[5:]: v for k, v in line.items() if k.startswith("held_")} or held
        return Progress(
            step=int(now.get("step", 0)),
            of=int(now.get("of", 0)),
            rows_per_second=float(now.get("rows_per_second", 0)),
            left=now.get("left"),
            seconds=float(now.get("seconds", 0)),
            loss=now.get("loss"),
            held=held or None,
        )

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; one that was not finished is left out."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for line in (self.folder / "metrics.jsonl").read_text("utf-8").splitlines():
                with contextlib.suppress(ValueError):
                    found.append(json.loads(line))
        return found

    def reread(self) -> Job:
        return Job(self.folder)

    # what follows is for the process that runs the job

    def say(self, stage: str) -> None:
        _log(stage)
        if is_first():
            self._keep(stage=stage, state="running")

    def waits(self, for_whom: str) -> None:
        self._keep(stage=f"waiting for {for_whom}", state="waiting")

    def ended(self, state: State, stage: str) -> None:
        _log(f"{state}: {stage}")
        self._keep(state=state, stage=stage)

    def made(self, version: int) -> None:
        """The version is registered: who goes on from here has only to end."""
        self._keep(version=version)

    def done(self, stage: str) -> None:
        self.ended("done", stage)
        shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)

    def write(self, line: Mapping[str, Any]) -> None:
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def seconds_at(self, step: int) -> float:
        """Of training, up to this step."""
        return max(
            (
                float(line["seconds"])
                for line in self.metrics()
                if "seconds" in line and line.get("step", 0) <= step
            ),
            default=0.0,
        )

    def forget_after(self, step: int) -> None:
        """What was written of steps that are now made again."""
        kept = [line for line in self.metrics() if line.get("step", 0) <= step]
        if is_first():
            text = "".join(json.dumps(line) + "\n" for line in kept)
            write_atomically(self.folder / "metrics.jsonl", text)

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Says what a full disk means. Raises SpecialistError."""
        from safetensors import SafetensorError

        try:
            yield
        except (OSError, SafetensorError, RuntimeError) as error:
            if not _is_full(error):
                raise
            shutil.rmtree(self.folder / "specialist", ignore_errors=True)  # not whole
            free = shutil.disk_usage(self.folder).free
            raise SpecialistError(
                f"the disk of {self.folder} is full ({free / 1e6:.0f} MB are free); make room and "
                f"go on with: tinsmith jobs continue {self.id}"
            ) from error

    def draw(self, folder: Path) -> None:
        """Learning curves as `curves.png` in `folder`."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for name, (steps, values) in curves(self.metrics()).items():
            place = axes if name.endswith("loss") else _right_of(axes)
            style = "-" if name == "loss" else "o-"
            place.plot(steps, values, style, label=name, color=COLOURS.get(name, "tab:green"))
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        figure.legend(loc="outside upper center", ncols=4)
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / "curves.png", dpi=120)

    def _read(self) -> dict[str, Any]:
        place = self.folder / "job.json"
        try:
            kept = json.loads(place.read_text("utf-8"))
        except FileNotFoundError as error:
            raise UnknownSpecialist(f"{self.folder.name} is no job") from error
        except (OSError, ValueError) as error:
            raise SpecialistError(
                f"{place} cannot be read: {error}; tinsmith jobs rm {self.folder.name} removes it"
            ) from error
        if (
            not isinstance(kept, dict)
            or kept.get("state") not in (*ALIVE, "done", "failed", "stopped")
            or not isinstance(kept.get("created"), str)
            or type(kept.get("version", 0)) is not int
        ):
            raise SpecialistError(
                f"{place} is not a job's; tinsmith jobs rm {self.folder.name} removes it"
            )
        return kept

    def _keep(self, **facts: Any) -> None:
        if not self.folder.is_dir():
            raise UnknownSpecialist(f"{self.id} was removed")
        self._kept |= facts
        write_atomically(self.folder / "job.json", json.dumps(self._kept, indent=1))


COLOURS = {"loss": "tab:blue", "held loss": "tab:orange"}


class Jobs:
    """All jobs of a state folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.place = home / "jobs"

    def all(self) -> list[Job]:
        """The oldest first. What cannot be read is left out; see `broken`."""
        return sorted(self._readable(), key=lambda job: (job.created, job.id))

    def broken(self) -> list[str]:
        """Why jobs cannot be read."""
        return [why for why in (self._why_not(folder) for folder in self._folders()) if why]

    def job(self, id: str) -> Job:
        """Raises UnknownSpecialist, SpecialistError."""
        return Job(self._folder(id))

    def start(self, plan: Plan) -> Job:
        """A new job in a process of its own."""
        folder = self._new(plan.name)
        made = datetime.now(UTC).isoformat(timespec="milliseconds")
        stage = f"waiting for {memory_of(plan)}" if plan.memory else "starting"
        first = {"plan": plan.as_json(), "state": "waiting", "created": made, "stage": stage}
        write_atomically(folder / "job.json", json.dumps(first, indent=1))
        return self._spawn(folder)

    def stop(self, id: str) -> Job:
        """Ask it to save a checkpoint and end. Raises SpecialistError when it does not run."""
        folder = self._folder(id)
        with self._changing(folder):
            job = Job(folder)
            if job.state not in ALIVE:
                raise SpecialistError(f"{id} does not run; it is {job.state}")
            (folder / "stop").touch()
        return job

    def begin(self, id: str) -> Job:
        """Do not wait for memory. Raises SpecialistError when it does not."""
        folder = self._folder(id)
        with self._changing(folder):
            job = Job(folder)
            if not job.waits_for_memory:
                raise SpecialistError(f"{id} does not wait for memory; it is {job.state}")
            (folder / "begin").touch()
        return job

    def go_on(self, id: str) -> Job:
        """From the last checkpoint. Raises SpecialistError when it runs, is done or has no base."""
        folder = self._folder(id)
        with self._changing(folder):
            job = Job(folder)
            if job.state in ALIVE and job.is_to_stop:
                raise SpecialistError(f"{id} is still stopping; try again when it has stopped")
            if job.state in (*ALIVE, "done"):
                raise SpecialistError(f"{id} is {job.state}; there is nothing to continue")
            refuse_without_base(job)
            for wish in ("stop", "begin"):
                (folder / wish).unlink(missing_ok=True)
            job._keep(state="waiting", stage="starting")
            return self._spawn(folder)

    def remove(self, id: str) -> int:
        """Delete its folder, not what came of it; gives the bytes freed."""
        folder = self._folder(id)
        gone = folder.with_name(f".{id}.{secrets.token_hex(4)}")
        with self._changing(folder):
            try:
                runs = Job(folder).state in ALIVE
            except SpecialistError:
                runs = False  # a job.json that cannot be read is a reason to remove it
            if runs:
                raise SpecialistError(f"{id} runs; stop it first: tinsmith jobs stop {id}")
            size = size_of(folder)
            folder.rename(gone)  # at once: half a job is none
        shutil.rmtree(gone)
        return size

    def _changing(self, folder: Path) -> AbstractContextManager[None]:
        """Held so that two programs do not continue, stop or remove a job at the same time."""
        return locked(self.place / folder.name)

    def _folder(self, id: str) -> Path:
        there = [folder.name for folder in self._folders()]
        if id in there:
            return self.place / id
        near = difflib.get_close_matches(id, there, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(there) or 'none'}"
        raise UnknownSpecialist(f"no job named {id!r}; {hint}")

    def _readable(self) -> Iterator[Job]:
        for folder in self._folders():
            with contextlib.suppress(SpecialistError):
                yield Job(folder)

    def _why_not(self, folder: Path) -> str:
        try:
            Job(folder)
        except SpecialistError as error:
            return str(error)
        return ""

    def _folders(self) -> list[Path]:
        if not self.place.is_dir():
            return []
        return sorted(
            one for one in self.place.iterdir() if one.is_dir() and not one.name.startswith(".")
        )

    def _new(self, name: str) -> Path:
        self.place.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            folder = self.place / f"{name}-{number}"
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
            else:
                return folder

    def _spawn(self, folder: Path) -> Job:
        with (folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tools.specialists", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | OFFLINE,
                start_new_session=True,  # a Ctrl-C, and the terminal's end, are not for it
            )
        remember_process(folder, process.pid)
        return Job(folder)


def memory_of(plan: Plan) -> str:
    return f"memory: {plan.memory / 1e9:.1f} GB are needed"


def refuse_without_base(job: Job) -> None:
    """Raises SpecialistError when what the job trains was removed."""
    if not Path(job.plan.base_path, "config.json").is_file():
        raise SpecialistError(
            f"{job.plan.base}, the base of {job.id}, is not at {job.plan.base_path} any more; "
            f"bring it back, then: tinsmith jobs continue {job.id}"
        )


def remember_process(folder: Path, pid: int) -> None:
    import psutil

    with contextlib.suppress(psutil.Error):  # it has ended already
        made = psutil.Process(pid).create_time()
        write_atomically(folder / "process.json", json.dumps({"pid": pid, "made": made}))


@contextlib.contextmanager
def the_device(jobs: Jobs, job: Job, device: str) -> Iterator[None]:
    """Held while the job runs. Waits for its turn; raises Stopped."""
    from filelock import FileLock, Timeout

    lock = FileLock(jobs.place / f".{device}.lock")
    while True:
        others = [
            one
            for one in jobs.all()
            if one.id != job.id and one.state in ALIVE and not one.waits_for_memory
        ]
        before = [one.id for one in others if (one.created, one.id) < (job.created, job.id)]
        if not before:
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:  # a younger one runs, when this one was continued
                before = [one.id for one in others if one.state == "running"] or ["another program"]
        if job.stage != f"waiting for {before[0]}":
            job.waits(before[0])
        if job.is_to_stop:
            raise Stopped
        time.sleep(GLANCE)
    try:
        yield
    finally:
        lock.release()


def curves(lines: Sequence[Mapping[str, Any]]) -> dict[str, tuple[list[int], list[float]]]:
    """Steps and values of the loss, and of what was measured on the held-out rows."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    for line in lines:
        for key, value in line.items():
            if key == "loss" or key.startswith("held_"):
                steps, values = found.setdefault(key.replace("_", " "), ([], []))
                steps.append(int(line["step"]))
                values.append(float(value))
    return found


def _right_of(axes: Any) -> Any:
    """A second scale for shares, from 0 to 1."""
    twins = [one for one in axes.figure.axes if one is not axes]
    if twins:
        return twins[0]
    twin = axes.twinx()
    twin.set_ylim(0, 1)
    return twin


def _log(line: str) -> None:
    """The process's standard output is log.txt."""
    sys.stdout.write(f"[{datetime.now(UTC).isoformat(timespec='seconds')}] {line}\n")
    sys.stdout.flush()


def is_first() -> bool:
    """Of the processes that train together."""
    return os.environ.get("RANK", "0") == "0"


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in (27, 28, 122)  # file too large, no space, over quota
    return any(f"os error {number}" in str(error) for number in (27, 28, 122)) or (
        "PytorchStreamWriter failed" in str(error) or "unexpected pos" in str(error)
    )
