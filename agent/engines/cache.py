"""The key-value cache of the transformers engine. Imports torch: import it where it is needed."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from agent.errors import EngineError

GROWTH = 256
"""Tokens; the buffers grow in such steps."""


T = TypeVar("T")


class Held:
    """What has been read: the ids, their keys and values, the logits after the last of them."""

    def __init__(self, config: Any) -> None:
        self.read = 0
        """Tokens that have gone through the model, since it was made."""
        self._config = config
        self.forget()

    def forget(self) -> None:
        self.cache = new_cache(self._config)
        self.ids: list[int] = []
        self.logits: torch.Tensor | None = None
        """None when the cache was cut back."""

    def common(self, ids: Sequence[int]) -> int:
        """Length of the prefix that `ids` shares with what is held."""
        known = self.ids
        if ids[: len(known)] == known:
            return len(known)
        pairs = zip(ids, known, strict=False)
        differ = (at for at, (one, other) in enumerate(pairs) if one != other)
        return next(differ, len(ids))

    def keep(self, tokens: int) -> None:
        """Forget all but so many of the first tokens."""
        surplus = len(self.ids) - tokens
        if not surplus:
            return
        if tokens == 0 or not self.cache.is_croppable:  # a recurrent state cannot go back
            self.forget()
            return
        self.cache.crop(-surplus)
        del self.ids[tokens:]
        self.logits = None

    def add(self, part: Sequence[int], logits: torch.Tensor) -> None:
        """What has gone through the model."""
        self.ids += part
        self.logits = logits
        self.read += len(part)

    def take(self, other: Held, tokens: int) -> None:
        """The first tokens of `other`, with which this one begins, up to so many."""
        start = len(self.ids)
        for number, layer in enumerate(other.cache.layers):
            self.cache.update(
                layer.keys[..., start:tokens, :], layer.values[..., start:tokens, :], number
            )
        self.ids += other.ids[start:tokens]
        self.logits = None


class Passes(Protocol):
    """Who runs the forward passes: `Alone`, or `batch.Batch` for several lanes."""

    def read(
        self, held: Held, ids: Sequence[int], chunk: int, interrupted: threading.Event
    ) -> bool:
        """Bring `held` to exactly `ids` and the logits after them, at most `chunk` tokens a pass.

        False when interrupted. What the model raises goes through, and `held` is then empty.
        """
        ...

    def run(self, work: Callable[[], T]) -> T:
        """`work`, where torch is used."""
        ...

    def leave(self, held: Held) -> None:
        """A lane ends."""
        ...

    def close(self) -> None: ...


class Alone:
    """The passes of a single lane."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._device = module.get_input_embeddings().weight.device
        # without it the logits of every token of the prompt would be computed
        self._last_only = {"logits_to_keep": 1} if keeps_logits(module) else {}

    def read(
        self, held: Held, ids: Sequence[int], chunk: int, interrupted: threading.Event
    ) -> bool:
        if self._module is None:
            raise EngineError("this model has been closed")
        common = held.common(ids)
        if common == len(ids) == len(held.ids) and held.logits is not None:
            return True
        held.keep(min(common, len(ids) - 1))  # at least one token, for its logits
        try:
            with torch.inference_mode():
                for start in range(len(held.ids), len(ids), chunk):
                    if interrupted.is_set():
                        return False
                    part = ids[start : start + chunk]
                    output = self._module(
                        input_ids=torch.tensor([part], device=self._device),
                        past_key_values=held.cache,
                        use_cache=True,
                        **self._last_only,
                    )
                    held.add(part, output.logits[0, -1])
        except BaseException:  # some layers hold the part and some do not
            held.forget()
            raise
        return True

    def run(self, work: Callable[[], T]) -> T:
        return work()

    def leave(self, held: Held) -> None:
        held.forget()

    def close(self) -> None:
        self._module = None


def keeps_logits(module: Any) -> bool:
    """Whether it can be told after which tokens the logits are wanted."""
    return "logits_to_keep" in inspect.signature(module.forward).parameters


def new_cache(config: Any) -> Cache:
    """An empty cache for a model of this configuration.

    Sliding windows get full layers, which can be cut back; the model's mask keeps to the window.
    """
    if has_plain_layers(config):
        return Cache(layer_class_to_replicate=GrowingLayer)
    return DynamicCache(config=config)


def has_plain_layers(config: Any) -> bool:
    """Whether each layer keeps keys and values of all tokens, and nothing else."""
    kinds = getattr(config.get_text_config(), "layer_types", None) or ()
    return all(kind in ("full_attention", "sliding_attention") for kind in kinds)


class GrowingLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types for it
    """Keys and values in buffers with room to grow, so that a new token does not copy the old.

    Each of shape (batch, heads, tokens, size of a head).
    """

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._buffers = [key_states[..., :0, :], value_states[..., :0, :]]
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if end > self._buffers[0].shape[-2]:
            self._buffers = [_grown(buffer, start, end) for buffer in self._buffers]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[..., start:end, :] = states
        self.keys, self.values = (buffer[..., :end, :] for buffer in self._buffers)
        return self.keys, self.values


def _grown(buffer: torch.Tensor, used: int, wanted: int) -> torch.Tensor:
    room = (wanted * 5 // 4 // GROWTH + 1) * GROWTH
    larger = buffer.new_empty((*buffer.shape[:-2], room, buffer.shape[-1]))
    larger[..., :used, :] = buffer[..., :used, :]
    return larger
