"""What the two local engines share: from messages to token ids and back.

A `TokenModel` knows nothing of chat: it continues token ids. `LocalEngine` renders messages with
the model's own chat template, keeps the exact ids of everything read and said, decides between
text and a call, and parses what comes.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Literal, Protocol

from agent.engines.base import Sampling
from agent.events import Usage

Finish = Literal["stop", "length", "interrupted"]


class TokenModel(Protocol):
    """Continues token ids, keeps its key-value cache between calls.

    Every call looks for the longest common prefix of `prompt` with what the cache holds and
    processes only the rest. One call at a time.
    """

    context: int
    """The window, in tokens: prompt and continuation together."""
    usage: Usage
    """Summed over all calls since the owner last set it to Usage()."""

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; special tokens written in it are recognised; none are added."""
        ...

    def piece(self, token: int) -> bytes:
        """The bytes of a token as they stand in the text; special tokens give their name."""
        ...

    def generate(
        self, prompt: Sequence[int], grammar: str | None, sampling: Sampling, max_tokens: int
    ) -> Generator[list[int], None, Finish]:
        """Yield the tokens after `prompt` as they are decided; several at once when forced.

        `grammar` is llguidance's Lark text (the leading `%llguidance {}` line included) and has
        been validated. An end-of-turn token ends the continuation and is yielded. "length": the limit or the
        window was reached. `sampling.stop` and `sampling.max_tokens` are the owner's business.
        """
        ...

    def logprobs(self, prompt: Sequence[int], tokens: Sequence[int]) -> list[float]:
        """Log-probability, in nats, of each of `tokens` as the one after `prompt`."""
        ...

    def interrupt(self) -> None:
        """From any thread: end the `generate` under way within one token ("interrupted")."""
        ...

    def close(self) -> None: ...
