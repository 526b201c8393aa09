"""What the slots of one llama.cpp server have in common is processed in one and copied to others.

Each lane has a slot of its own, which keeps what it has read. When its next prompt begins like that
of another slot and it holds less of it, the other's state goes through a file of the server's.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.errors import EngineError

SHARED = 64
"""Tokens; a shorter prefix is processed sooner than it is copied."""
LOOK = 0.05
"""Seconds between two looks at whether a lane that waits was stopped."""
FILE = "prefix"

Post = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Sends a request to the server. Raises EngineError, OSError."""


class Slots:
    """Which prompt each slot holds or reads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._of(None)

    def _of(self, server: object) -> None:
        """A server that was started anew holds nothing."""
        self._server = server
        self._held: dict[int, list[int]] = {}
        self._reading: dict[int, list[int]] = {}
        self._awaited: set[int] = set()
        """Slots from which another lane wants to copy."""
        self._saved: list[int] = []
        """What the file begins with."""

    def begin(
        self,
        server: object,
        slot: int,
        prompt: Sequence[int],
        stopped: threading.Event,
        post: Post,
    ) -> None:
        """Before `slot` reads `prompt`: bring into it what another slot has read of it already.

        Waits for one that is about to; not when `stopped`.
        """
        prompt = list(prompt)
        with self._changed:
            if server is not self._server:
                self._of(server)
            enough = _common(self._held.get(slot, []), prompt) + SHARED
            while not stopped.is_set():
                before = self._first(self._reading, slot, prompt, enough)
                idle = self._first(self._held, slot, prompt, enough)
                if _common(self._saved, prompt) >= enough:
                    self._restore(slot, post)
                elif idle is not None:
                    self._save(idle, post)
                    if self._saved:
                        continue
                elif before is not None:
                    self._awaited.add(before)
                    self._changed.wait(LOOK)
                    continue
                break
            self._held.pop(slot, None)
            self._reading[slot] = prompt

    def end(self, slot: int, whole: bool, post: Post) -> None:
        """After it; `whole`: all of the prompt was read."""
        with self._changed:
            prompt = self._reading.pop(slot, None)
            if whole and prompt is not None:
                self._held[slot] = prompt
                if slot in self._awaited:  # now, before this lane goes on with another prompt
                    self._save(slot, post)
            self._awaited.discard(slot)
            self._changed.notify_all()

    def _first(
        self, prompts: Mapping[int, list[int]], slot: int, prompt: list[int], enough: int
    ) -> int | None:
        """The first other slot that has so much in common with `prompt`."""
        found = (
            other
            for other, ids in prompts.items()
            if other != slot and _common(ids, prompt) >= enough
        )
        return next(found, None)

    def _save(self, slot: int, post: Post) -> None:
        self._saved = []
        with contextlib.suppress(EngineError, OSError):  # a full disk: it is processed again
            post(f"/slots/{slot}?action=save", {"filename": FILE})
            self._saved = self._held[slot]

    def _restore(self, slot: int, post: Post) -> None:
        with contextlib.suppress(EngineError, OSError):
            post(f"/slots/{slot}?action=restore", {"filename": FILE})


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    differ = (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    return next(differ, min(len(one), len(other)))
