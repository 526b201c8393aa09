"""llama.cpp's own HTTP server, in a process of its own (`llama_process.py`).

xllamacpp lets no other thread run while it loads, for seconds in which nobody could type, and
llama.cpp ends its process when the memory runs out: a conversation outlives that one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from agent.errors import EngineError

PROGRAM = Path(__file__).with_name("llama_process.py")


class LlamaServer:
    """A server on the loopback interface, with a key that only this process knows."""

    def __init__(
        self,
        path: Path,
        context: int,
        device: str,
        chunk: int,
        adapter: Path | None = None,
        lanes: int = 1,
    ) -> None:
        """Begin to load `path`, with a LoRA adapter on it. `context` is the window of each of the
        `lanes` slots and `chunk` what is read of a prompt at a time, both in tokens. Raises
        EngineError."""
        self.key = secrets.token_hex(16)
        self.address = ("", 0)
        self._what = f"{path} with the adapter {adapter}" if adapter else str(path)
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        self._folder = tempfile.TemporaryDirectory() if lanes > 1 else None
        """For what one slot hands to another."""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                text=True,
                start_new_session=True,  # Ctrl-C is for the conversation
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            self._complaints.close()
            self._remove_folder()
            raise EngineError(f"llama.cpp cannot be started: {error}") from error
        assert self._process.stdin is not None
        folder = os.path.join(self._folder.name, "") if self._folder else ""
        wanted = [str(path), context, device, chunk, self.key, lanes, folder]
        if adapter:
            wanted.append(str(adapter))
        with contextlib.suppress(OSError):  # `wait_until_loaded` tells how it ended
            self._process.stdin.write(json.dumps(wanted))
            self._process.stdin.write("\n")
            self._process.stdin.flush()

    def wait_until_loaded(self) -> None:
        """Raises EngineError; when it was closed meanwhile, too."""
        assert self._process.stdout is not None
        answers = (line for line in self._process.stdout if line.startswith('{"'))
        said = json.loads(next(answers, "{}"))
        if "address" not in said:
            if said:  # the first complaint names the cause, the others follow from it
                why = " ".join([said["error"], *self._complaints_so_far()[:1]])
            else:
                why = self.how_it_ended()
            raise EngineError(f"llama.cpp cannot load {self._what}: {why}")
        host, _, port = said["address"].partition(":")
        self.address = (host, int(port))

    def has_ended(self, seconds: float = 0.0) -> bool:
        """Whether its process is gone, or goes within so many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def how_it_ended(self) -> str:
        """And the last thing that it complained of. Waits for the end."""
        status = self._process.wait()
        how = f"ended by signal {-status}" if status < 0 else f"exit status {status}"
        return ": ".join([how, *self._complaints_so_far()[-1:]])

    def kill(self) -> None:
        """From any thread: whoever waits for it hears of it."""
        self._process.kill()

    def close(self) -> None:
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._complaints):
            with contextlib.suppress(OSError):  # what was not written yet goes nowhere
                pipe.close()  # type: ignore[union-attr]
        self._remove_folder()

    def _remove_folder(self) -> None:
        if self._folder:
            self._folder.cleanup()

    def _complaints_so_far(self) -> list[str]:
        """Lines, without the time that llama.cpp puts before them."""
        self._complaints.seek(0)
        lines = self._complaints.read().decode("utf-8", "replace").splitlines()
        return [re.sub(r"^[\d.]+ E\s+", "", line.strip()) for line in lines if line.strip()]
