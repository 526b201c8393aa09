"""What is known of a turn afterwards. Times are seconds from its begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.events import Usage


@dataclass(frozen=True)
class Fact:
    """A row of the table `traces`."""

    at: float
    kind: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Message:
    """As it was sent to the model, or came from it."""

    role: str
    text: str
    at: int | None = None
    """Its place in the session; None: the words of the system, or a summary."""


@dataclass(frozen=True)
class Candidate:
    """A tool that might have been called."""

    name: str
    offered: bool
    nearness: float | None = None
    """Cosine to what was asked, and more where that names something which the tool knows of."""
    own: float | None = None
    """The model's own share for this name, of 1, when it wrote the first call."""
    share: float | None = None
    """With the nearness weighed in: the highest was called."""


@dataclass(frozen=True)
class Offer:
    why: str
    candidates: tuple[Candidate, ...]
    """The likeliest first."""
    odds: float | None
    """The model's own log-odds that a tool fits, in nats; None: it was not asked."""
    score: float | None
    """The judge's log-odds, with the nearness; above 0 a call is made."""


@dataclass(frozen=True)
class Asked:
    """Whether a call was allowed."""

    answer: str
    """once, session, always, no, edit (other arguments), before (it was allowed before), nobody
    (there was nobody to ask)."""
    allowed: bool
    reason: str
    seconds: float


@dataclass(frozen=True)
class Call:
    id: str
    name: str
    arguments: Mapping[str, Any]
    """Those that it was run with."""
    result: str | None
    """None: there is none."""
    ok: bool
    began: float | None
    """None: it was not run, or this program ended before it had."""
    seconds: float
    asked: tuple[Asked, ...]
    """More than one where the user changed the arguments and was asked about those."""


@dataclass(frozen=True)
class Step:
    """One reply that the model was asked for."""

    began: float
    """When it was looked for a tool that fits."""
    sent_at: float
    first_word: float | None
    """None: a call, or a reply that did not end."""
    replied_at: float | None
    """None: the reply failed, or was broken off."""
    mode: str
    """What it could be: text, call, or free (either)."""
    offer: Offer | None
    """None: the same reply was asked for again."""
    upto: int
    """How many messages the session held."""
    sent: tuple[int, ...]
    """Places in the session of what was sent, behind the words of the system."""
    earlier: int
    """How many of them belong to earlier turns."""
    shortened: int
    """How many of them are results that were shortened."""
    new: tuple[Message, ...]
    """What was sent now and was not in this turn before, without those of earlier turns."""
    usage: Usage
    finish: str
    reply: Message | None
    """None: there was none, or it was not kept."""
    reasoning: str
    cut: bool
    """A call did not fit into the tokens that it was given."""
    begun: str
    """What was written of a call that was broken off; "" for none."""
    calls: tuple[Call, ...]

    @property
    def ended(self) -> float:
        """When its calls were done too."""
        calls = [(call.began or 0) + call.seconds for call in self.calls]
        return max([self.replied_at or self.sent_at, *calls])


@dataclass(frozen=True)
class Compaction:
    at: float
    what: str
    """shortened, summarised, or stopped by the user."""
    before: int
    after: int
    """Tokens."""
    usage: Usage


@dataclass(frozen=True)
class Turn:
    session: int
    number: int
    """Of the user's messages in this session, from 1."""
    started: float
    """Seconds since the epoch."""
    seconds: float
    """Up to the last thing that is known of it."""
    model: str
    window: int
    system: str
    """The words of the system."""
    request: str
    reason: str
    """Why it ended; "" when it has not: it is under way, or the program was killed."""
    answer: str
    usage: Usage
    steps: tuple[Step, ...]
    compactions: tuple[Compaction, ...] = ()
    notices: tuple[str, ...] = field(default=())
