"""Any server that speaks the OpenAI chat protocol: vLLM, SGLang, llama-server, Ollama.

How users outgrow one machine. What the local engines do with token ids is left to the server: it
keeps the cache and constrains the calls, if it can. So a call is checked here against its schema,
and asked for once more when it is wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from agent import answers
from agent.engines.base import Choice, Sampling
from agent.engines.template import describe, without_system
from agent.engines.thinking import ThinkSplitter
from agent.errors import EngineError, OutOfMemory, UsageError, WindowFull
from agent.events import TextDelta, Usage
from tools.errors import first_line

if TYPE_CHECKING:
    import httpx
    from langchain_core.messages import AIMessage, BaseMessage

    from tools.spec import ToolSpec

CONTEXT = 8192
"""Tokens, where neither the server nor the user says."""
TOOL_CHOICE = {"free": "auto", "text": "none", "call": "required"}
WAITS = (1.0, 2.0, 4.0)
"""Seconds before another try when the server is busy."""


class OpenAIEngine:
    """An `Engine` over HTTP. `TINSMITH_API_KEY`, else `OPENAI_API_KEY`, is sent when it is set."""

    reading: tuple[int, int] | None = None
    calling = 0

    def __init__(self, url: str, model: str = "", context: int = 0) -> None:
        """`url` ends in /v1. Without `model`, the server's only one.

        Raises EngineError when the server cannot be used, UsageError for a model it does not have.
        """
        self._url = url.rstrip("/")
        self._shown = re.sub(r"(?<=//).*@", "", self._url)  # without a user's name and password
        self._stopped = threading.Event()
        self._socket: socket.socket | None = None
        self.usage = Usage()
        served = self._served()
        if not model and len(served) != 1:
            raise UsageError(f"{self._shown} serves {_names(served)}; choose with --model")
        self.name = model or next(iter(served))
        if self.name not in served:
            raise UsageError(
                f"{self._shown} has no model {self.name!r}; it serves {_names(served)}"
            )
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
        sent = _system_first(convert_to_openai_messages(list(messages)))
        request = self._request(sent, tools, sampling, choice)
        draft = yield from self._once(request)
        calls, problem = draft.checked(tools, choice)
        if problem and draft.finish != "length" and not self._stopped.is_set():
            complaint = f"That was not valid: {problem}. Write it again."
            request["messages"] = [*sent, {"role": "user", "content": complaint}]
            draft = yield from self._once(request)
            calls, problem = draft.checked(tools, choice)
            if problem and draft.finish != "length" and not self._stopped.is_set():
                raise EngineError(f"{self.name} wrote an invalid {draft.kind} twice: {problem}")
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

    def wants_call(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> bool | None:
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
        messages: list[dict[str, Any]],
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
        if choice.schema is not None and choice.mode != "call":
            wanted = {"name": "answer", "schema": choice.schema, "strict": True}
            request["response_format"] = {"type": "json_schema", "json_schema": wanted}
        return request

    def _once(self, request: Mapping[str, Any]) -> Generator[TextDelta, None, _Draft]:
        draft = _Draft()
        started = time.perf_counter()
        first = 0.0
        for part in self._parts(request):
            first = first or time.perf_counter() - started
            try:
                deltas = draft.read(part)
                self.usage += _usage(part.get("usage") or {})
            except (TypeError, AttributeError, LookupError, ValueError) as error:
                raise self._strange(part) from error
            yield from deltas
        yield from draft.end()
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
                    httpx.Client(
                        timeout=httpx.Timeout(600.0, connect=10.0), verify=_certificates()
                    ) as client,
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
                raise EngineError(f"{self._shown}: {first_line(error)}") from error
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
            except (ValueError, RecursionError) as error:
                raise EngineError(f"{self._shown} sent what is not JSON: {data[:100]!r}") from error
            if not isinstance(part, dict):
                raise self._strange(part)
            if problem := part.get("error"):
                raise EngineError(f"{self._shown}: {_message(problem)}")
            yield part
        if not self._stopped.is_set():
            raise EngineError(f"{self._shown} ended the reply in the middle; ask again")

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
        where = f"{self._shown} answers {status}: {said}"
        if status in (401, 403):
            raise EngineError(f"{where}; set TINSMITH_API_KEY to the server's key")
        if status == 404:
            raise EngineError(f"{where}; is the address right? It usually ends in /v1")
        if status == 400 and "context" in said.lower():
            raise WindowFull(f"{where}; give less at once: a new conversation, a shorter row")
        if "memory" in said.lower():
            raise OutOfMemory(where)
        raise EngineError(where)

    def _get(self, path: str) -> Any:
        import httpx

        try:
            response = httpx.get(self._url + path, headers=_headers(), timeout=10.0)
            self._refuse(response)
            return response.json()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            hidden = isinstance(error, httpx.InvalidURL) and "@" in self._url
            why = "the address is not valid" if hidden else first_line(error)
            raise EngineError(
                f"no server at {self._shown} ({why}); start it, or set another url"
            ) from error
        except ValueError as error:
            raise EngineError(
                f"{self._shown}{path} is not JSON; is it an OpenAI server?"
            ) from error

    def _served(self) -> dict[str, Mapping[str, Any]]:
        """What the server says of each of its models, by their ids."""
        answer = self._get("/models")
        listed = answer.get("data") if isinstance(answer, Mapping) else answer
        served: dict[str, Mapping[str, Any]] = {}
        for one in listed if isinstance(listed, list) else ():
            facts = {"id": one} if isinstance(one, str) else one
            name = isinstance(facts, Mapping) and (facts.get("id") or facts.get("name"))
            if not isinstance(name, str) or not name:
                raise self._strange(answer)
            served[name] = facts
        return served

    def _window(self, served: Mapping[str, Any]) -> int:
        """vLLM and SGLang say `max_model_len`; llama-server tells its slots' size in /props."""
        with contextlib.suppress(ValueError, TypeError, OverflowError):  # absent, or "8k"
            if (length := int(served.get("max_model_len", 0))) > 0:
                return length
        import httpx

        root = self._url.removesuffix("/v1")
        with contextlib.suppress(httpx.HTTPError, ValueError, KeyError, TypeError):
            props = httpx.get(root + "/props", headers=_headers(), timeout=10.0).json()
            if (length := int(props["default_generation_settings"]["n_ctx"])) > 0:
                return length
        return CONTEXT

    def _strange(self, answer: Any) -> EngineError:
        said = json.dumps(answer, ensure_ascii=False)[:200]
        return EngineError(f"{self._shown} does not speak the OpenAI protocol: it says {said}")


