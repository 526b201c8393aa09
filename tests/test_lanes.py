"""Several lanes over one model: each writes what it would write alone, and none waits for another
that ends, is stopped or fails."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from langchain_core.messages import HumanMessage

from agent import app, grammar
from agent.engines.base import Choice, Sampling
from agent.engines.batch import Batch
from agent.engines.cache import Held
from agent.engines.llamacpp import LlamaModel
from agent.engines.local import LocalEngine
from agent.engines.transformers import TransformersModel
from agent.errors import EngineError, OutOfMemory
from agent.estimate import estimate
from agent.events import Usage
from agent.settings import Settings
from tests.test_transformers_engine import SCHEMA, drain

T = TypeVar("T")
Lane = LlamaModel | TransformersModel
LANES = 3
SHARED = "<|im_start|>system\n" + "Be brief, and answer in a friendly voice. " * 20 + "<|im_end|>\n"
ASKED = ["the sea", "old maps", "a red kite", "rain", "the moon", "bread"]


@pytest.fixture(scope="module")
def several(smollm_folder: Path) -> Iterator[TransformersModel]:
    loaded = TransformersModel(smollm_folder, 1024, bits=32, device="cpu", lanes=LANES)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def slots(smollm: Path) -> Iterator[LlamaModel]:
    loaded = LlamaModel(smollm, 1024, "cpu", lanes=LANES)
    yield loaded
    loaded.close()


@pytest.fixture(params=["transformers", "llamacpp"])
def lanes(request: pytest.FixtureRequest) -> Sequence[Lane]:
    """Of either engine, with nothing in their caches that a test asks for."""
    name = "several" if request.param == "transformers" else "slots"
    found: Sequence[Lane] = request.getfixturevalue(name).lanes
    for lane in found:
        drain(lane.generate(lane.encode("Something else"), None, Sampling(), 0))
        lane.usage = Usage()
    return found


def prompt(lane: Lane, about: str, shared: str = SHARED) -> list[int]:
    asked = f"<|im_start|>user\nTell me about {about}.<|im_end|>\n<|im_start|>assistant\n"
    return lane.encode(shared + asked)


def at_once(lanes: Sequence[Lane], work: Callable[[Lane], T]) -> list[T]:
    with ThreadPoolExecutor(len(lanes)) as threads:
        return list(threads.map(work, lanes))


def rows(lanes: Sequence[Lane], tokens: int, shared: str = SHARED) -> dict[str, list[int]]:
    """What is said to each request, the lanes taking turns at them."""
    left = list(ASKED)

    def work(lane: Lane) -> dict[str, list[int]]:
        said = {}
        while left:
            about = left.pop(0)
            ids = prompt(lane, about, shared)
            said[about] = drain(lane.generate(ids, None, Sampling(), tokens))[0]
        return said

    return {about: ids for part in at_once(lanes, work) for about, ids in part.items()}


def test_lanes_write_what_one_lane_writes(several: TransformersModel) -> None:
    together = rows(several.lanes, 16)
    alone = rows(several.lanes[:1], 16)
    assert set(together) == set(ASKED)
    assert together == alone


def test_slots_write_what_one_slot_writes_where_the_model_is_sure(slots: LlamaModel) -> None:
    """llama.cpp's kernels round differently for several rows, so a close call may go either way."""
    count = "one two three one two three one two three one two"

    def said(lane: Lane) -> str:
        return drain(lane.generate(lane.encode(count), None, Sampling(), 12))[1]

    assert len(set(at_once(slots.lanes, said))) == 1


def test_what_the_rows_share_is_read_once(lanes: Sequence[Lane], request: Any) -> None:
    shared = f"<|im_start|>system\n{request.node.name}" + SHARED
    once = len(lanes[0].encode(shared))
    own = sum(len(prompt(lanes[0], about, shared)) - once for about in ASKED)
    rows(lanes, 4, shared)
    used = sum((lane.usage for lane in lanes), Usage())
    assert used.prefilled <= 1.1 * (once + own)
    assert used.cached + used.prefilled == once * len(ASKED) + own


