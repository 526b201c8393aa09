"""The conversation: which model it talks with, and that waiting for one always ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NoReturn

import pytest

from agent.errors import EngineError
from agent.loop import Agent
from agent.repl.loading import Loading, Say

ROOT = Path(__file__).parent.parent


class Models(BaseHTTPRequestHandler):
    """Lists two models."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        listed = [{"id": name, "max_model_len": 999} for name in ("first", "second")]
        self.wfile.write(json.dumps({"data": listed}).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Models) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def chat(url: str, *lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent", "chat", "--url", url, "--model", "first"],
        input="\n".join(lines), capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_with_a_server_a_name_is_one_of_its_models(url: str) -> None:
    done = chat(url, "/model second", "/model")
    assert (done.returncode, "second, window 999" in done.stdout) == (0, True), done.stderr


def test_with_a_server_a_model_of_this_machine_is_loaded_here(url: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.gguf"
    file.write_bytes(b"GGUF" + b"\0" * 10)
    done = chat(url, f"/model {file}", "/model")
    assert (done.returncode, "not a GGUF file" in done.stderr) == (1, True), done.stdout


def test_a_load_that_is_ended_is_an_error_and_not_waited_for() -> None:
    def build(say: Say) -> NoReturn:
        raise SystemExit("gone")

    loading = Loading("x", build)
    loading.start()
    assert loading.wait(10)
    with pytest.raises(EngineError, match="gone"):
        loading.agent()
    assert loading.is_idle


def test_a_second_start_loads_nothing() -> None:
    began = []

    def build(say: Say) -> Agent:
        began.append(1)
        raise EngineError("none")

    loading = Loading("x", build)
    loading.start()
    assert loading.wait(10)
    loading.start()
    for thread in threading.enumerate():
        if thread.name == "loading":
            thread.join(10)
    assert began == [1]
