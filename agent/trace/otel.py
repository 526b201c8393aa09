"""Turns as OpenTelemetry spans, sent where the standard variables point; nowhere without them.

A turn becomes spans when it has ended, with the times that were written down, in a thread that
also imports the libraries and waits for the receiver. So nobody else does. The library's own
thread (BatchSpanProcessor) would hold the program at its end for up to half a minute.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import importlib.util
import logging
import os
import queue
import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agent.trace.read import turn_of
from tools.errors import first_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from agent.memory.sessions import Session
    from agent.trace.turn import Fact

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
WITH_CONTENT = ("true", "span_only", "span_and_event")
"""Values of it with which messages, arguments and results stand in the spans."""
LIBRARY = "opentelemetry.exporter.otlp.proto.http"
PATIENCE = 2.0
"""Seconds that the program waits at its end for what is not sent yet."""
WAITING = 64
"""Turns that wait to be sent; more are dropped."""

Say = Callable[[str], None]


def exporter(tell: Say, warn: Say) -> Exporter | None:
    """None when no variable asks for it, or nothing can be sent: `tell` then hears why. Else it
    hears what is sent, and where.

    `warn` hears, in another thread and once, that the receiver takes nothing. There is one exporter
    in a program, which warns by what it was given last: with another model it is asked for again.
    """
    variable = _first(ENDPOINTS)
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if not variable or disabled or os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return None
    if not _is_here():
        tell(f"{variable} is set, and no spans can be sent without: pip install 'tinsmith[otel]'")
        return None
    protocol = _first(PROTOCOLS)
    if protocol and os.environ[protocol] != "http/protobuf":
        tell(f"{protocol} is {os.environ[protocol]!r}, and spans are sent as http/protobuf only")
        return None
    content = "what is said too" if _with_content() else "without what is said"
    host = urlsplit(os.environ[variable]).hostname or os.environ[variable]
    tell(f"each turn is sent to {host}, {content}, because {variable} is set")
    one = _exporter()
    one.warn = lambda why: warn(f"{variable} is set, and no spans arrive there: {why}")
    return one


def _with_content() -> bool:
    return os.environ.get(CONTENT, "").strip().lower() in WITH_CONTENT


def _first(names: tuple[str, ...]) -> str:
    """The first of these variables that is set; else ""."""
    return next((name for name in names if os.environ.get(name)), "")


def _is_here() -> bool:
    try:
        return importlib.util.find_spec(LIBRARY) is not None
    except ModuleNotFoundError:  # of a package around it
        return False


class Exporter:
    """Given a turn that has ended, sends it behind one's back."""

    def __init__(self) -> None:
        self.warn: Say = lambda why: None
        self._jobs: queue.Queue[Callable[[], None]] = queue.Queue(WAITING)
        self._change = threading.Condition()
        self._left = 0
        self._log = _Log(lambda why: self.warn(why), self._change)
        self._do(_prepare)
        threading.Thread(target=self._work, name="spans", daemon=True).start()
        atexit.register(self.wait)

    def __call__(self, session: Session, number: int, facts: Sequence[Fact], system: str) -> None:
        messages = list(session.messages)
        self._do(lambda: self._send(session.id, number, facts, messages, system))

    def wait(self) -> None:
        """Until all is sent, or for as long as one waits for a receiver that takes something."""
        with self._change:
            self._change.wait_for(lambda: not self._left or self._log.is_failing, PATIENCE)

    def _do(self, job: Callable[[], None]) -> None:
        with self._change, contextlib.suppress(queue.Full):
            self._jobs.put_nowait(job)
            self._left += 1

    def _work(self) -> None:
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(self._log)
        logger.propagate = False  # it would write on the terminal
        while True:
            job = self._jobs.get()
            try:
                job()
            except Exception as error:  # the talk goes on without spans
                self._log.fail(f"{type(error).__name__}: {error}")
            with self._change:
                self._left -= 1
                self._change.notify_all()

    def _send(
        self,
        session: int,
        number: int,
        facts: Sequence[Fact],
        messages: Sequence[BaseMessage],
        system: str,
    ) -> None:
        from agent.trace import spans

        turn = turn_of(session, number, facts, messages, system)
        if spans.send(spans.of(turn, messages, _with_content())):
            self._log.is_failing = False


@cache
def _exporter() -> Exporter:
    return Exporter()


def _prepare() -> None:
    """Import the libraries while the model is loading."""
    importlib.import_module("agent.trace.spans")


class _Log(logging.Handler):
    """Hears what the library complains of, and tells the first of it."""

    def __init__(self, warn: Say, change: threading.Condition) -> None:
        super().__init__(logging.WARNING)
        self._change = change
        self.is_failing = False
        self._warn = warn
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        self.fail(record.getMessage())

    def fail(self, why: str) -> None:
        with self._change:
            self.is_failing = True
            self._change.notify_all()
        if not self._told:
            self._told = True
            self._warn(first_line(Exception(why)))