def test_a_grammar_holds_in_every_lane(lanes: Sequence[Lane]) -> None:
    rules = grammar.arguments(grammar.HERMES, "trip", SCHEMA)

    def call(lane: Lane) -> str:
        return drain(lane.generate(prompt(lane, "a trip"), rules, Sampling(), 200))[1]

    for written in at_once(lanes, call):
        assert written.strip().startswith('{"city":')
        assert written.endswith(grammar.HERMES.end)


def test_logprobs_are_those_of_one_lane(lanes: Sequence[Lane]) -> None:
    token = lanes[0].encode(" the")[0]
    asked = list(zip(lanes, ASKED, strict=False))

    def odds(pair: tuple[Lane, str]) -> float:
        return pair[0].logprobs(prompt(pair[0], pair[1]), [token])[0]

    alone = [odds(pair) for pair in asked]
    for lane in lanes:
        drain(lane.generate(lane.encode("Something else"), None, Sampling(), 0))
    with ThreadPoolExecutor(len(asked)) as threads:
        assert list(threads.map(odds, asked)) == pytest.approx(alone, abs=0.5)


def test_one_lane_is_stopped_and_the_others_go_on(lanes: Sequence[Lane]) -> None:
    first = threading.Event()

    def say(lane: Lane) -> str:
        stream = lane.generate(prompt(lane, "the sea"), None, Sampling(), 24)
        if lane is lanes[1]:
            next(stream)
            first.set()
        return drain(stream)[2]

    def stop() -> None:
        first.wait(60)
        lanes[1].interrupt()

    stopper = threading.Thread(target=stop)
    stopper.start()
    ended = at_once(lanes, say)
    stopper.join()
    assert ended[0] == ended[2] == "length"
    assert ended[1] == "interrupted"


def test_a_lane_that_does_something_else_keeps_nobody_waiting(lanes: Sequence[Lane]) -> None:
    busy = lanes[0].generate(prompt(lanes[0], "rain"), None, Sampling(), 24)
    next(busy)
    assert at_once(lanes[1:], lambda lane: drain(lane.generate(prompt(lane, "bread"), None,
                                                               Sampling(), 8))[2]) == [
        "length"
    ] * (LANES - 1)  # fmt: skip
    assert drain(busy)[2] == "length"


def test_a_failure_of_one_lane_is_its_own(lanes: Sequence[Lane]) -> None:
    def say(lane: Lane) -> str:
        rules = grammar.HEAD + "start: nothing_of_this_name\n" if lane is lanes[1] else None
        ids = prompt(lane, "bread")
        if rules and isinstance(lane, LlamaModel):
            ids = [10**9]  # no token; a grammar that does not parse is ignored there
        try:
            return drain(lane.generate(ids, rules, Sampling(), 8))[2]
        except Exception as error:
            return type(error).__name__

    ended = at_once(lanes, say)
    assert ended[0] == ended[2] == "length"
    assert ended[1].endswith("Error")
    assert drain(lanes[1].generate(prompt(lanes[1], "rain"), None, Sampling(), 4))[2] == "length"


def test_memory_that_runs_out_is_told_to_every_lane_and_they_go_on(
    several: TransformersModel,
) -> None:
    def none(module: Any, args: Any, kwargs: Any) -> None:
        raise torch.OutOfMemoryError("nothing left")

    hook = several.module.register_forward_pre_hook(none, with_kwargs=True)
    barrier = threading.Barrier(LANES, action=hook.remove)

    def all_told(lane: Lane) -> str:
        with pytest.raises(OutOfMemory, match="in vain"):
            lane.logprobs(prompt(lane, "old maps"), [1])
        barrier.wait(60)
        return drain(lane.generate(prompt(lane, "rain"), None, Sampling(), 4))[2]

    assert at_once(several.lanes, all_told) == ["length"] * LANES


