"""Hugging Face causal models through transformers and bitsandbytes: the default on a GPU.

The token loop is our own, over `model.forward` with a cache that is kept between replies:
`generate` processes a conversation anew, knows no forced tokens and cannot be stopped.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.engines.base import Sampling
from agent.engines.drawing import Draw, Rules
from agent.engines.token_model import Finish, Piece, Stopped
from agent.errors import EngineError, OutOfMemory
from agent.estimate import Bits
from agent.events import Usage
from tools.errors import SpecialistError, first_line

if TYPE_CHECKING:
    from agent.engines.cache import Passes

PREFILL_CHUNK = 512
"""Prompt tokens processed between two looks at whether to stop."""
SMALL_CHUNK = 64
"""The same after the memory ran out: activations take an eighth."""


class TransformersModel:
    """A `TokenModel` over a folder of safetensors; with `lanes`, the first of several."""

    def __init__(
        self,
        path: Path,
        context: int,
        bits: Bits = 4,
        device: str = "auto",
        trust_remote_code: bool = False,
        report: Callable[[str, int, int], None] | None = None,
        adapter: Path | None = None,
        lanes: int = 1,
    ) -> None:
        """Load `path`, quantised to `bits` (4: nf4 with double quantisation; Dettmers et al. 2023).

        `context` is the window in tokens, of each lane; `adapter` a folder with a LoRA of peft,
        which is put on the model. Raises EngineError, OutOfMemory.
        """
        from transformers import AutoTokenizer
        from transformers.utils import logging

        from agent.engines.batch import Batch, can_batch
        from agent.engines.cache import Alone, Held
        from tools.specialists import gguf_adapter

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        size = sum(file.stat().st_size for file in path.glob("*.safetensors"))
        if report:
            report("loading", 0, size)
        where = {"local_files_only": True, "trust_remote_code": trust_remote_code}
        try:
            if adapter:
                gguf_adapter.fit(adapter, path)
            tokenizer = AutoTokenizer.from_pretrained(path, **where)
            with ThreadPoolExecutor(1) as beside:
                tables = beside.submit(_tables, tokenizer, path, where)
                self.module = _load(path, bits, device, where)
                if adapter:
                    self.module = _adapted(self.module, adapter, bits)
                self.tables = tables.result()
        except (OSError, ValueError, RuntimeError, ImportError, SpecialistError) as error:
            if _out_of_memory(error):
                raise OutOfMemory(
                    f"{path.name} at {bits} bits does not fit into the memory; load it with fewer "
                    "bits or take a smaller model"
                ) from error
            raise EngineError(f"transformers cannot load {path}: {first_line(error)}") from error
        if report:
            report("loading", size, size)
        self.context = context
        self.usage = Usage()
        self.chat_template: str = tokenizer.chat_template or ""
        self.bos: str = tokenizer.bos_token or ""
        self.eos: str = tokenizer.eos_token or ""
        self.end_tokens = _end_tokens(self.module, tokenizer)
        self._tokenizer = tokenizer
        self.device = self.module.get_input_embeddings().weight.device
        self._interrupted = threading.Event()
        self._held = Held(self.module.config)
        self._to_read = 0
        """Tokens of the prompt that is being read."""
        self._passes: Passes = Alone(self.module)
        self.lanes = [self]
        """One for each thread, over the same weights, of which the first takes care: closing it
        ends all. Of a model that cannot be batched there is but the first."""
        if lanes > 1 and can_batch(self.module):
            self.lanes += [self._beside() for _ in range(lanes - 1)]
            batch = Batch(self.module, [lane._held for lane in self.lanes])
            for lane in self.lanes:
                lane._passes = batch

    def _beside(self) -> TransformersModel:
        from agent.engines.cache import Held

        lane = copy.copy(self)
        lane.usage = Usage()
        lane._to_read = 0
        lane._interrupted = threading.Event()
        lane._held = Held(self.module.config)
        return lane

    @property
    def reading(self) -> tuple[int, int] | None:
        total = self._to_read
        return (min(len(self._held.ids), total), total) if total else None

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def generate(
        self, prompt: Sequence[int], grammar: str | None, sampling: Sampling, max_tokens: int
    ) -> Generator[Piece, None, Finish]:
        self._interrupted.clear()
        read_before = self._held.read
        try:
            return (yield from self._generate(prompt, grammar, sampling, max_tokens))
        finally:
            self._count_prompt(len(prompt), read_before)

    def _generate(
        self, prompt: Sequence[int], grammar: str | None, sampling: Sampling, max_tokens: int
    ) -> Generator[Piece, None, Finish]:
        from tokenizers.decoders import DecodeStream

        decoder = DecodeStream(skip_special_tokens=False)
        rules = Rules(self.tables, grammar) if grammar is not None else None
        draw = Draw(sampling, self.device)
        ids = list(prompt)
        end = min(len(ids) + max_tokens, self.context)
        new = rules.forced() if rules else []
        held: list[int] = []  # those of an unfinished character, until it has come
        finish: Finish | None = None
        while finish is None:
            new = new[: end - len(ids)]
            if new:
                ids += new
                self.usage += Usage(generated=len(new))
                text = [decoder.step(self._tokenizer.backend_tokenizer, token) for token in new]
                whole = max((at for at, one in enumerate(text, 1) if one is not None), default=0)
                if whole:
                    yield Piece([*held, *new[:whole]], "".join(filter(None, text)))
                    held = []
                held += new[whole:]
            new = []
            if rules and rules.ended:
                finish = "stop"
            elif not self._read(ids, decoding=len(ids) > len(prompt)):
                finish = "interrupted"
            elif len(ids) >= end:
                finish = "length"
            elif (token := self._draw(draw, rules, ids)) in self.end_tokens:
                held, finish = [*held, token], "stop"
            else:
                new = [token, *(rules.take(token) if rules else ())]
        if held:
            yield Piece(held, "")
        return finish

    def logprobs(self, prompt: Sequence[int], tokens: Sequence[int]) -> list[float]:
        import torch

        self._interrupted.clear()
        read_before = self._held.read
        try:
            if not self._read(list(prompt)):
                raise Stopped
        finally:
            self._count_prompt(len(prompt), read_before)

        def odds() -> list[float]:
            assert self._held.logits is not None
            all_odds = torch.log_softmax(self._held.logits.float(), dim=-1)
            wanted: list[float] = all_odds[torch.tensor(tokens, device=all_odds.device)].tolist()
            return wanted

        return self._passes.run(odds)

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        import torch

        for lane in self.lanes if self is self.lanes[0] else [self]:
            lane.interrupt()
            lane._passes.leave(lane._held)
            lane.module = None
        if self is self.lanes[0]:
            self._passes.close()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def forget(self) -> None:
        """Empty the cache."""
        self._passes.run(self._held.forget)

    def _read(self, ids: list[int], decoding: bool = False) -> bool:
        """Bring the cache to exactly `ids` and the logits after them; False when interrupted.

        Out of memory: once more from an empty cache, in smaller pieces.
        """
        started = time.perf_counter()
        self._to_read = 0 if decoding else len(ids)
        try:
            done = self._passes.read(self._held, ids, PREFILL_CHUNK, self._interrupted)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise EngineError(f"the model failed: {first_line(error)}") from error
            done = self._once_more(ids)
        finally:
            self._to_read = 0
        spent = time.perf_counter() - started
        self.usage += Usage(decode_seconds=spent) if decoding else Usage(prefill_seconds=spent)
        return done

    def _once_more(self, ids: list[int]) -> bool:
        try:
            return self._passes.read(self._held, ids, SMALL_CHUNK, self._interrupted)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise EngineError(f"the model failed: {first_line(error)}") from error
            raise OutOfMemory(
                f"the memory is too small for {len(ids)} tokens; tried again from an empty cache "
                f"and {SMALL_CHUNK} tokens at a time, in vain. Start a new conversation, or load "
                "the model with fewer bits"
            ) from error

    def _count_prompt(self, tokens: int, read_before: int) -> None:
        """How many of the prompt's tokens were read now, and how many were held already."""
        held = len(self._held.ids)
        read = max(0, self._held.read - read_before - max(0, held - tokens))
        self.usage += Usage(cached=max(0, min(held, tokens) - read), prefilled=read)

    def _draw(self, draw: Draw, rules: Rules | None, ids: list[int]) -> int:
        """The next token. It waits for the device, so its time is the decoding's."""

        def drawn() -> int:
            assert self._held.logits is not None
            return draw(self._held.logits, rules.mask() if rules else None, ids)

        started = time.perf_counter()
        token = self._passes.run(drawn)
        self.usage += Usage(decode_seconds=time.perf_counter() - started)
        return token


