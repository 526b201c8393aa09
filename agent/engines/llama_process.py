"""The program that `llama_server.py` runs: it needs xllamacpp and nothing of ours.

It reads one line of JSON, what to load; writes one, its address or an error; and ends with its
standard input, which only the process that started it holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys


def main() -> None:
    path, context, device, chunk, key, lanes, folder, *adapters = json.loads(sys.stdin.readline())
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what llama.cpp prints is no answer
    _end_with_input()
    # its threads wait for each other after each step: those that spin for long keep one that has
    # lost its core to another program, such as a training, from getting one
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(one, 1.0) for one in adapters]
    params.n_ctx = context * lanes
    params.n_parallel = lanes
    params.n_batch = params.n_ubatch = chunk
    params.verbosity = 1  # errors
    params.api_keys = [key]
    params.hostnames = ["127.0.0.1"]
    params.ui = False
    params.offline = True
    params.cache_ram_mib = 0  # one conversation a slot, which is itself the cache
    params.slot_save_path = folder
    params.warmup = False  # the prompt that is read ahead does it
    if device == "cpu":
        params.n_gpu_layers = 0
    try:
        server = xllamacpp.Server(params)
        said = {"address": server.listening_address.rpartition("/")[2]}
    except (OSError, RuntimeError) as error:
        said = {"error": str(error)}
    try:
        if hasattr(signal, "SIGIO"):
            signal.signal(signal.SIGIO, signal.SIG_IGN)  # from now on the end can be read
        print(json.dumps(said), file=answer, flush=True)
        sys.stdin.read()
    finally:
        if folder:  # also where the process that made it was killed
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)  # a server that is taken down as Python ends hangs


def _end_with_input() -> None:
    """End also while xllamacpp loads and no Python runs: the kernel sends SIGIO, which ends a
    process, when nobody holds the other end of the pipe any more."""
    if sys.platform == "win32":
        return
    import fcntl
    import select

    with contextlib.suppress(OSError):  # a system that cannot: it ends when it has loaded
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    hung_up = select.poll()
    hung_up.register(0, 0)
    if hung_up.poll(0):  # before it was asked for
        sys.exit()


if __name__ == "__main__":
    main()
