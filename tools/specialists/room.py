"""Memory that a training needs and a chat model may hold: the job waits until there is room."""

from __future__ import annotations

import time
from collections.abc import Callable

from tools.specialists import compute
from tools.specialists.jobs import GLANCE, Job, Stopped, memory_of


def wait_for_room(job: Job, free: Callable[[], int] = compute.free) -> None:
    """Until as many bytes are free as the plan asks for, or the user says to begin all the same.

    Raises Stopped.
    """
    while free() < job.plan.memory and not job.is_to_begin:
        if job.is_to_stop:
            raise Stopped
        if not job.waits_for_memory:
            job.waits(memory_of(job.plan))
        time.sleep(GLANCE)
