"""How long until something is there: `tinsmith --help`, a replayed task, and the REPL's prompt.

    python -m benchmarks.startup

Whole processes, started as a user starts them; medians, the first start (cold disk) left out. The
REPL gets a state folder of its own that shares the models.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.prompts import shipped
from agent.settings import home

PROMPT = r">(?: |\x08|\x1b\[)"
"""The blank may be written as a movement of the cursor, or be the rest of an erased line."""


def command() -> list[str]:
    """`tinsmith` of this environment, else the module."""
    beside = shutil.which("tinsmith", path=str(Path(sys.executable).parent))
    return [beside] if beside else [sys.executable, "-m", "agent"]


def help_seconds() -> float:
    begun = time.perf_counter()
    shown = subprocess.run([*command(), "--help"], check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - begun
    assert shown.stdout.startswith("usage: tinsmith")
    return seconds


def replay_seconds() -> float:
    """All of a replay of the task in `examples/tasks`, which calls a tool."""
    words = ["run", "reply.task.yaml", "--replay", "reply.task.record.jsonl", "--quiet"]
    begun = time.perf_counter()
    shown = subprocess.run(
        [*command(), *words], cwd=shipped("examples") / "tasks", check=True, stdout=subprocess.PIPE
    )
    seconds = time.perf_counter() - begun
    assert json.loads(shown.stdout)["ok"]
    return seconds


def messages_seconds() -> float:
    """Of a program that does nothing but import the messages that every reply is made of: the
    floor of a replay, since they are LangChain's."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import langchain_core.messages"], check=True)
    return time.perf_counter() - begun


def prompt_seconds(command: Sequence[str], state: Path) -> float:
    """From the start of `command` to the REPL's prompt, with its files in `state`."""
    import pexpect

    program, *arguments = command
    environment = {**os.environ, "TINSMITH_HOME": str(state), "TERM": "xterm-256color"}
    begun = time.perf_counter()
    terminal = pexpect.spawn(program, arguments, env=environment, timeout=60, dimensions=(24, 80))
    try:
        terminal.expect(PROMPT)
        return time.perf_counter() - begun
    except (pexpect.EOF, pexpect.TIMEOUT):
        sys.exit(f"no prompt came; the terminal showed: {terminal.before.decode()!r}")
    finally:
        terminal.close(force=True)


def median(measure: Callable[[], float], runs: int) -> float:
    measure()
    return statistics.median(measure() for _ in range(runs))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="what the REPL loads; default: its own")
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args(arguments)
    print("| | seconds, median |\n| --- | --- |")
    print(f"| tinsmith --help | {median(help_seconds, given.runs):.3f} |")
    replay_seconds()
    pairs = [(replay_seconds(), messages_seconds()) for _ in range(given.runs)]
    replays, messages = (statistics.median(one) for one in zip(*pairs, strict=True))
    print(f"| a task, replayed | {replays:.3f} |")
    print(f"| LangChain's messages, imported and nothing else | {messages:.3f} |")
    chat = [*command(), "chat", *(["--model", given.model] if given.model else [])]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "models").symlink_to(home() / "models", target_is_directory=True)
        seconds = median(lambda: prompt_seconds(chat, Path(folder)), given.runs)
    print(f"| prompt of the REPL | {seconds:.3f} |")


if __name__ == "__main__":
    main()
