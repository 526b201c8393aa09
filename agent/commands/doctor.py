"""`tinsmith doctor`: the machine, the libraries, the models, the state folder, what to do."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator

from agent.commands.output import say

LIBRARIES = ("xllamacpp", "llguidance", "torch", "transformers", "sentence-transformers",
             "bitsandbytes", "accelerate", "chromadb", "langchain-core")  # fmt: skip


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("doctor", help="what this machine has and what to do")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """1 when there is a problem, else 0."""
    worst = 0
    for level, line in _findings():
        say(f"{level:9}{line}")
        worst |= level == "problem"
    return worst


def _findings() -> Iterator[tuple[str, str]]:
    import importlib.metadata

    import psutil

    from agent import catalog, machine
    from agent.app import default_model
    from agent.settings import home

    memory = psutil.virtual_memory()
    yield (
        "ok",
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()},"
        f" {os.cpu_count()} cores",
    )
    yield "ok", f"memory {memory.total / 1e9:.1f} GB, {memory.available / 1e9:.1f} GB free"
    for name, free in machine.gpus():
        yield "ok", f"{name}, {free / 1e9:.1f} GB free"
    if not machine.gpus():
        yield "ok", "no NVIDIA GPU found: models run on the CPU"
    for name in LIBRARIES:
        try:
            yield "ok", f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield (
                "problem",
                f"{name} is not installed; repeat: {sys.executable} -m pip install tinsmith",
            )
    place = next(p for p in (home(), *home().parents) if p.exists())
    writable = os.access(place, os.W_OK)
    yield (
        "ok" if writable else "problem",
        f"state folder {home()}{'' if writable else ' cannot be written; set TINSMITH_HOME'}",
    )
    yield "ok", f"{shutil.disk_usage(place).free / 1e9:.0f} GB free on its disk"
    for name in (default_model(), catalog.EMBEDDER):
        if catalog.is_here(name):
            yield "ok", f"model {name}"
        else:
            yield "warning", f"model {name} is not here; next: tinsmith models pull {name}"
