"""What the terminal costs while a model writes at full speed.

    python -m benchmarks.terminal --model qwen2.5-coder-0.5b

The whole program runs in a pseudo-terminal of 100 columns; keys are pressed while it answers.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from agent.memory.sessions import read
from agent.trace import read as traces
from benchmarks import parts
from tests.emulator import Emulator

REQUEST = (
    "Write a long, detailed tutorial about sorting algorithms in Python, with headings, lists, a "
    "table and code. Do not stop early."
)
COLUMNS, ROWS = 100, 40
EVERY = 0.37
"""Seconds between two keys, in no step with anything that the program does."""
ROUNDS = 3
LOADING = 300.0
GIVEN_UP = 2.0
"""Seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokens", type=int, default=2000)
    args = parser.parse_args()
    bare, quiet, typed = [], [], []
    for number in range(ROUNDS):
        print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
        bare.append(_bare(args.model, args.tokens))
        quiet.append(_in_terminal(args.model, args.tokens, typing=False))
        typed.append(_in_terminal(args.model, args.tokens, typing=True))
    echoes = sorted(echo for one in typed for echo in one.echoes)
    shares = [one.rate / alone for one, alone in zip(quiet, bare, strict=True)]
    print(f"keys pressed while it wrote: {len(echoes)}")
    print(f"key to echo, 95th percentile: {echoes[int(len(echoes) * 0.95)] * 1e3:.1f} ms")
    print(f"median: {statistics.median(echoes) * 1e3:.1f} ms, most: {echoes[-1] * 1e3:.1f} ms")
    each = ", ".join(f"{share:.3f}" for share in shares)
    print(
        f"speed beside the same turn with nothing drawn: {statistics.median(shares):.3f} ({each})"
    )
    print(f"processor time of drawing: {max(r.drawing for r in quiet):.1%} of the answer's")
    print(f"bytes written to the terminal: {max(r.written for r in quiet):.2f} times the answer's")


@dataclass(frozen=True)
class Result:
    rate: float
    """Tokens a second, by the clock of the engine."""
    echoes: list[float]
    """Seconds from a key to its echo."""
    drawing: float
    """Share of the processor time of the whole answer."""
    written: float
    """Bytes to the terminal, of those of the answer."""


def _bare(model: str, tokens: int) -> float:
    """Tokens a second of the same turn where nothing is drawn."""
    with tempfile.TemporaryDirectory() as folder:
        home = _home(Path(folder), tokens)
        subprocess.run(
            [sys.executable, "-m", "agent", "ask", "--json", "--model", model, REQUEST],
            env={**os.environ, "TINSMITH_HOME": str(home)}, capture_output=True, check=False,
        )  # fmt: skip
        return _rate(home)


def _home(folder: Path, tokens: int) -> Path:
    home = folder / "home"
    home.mkdir()
    (home / "models").symlink_to(parts.models())
    (home / "config.toml").write_text(f"max_tokens = {tokens}\ncontext = 8192\n")
    return home


def _rate(home: Path) -> float:
    """Of the engine, in the only turn that there is."""
    (turn,) = traces.read(home / "sessions.db", 1)
    return turn.usage.generated / turn.usage.decode_seconds


def _in_terminal(model: str, tokens: int, typing: bool) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        home = _home(Path(folder), tokens)
        one = Emulator(
            "chat", "--model", model, columns=COLUMNS, rows=ROWS, cwd=Path(folder),
            env={"TINSMITH_HOME": str(home)},
        )  # fmt: skip
        one.see("window .* GB", seconds=LOADING)  # of the status line: the model is there
        process = psutil.Process(one.child.pid)
        all_before, drawn_before = _processor(process)
        before, echoes = len(one.raw), []
        one.send(REQUEST + "\r")
        while not re.search(r"[\d.]+ tok/s", one.screen):
            _pass(one, EVERY)
            if typing:
                echoes.append(_echo(one))
        all_after, drawn_after = _processor(process)
        written = len(one.raw[before:].encode())
        one.leave()
        messages = read(home / "sessions.db", 1)
        answer = max((str(one.text) for one in messages if one.type == "ai"), key=len)
        return Result(
            _rate(home),
            echoes,
            (drawn_after - drawn_before) / (all_after - all_before),
            written / len(answer.encode()),
        )


def _pass(one: Emulator, seconds: float) -> None:
    """Look at what is written for so long."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        one.read(left)


def _echo(one: Emulator) -> float:
    """Seconds until a key is seen, which is taken back then."""
    one.send("~")
    pressed = time.monotonic()
    while "~" not in one.read(GIVEN_UP) and time.monotonic() - pressed < GIVEN_UP:
        pass
    seconds = time.monotonic() - pressed
    one.send("\x7f")
    return seconds


def _processor(process: psutil.Process) -> tuple[float, float]:
    """Seconds of the whole program and its model, and of the threads that draw."""
    threads = process.threads()
    drawing = sum(t.user_time + t.system_time for t in threads if t.id != process.pid)
    model = sum(sum(child.cpu_times()[:2]) for child in process.children(recursive=True))
    return sum(process.cpu_times()[:2]) + model, drawing


if __name__ == "__main__":
    main()