def test_a_pass_that_fails_takes_nothing_from_a_lane_that_had_no_part_in_it(
    several: TransformersModel,
) -> None:
    drawn, failed = Held(several.module.config), Held(several.module.config)
    batch = Batch(several.module, [drawn, failed])
    try:
        never = threading.Event()
        assert batch.read(drawn, prompt(several, "rain"), 512, never)

        def none(module: Any, args: Any, kwargs: Any) -> None:
            raise torch.OutOfMemoryError("nothing left")

        hook = several.module.register_forward_pre_hook(none, with_kwargs=True)
        with pytest.raises(torch.OutOfMemoryError):
            batch.read(failed, prompt(several, "bread"), 512, never)
        hook.remove()
        assert batch.run(lambda: drawn.logits is not None)  # of which it draws next
        assert not failed.ids
    finally:
        batch.close()


def test_what_one_lane_must_read_in_pieces_keeps_no_other_waiting(
    several: TransformersModel,
) -> None:
    def work(lane: Lane) -> str:
        ids = prompt(lane, "rain", SHARED * 3) if lane is several else prompt(lane, "rain", "")
        return drain(lane.generate(ids, None, Sampling(), 6))[2]

    assert at_once(several.lanes, work) == ["length"] * LANES


def test_the_lanes_of_a_server_outlive_it(smollm: Path) -> None:
    model = LlamaModel(smollm, 512, "cpu", lanes=2)
    folder = model._server._folder
    assert folder is not None
    rows(model.lanes, 4, "Be brief. ")
    os.kill(model._server._process.pid, signal.SIGKILL)
    assert model._server.has_ended(seconds=60)
    assert len(rows(model.lanes, 4, "Be brief. ")) == len(ASKED)
    model.close()
    assert not os.path.exists(folder.name)
    for lane in model.lanes:
        with pytest.raises(EngineError, match="has been closed"):
            lane.encode("hello")


def test_closing_the_first_lane_ends_the_others(smollm_folder: Path) -> None:
    model = TransformersModel(smollm_folder, 512, 32, device="cpu", lanes=2)
    model.lanes[1].close()
    assert drain(model.generate(prompt(model, "rain", ""), None, Sampling(), 2))[2] == "length"
    model.close()
    model.close()
    for lane in model.lanes:
        with pytest.raises(EngineError, match="has been closed"):
            lane.logprobs([1, 2], [3])


def test_an_engine_for_each_lane_answers_in_its_own_thread(smollm: Path) -> None:
    settings = Settings(model=str(smollm), device="cpu", context=2048)
    engines = app.load_engines(settings, 2)

    def say(engine: Any) -> tuple[str, int]:
        reply = engine.reply([HumanMessage("Hello!")], (), Sampling(max_tokens=5), Choice("text"))
        return "".join(delta.text for delta in reply), engine.usage.generated

    with ThreadPoolExecutor(2) as threads:
        said = list(threads.map(say, engines))
    assert all(isinstance(engine, LocalEngine) and engine.context == 2048 for engine in engines)
    assert [tokens for _, tokens in said] == [5, 5]
    for engine in engines:
        engine.close()


def test_lanes_of_a_script_share_it(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text('{"say": "one"}\n{"say": "two"}\n')
    engines = app.load_engines(Settings(engine="scripted", script=str(script)), 2)
    said = [
        "".join(delta.text for delta in engine.reply([HumanMessage("?")])) for engine in engines
    ]
    assert said == ["one", "two"]


def test_memory_for_fewer_caches_gives_fewer_lanes(smollm: Path) -> None:
    needed = estimate(smollm)
    room = needed.need(0) + 3 * 2048 * needed.per_token + 1
    fewer = needed.of_lanes(8, 2048, room)
    assert fewer.lanes == 3
    assert fewer.window(2048, room) == 2048
    assert fewer.need(2048) == needed.need(3 * 2048)
    assert needed.of_lanes(8, 0, needed.need(0)).lanes == 1
