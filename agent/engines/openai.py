"""Any server that speaks the OpenAI chat protocol: vLLM, SGLang, llama-server, Ollama.

How users outgrow one machine. What the local engines do with token ids is left to the server: it
keeps the cache and constrains the calls, if it can. So a call is checked here against its schema,
and asked for once more when it is wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.engines.base import Choice, Sampling
from agent.engines.template import describe
from agent.engines.thinking import ThinkSplitter
from agent.errors import EngineError, OutOfMemory, UsageError, WindowFull
from agent.events import TextDelta, Usage

if TYPE_CHECKING:
    import httpx
    from langchain_core.messages import AIMessage, BaseMessage

    from tools.base import ToolSpec

CONTEXT = 8192
"""Tokens, where neither the server nor the user says."""
TOOL_CHOICE = {"free": "auto", "text": "none", "call": "required"}
WAITS = (1.0, 2.0, 4.0)
"""Seconds before another try when the server is busy."""


class OpenAIEngine:
    """An `Engine` over HTTP. `TINSMITH_API_KEY`, else `OPENAI_API_KEY`, is sent when it is set."""

    def __init__(self, url: str, model: str = "", context: int = 0) -> None:
        """`url` ends in /v1. Without `model`, the server's only one.

        Raises EngineError when the server cannot be used, UsageError for a model it does not have.
        """
        self._url = url.rstrip("/")
        self._stopped = threading.Event()
        self._socket: socket.socket | None = None
        self.usage = Usage()
        served = {one["id"]: one for one in self._get("/models").get("data") or ()}
        if not model and len(served) != 1:
            raise UsageError(f"{url} serves {_names(served)}; choose with --model")
        self.name = model or next(iter(served))
        if self.name not in served:
            raise UsageError(f"{url} has no model {self.name!r}; it serves {_names(served)}")
        self.context = context or self._window(served[self.name])

    def reply(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[ToolSpec] = (),
        sampling: Sampling = Sampling(),  # noqa: B008  frozen
        choice: Choice = Choice(),  # noqa: B008  frozen
    ) -> Generator[TextDelta, None, AIMessage]:
        """As in the contract. `choice.weights` cannot be told to a server."""
        from langchain_core.messages import AIMessage, convert_to_openai_messages

        self._stopped.clear()
        self.usage = Usage()
        sent = convert_to_openai_messages(list(messages))
        request = self._request(sent, tools, sampling, choice)
        draft = yield from self._once(request)
        calls, problem = draft.calls(tools)
        if problem and draft.finish != "length" and not self._stopped.is_set():
            complaint = f"That call was not valid: {problem}. Write it again."
            request["messages"] = [*sent, {"role": "user", "content": complaint}]
            draft = yield from self._once(request)
            calls, problem = draft.calls(tools)
            if problem and draft.finish != "length" and not self._stopped.is_set():
                raise EngineError(f"{self.name} wrote an invalid call twice: {problem}")
        cut = bool(problem) and draft.finish == "length"
        return AIMessage(
            draft.text,
            tool_calls=[] if problem else calls,
            additional_kwargs={"reasoning": draft.reasoning} if draft.reasoning else {},
            response_metadata={"finish": draft.finish, "cut_call": cut, "model_name": self.name},
        )

    def warm(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> None:
        """Nothing: a server's cache may be shared, and its time may cost money."""

    def fits(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> float | None:
        return None

    def count_tokens(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> int:
        """An estimate from the number of characters: the protocol cannot ask for it."""
        from langchain_core.messages.utils import count_tokens_approximately

        described = sum(len(json.dumps(describe(tool))) for tool in tools)
        return count_tokens_approximately(list(messages)) + described // 4

    def stop(self) -> None:
        self._stopped.set()
        if (connected := self._socket) is not None:
            with contextlib.suppress(OSError):  # it may have ended by itself just now
                connected.shutdown(socket.SHUT_RDWR)  # the server stops when nobody listens

    def close(self) -> None:
        self.stop()

    def _request(
        self,
        messages: list[dict[str, Any]] | dict[str, Any],
        tools: Sequence[ToolSpec],
        sampling: Sampling,
        choice: Choice,
    ) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.name,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": sampling.temperature,
        }
        neutral = Sampling()
        for key, name in (
            ("top_p", "top_p"),
            ("seed", "seed"),
            ("max_tokens", "max_tokens"),
            ("top_k", "top_k"),  # from here on not OpenAI's, but known to the servers above
            ("min_p", "min_p"),
            ("repetition_penalty", "repetition_penalty"),
            ("repetition_penalty", "repeat_penalty"),
        ):
            if (value := getattr(sampling, key)) != getattr(neutral, key):
                request[name] = value
        if sampling.stop:
            request["stop"] = list(sampling.stop)
        if tools:
            request["tools"] = [describe(tool) for tool in tools]
            request["tool_choice"] = TOOL_CHOICE[choice.mode]
        return request

    def _once(self, request: Mapping[str, Any]) -> Generator[TextDelta, None, _Draft]:
        draft = _Draft()
        splitter = ThinkSplitter()
        started = time.perf_counter()
        first = 0.0
        for part in self._parts(request):
            first = first or time.perf_counter() - started
            if used := part.get("usage"):
                self.usage += _usage(used)
            for one in part.get("choices") or ():
                draft.finish = "length" if one.get("finish_reason") == "length" else draft.finish
                delta = one.get("delta") or {}
                thought = delta.get("reasoning_content") or delta.get("reasoning") or ""
                if thought:
                    yield draft.take(TextDelta(thought, "reasoning"))
                for text in splitter.feed(delta.get("content") or ""):
                    yield draft.take(text)
                for call in delta.get("tool_calls") or ():
                    draft.add_call(call)
        for text in splitter.end():
            yield draft.take(text)
        spent = time.perf_counter() - started
        self.usage += Usage(prefill_seconds=first, decode_seconds=spent - first)
        if self._stopped.is_set():
            draft.finish = "interrupted"
        return draft

    def _parts(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The chunks of a reply. Ends early when stopped. A busy server is asked again."""
        import httpx

        for wait in (*WAITS, None):
            try:
                with (
                    httpx.Client(timeout=httpx.Timeout(600.0, connect=10.0)) as client,
                    client.stream(
                        "POST",
                        self._url + "/chat/completions",
                        json=request,
                        headers=_headers(),
                        extensions={"trace": self._note_socket},
                    ) as response,
                ):
                    if wait is not None and response.status_code in (429, 500, 502, 503, 504):
                        response.read()
                        self._stopped.wait(wait)
                        if self._stopped.is_set():
                            return
                        continue
                    self._refuse(response)
                    yield from self._events(response)
                    return
            except httpx.HTTPError as error:
                if self._stopped.is_set():
                    return
                raise EngineError(f"{self._url}: {_why(error)}") from error
            finally:
                self._socket = None

    def _events(self, response: httpx.Response) -> Iterator[dict[str, Any]]:
        for line in response.iter_lines():
            if self._stopped.is_set():
                return
            data = line.removeprefix("data:").strip()
            if not line.startswith("data:") or not data:
                continue
            if data == "[DONE]":
                return
            try:
                part: dict[str, Any] = json.loads(data)
            except ValueError as error:
                raise EngineError(f"{self._url} sent what is not JSON: {data[:100]!r}") from error
            if problem := part.get("error"):
                raise EngineError(f"{self._url}: {_message(problem)}")
            yield part
        if not self._stopped.is_set():
            raise EngineError(f"{self._url} ended the reply in the middle; ask again")

    def _note_socket(self, event: str, info: Mapping[str, Any]) -> None:
        """The connection, as soon as there is one: `stop` must end the wait for a reply too."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._stopped.is_set():
                self.stop()

    def _refuse(self, response: httpx.Response) -> None:
        """Raise what a reply with an error means."""
        if response.is_success:
            return
        response.read()
        try:
            said = _message(response.json().get("error", response.text))
        except (ValueError, AttributeError):
            said = response.text.strip()[:200]
        status = response.status_code
        where = f"{self._url} answers {status}: {said}"
        if status in (401, 403):
            raise EngineError(f"{where}; set TINSMITH_API_KEY to the server's key")
        if status == 404:
            raise EngineError(f"{where}; is the address right? It usually ends in /v1")
        if status == 400 and "context" in said.lower():
            raise WindowFull(f"{where}; start a new conversation")
        if "memory" in said.lower():
            raise OutOfMemory(where)
        raise EngineError(where)

    def _get(self, path: str) -> dict[str, Any]:
        import httpx

        try:
            response = httpx.get(self._url + path, headers=_headers(), timeout=10.0)
            self._refuse(response)
            found = response.json()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise EngineError(
                f"no server at {self._url} ({_why(error)}); start it, or set another url"
            ) from error
        except ValueError as error:
            raise EngineError(f"{self._url}{path} is not JSON; is it an OpenAI server?") from error
        return found if isinstance(found, dict) else {}

    def _window(self, served: Mapping[str, Any]) -> int:
        """vLLM and SGLang say `max_model_len`; llama-server tells its slots' size in /props."""
        if length := served.get("max_model_len"):
            return int(length)
        import httpx

        root = self._url.removesuffix("/v1")
        with contextlib.suppress(httpx.HTTPError, ValueError, KeyError, TypeError):
            props = httpx.get(root + "/props", headers=_headers(), timeout=10.0).json()
            return int(props["default_generation_settings"]["n_ctx"])
        return CONTEXT


class _Draft:
    """What has come of one reply."""

    def __init__(self) -> None:
        self.text = ""
        self.reasoning = ""
        self.finish = "stop"
        self._calls: dict[int, dict[str, str]] = {}

    def take(self, delta: TextDelta) -> TextDelta:
        if delta.kind == "reasoning":
            self.reasoning += delta.text
        else:
            self.text += delta.text
        return delta

    def add_call(self, delta: Mapping[str, Any]) -> None:
        call = self._calls.setdefault(
            delta.get("index") or 0, {"id": "", "name": "", "arguments": ""}
        )
        function = delta.get("function") or {}
        call["id"] = delta.get("id") or call["id"]
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""

    def calls(self, tools: Sequence[ToolSpec]) -> tuple[list[dict[str, Any]], str]:
        """The calls, and what is wrong with the first that is not valid."""
        import jsonschema

        schemas = {tool.name: tool.parameters for tool in tools}
        found = []
        for call in self._calls.values():
            if call["name"] not in schemas:
                return [], f"there is no tool {call['name']!r}"
            try:
                arguments = json.loads(call["arguments"] or "{}")
                jsonschema.validate(arguments, schemas[call["name"]])
            except ValueError as error:
                return [], f"the arguments {call['arguments']!r} are not JSON ({error})"
            except jsonschema.ValidationError as error:
                return [], f"{call['name']}: {error.message}"
            id = call["id"] or f"call_{secrets.token_hex(6)}"
            found.append({"name": call["name"], "args": arguments, "id": id})
        return found, ""


def _headers() -> dict[str, str]:
    key = os.environ.get("TINSMITH_API_KEY") or os.environ.get("OPENAI_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _usage(used: Mapping[str, Any]) -> Usage:
    details = used.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens") or 0
    return Usage(
        cached=cached,
        prefilled=(used.get("prompt_tokens") or 0) - cached,
        generated=used.get("completion_tokens") or 0,
    )


def _names(served: Mapping[str, Any]) -> str:
    return ", ".join(sorted(served)) or "no model"


def _message(error: Any) -> str:
    return str(error.get("message", error)) if isinstance(error, Mapping) else str(error)


def _why(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0] or type(error).__name__
