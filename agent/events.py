"""What a turn yields. The REPL draws them, the command line prints them, tests compare them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Reason = Literal["answered", "steps", "seconds", "tokens", "repeats", "interrupted", "failed"]


@dataclass(frozen=True)
class Usage:
    """What a reply cost. Counts are tokens, times are seconds. Sums with `+`."""

    cached: int = 0
    """Prompt tokens that were already in the model's key-value cache."""
    prefilled: int = 0
    """Prompt tokens that had to be processed."""
    generated: int = 0
    """Tokens written, forced ones included."""
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.cached + other.cached,
            self.prefilled + other.prefilled,
            self.generated + other.generated,
            self.prefill_seconds + other.prefill_seconds,
            self.decode_seconds + other.decode_seconds,
        )


@dataclass(frozen=True)
class TextDelta:
    """A piece of the reply, as it comes."""

    text: str
    kind: Literal["answer", "reasoning"] = "answer"


@dataclass(frozen=True)
class ToolStarted:
    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class ToolProgress:
    """How far a tool is that tells."""

    id: str
    done: int
    total: int
    what: str


@dataclass(frozen=True)
class ToolFinished:
    id: str
    name: str
    result: str
    ok: bool
    """False: the model was told of an error, a refusal or a time-out."""
    seconds: float


@dataclass(frozen=True)
class Notice:
    """Something the user should know and the model was not told."""

    text: str


@dataclass(frozen=True)
class Stage:
    """What takes its time now, other than the reply; until the next event."""

    text: str


@dataclass(frozen=True)
class TurnEnded:
    """The last event of every turn."""

    answer: str
    reason: Reason
    usage: Usage
    steps: int
    """Replies the model gave in this turn."""


Event = TextDelta | ToolStarted | ToolProgress | ToolFinished | Notice | Stage | TurnEnded