class _Draft:
    """What has come of one reply."""

    def __init__(self) -> None:
        self.text = ""
        self.reasoning = ""
        self.finish = "stop"
        self._calls: list[dict[str, Any]] = []
        self._splitter = ThinkSplitter()

    def read(self, part: Mapping[str, Any]) -> list[TextDelta]:
        """Add a chunk of the stream. What a chunk of this protocol is not raises anything."""
        deltas: list[TextDelta] = []
        for one in part.get("choices") or ():
            self.finish = "length" if one.get("finish_reason") == "length" else self.finish
            delta = one.get("delta") or {}
            if thought := _plain(delta.get("reasoning_content") or delta.get("reasoning")):
                deltas.append(self._take(TextDelta(thought, "reasoning")))
            deltas += map(self._take, self._splitter.feed(_plain(delta.get("content"))))
            for call in delta.get("tool_calls") or ():
                self._add_call(call)
        return deltas

    def end(self) -> list[TextDelta]:
        """What was held back."""
        return [self._take(delta) for delta in self._splitter.end()]

    def _take(self, delta: TextDelta) -> TextDelta:
        if delta.kind == "reasoning":
            self.reasoning += delta.text
        else:
            self.text += delta.text
        return delta

    def _add_call(self, delta: Mapping[str, Any]) -> None:
        function = delta.get("function") or {}
        name, arguments = function.get("name") or "", function.get("arguments") or ""
        if not isinstance(name, str):
            raise TypeError(name)
        if isinstance(arguments, Mapping):
            arguments = json.dumps(arguments, ensure_ascii=False)
        call = self._call(delta.get("index"), str(delta.get("id") or ""), bool(name))
        call["name"] += name
        call["arguments"] += arguments

    def _call(self, index: Any, id: str, named: bool) -> dict[str, Any]:
        """The call that a piece belongs to. Some servers give no index, or 0 to every call."""
        same = [call for call in self._calls if index is None or call["index"] == index]
        last = same[-1] if same else None
        another = last and named and (last["id"] != id if id else index is None)
        if last is None or another:
            last = {"index": index, "id": id, "name": "", "arguments": ""}
            self._calls.append(last)
        last["id"] = last["id"] or id
        return last

    @property
    def kind(self) -> str:
        return "call" if self._calls else "answer"

    def checked(
        self, tools: Sequence[ToolSpec], choice: Choice
    ) -> tuple[list[dict[str, Any]], str]:
        """The calls, and what is wrong with them, or with an answer that has to follow a schema."""
        calls, problem = self.calls(tools)
        if choice.schema is not None and not self._calls:
            try:
                answers.parsed(self.text, choice.schema)
            except answers.Unparsable as error:
                return [], str(error)
        return calls, problem

    def calls(self, tools: Sequence[ToolSpec]) -> tuple[list[dict[str, Any]], str]:
        """The calls, and what is wrong with the first that is not valid."""
        import jsonschema

        schemas = {tool.name: tool.parameters for tool in tools}
        found: list[dict[str, Any]] = []
        for call in self._calls:
            if call["name"] not in schemas:
                return [], f"there is no tool {call['name']!r}"
            if self.finish != "stop" and call is self._calls[-1] and not call["arguments"]:
                return [], f"the call of {call['name']} was cut off before its arguments"
            try:
                arguments = json.loads(call["arguments"] or "{}")
                jsonschema.validate(arguments, schemas[call["name"]])
            except (ValueError, RecursionError) as error:
                return [], f"the arguments {call['arguments']!r} are not JSON ({error})"
            except jsonschema.ValidationError as error:
                return [], f"{call['name']}: {error.message}"
            taken = {"", *(one["id"] for one in found)}
            id = f"call_{secrets.token_hex(6)}" if call["id"] in taken else call["id"]
            found.append({"name": call["name"], "args": arguments, "id": id})
        return found, ""


