"""A conversation that nobody goes on with: in the memory of this process, and gone with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agent.events import Usage
from agent.memory.sessions import Session

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage


class Unkept(Session):
    """A `Session` without a file. To make one in SQLite costs more than all else of a short run."""

    def __init__(self) -> None:
        self.id = 0
        self.messages: list[BaseMessage] = []
        self._noted = ""
        self._asked = None
        self._calls: dict[str, ToolMessage | None] = {}
        self._spent: list[Usage] = []

    def asked(self, request: HumanMessage) -> None:
        """Nothing is kept."""

    def append(self, message: BaseMessage, usage: Usage | None = None) -> None:
        self._noted = ""
        self.messages.append(message)
        self._spent.append(usage or Usage())

    def note(self, text: str) -> None:
        self._noted = text

    def call_started(self, id: str) -> None:
        self._calls[id] = None

    def call_finished(self, answer: ToolMessage) -> None:
        self._calls[answer.tool_call_id] = answer

    def trace(self, turn: int, at: float, kind: str, facts: Mapping[str, Any]) -> None:
        """Nobody will look."""

    def fork(self, turns: int | None = None) -> Session:
        raise NotImplementedError("there is no file for another session")

    def usage(self, since: int = 0) -> Usage:
        return sum(self._spent[since:], Usage())

    def close(self) -> None:
        """There is nothing to close."""

    def _started(self) -> Mapping[str, ToolMessage | None]:
        return self._calls
