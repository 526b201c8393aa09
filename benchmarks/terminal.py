"""What the terminal costs while a model writes at full speed.

    python -m benchmarks.terminal --model qwen2.5-coder-0.5b

The whole program runs in a pseudo-terminal of 100 columns; keys are pressed while it answers.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from agent.memory.sessions import read
from benchmarks import parts
from tests.emulator import Emulator

REQUEST = (
    "Write a long, detailed tutorial about sorting algorithms in Python, with headings, lists, a "
    "table and code. Do not stop early."
)
COLUMNS, ROWS = 100, 40
EVERY = 0.37
"""Seconds between two keys, in no step with anything that the program does."""
FEWEST = 400
"""Tokens, so that there are some stretches to compare."""
LOADING = 300.0
GIVEN_UP = 2.0
"""Seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokens", type=int, default=2000)
    args = parser.parse_args()
    if args.tokens < FEWEST:
        parser.error(f"--tokens {args.tokens}: less than {FEWEST} say too little")
    _say("as it is")
    quiet = _in_terminal(args.model, args.tokens, typing=False)
    _say("with keys that are pressed")
    echoes = sorted(_in_terminal(args.model, args.tokens, typing=True).echoes)
    _say("drawn and not drawn by turns")
    shares = _shares(args.model, args.tokens)
    print(f"keys pressed while it wrote: {len(echoes)}")
    print(f"key to echo, 95th percentile: {echoes[int(len(echoes) * 0.95)] * 1e3:.1f} ms")
    print(f"median: {statistics.median(echoes) * 1e3:.1f} ms, most: {echoes[-1] * 1e3:.1f} ms")
    error = statistics.stdev(shares) / len(shares) ** 0.5
    print(
        f"speed of a stretch beside those around it with nothing drawn: "
        f"{statistics.mean(shares):.3f} (standard error {error:.3f}, {len(shares)} stretches)"
    )
    print(f"processor time of drawing: {quiet.drawing:.1%} of the answer's")
    print(f"bytes written to the terminal: {quiet.written:.2f} times the answer's")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@dataclass(frozen=True)
class Result:
    echoes: list[float]
    """Seconds from a key to its echo."""
    drawing: float
    """Share of the processor time of the whole answer."""
    written: float
    """Bytes to the terminal, of those of the answer."""


def _shares(model: str, tokens: int) -> list[float]:
    """Of each stretch of an answer that is drawn, its speed ÷ the mean of those before and after,
    which are not (`terminal_paused.py`): by pairs, since a machine is not as fast all the time."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stretches"
        _in_terminal(model, tokens, False, "benchmarks.terminal_paused", {"STRETCHES": str(file)})
        lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [
        statistics.mean(lines[at + side][1] for side in (-1, 1)) / seconds
        for at, (is_drawn, seconds) in enumerate(lines[:-1])
        if is_drawn and at
    ]


def _home(folder: Path, tokens: int) -> Path:
    home = folder / "home"
    home.mkdir()
    (home / "models").symlink_to(parts.models())
    (home / "config.toml").write_text(f"max_tokens = {tokens}\ncontext = 8192\n")
    return home


def _in_terminal(
    model: str,
    tokens: int,
    typing: bool,
    module: str = "agent",
    env: Mapping[str, str] | None = None,
) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        home = _home(Path(folder), tokens)
        one = Emulator(
            "chat", "--model", model, columns=COLUMNS, rows=ROWS, cwd=Path(folder),
            env={"TINSMITH_HOME": str(home), **(env or {})}, module=module,
        )  # fmt: skip
        one.see("window .* GB", seconds=LOADING)  # of the status line: the model is there
        process = psutil.Process(one.child.pid)
        all_before, drawn_before = _processor(process), _drawing(process)
        drawn: dict[int, float] = {}
        before, echoes = len(one.raw), []
        one.send(REQUEST + "\r")
        while not re.search(r"[\d.]+ tok/s", one.screen):
            _pass(one, EVERY)
            drawn |= _drawing(process)  # of a thread that has ended, as it was seen last
            if typing:
                echoes.append(_echo(one))
        all_after = _processor(process)
        written = len(one.raw[before:].encode())
        one.leave()
        messages = read(home / "sessions.db", 1)
        answer = max((str(one.text) for one in messages if one.type == "ai"), key=len)
        return Result(
            echoes,
            sum(drawn[id] - drawn_before.get(id, 0.0) for id in drawn) / (all_after - all_before),
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


def _processor(process: psutil.Process) -> float:
    """Seconds of the whole program and its model."""
    model = sum(sum(child.cpu_times()[:2]) for child in process.children(recursive=True))
    return float(sum(process.cpu_times()[:2]) + model)


def _drawing(process: psutil.Process) -> dict[int, float]:
    """Seconds of each thread that draws: of all but the first."""
    threads = process.threads()
    return {t.id: t.user_time + t.system_time for t in threads if t.id != process.pid}


if __name__ == "__main__":
    main()
