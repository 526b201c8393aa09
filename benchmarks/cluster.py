"""Rows on a Ray cluster: two workers against one, and one of two killed in the middle.

    python -m benchmarks.cluster                # --rows 200 --seconds 1

The model is a small HTTP server of this machine that sleeps before it answers, as a model server
does which is busy elsewhere: what is measured is how well workers wait side by side, not a model.
The workers are processes of a real local Ray. Ray's start and loading are left out of the times.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil

from agent.settings import Settings
from agent.tasks.batch import Batch
from agent.tasks.cluster import hired
from agent.tasks.columns import Columns
from agent.tasks.envelope import Envelope, timeless
from agent.tasks.joining import joined
from agent.tasks.read import parse
from agent.tasks.results import Results
from agent.tasks.rows import Row, opened
from agent.tasks.selection import Selection
from agent.tasks.worker import Order

ASKED = """
inputs: {number: {type: integer}}
prompt: "Say {{ number }}"
checks: [{contains: "{{ number }}"}]
"""
LANES = 4
"""Rows at once on each worker."""


class SlowServer(ThreadingHTTPServer):
    """A model server that says the last word of what it is told, after so many `seconds`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), _Slow)
        self.seconds = seconds
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.asked: Counter[str] = Counter()
        """How often each word was asked for."""

    @contextmanager
    def running(self) -> Iterator[SlowServer]:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: who asked may have been killed."""


class _Slow(BaseHTTPRequestHandler):
    server: SlowServer

    def do_GET(self) -> None:
        self._send([json.dumps({"data": [{"id": "slow", "max_model_len": 4096}]})])

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        word = asked["messages"][-1]["content"].split()[-1]
        self.server.asked[word] += 1
        time.sleep(self.server.seconds)
        said = {"choices": [{"delta": {"content": word}}]}
        end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
        self._send([f"data: {json.dumps(one)}\n" for one in (said, end)] + ["data: [DONE]\n"])

    def _send(self, lines: Sequence[str]) -> None:
        self.send_response(200)
        self.end_headers()
        for line in lines:
            self.wfile.write(f"{line}\n".encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1.0, help="of an answer")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place, SlowServer(given.seconds).running() as server:
        os.environ["TINSMITH_HOME"] = place
        folder = Path(place)
        lines = (json.dumps({"number": number}) + "\n" for number in range(given.rows))
        (folder / "rows.jsonl").write_text("".join(lines))
        with joined("ray", 2) as ray:
            one, expected = timed(ray, server, folder / "one", 1)
            two, found = timed(ray, server, folder / "two", 2)
            hit, after = timed(ray, server, folder / "hit", 2, kill_at=given.rows // 3)
    twice = sum(count - 1 for count in Counter(line["id"] for line in after).values())
    lost = given.rows - len({line["id"] for line in after})
    print(
        f"| {given.rows} rows of {given.seconds:g} s, {LANES} at once a worker | |\n| --- | --- |"
    )
    print(f"| rows a second, one worker | {given.rows / one:.2f} |")
    print(f"| rows a second, two workers | {given.rows / two:.2f} |")
    print(f"| two workers ÷ one | **{one / two:.2f}** |")
    print(f"| results of both are equal | {found == expected} |")
    print(f"| rows a second, two workers, one killed at a third | {given.rows / hit:.2f} |")
    print(f"| rows lost, rows twice | **{lost}**, **{twice}** |")
    print(f"| results are equal | {after == expected} |")
    return 0 if found == expected == after and not (lost or twice) else 1


def timed(
    ray: Any, server: SlowServer, place: Path, workers: int, kill_at: int = 0
) -> tuple[float, list[Any]]:
    """Seconds of the rows, and their results without times. `kill_at`: after so many rows one
    worker is killed."""
    task = parse(ASKED, Path("say.task.yaml"))
    columns = Columns(task)
    settings = Settings(engine="openai", url=server.url)
    out = place.with_suffix(".jsonl")
    done = 0

    def hear(row: Row, envelope: Envelope) -> None:
        nonlocal done
        done += 1
        if done == kill_at:
            os.kill(workers_of(os.getpid())[0].pid, signal.SIGKILL)

    with opened(place.with_name("rows.jsonl")) as source, Results(out, columns) as results:
        batch = Batch(source, columns, Selection(), results)
        order = Order(task, settings, (), place.parent, LANES)
        with hired(ray, order, workers, batch.left, _tell) as lanes:
            lanes.load(workers)
            began = time.perf_counter()
            batch.run(lanes, hear)
            seconds = time.perf_counter() - began
        results.sort()
    return seconds, [timeless(json.loads(line)) for line in out.read_text().splitlines()]


def workers_of(process: int) -> list[psutil.Process]:
    """Those of the Ray that a process has started."""
    found = []
    for one in psutil.Process(process).children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            found += [one] if " ".join(one.cmdline()).startswith("ray::Worker") else []
    return found


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
