"""The contract of an engine: `reply` yields text as it comes and returns the message.

    engine = ...                                   # llamacpp, transformers, openai or scripted
    engine.warm(messages, tools)                   # process the stable prefix ahead; optional
    message = yield from engine.reply(messages, tools, Sampling(), Choice())
    engine.usage                                   # tokens cached, prefilled, generated; seconds

An engine may be used by one thread at a time; `stop` may be called from any.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from agent.events import TextDelta, Usage

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

    from tools.spec import ToolSpec

RETRY_TEMPERATURE = 0.7
RETRY_MIN_P = 0.05
"""Where the model is sure, as of a number that it copies into a call, it stays so."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn. The defaults are greedy."""

    temperature: float = 0.0
    """0 takes the likeliest token."""
    top_p: float = 1.0
    top_k: int = 0
    """0: no limit."""
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    max_tokens: int | None = None
    """None: as many as the window holds."""
    stop: tuple[str, ...] = ()
    """The reply ends before the first of these strings."""

    def varied(self) -> Sampling:
        """For another answer to the same request, which greedy sampling or a seed cannot give."""
        return replace(
            self,
            temperature=self.temperature or RETRY_TEMPERATURE,
            min_p=self.min_p or RETRY_MIN_P,
            seed=None,
        )


@dataclass(frozen=True)
class Choice:
    """What the reply may be: text, a call, or whichever the model prefers."""

    mode: Literal["free", "text", "call"] = "free"
    weights: Mapping[str, float] = field(default_factory=dict)
    """Added to the log-probability of each tool's name before the best is taken, in nats."""
    listed: bool = False
    """The messages describe the tools already; the stable prefix must not."""
    schema: Mapping[str, Any] | None = None
    """A JSON schema: a text is one JSON value of it, and nothing else."""
    pattern: str = ""
    """A regular expression (Rust's) that a text matches as a whole, in engines on this machine."""


class Engine(Protocol):
    name: str
    """What the user calls the model."""
    context: int
    """The real window, in tokens."""

    @property
    def usage(self) -> Usage:
        """Of the last reply, and of what was asked about it beforehand."""
        ...

    @property
    def reading(self) -> tuple[int, int] | None:
        """Tokens of the prompt that are read, and all of it, while that goes on. From any thread.

        None: nothing is being read, or this engine cannot tell.
        """
        ...

    @property
    def calling(self) -> int:
        """Tokens that are written of a call that is under way, which nobody sees. From any thread.

        0: there is none, or this engine cannot tell.
        """
        ...

    def reply(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[ToolSpec] = (),
        sampling: Sampling = Sampling(),
        choice: Choice = Choice(),
    ) -> Generator[TextDelta, None, AIMessage]:
        """Yield the text as it comes, return the message.

        `message.tool_calls` are valid against the schemas of `tools` or absent.
        `message.response_metadata["finish"]` is "stop", "length" or "interrupted"; with "length",
        `response_metadata["cut_call"]` says that it was a call that did not fit, or a value of
        `choice.schema`.
        `response_metadata["begun_call"]` is what there is of a call that was broken off.
        `response_metadata["opinions"]`, of an engine that has some, holds for each call the
        log-probability of every name that it might have had, in nats, without `choice.weights`.
        `message.additional_kwargs["reasoning"]` holds what stood in <think> tags.
        Raises WindowFull, OutOfMemory, EngineError, GrammarError.
        """
        ...

    def warm(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> None:
        """Process these messages now, so that a reply which starts with them need not."""
        ...

    def fits(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> float | None:
        """Log-odds, in nats, that one of `tools` does what the last message asks.

        None: this engine cannot tell.
        """
        ...

    def wants_call(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> bool | None:
        """Whether the reply would begin as a call, in the form that the model was trained on.

        None: this engine cannot tell.
        """
        ...

    def count_tokens(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> int:
        """Tokens of the prompt that `reply` would send."""
        ...

    def stop(self) -> None:
        """End the reply under way within one token. Does nothing when there is none."""
        ...

    def close(self) -> None:
        """Free the model's memory. The engine cannot be used afterwards."""
        ...
