"""llama.cpp's process: it ends with ours, and a conversation outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from agent.engines.base import Sampling
from agent.engines.llama_server import PROGRAM, LlamaServer
from agent.engines.llamacpp import LlamaModel
from agent.engines.local import LocalEngine
from agent.errors import EngineError
from tests.test_local_engine import reply

ROOT = Path(__file__).parent.parent


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


def test_what_was_written_before_a_stop_took_its_time(smollm: Path) -> None:
    model = LlamaModel(smollm, 512)
    running = model.generate(model.encode("Once upon a time"), None, Sampling(), 200)
    for _ in range(20):
        next(running)
    running.close()
    assert model.usage.generated >= 20
    assert 1 < model.usage.generated / model.usage.decode_seconds < 10_000
    model.close()


PARENT = """
import sys, time
from pathlib import Path
from agent.engines.llama_server import PROGRAM, LlamaServer
server = LlamaServer(Path(sys.argv[1]), 512, "cpu", 64, lanes=2)
if sys.argv[2] == "loaded":
    server.wait_until_loaded()
print(server._process.pid, server._folder.name, flush=True)
time.sleep(600)
"""
LOADS_FOREVER = """
import ctypes, types
CommonParams = lambda: types.SimpleNamespace(model=types.SimpleNamespace())
Server = lambda params: ctypes.PyDLL(None).sleep(600)  # and no other thread runs
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")
@pytest.mark.parametrize("state", ["loaded", "loading"])
def test_it_ends_when_the_process_that_started_it_is_killed(
    smollm: Path, tmp_path: Path, state: str
) -> None:
    environment = dict(os.environ)
    if state == "loading":
        (tmp_path / "xllamacpp.py").write_text(LOADS_FOREVER)
        environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(smollm), state],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as parent:
        assert parent.stdout is not None
        process, folder = parent.stdout.readline().split()
        server = os.pidfd_open(int(process))
        parent.kill()
    _wait_for_the_end_of(server)
    if state == "loaded":  # before that there is nothing in it
        assert not Path(folder).exists()


def _wait_for_the_end_of(process: int) -> None:
    import select

    ready, _, _ = select.select([process], [], [], 60)
    os.close(process)
    assert ready


def test_it_ends_when_nobody_is_there_any_more_to_hear_that_it_has_loaded(smollm: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-P", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdout.close()
        server.stdin.write(json.dumps([str(smollm), 512, "cpu", 64, "key", 1, ""]) + "\n")
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
    server = LlamaServer(tmp_path / "a.gguf", 512, "cpu", 64)
    with pytest.raises(EngineError, match=r"exit status 1: ImportError: libgomp.so.1 is missing"):
        server.wait_until_loaded()
    server.close()


def test_a_damaged_file_is_told_in_llama_cpps_words(smollm: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(smollm.read_bytes()[:1_000_000])
    with pytest.raises(
        EngineError, match=r"cannot load .*damaged\.gguf: .* failed to read key-value"
    ):
        LlamaModel(damaged, 512)


def test_what_is_closed_stays_closed(smollm: Path) -> None:
    model = LlamaModel(smollm, 512)
    model.close()
    model.close()
    with pytest.raises(EngineError, match="has been closed"):
        model.encode("hello")
    assert model._server.has_ended()


def test_a_stop_ends_a_model_that_is_being_loaded_again(
    smollm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LlamaModel(smollm, 512)
    model._server.kill()
    assert model._server.has_ended(seconds=60)
    (tmp_path / "xllamacpp.py").write_text(LOADS_FOREVER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    stopper = threading.Thread(target=_interrupt_until_killed, args=(model,))
    stopper.start()
    with pytest.raises(EngineError, match="stopped while the model was loaded again"):
        model.encode("hello")
    stopper.join()
    model.close()


def _interrupt_until_killed(model: LlamaModel) -> None:
    dead = model._server
    while model._server is dead or not model._server.has_ended(seconds=0.05):
        model.interrupt()
