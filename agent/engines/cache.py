"""The key-value cache of the transformers engine. Imports torch: import it where it is needed."""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

GROWTH = 256
"""Tokens; the buffers grow in such steps."""


def new_cache(config: Any) -> Cache:
    """An empty cache for a model of this configuration.

    Sliding windows get full layers, which can be cut back; the model's mask keeps to the window.
    """
    kinds = getattr(config.get_text_config(), "layer_types", None) or ()
    if all(kind in ("full_attention", "sliding_attention") for kind in kinds):
        return Cache(layer_class_to_replicate=GrowingLayer)
    return DynamicCache(config=config)


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
