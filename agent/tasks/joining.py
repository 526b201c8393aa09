"""Becoming part of a Ray cluster, or starting one on this machine, without waiting for ever."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any
from urllib.parse import urlsplit

from agent.errors import EngineError, UsageError
from tools.quiet import quiet

LOCAL = "local"
CONNECT = 5.0
"""Seconds for somebody to answer at an address at all."""
JOIN = 20.0
"""Seconds for the cluster there to let a process in."""
STORE = 100 << 20
"""Bytes of memory for what Ray's processes share on this machine: rows are small."""
TRY = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR')"
PORTS = "is it running (ray start --head), and the port right (6379; of ray:// 10001)?"
TOKEN = (
    "the cluster wants its token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN to what its head has "
    "in ~/.ray/auth_token"
)


@contextmanager
def joined(on: str, workers: int | None) -> Iterator[Any]:
    """Ray, connected to the cluster that `on` names; "ray" is the one of RAY_ADDRESS, else one that
    is started on this machine for so many `workers`, and ended with it.

    Raises UsageError for what is no address and without Ray, EngineError when nobody answers.
    """
    quiet()
    # no figures about its use go to the makers of Ray
    os.environ.update({"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"})
    address = address_of(on)
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            f"--on {on} needs Ray: pip install 'tinsmith[cluster]', here and on the workers"
        ) from error
    if address != LOCAL:
        _try(on, address)
    is_local = address == LOCAL
    try:
        ray.init(
            address,
            num_cpus=workers if is_local else None,
            object_store_memory=STORE if is_local else None,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:  # Ray has no word for what all may go wrong here
        raise EngineError(f"--on {on}: Ray did not start: {error}") from error
    # it prints there what it thinks of a lost worker, whatever it was told of logs
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        try:
            yield ray
        finally:
            ray.shutdown()


def address_of(on: str) -> str:
    """As `ray.init` takes it. Raises UsageError."""
    address = (os.environ.get("RAY_ADDRESS") or LOCAL) if on == "ray" else on
    if address in (LOCAL, "auto") or all(_parts(address)):
        return address
    said = f"--on {on}" if on != "ray" else f"RAY_ADDRESS={address}"
    raise UsageError(
        f"{said}: it is `ray` (this machine), `auto` (the cluster that this machine is part of), "
        "HOST:PORT, or ray://HOST:PORT"
    )


def _parts(address: str) -> tuple[str | None, int | None]:
    try:
        parts = urlsplit(address if address.startswith("ray://") else f"//{address}")
        return parts.hostname, parts.port
    except ValueError:
        return None, None


def _try(on: str, address: str) -> None:
    """Raises EngineError when no cluster is there.

    Ray itself waits minutes for one, and then ends the process that asked: so another asks first.
    """
    if address != "auto":
        try:
            socket.create_connection(_parts(address), CONNECT).close()
        except OSError as error:
            raise EngineError(
                f"--on {on}: nobody answers there ({error.strerror or error}); {PORTS}"
            ) from error
    try:
        tried = subprocess.run(
            [sys.executable, "-P", "-c", TRY, address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=JOIN,
        )
    except subprocess.TimeoutExpired as late:
        said = (late.stderr or b"").decode("utf-8", "replace")
        none = f"no cluster answers within {JOIN:g} seconds; {PORTS} Or {TOKEN}"
        raise EngineError(_why(on, said, none)) from None
    if tried.returncode:
        raise EngineError(_why(on, tried.stderr, "Ray did not connect"))


def _why(on: str, said: str, otherwise: str) -> str:
    if re.search("InvalidAuthToken|AuthenticationError|Unauthenticated", said):
        return f"--on {on}: {TOKEN}"
    if "Could not find any running Ray instance" in said:
        return f"--on {on}: no cluster runs on this machine; {PORTS}"
    raised = re.split(r"^[\w.]*(?:Error|Exception): ", said, flags=re.MULTILINE)
    why = " ".join(raised[-1].split()) if len(raised) > 1 else otherwise
    return f"--on {on}: {why}"
