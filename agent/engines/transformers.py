"""Hugging Face causal models through transformers and bitsandbytes: the default on a GPU.

The token loop is our own, over `model.forward` with a cache that is kept between replies:
`generate` processes a conversation anew, knows no forced tokens and cannot be stopped.
"""

from __future__ import annotations

import inspect
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
    import torch


PREFILL_CHUNK = 512
"""Prompt tokens processed between two looks at whether to stop."""
SMALL_CHUNK = 64
"""The same after the memory ran out: activations take an eighth."""


class TransformersModel:
    """A `TokenModel` over a folder of safetensors."""

    def __init__(
        self,
        path: Path,
        context: int,
        bits: Bits = 4,
        device: str = "auto",
        trust_remote_code: bool = False,
        report: Callable[[str, int, int], None] | None = None,
        adapter: Path | None = None,
    ) -> None:
        """Load `path`, quantised to `bits` (4: nf4 with double quantisation; Dettmers et al. 2023).

        `context` is the window in tokens, `adapter` a folder with a LoRA of peft, which is put on
        the model. Raises EngineError, OutOfMemory.
        """
        from transformers import AutoTokenizer
        from transformers.utils import logging

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
        # without it the logits of every token of the prompt would be computed
        signature = inspect.signature(self.module.forward)
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in signature.parameters else {}
        self._interrupted = threading.Event()
        self._ids: list[int] = []
        """What the cache holds."""
        self._logits: torch.Tensor | None = None
        """Those after the last of `_ids`; None when the cache was cut back."""
        self.forget()

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def generate(
        self, prompt: Sequence[int], grammar: str | None, sampling: Sampling, max_tokens: int
    ) -> Generator[Piece, None, Finish]:
        from tokenizers.decoders import DecodeStream

        self._interrupted.clear()
        decoder = DecodeStream(skip_special_tokens=False)
        rules = Rules(self.tables, grammar) if grammar is not None else None
        draw = Draw(sampling, self.device)
        ids = list(prompt)
        end = min(len(ids) + max_tokens, self.context)
        self._count_prompt(ids)
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
        self._count_prompt(prompt)
        if not self._read(list(prompt)):
            raise Stopped
        assert self._logits is not None
        odds = torch.log_softmax(self._logits.float(), dim=-1)
        wanted: list[float] = odds[torch.tensor(tokens, device=odds.device)].tolist()
        return wanted

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        import torch

        self.interrupt()
        self.forget()
        self.module = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _read(self, ids: list[int], decoding: bool = False) -> bool:
        """Bring the cache to exactly `ids` and the logits after them; False when interrupted.

        Out of memory: once more from an empty cache, in smaller pieces.
        """
        started = time.perf_counter()
        try:
            done = self._process(ids, PREFILL_CHUNK)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise EngineError(f"the model failed: {first_line(error)}") from error
            done = self._once_more(ids)
        spent = time.perf_counter() - started
        self.usage += Usage(decode_seconds=spent) if decoding else Usage(prefill_seconds=spent)
        return done

    def _once_more(self, ids: list[int]) -> bool:
        try:
            return self._process(ids, SMALL_CHUNK)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise EngineError(f"the model failed: {first_line(error)}") from error
            raise OutOfMemory(
                f"the memory is too small for {len(ids)} tokens; tried again from an empty cache "
                f"and {SMALL_CHUNK} tokens at a time, in vain. Start a new conversation, or load "
                "the model with fewer bits"
            ) from error

    def _process(self, ids: list[int], chunk: int) -> bool:
        import torch

        common = self._common(ids)
        if common == len(ids) == len(self._ids) and self._logits is not None:
            return True
        self._keep(min(common, len(ids) - 1))  # at least one token, for its logits
        try:
            with torch.inference_mode():
                for start in range(len(self._ids), len(ids), chunk):
                    if self._interrupted.is_set():
                        return False
                    part = ids[start : start + chunk]
                    output = self.module(
                        input_ids=torch.tensor([part], device=self.device),
                        past_key_values=self._cache,
                        use_cache=True,
                        **self._last_only,
                    )
                    self._ids += part
                    self._logits = output.logits[0, -1]
        except BaseException:  # some layers hold the part and some do not
            self.forget()
            raise
        return True

    def _common(self, ids: Sequence[int]) -> int:
        """Length of the prefix that `ids` and the cache share."""
        known = self._ids
        if ids[: len(known)] == known:
            return len(known)
        pairs = zip(ids, known, strict=False)
        differ = (at for at, (one, other) in enumerate(pairs) if one != other)
        return next(differ, len(ids))

    def _keep(self, tokens: int) -> None:
        surplus = len(self._ids) - tokens
        if not surplus:
            return
        if tokens == 0 or not self._cache.is_croppable:  # a recurrent state cannot go back
            self.forget()
            return
        self._cache.crop(-surplus)
        del self._ids[tokens:]
        self._logits = None

    def forget(self) -> None:
        """Empty the cache."""
        import torch

        from agent.engines.cache import new_cache

        self._cache = new_cache(self.module.config)
        self._ids = []
        self._logits = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _count_prompt(self, prompt: Sequence[int]) -> None:
        cached = self._common(list(prompt))
        self.usage += Usage(cached=cached, prefilled=len(prompt) - cached)

    def _draw(self, draw: Draw, rules: Rules | None, ids: list[int]) -> int:
        """The next token. It waits for the device, so its time is the decoding's."""
        assert self._logits is not None
        started = time.perf_counter()
        token = draw(self._logits, rules.mask() if rules else None, ids)
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
