"""llama.cpp's own HTTP server, in a process of its own.

xllamacpp lets no other thread run while it loads, for seconds in which nobody could type, and
llama.cpp ends its process when the memory runs out: a conversation outlives that one.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from agent.errors import EngineError


class LlamaServer:
    """A server on the loopback interface, with a key that only this process knows."""

    def __init__(self, path: Path, context: int, device: str, chunk: int) -> None:
        """Return when `path` is loaded. `context` is the window and `chunk` what is read of a
        prompt at a time, both in tokens. Raises EngineError."""
        self.key = secrets.token_hex(16)
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __spec__.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            start_new_session=True,  # Ctrl-C is for the conversation
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        wanted = [str(path), context, device, chunk, self.key]
        try:
            with contextlib.suppress(BrokenPipeError):  # how it ended is told below
                self._process.stdin.write(json.dumps(wanted) + "\n")
                self._process.stdin.flush()
            said = json.loads(self._process.stdout.readline() or "{}")
            if "address" not in said:
                why = said.get("error") or self.how_it_ended()
                raise EngineError(f"llama.cpp cannot load {path}: {why}")
        except BaseException:
            self.close()
            raise
        host, _, port = said["address"].partition(":")
        self.address: tuple[str, int] = (host, int(port))

    def has_ended(self, seconds: float = 0.0) -> bool:
        """Whether its process is gone, or goes within so many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def how_it_ended(self) -> str:
        """And the last thing that it said. Waits for the end."""
        status = self._process.wait()
        self._complaints.seek(0)
        lines = self._complaints.read().decode("utf-8", "replace").splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        how = f"ended by signal {-status}" if status < 0 else f"exit status {status}"
        return f"{how}: {last}" if last else how

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._complaints):
            with contextlib.suppress(OSError):  # what was not written yet goes nowhere
                pipe.close()  # type: ignore[union-attr]


def main() -> None:
    """What the process does: load, tell its address, and end when nobody holds its input."""
    path, context, device, chunk, key = json.loads(sys.stdin.readline())
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what llama.cpp prints is no answer
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx = context
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = chunk
    params.verbosity = 0
    params.api_keys = [key]
    params.hostnames = ["127.0.0.1"]
    params.ui = False
    params.offline = True
    params.cache_ram_mib = 0  # one conversation: the slot itself is the cache
    params.warmup = False  # the prompt that is read ahead does it
    if device == "cpu":
        params.n_gpu_layers = 0
    try:
        server = xllamacpp.Server(params)
        said = {"address": server.listening_address.rpartition("/")[2]}
    except (OSError, RuntimeError) as error:
        said = {"error": str(error)}
    try:
        print(json.dumps(said), file=answer, flush=True)
        sys.stdin.read()  # ends when the process at its other end does, in whatever way
    finally:
        os._exit(0)  # a server that is taken down as Python ends hangs


if __name__ == "__main__":
    main()
