"""The same job on a Ray cluster: Ray Train starts the processes, `training.run` is what they do.

The state folder and the examples have to be on a disk that all machines see. RAY_ADDRESS names the
cluster; without it the processes are of this machine.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tools.errors import PlanError, SpecialistError
from tools.specialists.jobs import OFFLINE, Job, Stopped
from tools.specialists.registry import Registry

STORE = 100 << 20
"""Bytes of memory for what Ray's processes share on this machine: next to nothing."""


def run(job: Job) -> None:
    """Raises SpecialistError, Stopped."""
    try:
        import ray
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
    except ImportError as error:
        raise PlanError("Ray is not installed: pip install 'tinsmith[cluster]'") from error
    import torch

    job.say("starting Ray")
    gpu = torch.cuda.is_available()
    address = os.environ.get("RAY_ADDRESS")
    ray.init(
        address=address,
        include_dashboard=False,
        runtime_env={"env_vars": dict(OFFLINE)},
        num_cpus=None if address else job.plan.processes + 1,
        object_store_memory=None if address else STORE,
    )
    try:
        TorchTrainer(
            _work,
            train_loop_config={"folder": str(job.folder)},
            scaling_config=ScalingConfig(num_workers=job.plan.processes, use_gpu=gpu),
            torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
            run_config=RunConfig(storage_path=str(job.folder / "ray")),
        ).fit()
    except ray.exceptions.RayError as error:
        raise _meant(error) from error
    finally:
        ray.shutdown()


def _work(config: dict[str, Any]) -> None:
    """In each process."""
    from tools.specialists import training

    folder = Path(config["folder"])
    training.run(Job(folder), Registry(folder.parent.parent))


def _meant(error: BaseException) -> Exception:
    """What was raised in a process, out of Ray's wrapping."""
    inner: BaseException | None = error
    while inner is not None:
        for one in (inner, *getattr(inner, "worker_failures", {}).values()):
            if isinstance(one, Stopped | SpecialistError):
                return one
        inner = getattr(inner, "cause", None) or inner.__cause__
    return error if isinstance(error, Exception) else SpecialistError(str(error))
