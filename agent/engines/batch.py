"""Many lanes over one transformers model: what each wants read next is read in one forward pass.

The tokens of all lanes stand in one row, without padding: the linear layers, which take nearly all
of the time, see one long sequence. Only the attention goes lane by lane, each over its own cache.

Imports torch: import it where it is needed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from agent.engines.cache import Held, has_plain_layers, keeps_logits
from agent.errors import EngineError

T = TypeVar("T")

NAME = "tinsmith_lanes"
"""Of our attention, among those of transformers."""
SHARED = 16
"""Tokens; a shorter common prefix is not worth a copy, nor waiting for."""
PATIENCE = 0.25
"""Of the time of the last pass: so long is waited for lanes that had a part in it."""
LONGEST_WAIT = 0.05
"""Seconds."""


@dataclass(eq=False)
class Reading:
    """That a lane wants exactly `ids` to be held."""

    held: Held
    ids: list[int]
    chunk: int
    """The most tokens of a pass."""
    interrupted: threading.Event
    done: Future[bool] = field(default_factory=Future)
    """False: interrupted."""
    begun: bool = False

    @property
    def left(self) -> int:
        return len(self.ids) - len(self.held.ids)


class Part(NamedTuple):
    """Tokens of one lane in a pass."""

    reading: Reading
    start: int
    """In the row of the pass."""
    end: int


class Batch:
    """A thread that runs the passes. Every lane's thread hands in what it wants, and waits.

    All of torch is done here: each thread that computes would get threads of its own from OpenMP,
    which wait for work by spinning.
    """

    def __init__(self, module: Any, lanes: Sequence[Held]) -> None:
        self._module = module
        self._device = module.get_input_embeddings().weight.device
        self._last_only = keeps_logits(module)
        self._lanes = list(lanes)
        self._changed = threading.Condition()
        self._wanted: list[Reading] = []
        self._calls: list[tuple[Future[Any], Callable[[], Any]]] = []
        self._served: dict[Held, float] = {}
        """When each lane was given its last result."""
        self._patience = 0.0
        self._closed = False
        module.set_attn_implementation(NAME)
        self._thread = threading.Thread(target=self._run, name="lanes", daemon=True)
        self._thread.start()

    def read(
        self, held: Held, ids: Sequence[int], chunk: int, interrupted: threading.Event
    ) -> bool:
        """Bring `held` to exactly `ids` and the logits after them; False when interrupted."""
        reading = Reading(held, list(ids), chunk, interrupted)
        with self._changed:
            self._refuse_closed()
            self._wanted.append(reading)
            self._changed.notify_all()
        return reading.done.result()

    def run(self, work: Callable[[], T]) -> T:
        """`work`, between two passes."""
        done: Future[T] = Future()
        with self._changed:
            self._refuse_closed()
            self._calls.append((done, work))
            self._changed.notify_all()
        return done.result()

    def leave(self, held: Held) -> None:
        """The lane ends; its memory is free when the pass under way is over."""
        with self._changed:
            if held in self._lanes:
                self._lanes.remove(held)
            self._served.pop(held, None)
            self._calls.append((Future(), held.forget))
            self._changed.notify_all()

    def close(self) -> None:
        """Whoever waits hears of it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise EngineError("this model has been closed")

    def _run(self) -> None:
        while self._await_work():
            with self._changed:
                wanted = list(self._wanted)
            try:
                with torch.inference_mode():
                    self._pass(wanted)
            except Exception as error:
                for reading in wanted:
                    if not reading.done.done():  # who has its logits is about to draw from them
                        reading.held.forget()  # some layers hold a part and some do not
                    self._finish(reading, error)
        for reading in list(self._wanted):
            self._finish(reading, EngineError("this model has been closed"))

    def _await_work(self) -> bool:
        """Wait until there is something to read, and a moment for those that would join.

        Runs the calls meanwhile. False: closed.
        """
        with self._changed:
            while True:
                if self._calls:
                    done, work = self._calls.pop(0)
                    self._changed.release()
                    try:
                        _settle(done, work)
                    finally:
                        self._changed.acquire()
                    continue
                if self._closed:
                    return False
                left = self._others_due() - time.perf_counter()
                if self._wanted and left <= 0:
                    return True
                self._changed.wait(left if self._wanted else None)

    def _others_due(self) -> float:
        """Until when to wait for lanes that were served last and want nothing yet."""
        waiting = {reading.held for reading in self._wanted}
        return max(
            (at + self._patience for held, at in self._served.items() if held not in waiting),
            default=0.0,
        )

    def _pass(self, wanted: Sequence[Reading]) -> None:
        """One forward pass with a part of every lane, as far as there is room."""
        parts = self._parts(wanted)
        if not parts:
            return
        started = time.perf_counter()
        rows = [
            one.reading.ids[len(one.reading.held.ids) :][: one.end - one.start] for one in parts
        ]
        places = [
            torch.arange(len(one.reading.held.ids), len(one.reading.held.ids) + len(row))
            for one, row in zip(parts, rows, strict=True)
        ]
        output = self._module(
            input_ids=torch.tensor([[token for row in rows for token in row]], device=self._device),
            position_ids=torch.cat(places)[None].to(self._device),
            use_cache=False,
            parts=parts,
            **self._of_the_last(parts),
        )
        for number, (one, row) in enumerate(zip(parts, rows, strict=True)):
            at = number if self._last_only else one.end - 1
            one.reading.held.add(row, output.logits[0, at])
        self._patience = min(PATIENCE * (time.perf_counter() - started), LONGEST_WAIT)
        for one in parts:
            if not one.reading.left:
                self._finish(one.reading, True)

    def _of_the_last(self, parts: Sequence[Part]) -> dict[str, torch.Tensor]:
        if not self._last_only:
            return {}
        return {"logits_to_keep": torch.tensor([one.end - 1 for one in parts], device=self._device)}

    def _parts(self, wanted: Sequence[Reading]) -> list[Part]:
        """Who reads how much in the next pass: those that need least first.

        What two lanes want alike is read by one of them; the other copies it afterwards.
        """
        parts: list[Part] = []
        at = 0
        for reading in wanted:
            if reading.interrupted.is_set():
                self._finish(reading, False)
            else:
                self._use_what_is_held(reading)
        rest = [one for one in wanted if not one.done.done()]
        room = min((one.chunk for one in rest), default=0)
        for reading in sorted(rest, key=lambda one: one.left):
            held = len(reading.held.ids)
            if at == room:
                break
            if reading.left > SHARED and any(
                _common(one.reading.ids, reading.ids) >= held + SHARED for one in parts
            ):
                continue
            end = min(room, at + reading.left)
            parts.append(Part(reading, at, end))
            at = end
        return parts

    def _use_what_is_held(self, reading: Reading) -> None:
        """By its own lane and by the others."""
        held, ids = reading.held, reading.ids
        if not reading.begun:
            reading.begun = True
            common = held.common(ids)
            if common == len(ids) == len(held.ids) and held.logits is not None:
                self._finish(reading, True)
                return
            held.keep(min(common, len(ids) - 1))  # at least one token, for its logits
        if reading.left <= SHARED:
            return
        with self._changed:
            others = [one for one in self._lanes if one is not held]
        known, best = max(
            ((min(one.common(ids), len(ids) - 1), one) for one in others),
            key=lambda pair: pair[0],
            default=(0, held),
        )
        if known >= len(held.ids) + SHARED:
            held.take(best, known)

    def _finish(self, reading: Reading, outcome: bool | Exception) -> None:
        with self._changed:
            if reading not in self._wanted:
                return
            self._wanted.remove(reading)
            self._served[reading.held] = time.perf_counter()
        if isinstance(outcome, Exception):
            reading.done.set_exception(outcome)
        else:
            reading.done.set_result(outcome)


