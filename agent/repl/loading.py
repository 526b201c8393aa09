"""A model that loads behind the prompt, and then reads what every turn begins with."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from agent import machine
from agent.errors import EngineError

if TYPE_CHECKING:
    from agent.loop import Agent


class Say(Protocol):
    def __call__(self, what: str, of: int = 0) -> None:
        """Told what is being done; `of`: bytes that have been taken into memory when it is done."""


class Loading:
    """Begun by the first `start`. The engine belongs to its thread until `agent` gives it away."""

    def __init__(
        self, name: str, build: Callable[[Say], Agent], done: Callable[[], None] = lambda: None
    ) -> None:
        """`done` is called in the other thread when the model is there, or is not to be had."""
        self.name = name
        self.error: Exception | None = None
        self._build = build
        self._done = done
        self._doing, self._of = "starting", 0
        self._held, self._since = 0, 0.0
        """Bytes of memory, and the time, when that was begun."""
        self._started = False
        self._starting = threading.Lock()
        self._began = time.monotonic()
        self._agent: Agent | None = None
        self._loaded = threading.Event()
        self._idle = threading.Event()

    def start(self) -> None:
        with self._starting:
            if self._started:
                return
            self._started = True
        self._began = time.monotonic()
        threading.Thread(target=self._work, name="loading", daemon=True).start()

    @property
    def is_loaded(self) -> bool:
        """Whether it is there, or has failed."""
        return self._loaded.is_set()

    @property
    def is_idle(self) -> bool:
        """Whether no thread of ours is at work in native code."""
        return self._idle.is_set()

    def stage(self) -> str:
        return f"loading {self.name} ({self._doing}{self._far()})"

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def wait(self, seconds: float) -> bool:
        return self._loaded.wait(seconds)

    def agent(self) -> Agent:
        """Once it is loaded; a reading ahead that is under way is stopped. Raises its error."""
        if self.error is not None:
            raise self.error
        assert self._agent is not None
        while not self._idle.wait(0.05):
            self._agent.engine.stop()
        return self._agent

    def warm(self) -> None:
        """Read ahead again, because what every turn begins with has changed."""
        agent = self.agent()
        self._idle.clear()
        threading.Thread(target=self._warm, args=(agent,), name="warming", daemon=True).start()

    def close(self) -> None:
        """Free the model, if there is one."""
        if self._agent is not None:
            self.agent().engine.close()

    def _say(self, what: str, of: int = 0) -> None:
        self._held, self._since = machine.held_memory() if of else 0, time.monotonic()
        self._doing, self._of = what, of

    def _far(self) -> str:
        """How far that is, by the memory that has been taken: engines do not tell."""
        of = self._of
        if not of:
            return ""
        done = min(of, max(0, machine.held_memory() - self._held))
        spent = time.monotonic() - self._since
        left = spent * (of - done) / done if done > of / 20 else 0.0
        told = f", about {left:.0f} s left" if left >= 1 else ""
        return f", {done / 1e9:.1f} of {of / 1e9:.1f} GB{told}"

    def _work(self) -> None:
        try:
            self._agent = self._build(self._say)
        except BaseException as error:  # shown to the user, who goes on with another model
            self.error = _as_error(error)
        finally:
            if self._agent is None:
                self._idle.set()
            self._loaded.set()
        try:
            self._done()
        finally:
            if self._agent is not None:
                self._warm(self._agent)

    def _warm(self, agent: Agent) -> None:
        try:
            with contextlib.suppress(BaseException):  # the reply that needs it will say what it is
                agent.warm()
        finally:
            self._idle.set()


def _as_error(error: BaseException) -> Exception:
    """A tool file can end its thread (SystemExit); that must not end the program."""
    if isinstance(error, Exception):
        return error
    return EngineError(f"loading was ended by {type(error).__name__}: {error}")
