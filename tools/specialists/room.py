"""Memory that a training needs and a chat model may hold: the job waits until there is room."""

from __future__ import annotations

import time
from collections.abc import Callable

from tools.specialists import compute
from tools.specialists.jobs import GLANCE, Job, Stopped


def wait_for_room(job: Job, free: Callable[[], int] = compute.free) -> None:
    """Until as many bytes are free as the plan asks for, or the user says to begin all the same.

    Raises Stopped.
    """
    needed = job.plan.memory
    said = False
    while (now := free()) < needed and not job.is_to_begin:
        if job.is_to_stop:
            raise Stopped
        if not said:
            job.waits(f"memory: {needed / 1e9:.1f} GB are needed, {now / 1e9:.1f} GB are free")
            said = True
        time.sleep(GLANCE)
