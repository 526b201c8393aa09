"""GGUF files through llama.cpp (the `xllamacpp` wheels): the default on a CPU.

llama.cpp's own server (`llama_server.py`) is spoken to over the loopback interface: its
`/completion` takes and gives token ids, and a closed connection ends a reply in the middle of the
prompt too.
"""

from __future__ import annotations

import contextlib
import copy
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from agent.engines.base import Sampling
from agent.engines.llama_server import LlamaServer
from agent.engines.llama_slots import Slots
from agent.engines.token_model import Finish, Piece, Stopped
from agent.errors import EngineError, OutOfMemory
from agent.events import Usage

PREFILL_CHUNK = 256
"""Prompt tokens processed between two looks at whether to stop."""
TOP = 512
"""Alternatives asked of llama.cpp when log-probabilities are wanted."""
ALWAYS = 1000.0
"""Logits."""


class LlamaModel:
    """A `TokenModel` over one slot of a llama.cpp server of our own; with `lanes`, the first of
    several."""

    def __init__(
        self,
        path: Path,
        context: int,
        device: str = "auto",
        report: Callable[[str, int, int], None] | None = None,
        adapter: Path | None = None,
        lanes: int = 1,
    ) -> None:
        """Load `path`, with a LoRA adapter on it that is a GGUF file too.

        `context` is the window in tokens, of each lane. Raises EngineError.
        """
        if report:
            report("loading", 0, path.stat().st_size)
        start = partial(LlamaServer, path, context, device, PREFILL_CHUNK, adapter, lanes)
        self._shared = _Shared(start, lanes)
        self._slot = 0
        self._connection: http.client.HTTPConnection | None = None
        self._interrupted = threading.Event()
        self.usage = Usage()
        self.reading: tuple[int, int] | None = None
        try:
            self._server.wait_until_loaded()
            props = self._post("/props", None)
            self.context: int = props["default_generation_settings"]["n_ctx"]
            self.chat_template: str = props.get("chat_template", "")
            self.bos: str = props.get("bos_token", "")
            self.eos: str = props.get("eos_token", "")
            self.end_tokens = frozenset(self.encode(self.eos))
        except BaseException:
            self._server.close()
            raise
        self.lanes = [self]
        """One for each thread, each with a slot of the server, which is the first's: closing it
        ends all."""
        self.lanes += [self._beside(slot) for slot in range(1, lanes)]
        if report:
            report("loading", path.stat().st_size, path.stat().st_size)

    def _beside(self, slot: int) -> LlamaModel:
        lane = copy.copy(self)
        lane._slot = slot
        lane._interrupted = threading.Event()
        lane.usage = Usage()
        lane.reading = None
        return lane

    @property
    def _server(self) -> LlamaServer:
        return self._shared.server

    def encode(self, text: str) -> list[int]:
        answer = self._post("/tokenize", {"content": text, "parse_special": True})
        return [int(token) for token in answer["tokens"]]

    def generate(
        self, prompt: Sequence[int], grammar: str | None, sampling: Sampling, max_tokens: int
    ) -> Generator[Piece, None, Finish]:
        self._interrupted.clear()
        request: dict[str, Any] = {
            "prompt": list(prompt),
            "n_predict": min(max_tokens, self.context - len(prompt)),
            "stream": True,
            "return_tokens": True,
            "return_progress": True,
            "cache_prompt": True,
            "timings_per_token": False,
            "repeat_last_n": self.context,
            **_sampling(sampling),
        }
        if grammar is not None:
            request["grammar"] = grammar
        with self._in_slot(request) as whole:
            return (yield from self._generate(request, whole))

    def _generate(
        self, request: Mapping[str, Any], whole: threading.Event
    ) -> Generator[Piece, None, Finish]:
        seen = Usage()  # until the server's own account comes, at the end of a whole reply
        predicted = 0
        last = time.perf_counter()
        try:
            for part in self._stream(request):
                since, last = time.perf_counter() - last, time.perf_counter()
                if "prompt_progress" in part:
                    seen = self._read_so_far(part["prompt_progress"])
                    continue
                self.reading = None
                whole.set()
                if not part.get("stop"):
                    count = part["tokens_predicted"] - predicted
                    predicted = part["tokens_predicted"]
                    seen += Usage(generated=count, decode_seconds=since)
                    yield Piece(self._exact(part, count), part["content"])
                    continue
                seen = _usage(part["timings"])
                if part["stop_type"] == "eos":
                    yield Piece([min(self.end_tokens)], "")
                    return "stop"
                return "length"
            return "interrupted"
        finally:
            self.reading = None
            self.usage += seen

    def _exact(self, part: Mapping[str, Any], count: int) -> list[int]:
        """The ids of a part, which took `count`.

        Of a character in several tokens the server sends only the last: these are then the ids
        that the text is read with, and may differ from a spelling that was drawn against habit.
        """
        tokens: list[int] = part["tokens"]
        if len(tokens) == count or not part["content"]:
            return tokens
        ids = self.encode(part["content"])
        if len(ids) <= count:
            return ids
        # a blank that SentencePiece puts in front of every text
        last = ids[-count:]
        answer = self._post("/detokenize", {"tokens": last})
        return last if answer["content"] == part["content"] else ids

    def logprobs(self, prompt: Sequence[int], tokens: Sequence[int]) -> list[float]:
        """As in the protocol; a token that is not among the `TOP` likeliest gets their least."""
        self._interrupted.clear()
        request = {
            "prompt": list(prompt),
            "n_predict": 1,
            "stream": True,
            "return_progress": True,
            "n_probs": TOP,
            "cache_prompt": True,
            # llama.cpp sends nothing for a part of a character, so what it draws is the end; the
            # log-probabilities are those before this
            "logit_bias": [[min(self.end_tokens), ALWAYS]],
        }
        seen = Usage()
        top: dict[int, float] = {}
        try:
            with self._in_slot(request) as whole:
                for part in self._stream(request):
                    if "prompt_progress" in part:
                        seen = self._read_so_far(part["prompt_progress"])
                    elif part.get("stop"):
                        seen = _usage(part["timings"] | {"predicted_n": 0})
                    else:
                        whole.set()
                        likeliest = part["completion_probabilities"][0]["top_logprobs"]
                        top = {one["id"]: float(one["logprob"]) for one in likeliest}
        finally:
            self.reading = None
            self.usage += seen
        if self._interrupted.is_set():
            raise Stopped
        least = min(top.values())
        return [top.get(token, least) for token in tokens]

    def _read_so_far(self, progress: Mapping[str, Any]) -> Usage:
        self.reading = progress["processed"], progress["total"]
        return Usage(
            cached=progress["cache"],
            prefilled=progress["processed"] - progress["cache"],
            prefill_seconds=progress["time_ms"] / 1000,
        )

    def interrupt(self) -> None:
        self._interrupted.set()
        if len(self.lanes) == 1 and not self._server.address[1]:  # it is being loaded again
            self._server.kill()
        connection = self._connection
        # bound once: the reply may end meanwhile, and its connection then has none
        if connection is not None and (open_socket := connection.sock) is not None:
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._slot:
            self.interrupt()
            return
        self._shared.closed = True
        for lane in self.lanes:
            lane.interrupt()
        self._server.close()

    @contextlib.contextmanager
    def _in_slot(self, request: dict[str, Any]) -> Iterator[threading.Event]:
        """The slot of this lane, with what other lanes have read of the prompt; the event is to be
        set when all of the prompt was read."""
        whole = threading.Event()
        slots = self._shared.slots
        if slots is None:
            yield whole
            return
        request["id_slot"] = self._slot
        server = self._shared.running()
        slots.begin(server, self._slot, request["prompt"], self._interrupted, self._post)
        try:
            yield whole
        finally:
            slots.end(self._slot, whole.is_set(), self._post)

    def _stream(self, request: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
        """The server-sent events of a completion. Ends early when interrupted or closed."""
        with self._interruptible() as connection:
            response = self._send(connection, "/completion", request)
            if response.status != http.client.OK:
                _raise_for(json.loads(response.read()))
            for line in response:
                if self._interrupted.is_set():
                    return
                if line.startswith(b"data: "):
                    part = json.loads(line[6:])
                    _raise_for(part)
                    yield part
                    if part.get("stop"):
                        return
            if not self._interrupted.is_set():
                self._raise_if_gone()

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[http.client.HTTPConnection]:
        """A connection that `interrupt` breaks, without an error."""
        self._connection = connection = self._connect()
        try:
            yield connection
        except (OSError, ValueError, http.client.HTTPException):
            if not self._interrupted.is_set():
                self._raise_if_gone()
                raise
        finally:
            self._connection = None
            connection.close()  # llama.cpp stops working on a reply that nobody reads

    def _post(self, path: str, request: Mapping[str, Any] | None) -> dict[str, Any]:
        connection = self._connect()
        try:
            answer: dict[str, Any] = json.loads(self._send(connection, path, request).read())
        except (OSError, http.client.HTTPException):
            self._raise_if_gone()
            raise
        finally:
            connection.close()
        _raise_for(answer)
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        try:
            address = self._shared.running().address
        except EngineError as error:
            if self._interrupted.is_set() and not self._shared.closed:
                raise EngineError("stopped while the model was loaded again") from error
            raise
        return http.client.HTTPConnection(*address)

    def _raise_if_gone(self) -> None:
        """Raise EngineError when the server has ended; the next request starts another."""
        self._shared.refuse_closed()
        if self._server.has_ended(seconds=1):  # its connections break a moment before
            raise EngineError(
                f"llama.cpp did not survive this ({self._server.how_it_ended()}). Mostly the "
                "memory is too small: a smaller model or a smaller context needs less. The next "
                "message loads it again"
            )

    def _send(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        request: Mapping[str, Any] | None,
    ) -> http.client.HTTPResponse:
        headers = {
            "Authorization": f"Bearer {self._server.key}",
            "Content-Type": "application/json",
        }
        body = None if request is None else json.dumps(request)
        connection.request("GET" if body is None else "POST", path, body, headers)
        return connection.getresponse()


class _Shared:
    """What lanes have in common: the server, which is started again when it has ended."""

    def __init__(self, start: Callable[[], LlamaServer], lanes: int) -> None:
        self.closed = False
        self.slots = Slots() if lanes > 1 else None
        self._start = start
        self._starting = threading.Lock()
        self.server = start()

    def running(self) -> LlamaServer:
        """Raises EngineError."""
        with self._starting:
            if not self.closed and self.server.has_ended():
                self.server.close()
                self.server = self._start()
                if not self.closed:
                    self.server.wait_until_loaded()
            if self.closed:
                self.server.close()
            self.refuse_closed()
            return self.server

    def refuse_closed(self) -> None:
        if self.closed:
            raise EngineError("this model has been closed")


def _usage(timings: Mapping[str, Any]) -> Usage:
    return Usage(
        cached=timings["cache_n"],
        prefilled=timings["prompt_n"],
        generated=timings["predicted_n"],
        prefill_seconds=timings["prompt_ms"] / 1000,
        decode_seconds=timings["predicted_ms"] / 1000,
    )


def _raise_for(answer: Mapping[str, Any]) -> None:
    if (error := answer.get("error")) is None:
        return
    message = str(error.get("message", error))
    if "memory" in message.lower():
        raise OutOfMemory(f"llama.cpp ran out of memory: {message}; try a smaller context")
    raise EngineError(f"llama.cpp refuses: {message}")


def _sampling(sampling: Sampling) -> dict[str, Any]:
    """llama.cpp's own defaults are not neutral, so every one is given."""
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repetition_penalty,
        "seed": -1 if sampling.seed is None else sampling.seed,
    }
