"""The mean of a training's last weights, which does better on unseen rows than the last ones.

An exponential mean (Polyak and Juditsky 1992; Izmailov et al. 2018), over more steps the further
the training is. It is what is measured, and what is kept; training itself goes on with the weights.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import get_ema_multi_avg_fn

FILE = "average.safetensors"
EVERY = 4
"""Steps between two looks, so that it costs next to nothing."""
DECAY = 0.96
"""Of one look: 0.99 a step."""
LARGE = 1_000_000
"""Weights of an embedding, from which it is left out: it hardly moves and would take half the
memory."""


class Average:
    def __init__(self, model: Any) -> None:
        left_out = {
            id(module.weight)
            for module in model.modules()
            if isinstance(module, torch.nn.Embedding) and module.weight.numel() > LARGE
        }
        self._weights = {
            name: weight
            for name, weight in model.named_parameters()
            if weight.requires_grad and id(weight) not in left_out
        }
        self._mean = {name: weight.detach().clone() for name, weight in self._weights.items()}

    def look(self, step: int) -> None:
        """After each step of the optimizer."""
        if step % EVERY:
            return
        count = step // EVERY
        decay = min(DECAY, (1 + count) / (10 + count))
        now = [weight.detach() for weight in self._weights.values()]
        with torch.no_grad():
            mean = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
            mean(list(self._mean.values()), now, count)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the mean for its weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def save(self, folder: Path) -> None:
        save_file(self._mean, folder / FILE)

    def load(self, folder: Path) -> None:
        """To go on from a checkpoint."""
        for name, mean in load_file(folder / FILE).items():
            self._mean[name].copy_(mean)

    def settle(self) -> None:
        """For good."""
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(self._mean[name])

    def _swap(self) -> None:
        for name, weight in self._weights.items():
            weight.data, self._mean[name] = self._mean[name], weight.data
