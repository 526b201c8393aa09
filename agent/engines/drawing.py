"""How the next token is drawn from a model's logits, and what a grammar allows it to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent.engines.base import Sampling
from agent.errors import GrammarError
from agent.grammar import HEAD

if TYPE_CHECKING:
    import torch


class Rules:
    """What llguidance allows next."""

    def __init__(self, tables: Any, lark: str) -> None:
        from llguidance import LLMatcher

        self._matcher = LLMatcher(tables, LLMatcher.grammar_from_lark(lark.removeprefix(HEAD)))
        self._check()

    @property
    def ended(self) -> bool:
        """Nothing may follow but the end of the turn."""
        stopped: bool = self._matcher.is_stopped()
        return stopped

    def forced(self) -> list[int]:
        """The tokens that must follow, taken."""
        tokens: list[int] = self._matcher.compute_ff_tokens()
        self.consume(tokens)
        return tokens

    def take(self, token: int) -> list[int]:
        """Go on after `token`; gives those that must follow it."""
        self.consume([token])
        return [] if self.ended else self.forced()

    def consume(self, tokens: Sequence[int]) -> None:
        self._matcher.consume_tokens(list(tokens))
        self._check()

    def mask(self) -> torch.Tensor:
        """Which tokens may follow: booleans, one for each of the vocabulary."""
        import numpy as np
        import torch

        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        return torch.from_numpy(np.unpackbits(bits, bitorder="little").view(np.bool_))

    def _check(self) -> None:
        if self._matcher.is_error():
            raise GrammarError(f"llguidance: {self._matcher.get_error()}")


class Draw:
    """How a token is drawn from logits, by transformers' own logits processors."""

    def __init__(self, sampling: Sampling, device: torch.device) -> None:
        import torch
        from transformers.generation import logits_process as ready

        penalty = sampling.repetition_penalty
        self._penalty = ready.RepetitionPenaltyLogitsProcessor(penalty) if penalty != 1 else None
        self._warpers: list[Any] | None = None
        if sampling.temperature == 0:
            return
        self._warpers = [ready.TemperatureLogitsWarper(sampling.temperature)]  # in generate's order
        if sampling.top_k:
            self._warpers.append(ready.TopKLogitsWarper(sampling.top_k))
        if sampling.top_p < 1:
            self._warpers.append(ready.TopPLogitsWarper(sampling.top_p))
        if sampling.min_p:
            self._warpers.append(ready.MinPLogitsWarper(sampling.min_p))
        self._generator = torch.Generator(device)
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)

    def __call__(self, logits: torch.Tensor, mask: torch.Tensor | None, ids: list[int]) -> int:
        """`logits`: (vocabulary,); `mask`: booleans, (at least vocabulary,); `ids`: all so far."""
        import torch

        scores = logits.float()[None]
        if self._penalty:
            scores = self._penalty(torch.tensor([ids], device=scores.device), scores)
        if mask is not None:
            allowed = mask[: scores.shape[1]].to(scores.device, non_blocking=True)
            scores = scores.masked_fill(~allowed, float("-inf"))
        if self._warpers is None:
            return int(scores.argmax())
        for warp in self._warpers:
            scores = warp(None, scores)
        odds = torch.softmax(scores, dim=-1)
        return int(torch.multinomial(odds, 1, generator=self._generator))