@cache  # reading the certificates takes more of the processor than all the rest of a request
def _certificates() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()


def _headers() -> dict[str, str]:
    """Raises UsageError for a key that cannot be sent, without showing it."""
    for variable in ("TINSMITH_API_KEY", "OPENAI_API_KEY"):
        if key := os.environ.get(variable, "").strip():
            if not key.isascii() or not key.isprintable() or " " in key:
                raise UsageError(f"{variable} holds what no key can hold; set it anew")
            return {"Authorization": f"Bearer {key}"}
    return {}


def _plain(content: Any) -> str:
    """The text of a message, which some servers give in parts."""
    if isinstance(content, list):
        return "".join(_plain(part if isinstance(part, str) else part["text"]) for part in content)
    if content is None or isinstance(content, str):
        return content or ""
    raise TypeError(content)


def _usage(used: Mapping[str, Any]) -> Usage:
    details = used.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens") or 0
    return Usage(
        cached=cached,
        prefilled=(used.get("prompt_tokens") or 0) - cached,
        generated=used.get("completion_tokens") or 0,
    )


def _system_first(turns: Any) -> list[dict[str, Any]]:
    """The templates of many models, and so their servers, refuse a system behind the first turn."""
    first = 1 if turns and turns[0]["role"] == "system" else 0
    return [*turns[:first], *without_system(turns[first:])]


def _names(served: Mapping[str, Any]) -> str:
    return ", ".join(sorted(served)) or "no model"


def _message(error: Any) -> str:
    return str(error.get("message", error)) if isinstance(error, Mapping) else str(error)
