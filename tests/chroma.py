"""A real Chroma server, that can go away and come back."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 120.0
"""Seconds until it has to answer."""


class Server:
    def __init__(self, place: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        chroma = Path(sys.executable).with_name("chroma")
        self._words = [str(chroma), "run", "--path", str(place), "--port", str(self._port)]
        self.start()

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._words, stdout=quiet, stderr=quiet)
        begin = time.monotonic()
        while True:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            assert time.monotonic() - begin < LIMIT
            time.sleep(0.1)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
