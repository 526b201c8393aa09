"""What runs a job: `python -P -m tools.specialists JOB`. With --train one of several processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

from tools.errors import SpecialistError
from tools.specialists.jobs import (
    ALIVE,
    GLANCE,
    NICE,
    OFFLINE,
    Job,
    Jobs,
    Stopped,
    is_first,
    remember_process,
    the_device,
)

ENDING = 60
"""Seconds for the process of a job that was stopped to end, when it is continued at once."""


def main() -> int:
    folder = Path(sys.argv[1])
    os.environ.update(OFFLINE)
    if "--train" in sys.argv:
        threading.Thread(target=_end_with, args=(int(sys.argv[-1]),), daemon=True).start()
        return _train(folder)
    from filelock import FileLock, Timeout

    try:
        only = FileLock(folder / ".lock").acquire(timeout=ENDING)
    except Timeout:
        Job(folder).ended("failed", f"another process has been at it for {ENDING} s; see log.txt")
        return 1
    with only:
        remember_process(folder, os.getpid())
        return _run(folder)


def _run(folder: Path) -> int:
    job = Job(folder)
    if hasattr(os, "nice"):
        os.nice(NICE)
    try:
        from tools.specialists.room import wait_for_room

        wait_for_room(job)  # before it has the device, which others can use meanwhile
        with the_device(Jobs(folder.parent.parent), job, "device"):
            if job.plan.processes > 1 and not job.plan.ray:
                code = subprocess.call(_launch(job))
                if code and job.reread().state in ALIVE:
                    job.reread().ended("failed", f"its processes ended with {code}; see log.txt")
                return code
            return _train(folder)
    except Stopped:
        job.ended("stopped", "before it began")
        return 0


def _end_with(pid: int) -> None:
    """A training goes on in no process once the job's own was killed: it could start again."""
    import psutil

    with contextlib.suppress(psutil.Error):
        job = psutil.Process(pid)
        while job.is_running() and job.status() != psutil.STATUS_ZOMBIE:
            time.sleep(GLANCE)
    os._exit(1)


def _launch(job: Job) -> list[str]:
    """accelerate starts the processes and tells each which one it is; torch does without GPUs,
    where accelerate would start but one."""
    import torch

    count, module = str(job.plan.processes), ("tools.specialists", str(job.folder), "--train")
    if not torch.cuda.is_available():
        return [
            *(sys.executable, "-P", "-m", "torch.distributed.run", "--standalone"),
            *("--nproc_per_node", count, "-m", *module, str(os.getpid())),
        ]
    return [
        *(sys.executable, "-P", "-m", "accelerate.commands.launch", "--multi_gpu"),
        *("--num_processes", count, "--num_machines", "1"),
        *("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"),
        *("--module", *module, str(os.getpid())),
    ]


def _train(folder: Path) -> int:
    job = Job(folder)
    from tools.specialists.registry import Registry

    try:
        if job.plan.ray:
            from tools.specialists import cluster

            cluster.run(job)
        else:
            from tools.specialists import training

            training.run(job, Registry(folder.parent.parent))
    except SpecialistError as error:
        job.ended("failed", str(error))
        return 1
    except Stopped:
        if is_first():  # another's word may come when it goes on already
            job.ended("stopped", f"a checkpoint is kept; tinsmith jobs continue {job.id} goes on")
    except Exception as error:
        traceback.print_exc()
        job.ended("failed", f"a bug, please report it with log.txt: {error!r}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
