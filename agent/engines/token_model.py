"""A model that continues token ids, with its key-value cache: what an engine of ours runs on."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Literal, NamedTuple, Protocol

from agent.engines.base import Sampling
from agent.events import Usage

Finish = Literal["stop", "length", "interrupted"]


class Stopped(Exception):
    """A question to the model was broken off, because its reply is no longer wanted."""


class Piece(NamedTuple):
    """What one step of decoding gave."""

    tokens: list[int]
    """Several when the grammar forced them."""
    text: str
    """Whole characters only: the bytes of an unfinished one come with the piece that ends it.
    Special tokens give their name, the end-of-turn token gives "".
    """


class Pieces:
    """The pieces of a continuation, one after the other; then `finish` says how it ended."""

    def __init__(self, stream: Generator[Piece, None, Finish]) -> None:
        self.finish: Finish = "interrupted"
        self._stream = stream

    def __iter__(self) -> Generator[Piece, None, None]:
        self.finish = yield from self._stream

    def close(self) -> None:
        """Break it off."""
        self._stream.close()


class TokenModel(Protocol):
    """Continues token ids, keeps its key-value cache between calls.

    Every call looks for the longest common prefix of `prompt` with what the cache holds and
    processes only the rest. One call at a time.
    """

    context: int
    """The window, in tokens: prompt and continuation together."""
    usage: Usage
    """Summed over all calls since the owner last set it to Usage()."""
    chat_template: str
    """Jinja source; "" when the model has none."""
    end_tokens: frozenset[int]
    """Any of them ends a turn."""
    bos: str
    eos: str

    @property
    def reading(self) -> tuple[int, int] | None:
        """Tokens of a prompt that are in the cache, and all of it, while it is read; from any
        thread."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; special tokens written in it are recognised; none are added."""
        ...

    def generate(
        self, prompt: Sequence[int], grammar: str | None, sampling: Sampling, max_tokens: int
    ) -> Generator[Piece, None, Finish]:
        """Yield what comes after `prompt` as it is decided.

        `grammar` is llguidance's Lark text, its first line `%llguidance {}`, validated. An
        end-of-turn token ends the continuation and is yielded. "length": the limit or the window
        was reached. `sampling.stop` and `sampling.max_tokens` are the owner's business.
        `max_tokens` 0 processes the prompt and yields nothing.
        """
        ...

    def logprobs(self, prompt: Sequence[int], tokens: Sequence[int]) -> list[float]:
        """Log-probability, in nats, of each of `tokens` as the one after `prompt`.

        Raises Stopped when interrupted.
        """
        ...

    def interrupt(self) -> None:
        """From any thread: end what is under way within one token or one chunk of the prompt."""
        ...

    def close(self) -> None: ...
