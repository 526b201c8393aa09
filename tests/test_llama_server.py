"""llama.cpp's process: it ends with ours, and a conversation outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from agent.engines.llama_server import LlamaServer
from agent.engines.llamacpp import LlamaModel
from agent.engines.local import LocalEngine
from agent.errors import EngineError
from tests.test_local_engine import reply


def test_a_conversation_outlives_it(smollm: Path) -> None:
    model = LlamaModel(smollm, 1024)
    engine = LocalEngine("smollm", model)
    question = [HumanMessage("Count to a hundred.")]
    before = reply(engine, question)
    running = engine.reply(question)
    next(running)
    os.kill(model._server._process.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="ended by signal 9"):
        list(running)
    assert reply(engine, question)[0] == before[0]
    engine.close()


def test_it_ends_when_the_process_that_started_it_is_killed(smollm: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from agent.engines.llama_server import LlamaServer\n"
        "server = LlamaServer(Path(sys.argv[1]), 512, 'cpu', 64)\n"
        "print(server._process.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(smollm)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    _wait_for_the_end_of(server)


def _wait_for_the_end_of(process: int) -> None:
    import select

    ready, _, _ = select.select([process], [], [], 60)
    os.close(process)
    assert ready


def test_it_ends_when_nobody_is_there_any_more_to_hear_that_it_has_loaded(smollm: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "agent.engines.llama_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdout.close()
        server.stdin.write(json.dumps([str(smollm), 512, "cpu", 64, "key"]) + "\n")
        server.stdin.flush()
        try:
            assert server.wait(60) == 0
        finally:
            server.kill()


def test_what_it_says_before_it_ends_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('libgomp.so.1 is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"exit status 1: ImportError: libgomp.so.1 is missing"):
        LlamaServer(tmp_path / "a.gguf", 512, "cpu", 64)
