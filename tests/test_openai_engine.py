"""The openai engine when the server fails: real HTTP, a server that answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from agent.engines.base import Choice, Sampling
from agent.engines.openai import OpenAIEngine
from agent.errors import EngineError, UsageError, WindowFull
from tools.base import ToolSpec

ADD = ToolSpec(
    "add",
    "Add two numbers.",
    {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
)


class Server(ThreadingHTTPServer):
    """Gives the answers in its list, one for each request to /chat/completions."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.models: tuple[int, Any] = (200, {"data": [{"id": "m", "max_model_len": 999}]})
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Answers(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.keys.append(self.headers["Authorization"])
        self._send(*self.server.models)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.asked.append(json.loads(self.rfile.read(length)))
        self._send(*self.server.answers.pop(0))

    def _send(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.end_headers()
        lines = body if isinstance(body, list) else [json.dumps(body)]
        for line in lines:
            self.wfile.write(f"{line}\n".encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def stream(*deltas: dict[str, Any], finish: str = "stop") -> tuple[int, list[str]]:
    parts: list[dict[str, Any]] = [{"choices": [{"delta": delta}]} for delta in deltas]
    parts.append({"choices": [{"delta": {}, "finish_reason": finish}]})
    used = {"prompt_tokens": 9, "completion_tokens": 2}
    parts.append({"choices": [], "usage": used | {"prompt_tokens_details": {"cached_tokens": 4}}})
    return 200, [f"data: {json.dumps(part)}\n" for part in parts] + ["data: [DONE]\n"]


def calling(arguments: str, name: str = "add") -> tuple[int, list[str]]:
    """A call in two pieces."""
    function = {"name": name, "arguments": arguments[:3]}
    return stream(
        {"tool_calls": [{"index": 0, "id": "c1", "function": function}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": arguments[3:]}}]},
    )


def reply(engine: OpenAIEngine, choice: str = "free") -> tuple[str, AIMessage]:
    reasoning = ""
    asked = [HumanMessage("2 + 2?")]
    running = engine.reply(asked, [ADD], Sampling(), Choice(choice))  # type: ignore[arg-type]
    while True:
        try:
            delta = next(running)
            reasoning += delta.text if delta.kind == "reasoning" else ""
        except StopIteration as end:
            return reasoning, end.value


def test_the_window_and_the_only_model_are_the_servers(server: Server) -> None:
    engine = OpenAIEngine(server.url)
    assert (engine.name, engine.context) == ("m", 999)


def test_usage_is_what_the_server_says(server: Server) -> None:
    server.answers = [stream({"content": "4"})]
    engine = OpenAIEngine(server.url)
    reply(engine)
    usage = engine.usage
    assert (usage.cached, usage.prefilled, usage.generated) == (4, 5, 2)


def test_a_call_in_pieces_is_put_together(server: Server) -> None:
    server.answers = [calling('{"a": 2, "b": 2}')]
    [call] = reply(OpenAIEngine(server.url), "call")[1].tool_calls
    assert (call["name"], call["args"], call["id"]) == ("add", {"a": 2, "b": 2}, "c1")
    assert server.asked[0]["tool_choice"] == "required"


@pytest.mark.parametrize("wrong", ['{"a": "two"}', '{"a": 2,', "[]"])
def test_an_invalid_call_is_asked_for_once_more(server: Server, wrong: str) -> None:
    server.answers = [calling(wrong), calling('{"a": 2, "b": 2}')]
    _, message = reply(OpenAIEngine(server.url))
    assert message.tool_calls[0]["args"] == {"a": 2, "b": 2}
    assert "not valid" in server.asked[1]["messages"][-1]["content"]


def test_a_call_that_stays_invalid_is_an_error_and_never_given(server: Server) -> None:
    server.answers = [calling("{}", "subtract"), calling("{}", "subtract")]
    with pytest.raises(EngineError, match="subtract"):
        reply(OpenAIEngine(server.url))


def test_a_call_cut_off_is_marked(server: Server) -> None:
    deltas = {"tool_calls": [{"index": 0, "function": {"name": "add", "arguments": '{"a"'}}]}
    server.answers = [stream(deltas, finish="length")]
    _, message = reply(OpenAIEngine(server.url))
    assert message.tool_calls == []
    assert message.response_metadata["cut_call"]


@pytest.mark.parametrize(
    "deltas",
    [
        ({"reasoning_content": "two and two"}, {"content": "4"}),
        ({"reasoning": "two and two"}, {"content": "4"}),
        ({"content": "<th"}, {"content": "ink>two and two</think>\n\n4"}),
    ],
)
def test_reasoning_is_kept_apart(server: Server, deltas: tuple[dict[str, Any], ...]) -> None:
    server.answers = [stream(*deltas)]
    reasoning, message = reply(OpenAIEngine(server.url))
    assert (reasoning, message.text) == ("two and two", "4")
    assert message.additional_kwargs["reasoning"] == "two and two"


def test_reasoning_is_not_sent_back(server: Server) -> None:
    server.answers = [stream({"reasoning": "secret"}, {"content": "4"}), stream({"content": "5"})]
    engine = OpenAIEngine(server.url)
    _, message = reply(engine)
    for _ in engine.reply([HumanMessage("a"), message, HumanMessage("b")]):
        pass
    assert "secret" not in json.dumps(server.asked[1])


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.answers = [(429, {"error": {"message": "busy"}}), stream({"content": "4"})]
    assert reply(OpenAIEngine(server.url))[1].text == "4"


def test_a_stream_that_breaks_off_is_an_error(server: Server) -> None:
    server.answers = [(200, stream({"content": "4"})[1][:1])]
    with pytest.raises(EngineError, match="in the middle"):
        reply(OpenAIEngine(server.url))


def test_a_conversation_too_long_is_told_as_such(server: Server) -> None:
    server.answers = [(400, {"error": {"message": "exceeds the maximum context length"}})]
    with pytest.raises(WindowFull):
        reply(OpenAIEngine(server.url))


def test_a_missing_key_says_which_variable(server: Server) -> None:
    server.models = (401, {"error": "no key"})
    with pytest.raises(EngineError, match="TINSMITH_API_KEY"):
        OpenAIEngine(server.url)


def test_the_key_is_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINSMITH_API_KEY", "abc")
    OpenAIEngine(server.url)
    assert server.keys[0] == "Bearer abc"


def test_a_model_that_the_server_lacks_is_told_with_those_it_has(server: Server) -> None:
    with pytest.raises(UsageError, match="it serves m"):
        OpenAIEngine(server.url, "other")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "not a url", "ftp://x/v1"])
def test_no_server_is_a_clear_error(url: str) -> None:
    with pytest.raises(EngineError, match="no server at"):
        OpenAIEngine(url)
