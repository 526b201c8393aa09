"""The openai engine when the server fails: real HTTP, a server that answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from agent.engines.base import Choice, Sampling
from agent.engines.openai import OpenAIEngine
from agent.errors import EngineError, UsageError, WindowFull
from tools.spec import ToolSpec

ADD = ToolSpec(
    "add",
    "Add two numbers.",
    {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
)
CLOCK = ToolSpec("tell_time", "Tell the time.", {"type": "object", "properties": {}})


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


def reply(
    engine: OpenAIEngine, choice: str = "free", tool: ToolSpec = ADD
) -> tuple[str, AIMessage]:
    reasoning = ""
    asked = [HumanMessage("2 + 2?")]
    running = engine.reply(asked, [tool], Sampling(), Choice(choice))  # type: ignore[arg-type]
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


def test_an_answer_that_a_server_did_not_constrain_is_asked_for_again(server: Server) -> None:
    schema = {"type": "object", "required": ["a"]}

    def answer() -> AIMessage:
        running = OpenAIEngine(server.url).reply(
            [HumanMessage("hi")], (), Sampling(), Choice("text", schema=schema)
        )
        while True:
            try:
                next(running)
            except StopIteration as end:
                message: AIMessage = end.value
                return message

    server.answers = [stream({"content": "Sure!"}), stream({"content": '{"a": 1}'})]
    assert answer().text == '{"a": 1}'
    assert server.asked[0]["response_format"]["json_schema"]["schema"] == schema
    server.answers = [stream({"content": "Sure!"}), stream({"content": "{}"})]
    with pytest.raises(EngineError, match="an invalid answer twice: 'a' is a required property"):
        answer()


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


def test_no_system_stands_behind_the_first_turn(server: Server) -> None:
    server.answers = [stream({"content": "Four."})]
    call: dict[str, Any] = {"name": "add", "args": {"a": 2, "b": 2}, "id": "1"}
    called = [AIMessage("", tool_calls=[call]), ToolMessage("4", tool_call_id="1")]
    asked = [SystemMessage("Be kind."), HumanMessage("2 + 2?"), *called, SystemMessage("Be short.")]
    for _ in OpenAIEngine(server.url).reply(asked):
        pass
    sent = [(turn["role"], turn["content"]) for turn in server.asked[0]["messages"]]
    assert [role for role, _ in sent] == ["system", "user", "assistant", "tool"]
    assert sent[-1][1] == "4\n\nBe short."


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


def test_a_call_cut_off_before_its_arguments_is_not_run(server: Server) -> None:
    call = {"index": 0, "function": {"name": "tell_time", "arguments": ""}}
    server.answers = [stream({"tool_calls": [call]}, finish="length")]
    _, message = reply(OpenAIEngine(server.url), tool=CLOCK)
    assert message.tool_calls == []
    assert message.response_metadata["cut_call"]


@pytest.mark.parametrize(
    "models", [{"data": ["m"]}, {"data": [{"name": "m"}]}, ["m"], [{"id": "m"}]]
)
def test_models_are_understood_however_they_are_listed(server: Server, models: Any) -> None:
    server.models = (200, [json.dumps(models)])
    assert OpenAIEngine(server.url, context=99).name == "m"


@pytest.mark.parametrize("length", ["8k", None, [], 0, -1, {}])
def test_a_window_that_is_no_number_is_the_usual_one(server: Server, length: Any) -> None:
    server.models = (200, {"data": [{"id": "m", "max_model_len": length}]})
    assert OpenAIEngine(server.url).context == 8192


@pytest.mark.parametrize("models", [{"data": [3]}, {"data": [{"id": 3}]}, {"data": [{}]}])
def test_models_without_a_name_are_an_error(server: Server, models: Any) -> None:
    server.models = (200, models)
    with pytest.raises(EngineError, match="does not speak the OpenAI protocol"):
        OpenAIEngine(server.url)


def odd(*deltas: Any) -> tuple[int, list[str]]:
    return stream(*({"tool_calls": [delta]} for delta in deltas))


GIVEN = {"a": 1, "b": 2}
WRITTEN = json.dumps(GIVEN)


@pytest.mark.parametrize(
    "answer",
    [
        odd({"index": 0, "id": "x", "function": {"name": "add", "arguments": GIVEN}}),
        odd({"id": "x", "function": {"name": "add", "arguments": WRITTEN}}),
        odd(
            {"function": {"name": "add", "arguments": WRITTEN[:4]}},
            {"function": {"arguments": WRITTEN[4:]}},
        ),
    ],
)
def test_a_call_is_understood_however_it_is_sent(
    server: Server, answer: tuple[int, list[str]]
) -> None:
    server.answers = [answer]
    [call] = reply(OpenAIEngine(server.url))[1].tool_calls
    assert call["args"] == GIVEN


@pytest.mark.parametrize(
    ("ids", "indices"),
    [
        (("x", "y"), ({}, {})),
        (("x", "y"), ({"index": 0}, {"index": 0})),
        (("", ""), ({}, {})),
        (("x", "x"), ({"index": 0}, {"index": 1})),
    ],
)
def test_several_calls_are_kept_apart(
    server: Server, ids: tuple[str, str], indices: tuple[dict[str, int], dict[str, int]]
) -> None:
    pieces = []
    for id, index, given in zip(ids, indices, ({"a": 1, "b": 2}, {"a": 3, "b": 4}), strict=True):
        written = json.dumps(given)
        pieces.append({**index, "id": id, "function": {"name": "add", "arguments": written[:3]}})
        pieces.append({**index, "function": {"arguments": written[3:]}})
    server.answers = [odd(*pieces)]
    calls = reply(OpenAIEngine(server.url))[1].tool_calls
    assert [call["args"]["a"] for call in calls] == [1, 3]
    assert len({call["id"] for call in calls}) == 2


def test_content_in_parts_is_put_together(server: Server) -> None:
    server.answers = [stream({"content": [{"type": "text", "text": "fo"}, "ur"]})]
    assert reply(OpenAIEngine(server.url))[1].text == "four"


@pytest.mark.parametrize(
    "part",
    [
        [],
        "x",
        {"choices": ["x"]},
        {"choices": 3},
        {"choices": [{"delta": "x"}]},
        {"choices": [{"delta": {"content": 3}}]},
        {"choices": [{"delta": {"content": [{"image": "x"}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"function": {"name": 3}}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": [3]}}]}}]},
        {"choices": [], "usage": {"prompt_tokens": "many"}},
    ],
)
def test_what_is_not_the_protocol_is_an_error_with_what_was_said(server: Server, part: Any) -> None:
    server.answers = [(200, [f"data: {json.dumps(part)}\n"])]
    with pytest.raises(EngineError, match="does not speak the OpenAI protocol: it says"):
        reply(OpenAIEngine(server.url))


def test_a_line_end_behind_the_key_is_no_part_of_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINSMITH_API_KEY", "abc\n")
    OpenAIEngine(server.url)
    assert server.keys[0] == "Bearer abc"


@pytest.mark.parametrize("key", ["schlüssel", "sec\nret"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(
    server: Server, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("TINSMITH_API_KEY", key)
    with pytest.raises(UsageError, match="TINSMITH_API_KEY") as refused:
        OpenAIEngine(server.url)
    assert key not in str(refused.value)


@pytest.mark.parametrize("place", ["127.0.0.1:9", "127.0.0.1:port"])
def test_a_password_in_the_address_is_not_shown(place: str) -> None:
    with pytest.raises(EngineError, match="no server at") as refused:
        OpenAIEngine(f"http://me:pass/word@{place}/v1")
    assert "pass" not in str(refused.value)
    assert "word" not in str(refused.value)


def test_a_password_in_the_address_is_not_shown_by_a_server_that_answers(server: Server) -> None:
    url = server.url.replace("//", "//me:password@")
    with pytest.raises(UsageError) as refused:
        OpenAIEngine(url, "other")
    server.answers = [(400, {"error": "no"}), (200, ["data: x\n"])]
    engine = OpenAIEngine(url)
    errors = [str(refused.value)]
    for _ in range(2):
        with pytest.raises(EngineError) as failed:
            reply(engine)
        errors.append(str(failed.value))
    assert "password" not in " ".join(errors)