def can_batch(module: Any) -> bool:
    """Whether attention of our own can be put into this model, and is all that lanes must not
    share."""
    return (
        bool(getattr(module, "_supports_attention_backend", False))
        and module.config._attn_implementation == "sdpa"
        and has_plain_layers(module.config)
    )


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    parts: Sequence[Part],
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Each lane's queries over its own keys and values, to which the new ones are added.

    Of shape (1, heads, tokens of all lanes, size of a head).
    """
    found = []
    for one in parts:
        keys, values = one.reading.held.cache.update(
            key[:, :, one.start : one.end], value[:, :, one.start : one.end], module.layer_idx
        )
        mask = _mask(one.end - one.start, keys.shape[2], sliding_window, query.device)
        queries = query[:, :, one.start : one.end]
        found.append(sdpa_attention_forward(module, queries, keys, values, mask, **kwargs)[0])
    return torch.cat(found, dim=1), None


def _mask(new: int, total: int, window: int | None, device: torch.device) -> torch.Tensor | None:
    """Which tokens each of the new ones looks at; None: all before it."""
    all_seen = window is None or total <= window
    if all_seen and new in (1, total):
        return None
    mask = torch.ones(new, total, dtype=torch.bool, device=device).tril(total - new)
    return mask if window is None else mask.triu(total - new - window + 1)


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    differ = (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    return next(differ, min(len(one), len(other)))


def _settle(done: Future[T], work: Callable[[], T]) -> None:
    try:
        done.set_result(work())
    except Exception as error:
        done.set_exception(error)


ALL_ATTENTION_FUNCTIONS.register(NAME, _attend)
