"""What came of a run: one JSON object, whatever happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from agent.events import Usage

Reason = Literal[
    "done", "checks", "usage", "failed", "steps", "tokens", "repeats", "seconds", "interrupted"
]
CODES: Mapping[Reason, int] = {
    "done": 0, "usage": 2, "checks": 100, "seconds": 124, "interrupted": 130,
}  # fmt: skip
"""Exit codes; all other reasons have 1."""
WORDS: Mapping[str, str] = {
    "done": "passed",
    "checks": "failed a check",
    "usage": "could not be run",
    "seconds": "out of time",
    "steps": "at the limit of steps",
    "tokens": "at the limit of tokens",
    "repeats": "went in circles",
}
"""What is said of a row; of other reasons, the reason itself."""
TIMES = ("seconds", "prefill_seconds", "decode_seconds")
"""The keys, wherever they stand, in which a replay may differ from what it replays."""


@dataclass(frozen=True)
class Called:
    """A call of a tool, by the model or by a step."""

    step: str
    name: str
    arguments: Mapping[str, Any]
    result: str
    ok: bool
    """False: it failed, was refused or took too long; `result` says which."""
    seconds: float


@dataclass(frozen=True)
class Done:
    """What came of a step."""

    id: str
    answer: Any
    """A text, a value that follows the step's schema, or a list of them where there was `each`."""
    skipped: bool
    tries: int
    """More than one where the step was tried again; with `each`, of all items together."""
    tokens: int
    """That the model wrote in it."""
    seconds: float


@dataclass(frozen=True)
class Checked:
    name: str
    passed: bool
    why: str
    """What was seen."""
    id: str
    """A hash of the check as the task has it, which its name need not tell: templates are filled in
    there."""


@dataclass(frozen=True)
class Envelope:
    """Of one run of one task."""

    task: str
    hash: str
    """Of the task."""
    inputs: Mapping[str, Any]
    """With the defaults; of a file, the path that was given."""
    answer: Any = None
    """Of the last step that was done."""
    reason: Reason = "failed"
    error: str | None = None
    steps: tuple[Done, ...] = ()
    calls: tuple[Called, ...] = ()
    checks: tuple[Checked, ...] = ()
    """Empty when the steps did not come to their end."""
    files: tuple[str, ...] = ()
    """The outputs that were written."""
    usage: Usage = field(default_factory=Usage)
    """Of all replies, those of judges too."""
    model: str | None = None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.reason == "done"

    @property
    def exit_code(self) -> int:
        return CODES.get(self.reason, 1)

    def as_dict(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return {"ok": self.ok, **asdict(self)}


def verdict(checks: Sequence[Checked]) -> tuple[Reason, str | None]:
    """The reason, and the error, of a run that came to its end."""
    wrong = [f"{one.name}: {one.why}" for one in checks if not one.passed]
    return ("checks", "; ".join(wrong)) if wrong else ("done", None)


def reason_of(reasons: Iterable[str]) -> Reason:
    """That of a run over rows which ended so."""
    found = {*reasons}
    if found - {"done", "checks"}:
        return "failed"
    return "checks" if "checks" in found else "done"


def in_words(reason: str, is_checked: bool) -> str:
    """Of a row that ended so. What nothing checks was answered, and has passed nothing."""
    return "answered" if reason == "done" and not is_checked else WORDS.get(reason, reason)


def timeless(written: Any) -> Any:
    """An envelope's `as_dict` without what a replay may differ in."""
    if isinstance(written, Mapping):
        return {key: timeless(one) for key, one in written.items() if key not in TIMES}
    if isinstance(written, list | tuple):
        return [timeless(one) for one in written]
    return written
