"""What this machine has, found without importing anything heavy."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from functools import lru_cache


@lru_cache
def gpus() -> tuple[tuple[str, int], ...]:
    """Name and free bytes of each NVIDIA GPU that this program may use.

    torch would know, but takes seconds to import.
    """
    tool = shutil.which("nvidia-smi")
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not tool or shown == "":
        return ()
    ask = [tool, "--query-gpu=name,memory.free", "--format=csv,noheader,nounits"]
    if shown:
        ask.append(f"--id={shown}")
    try:
        done = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True)
        rows = [line.rsplit(", ", 1) for line in done.stdout.splitlines()]
        return tuple((name, int(free) << 20) for name, free in rows)
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()  # a driver that does not answer is as good as none


def free_memory() -> int:
    """Bytes."""
    import psutil

    return int(psutil.virtual_memory().available)


def held_memory() -> int:
    """Bytes that this program and the processes that it has begun hold."""
    import psutil

    me = psutil.Process()
    held = 0
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            held += process.memory_info().rss
    return held


def free_on_gpus() -> int:
    """Bytes, over all of them; 0 without one."""
    return sum(free for _, free in gpus())