def _load(path: Path, bits: Bits, device: str, where: dict[str, bool]) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    gpu = device == "auto" and torch.accelerator.is_available()
    half = torch.float16 if gpu and not _has_bfloat16() else torch.bfloat16
    quantiser = None
    if bits == 4:
        quantiser = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=half,
        )
    elif bits == 8:
        quantiser = BitsAndBytesConfig(load_in_8bit=True)
    model = AutoModelForCausalLM.from_pretrained(
        path,
        dtype=torch.float32 if bits == 32 else half,
        device_map="auto" if gpu else {"": "cpu"},
        quantization_config=quantiser,
        use_safetensors=True,
        **where,
    )
    return model.eval()


def _adapted(model: Any, adapter: Path, bits: Bits) -> Any:
    """`model` with a LoRA of peft in its layers.

    It is added into the weights when these have 32 bits. In 16 bits a fifth of it would be lost to
    rounding.
    """
    from peft import PeftModel

    lora = PeftModel.from_pretrained(
        model, str(adapter), torch_device=str(model.device), local_files_only=True
    )
    return lora.merge_and_unload() if bits == 32 else lora.get_base_model().eval()


def _has_bfloat16() -> bool:
    import torch

    return not torch.cuda.is_available() or torch.cuda.is_bf16_supported(including_emulation=False)


def _tables(tokenizer: Any, path: Path, where: dict[str, bool]) -> Any:
    """llguidance's tables of the vocabulary; they take about a second."""
    import llguidance.hf
    from transformers import AutoConfig

    size = AutoConfig.from_pretrained(path, **where).get_text_config().vocab_size
    return llguidance.hf.from_tokenizer(tokenizer, n_vocab=max(size, len(tokenizer)))


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    ends = model.generation_config.eos_token_id
    listed = ends if isinstance(ends, list) else [ends]
    return frozenset(end for end in [*listed, tokenizer.eos_token_id] if end is not None)


def _out_of_memory(error: BaseException) -> bool:
    """torch has a class for it on a GPU; on the CPU only the text tells."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "not enough memory" in str(error) or "can't allocate memory" in str(error)
