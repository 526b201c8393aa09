"""Rows on a Ray cluster: workers that each hold the model, and what is done when one is lost.

with joined("ray://head:10001", None) as ray, hired(ray, order, None, batch.left, tell) as lanes:
    batch.run(lanes)

A row whose worker is lost is run again on another, so what its tools had done by then is done
twice; its result is there once.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from agent import app
from agent.errors import EngineError, UsageError
from agent.settings import Settings
from agent.tasks.envelope import Envelope, Reason
from agent.tasks.lanes import Job
from agent.tasks.rows import Row
from agent.tasks.worker import Loaded, Order, Refused, Worker

TRIES = 3
"""So often a row's worker may be lost, the last time with no other row beside it; then the row is
held to be the reason."""
BARREN = 3
"""So many workers in a row may be lost before they have loaded the model."""
ARRIVE = 90.0
"""Seconds for the cluster to start one worker at least; loading the model is not among them."""
LEAVE = 5.0
"""Seconds for rows to end when they are told to, and for workers to free what they hold."""
GLANCE = 0.2
"""Seconds between two looks at whether the user wants no more."""

NONE_THERE = (
    "the machines of the cluster have no Tinsmith, or an older one; install the same on each: "
    "pip install 'tinsmith[cluster]'"
)


@dataclass(eq=False)
class _Hired:
    actor: Any
    place: str = ""
    """The machine and the process; "" until it runs."""
    lanes: int = 0
    """Rows that it takes at once; none until the model is loaded."""
    rows: int = 0
    """That it has; some wait there, so that no lane waits for the way here and back."""
    is_alone: bool = False
    """With a row that may be the reason why workers are lost, and with no other."""

    @property
    def most(self) -> int:
        return self.lanes + math.ceil(self.lanes / 2)


@dataclass(frozen=True)
class _Asked:
    worker: _Hired
    what: str
    """where, load or run"""
    job: Job | None = None


class Cluster:
    """`Lanes` of a cluster. Made by `hired`."""

    def __init__(
        self,
        ray: Any,
        order: Order,
        workers: int,
        share: dict[str, float],
        tell: Callable[[str], None],
    ) -> None:
        self.model = ""
        self.count = workers * order.lanes
        self._ray = ray
        self._order = order
        self._tell = tell
        self._actors = ray.remote(Worker).options(
            max_concurrency=2 * order.lanes + 1,  # for rows, those that wait, and `stop`
            max_restarts=0,  # a lost one is replaced here, where its rows are known
            scheduling_strategy="SPREAD",
            **share,
        )
        self._sent = ray.put(order)
        self._workers: list[_Hired] = []
        self._asked: dict[Any, _Asked] = {}
        self._again: deque[Job] = deque()
        """Rows whose worker was lost."""
        self._suspects: deque[Job] = deque()
        """Rows whose worker was lost so often that they are run alone."""
        self._lost: dict[int, int] = {}
        """By number of a row, how often its worker was lost."""
        self._barren = 0
        self._basis = ""
        self._refused: Refused | None = None
        self._last_seen = time.monotonic()
        """When a worker was there last."""
        self._stopped = threading.Event()
        self._until: float | None = None
        """When rows are no longer waited for."""
        for _ in range(workers):
            self._hire()

    def load(self, workers: int = 1) -> None:
        """Until so many have loaded the model. Raises UsageError, EngineError."""
        while sum(one.lanes > 0 for one in self._workers) < workers:
            for _ in self._ended():
                pass

    def run(self, jobs: Iterator[Job]) -> Iterator[tuple[Row, Envelope]]:
        more = True
        while True:
            if self._stopped.is_set():
                yield from self._wind_up()
            else:
                more = self._give(jobs, more)
            if not (self._again or self._suspects or self._is_running()):
                if more and not self._stopped.is_set():
                    yield from self._ended()  # nobody is there yet who could take one
                    continue
                return
            yield from self._ended()

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        """What the workers hold is freed; whoever does not answer is ended."""
        gone = [one.actor.close.remote() for one in self._workers if one.lanes]
        with suppress(Exception):  # the cluster itself may be gone
            if gone:
                self._ray.wait(gone, num_returns=len(gone), timeout=LEAVE)
            for one in self._workers:
                self._ray.kill(one.actor)

    def _hire(self) -> None:
        worker = _Hired(self._actors.remote())
        self._workers.append(worker)
        self._asked[worker.actor.where.remote()] = _Asked(worker, "where")

    def _give(self, jobs: Iterator[Job], more: bool) -> bool:
        """Rows to all who have room; gives whether there may be more of them."""
        ready = [one for one in self._workers if one.lanes]
        kept = next((one for one in ready if one.is_alone), next(iter(ready), None))
        for worker in ready:
            if self._suspects and worker is kept:  # it takes no others until it has run them
                if not worker.rows:
                    worker.is_alone = True
                    self._run(worker, self._suspects.popleft())
                continue
            while not worker.is_alone and worker.rows < worker.most:
                job = self._again.popleft() if self._again else next(jobs, None) if more else None
                if job is None:
                    more = False
                    break
                self._run(worker, job)
        return more

    def _run(self, worker: _Hired, job: Job) -> None:
        worker.rows += 1
        self._asked[worker.actor.run.remote(job[1])] = _Asked(worker, "run", job)

    def _is_running(self) -> bool:
        return any(asked.job is not None for asked in self._asked.values())

    def _ended(self) -> Iterator[tuple[Row, Envelope]]:
        """What has come, after waiting a little for it."""
        self._refuse_nobody()
        try:
            ended, _ = self._ray.wait(list(self._asked), timeout=GLANCE)
        except ConnectionError as error:  # of ray://; else Ray ends this process after a minute
            raise EngineError(
                "the cluster does not answer any more; what is finished is kept, and the same "
                "command goes on"
            ) from error
        for ref in ended:
            asked = self._asked.pop(ref)
            try:
                answer = self._ray.get(ref)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause or error from error  # a bug
            except self._ray.exceptions.RayError as error:
                self._asked[ref] = asked
                yield from self._lose(asked.worker, error)
                continue
            yield from self._heard(asked, answer)

    def _heard(self, asked: _Asked, answer: Any) -> Iterator[tuple[Row, Envelope]]:
        worker = asked.worker
        if asked.job is not None:
            worker.rows -= 1
            worker.is_alone = False
            self._lost.pop(asked.job[0].number, None)
            yield asked.job[0], answer
        elif asked.what == "where":
            worker.place = answer
            self._asked[worker.actor.load.remote(self._sent)] = _Asked(worker, "load")
        elif isinstance(answer, Refused):
            self._refuse(worker, answer)
        else:
            self._welcome(worker, answer)

    def _welcome(self, worker: _Hired, loaded: Loaded) -> None:
        self._barren = 0
        self.model = self.model or loaded.model
        self._basis = self._basis or loaded.basis
        if (loaded.model, loaded.basis) != (self.model, self._basis):
            what = "prompts or weights" if loaded.model == self.model else loaded.model
            why = f"it has other {what} than the worker that came first"
            self._refuse(worker, Refused(why, is_usage=True))
            return
        worker.lanes = loaded.lanes

    def _refuse(self, worker: _Hired, why: Refused) -> None:
        """It cannot do the work; the others can."""
        self._refused = replace(why, error=f"worker ({worker.place}): {why.error}")
        self._workers.remove(worker)
        self._ray.kill(worker.actor)
        if self._workers:
            self._tell(f"{self._refused.error}; the others go on")

    def _refuse_nobody(self) -> None:
        """Raises UsageError, EngineError when there is no worker, and none will come."""
        if not self._workers:
            if self._refused is not None:
                raise (UsageError if self._refused.is_usage else EngineError)(self._refused.error)
            raise EngineError(
                "no worker is left: the last ones were lost while they loaded the model (not "
                "enough memory?); what is finished is kept"
            )
        if any(one.place for one in self._workers):
            self._last_seen = time.monotonic()
        elif time.monotonic() - self._last_seen > ARRIVE:
            raise EngineError(
                f"the cluster has started no worker within {ARRIVE:g} seconds; others may hold its "
                "processors (see: ray status)"
            )

    def _lose(self, worker: _Hired, error: Exception) -> Iterator[tuple[Row, Envelope]]:
        """Its rows go back, and another worker is hired."""
        self._workers.remove(worker)
        with suppress(Exception):  # it may only be out of reach
            self._ray.kill(worker.actor)
        theirs = [(ref, one) for ref, one in self._asked.items() if one.worker is worker]
        jobs = [asked.job for _, asked in theirs if asked.job is not None]
        for ref, _ in theirs:
            del self._asked[ref]
        if "ModuleNotFoundError" in str(error):
            self._refused = Refused(NONE_THERE, is_usage=True)
            return
        for job in jobs:
            yield from self._send_back(job)
        if not self._stopped.is_set():
            came = f"; {len(jobs)} of its rows begin again" if jobs else ""
            self._tell(f"a worker was lost ({worker.place or 'before it began'}){came}")
            self._barren += not worker.lanes
            if self._barren < BARREN:
                self._hire()

    def _send_back(self, job: Job) -> Iterator[tuple[Row, Envelope]]:
        number = job[0].number
        lost = self._lost[number] = self._lost.get(number, 0) + 1
        if lost < TRIES:
            (self._suspects if lost == TRIES - 1 else self._again).append(job)
        else:
            said = f"the worker that ran it was lost {lost} times"
            yield job[0], self._undone(job, "failed", said)

    def _wind_up(self) -> Iterator[tuple[Row, Envelope]]:
        """The rows that wait are not done; those that are under way are told to end."""
        while self._again or self._suspects:
            job = (self._again or self._suspects).popleft()
            yield job[0], self._undone(job, "interrupted", "interrupted")
        if self._until is None:
            self._until = time.monotonic() + LEAVE
            for worker in self._workers:
                if worker.rows:
                    worker.actor.stop.remote()
        elif time.monotonic() > self._until:
            late = [one.job for one in self._asked.values() if one.job is not None]
            self._asked.clear()
            for job in late:
                yield job[0], self._undone(job, "interrupted", "interrupted")

    def _undone(self, job: Job, reason: Reason, error: str) -> Envelope:
        task = self._order.task
        return Envelope(
            task.name, task.hash, dict(job[1]), reason=reason, error=error, model=self.model
        )


@contextmanager
def hired(
    ray: Any, order: Order, workers: int | None, rows: int, tell: Callable[[str], None]
) -> Iterator[Cluster]:
    """`workers`: None for as many as the cluster is made for, but never more than there are `rows`.

    Raises UsageError, EngineError when no worker can load the model.
    """
    settings = order.settings
    if app.is_local(settings) and settings.engine != "scripted" and not settings.model:
        order = replace(order, settings=replace(settings, model=app.default_model()))
    nodes = [one["Resources"] for one in ray.nodes() if one["Alive"]]
    nodes = [one for one in nodes if one.get("CPU", 0) >= 1]
    if not nodes:
        raise EngineError("no machine of the cluster has a processor for a worker")
    count = min(workers or _usual(order.settings, nodes), rows)
    try:
        cluster = Cluster(ray, order, count, _share(order.settings, nodes, count), tell)
    except ImportError as error:  # Ray's client sends back what its server raises
        raise UsageError(NONE_THERE) from error
    try:
        cluster.load()
        yield cluster
    finally:
        cluster.close()


def _is_on_gpus(settings: Settings, nodes: list[dict[str, float]]) -> bool:
    local = app.is_local(settings) and settings.engine != "scripted" and settings.device == "auto"
    return local and any(one.get("GPU") for one in nodes)


def _usual(settings: Settings, nodes: list[dict[str, float]]) -> int:
    """One worker for each GPU; without any, for each machine; where they only wait for a server,
    for each processor."""
    if _is_on_gpus(settings, nodes):
        return int(sum(one.get("GPU", 0) for one in nodes))
    if app.is_local(settings) and settings.engine != "scripted":
        return len(nodes)
    return int(sum(one["CPU"] for one in nodes))


def _share(settings: Settings, nodes: list[dict[str, float]], count: int) -> dict[str, float]:
    """What a worker is given of a machine. Ray lets it have no more threads than processors."""
    share = min(one["CPU"] for one in nodes) / math.ceil(count / len(nodes))
    share = float(math.floor(share)) if share >= 1 else math.floor(share * 1e4) / 1e4
    if _is_on_gpus(settings, nodes):
        return {"num_gpus": 1, "num_cpus": min(1.0, share)}
    if app.is_local(settings) and settings.engine != "scripted":
        return {"num_cpus": share}
    return {"num_cpus": min(1.0, share)}
