"""The transformers engine's own promises; those of every engine are in test_engines.py."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch

from agent import grammar
from agent.engines.base import Sampling
from agent.engines.llamacpp import LlamaModel
from agent.engines.token_model import Finish, Piece, Stopped
from agent.engines.transformers import PREFILL_CHUNK, SMALL_CHUNK, TransformersModel
from agent.errors import EngineError, OutOfMemory
from agent.estimate import Bits, estimate
from agent.events import Usage

PROMPT = "<|im_start|>user\nTell me about the sea.<|im_end|>\n<|im_start|>assistant\n"
SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "enum": ["Rome", "Oslo"]},
        "days": {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
        "unit": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}},
                 "required": ["name"], "additionalProperties": False},
    },
    "required": ["city", "days", "unit"],
    "additionalProperties": False,
}  # fmt: skip

OWN = """
from transformers import LlamaConfig, LlamaForCausalLM

class OwnConfig(LlamaConfig):
    model_type = "own"

class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture(scope="module")
def model(smollm_folder: Path) -> Iterator[TransformersModel]:
    loaded = TransformersModel(smollm_folder, 2048, bits=32, device="cpu")
    yield loaded
    loaded.close()


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> None:
    if "model" in request.fixturenames:
        model = request.getfixturevalue("model")
        model.forget()
        model.usage = Usage()


def drain(stream: Generator[Piece, None, Finish]) -> tuple[list[int], str, Finish]:
    tokens: list[int] = []
    text = ""
    while True:
        try:
            piece = next(stream)
        except StopIteration as end:
            return tokens, text, end.value
        tokens += piece.tokens
        text += piece.text


def forwards(model: TransformersModel) -> tuple[list[int], Any]:
    """The number of tokens of each forward pass from now on, and what ends the counting."""
    seen: list[int] = []

    def note(module: Any, args: Any, kwargs: Any) -> None:
        seen.append(kwargs["input_ids"].shape[1])

    return seen, model.module.register_forward_pre_hook(note, with_kwargs=True)


def test_how_far_a_prompt_is_read_is_told_while_it_is(model: TransformersModel) -> None:
    seen: list[tuple[int, int] | None] = []
    hook = model.module.register_forward_pre_hook(lambda *_: seen.append(model.reading))
    ids = model.encode("the sea and the wind " * 150)
    drain(model.generate(ids, None, Sampling(), 1))
    hook.remove()
    total = len(ids)
    assert seen == [(at, total) for at in range(0, total, PREFILL_CHUNK)] + [None]
    assert model.reading is None


def test_greedy_text_equals_generate_token_for_token(model: TransformersModel) -> None:
    ids = model.encode(PROMPT)
    said = model.module.generate(
        torch.tensor([ids]), max_new_tokens=60, do_sample=False, repetition_penalty=1.0
    )[0].tolist()[len(ids) :]
    assert drain(model.generate(ids, None, Sampling(), 60))[0] == said


def test_top_k_of_one_is_greedy(model: TransformersModel) -> None:
    ids = model.encode(PROMPT)
    greedy = drain(model.generate(ids, None, Sampling(), 20))
    assert drain(model.generate(ids, None, Sampling(temperature=2.0, top_k=1), 20)) == greedy


def test_the_seed_decides_what_is_drawn(model: TransformersModel) -> None:
    ids = model.encode(PROMPT)

    def draw(seed: int) -> str:
        sampling = Sampling(temperature=1.0, top_p=0.95, min_p=0.01, seed=seed)
        return drain(model.generate(ids, None, sampling, 20))[1]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0.7, seed=5),
        Sampling(temperature=1.3, top_k=20, seed=5),
        Sampling(temperature=1.3, top_p=0.8, seed=5),
        Sampling(temperature=1.3, min_p=0.05, seed=5),
        Sampling(temperature=1.5, top_k=40, top_p=0.9, min_p=0.02, repetition_penalty=1.2, seed=5),
    ],
    ids=["temperature", "top_k", "top_p", "min_p", "all"],
)
def test_drawing_equals_generate_with_the_same_seed(
    model: TransformersModel, sampling: Sampling
) -> None:
    ids = model.encode(PROMPT)
    torch.manual_seed(5)
    said = model.module.generate(
        torch.tensor([ids]),
        max_new_tokens=16,
        do_sample=True,
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        min_p=sampling.min_p or None,
        repetition_penalty=sampling.repetition_penalty,
    )[0].tolist()[len(ids) :]
    assert drain(model.generate(ids, None, sampling, 16))[0] == said


def test_a_repetition_penalty_changes_a_text_that_repeats(model: TransformersModel) -> None:
    ids = model.encode("one two three one two three one two three one two")
    plain = drain(model.generate(ids, None, Sampling(), 12))[1]
    assert drain(model.generate(ids, None, Sampling(repetition_penalty=1.8), 12))[1] != plain


def test_only_new_tokens_are_processed(model: TransformersModel) -> None:
    ids = model.encode(PROMPT)
    said = drain(model.generate(ids, None, Sampling(), 10))[0]
    model.usage = Usage()
    more = model.encode("<|im_end|>\n<|im_start|>user\nAnd the moon?<|im_end|>\n")
    seen, counting = forwards(model)
    model.logprobs([*ids, *said, *more], [0])
    counting.remove()
    assert sum(seen) == len(more)
    assert (model.usage.cached, model.usage.prefilled) == (len(ids) + len(said), len(more))


def test_the_same_prompt_again_costs_nothing(model: TransformersModel) -> None:
    ids = model.encode(PROMPT)
    before = model.logprobs(ids, [1, 2, 3])
    seen, counting = forwards(model)
    assert model.logprobs(ids, [1, 2, 3]) == before
    counting.remove()
    assert seen == []


def test_a_cache_that_was_cut_back_answers_as_a_fresh_one(model: TransformersModel) -> None:
    ids = model.encode(PROMPT)
    drain(model.generate(ids, None, Sampling(), 20))
    other = [*ids[:-4], *model.encode("please<|im_end|>\n<|im_start|>assistant\n")]
    cut = model.logprobs(other, list(range(50)))
    shorter = model.logprobs(ids[:10], list(range(50)))
    model.forget()
    assert model.logprobs(ids[:10], list(range(50))) == pytest.approx(shorter, abs=1e-3)
    assert model.logprobs(other, list(range(50))) == pytest.approx(cut, abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_the_grammar_holds_however_wild_the_sampling(model: TransformersModel, seed: int) -> None:
    ids = model.encode(PROMPT)
    rules = grammar.arguments(grammar.HERMES, "trip", SCHEMA)
    sampling = Sampling(temperature=1.5, seed=seed)
    _, text, finish = drain(model.generate(ids, rules, sampling, 300))
    assert finish == "stop"
    jsonschema.validate(json.loads(text.removesuffix(grammar.HERMES.end)), SCHEMA)


@pytest.mark.parametrize("rule", ['"Hi 🦜 北京 é 🦉🦉"', "/[一-龥🦀-🦿]{4}/"])
def test_no_id_of_a_character_of_several_tokens_is_without_its_text(
    model: TransformersModel, rule: str
) -> None:
    ids = model.encode(PROMPT)
    sampling = Sampling(temperature=1.0, seed=1)
    pieces = list(model.generate(ids, grammar.HEAD + f"start: {rule}\n", sampling, 60))
    shown = [token for piece in pieces if piece.text for token in piece.tokens]
    assert model._tokenizer.decode(shown) == "".join(piece.text for piece in pieces)


def test_forced_tokens_take_no_pass_of_their_own(model: TransformersModel) -> None:
    ids = model.encode(PROMPT)
    seen, counting = forwards(model)
    rules = grammar.arguments(grammar.HERMES, "trip", SCHEMA)
    tokens, _, _ = drain(model.generate(ids, rules, Sampling(), 300))
    counting.remove()
    assert sum(seen) <= len(ids) + len(tokens)
    assert len(seen) < 0.7 * len(tokens)


def test_a_call_longer_than_its_room_ends_by_length(model: TransformersModel) -> None:
    ids = model.encode(PROMPT)
    rules = grammar.arguments(grammar.HERMES, "trip", SCHEMA)
    tokens, _, finish = drain(model.generate(ids, rules, Sampling(), 5))
    assert (len(tokens), finish) == (5, "length")


def test_a_limit_of_zero_only_reads_the_prompt(model: TransformersModel) -> None:
    ids = model.encode(PROMPT)
    assert drain(model.generate(ids, None, Sampling(), 0)) == ([], "", "length")
    assert model.usage.prefilled == len(ids)


def test_an_interrupt_ends_within_one_token_and_the_next_reply_is_whole(
    model: TransformersModel,
) -> None:
    ids = model.encode(PROMPT)
    stream = model.generate(ids, None, Sampling(), 50)
    first = next(stream)
    stopper = threading.Thread(target=model.interrupt)
    stopper.start()
    stopper.join()
    assert drain(stream) == ([], "", "interrupted")
    assert drain(model.generate(ids, None, Sampling(), 50))[0][: len(first.tokens)] == first.tokens


def test_a_prompt_is_interrupted_between_two_chunks_and_goes_on_there(
    model: TransformersModel,
) -> None:
    ids = model.encode(PROMPT * 80)
    assert 2 * PREFILL_CHUNK < len(ids) < model.context
    seen, counting = forwards(model)
    stopping = model.module.register_forward_hook(lambda *_: model.interrupt())
    assert drain(model.generate(ids, None, Sampling(), 5)) == ([], "", "interrupted")
    with pytest.raises(Stopped):
        model.logprobs(ids, [1])
    stopping.remove()
    assert seen == [PREFILL_CHUNK] * 2
    model.logprobs(ids, [1])
    counting.remove()
    assert sum(seen) == len(ids)


def test_out_of_memory_is_tried_again_in_smaller_pieces(model: TransformersModel) -> None:
    ids = model.encode(PROMPT * 8)
    expected = model.logprobs(ids, [1, 2, 3])
    model.forget()

    def scarce(module: Any, args: Any, kwargs: Any) -> None:
        if kwargs["input_ids"].shape[1] > SMALL_CHUNK:
            raise torch.OutOfMemoryError("too little")

    hook = model.module.register_forward_pre_hook(scarce, with_kwargs=True)
    try:
        assert model.logprobs(ids, [1, 2, 3]) == pytest.approx(expected, abs=1e-3)
    finally:
        hook.remove()


def test_memory_that_stays_out_is_told_and_the_model_goes_on(model: TransformersModel) -> None:
    ids = model.encode(PROMPT)

    def none(module: Any, args: Any, kwargs: Any) -> None:
        raise torch.OutOfMemoryError("nothing left")

    hook = model.module.register_forward_pre_hook(none, with_kwargs=True)
    with pytest.raises(OutOfMemory, match="in vain"):
        model.logprobs(ids, [1])
    hook.remove()
    assert drain(model.generate(ids, None, Sampling(), 3))[2] == "length"


def test_the_folder_reads_text_as_the_gguf_file_does(
    model: TransformersModel, smollm: Path
) -> None:
    original = LlamaModel(smollm, 512, device="cpu")
    for text in (PROMPT, "Hello  wörld 🎉\n\n\tdef f(): 1234567", "{'a': \"b\"}"):
        assert model.encode(text) == original.encode(text)
    assert model.chat_template == original.chat_template
    assert model.end_tokens >= original.end_tokens
    original.close()


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_the_weights_take_the_memory_that_was_estimated(smollm_folder: Path, bits: Bits) -> None:
    loaded = TransformersModel(smollm_folder, 512, bits, device="cpu")
    took = loaded.module.get_memory_footprint()
    assert drain(loaded.generate(loaded.encode(PROMPT), None, Sampling(), 2))[2] == "length"
    loaded.close()
    assert took == pytest.approx(estimate(smollm_folder, bits).weights, rel=0.1)


def test_code_of_a_model_is_trusted_in_every_part_of_it(
    smollm_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    for file in smollm_folder.iterdir():
        (folder / file.name).symlink_to(file)
    (folder / "config.json").unlink()
    config = json.loads((smollm_folder / "config.json").read_text())
    parts = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    config |= {"model_type": "own", "auto_map": parts}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(OWN)
    loaded = TransformersModel(folder, 512, 32, device="cpu", trust_remote_code=True)
    assert drain(loaded.generate(loaded.encode(PROMPT), None, Sampling(), 1))[2] == "length"
    loaded.close()


def test_a_folder_that_is_no_model_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=str(tmp_path)):
        TransformersModel(tmp_path, 512, 16, device="cpu")
