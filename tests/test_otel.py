"""Spans, as a real receiver gets them from the program as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from agent.trace import otel
from tests.test_cli import ROOT, scripted, tinsmith

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class Receiver:
    """Takes spans as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, ExportTraceServiceRequest]] = []
        self.answers = threading.Event()
        """Clear: nothing is answered."""
        self.answers.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, ExportTraceServiceRequest.FromString(body)))
                receiver.answers.wait()
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def spans(self) -> list[Span]:
        return [
            span
            for _, request in self.requests
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]

    def end(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.end()


@pytest.fixture
def model(tmp_path: Path) -> list[str]:
    return scripted(
        tmp_path,
        {"call": "calculate", "arguments": {"expression": "37 * 91 - 4"}},
        {"call": "calculate", "arguments": {"expression": "1 / 0"}},
        {"say": "It is 3363."},
    )


def ask(model: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    return tinsmith("ask", *model, "What is 37 * 91 - 4?", env=env)


def of(span: Span) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in span.attributes:
        kind = one.value.WhichOneof("value")
        value = getattr(one.value, str(kind))
        is_list = kind == "array_value"
        found[one.key] = [each.string_value for each in value.values] if is_list else value
    return found


def test_a_turn_arrives_as_the_conventions_name_it(model: list[str], receiver: Receiver) -> None:
    done = ask(model, **{ENDPOINT: receiver.url})
    assert (done.returncode, done.stdout) == (0, "It is 3363.\n"), done.stderr
    [(path, request)] = receiver.requests
    assert path == "/v1/traces"
    [service] = [
        one.value.string_value
        for one in request.resource_spans[0].resource.attributes
        if one.key == "service.name"
    ]
    assert service == "tinsmith"
    spans = sorted(
        receiver.spans(), key=lambda span: (span.start_time_unix_nano, -span.end_time_unix_nano)
    )
    root, first, right, second, wrong, third = spans
    assert [span.name for span in spans] == [
        "invoke_agent tinsmith", "chat scripted", "execute_tool calculate", "chat scripted",
        "execute_tool calculate", "chat scripted",
    ]  # fmt: skip
    assert {span.parent_span_id for span in spans[1:]} == {root.span_id}
    assert len({span.trace_id for span in spans}) == 1
    for span in spans:
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano
    said = [of(span) for span in (first, second, third)]
    assert [one["gen_ai.response.finish_reasons"] for one in said] == [
        ["tool_call"], ["tool_call"], ["stop"]
    ]  # fmt: skip
    assert of(root)["gen_ai.conversation.id"] == said[0]["gen_ai.conversation.id"] == "1"
    for name in ("input_tokens", "output_tokens"):
        every = sum(one[f"gen_ai.usage.{name}"] for one in said)
        assert of(root)[f"gen_ai.usage.{name}"] == every > 0
    assert of(right)["gen_ai.tool.name"] == "calculate"
    assert "error.type" not in of(right)
    assert of(wrong)["error.type"] == "tool_error"
    assert wrong.status.code == Status.STATUS_CODE_ERROR


def test_without_the_variable_for_it_nothing_that_was_said_is_sent(
    model: list[str], receiver: Receiver
) -> None:
    ask(model, **{ENDPOINT: receiver.url})
    written = str(receiver.requests)
    assert "calculate" in written
    for said in ("37 * 91", "3363", "You are Tinsmith"):
        assert said not in written


@pytest.mark.parametrize("value", ["true", "SPAN_ONLY"])
def test_with_it_messages_arguments_and_results_are(
    model: list[str], receiver: Receiver, value: str
) -> None:
    ask(model, **{ENDPOINT: receiver.url, otel.CONTENT: value})
    by_name: dict[str, dict[str, Any]] = {}
    for span in receiver.spans():
        by_name.setdefault(span.name, of(span))
    tool = by_name["execute_tool calculate"]
    assert json.loads(tool["gen_ai.tool.call.arguments"]) == {"expression": "37 * 91 - 4"}
    assert tool["gen_ai.tool.call.result"] == "3363"
    chats = [of(span) for span in receiver.spans() if span.name.startswith("chat")]
    heard = max((json.loads(one["gen_ai.input.messages"]) for one in chats), key=len)
    parts = [part for message in heard for part in message["parts"]]
    assert heard[0] == {
        "role": "user", "parts": [{"type": "text", "content": "What is 37 * 91 - 4?"}]
    }  # fmt: skip
    call = next(part for part in parts if part["type"] == "tool_call")
    answer = next(part for part in parts if part["type"] == "tool_call_response")
    assert (call["name"], call["id"], answer["response"]) == ("calculate", answer["id"], "3363")
    agent = by_name["invoke_agent tinsmith"]
    assert json.loads(agent["gen_ai.output.messages"])[0]["parts"][0]["content"] == "It is 3363."


def test_the_variable_for_traces_alone_is_heard(model: list[str], receiver: Receiver) -> None:
    ask(model, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{receiver.url}/mine")
    assert {path for path, _ in receiver.requests} == {"/mine"}


@pytest.mark.parametrize("env", [{}, {ENDPOINT: ""}, {"OTEL_SDK_DISABLED": "true"}])
def test_nothing_is_sent_unless_a_variable_says_so(
    model: list[str], receiver: Receiver, env: dict[str, str]
) -> None:
    if "OTEL_SDK_DISABLED" in env:
        env = {**env, ENDPOINT: receiver.url}
    done = ask(model, OTEL_TRACES_EXPORTER="otlp", **env)
    assert (done.returncode, receiver.requests) == (0, []), done.stderr


def test_a_receiver_that_is_down_is_not_to_be_noticed(model: list[str], receiver: Receiver) -> None:
    receiver.end()
    done = ask(model, **{ENDPOINT: receiver.url})
    assert (done.returncode, done.stdout) == (0, "It is 3363.\n")
    assert "Traceback" not in done.stderr
    assert "Transient" not in done.stderr


@pytest.mark.parametrize(
    ("content", "what"), [("", "without what is said"), ("true", "what is said too")]
)
def test_what_leaves_the_machine_is_told(
    model: list[str], receiver: Receiver, content: str, what: str
) -> None:
    url = receiver.url.replace("//", "//user:secret@")
    done = ask(model, **{ENDPOINT: url, otel.CONTENT: content})
    assert f"each turn is sent to 127.0.0.1, {what}, because {ENDPOINT} is set" in done.stderr
    assert "secret" not in done.stderr


def test_a_receiver_that_never_answers_is_not_waited_for(
    model: list[str], receiver: Receiver
) -> None:
    receiver.answers.clear()
    done = ask(model, **{ENDPOINT: receiver.url, "OTEL_EXPORTER_OTLP_TIMEOUT": "9999"})
    assert (done.returncode, done.stdout) == (0, "It is 3363.\n")


def test_the_user_is_told_once_that_nothing_arrives(receiver: Receiver) -> None:
    receiver.end()
    told: list[str] = []
    said = threading.Event()

    def warn(text: str) -> None:
        told.append(text)
        said.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENDPOINT, receiver.url)
        exporter = otel.exporter(print, warn)
        assert exporter is not None
        exporter._jobs.put(lambda: exporter._log.fail("it is down\nat length"))
        assert said.wait(10)
        exporter._log.fail("again")
    assert told == [f"{ENDPOINT} is set, and no spans arrive there: it is down"]


def test_another_model_sends_by_the_same(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, receiver.url)
    first, second = (otel.exporter(print, print) for _ in range(2))
    assert first is second


@pytest.mark.parametrize("named", ["OTEL_EXPORTER_OTLP_PROTOCOL", otel.PROTOCOLS[0]])
def test_another_protocol_is_said_to_be_none_of_ours(model: list[str], named: str) -> None:
    done = ask(model, **{ENDPOINT: "http://127.0.0.1:9", named: "grpc"})
    assert done.returncode == 0
    assert f"{named} is 'grpc', and spans are sent as http/protobuf only" in done.stderr


WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.startswith("opentelemetry.exporter.otlp.proto.http"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
from agent.cli import main
main(sys.argv[1:])
"""


def test_without_the_packages_it_says_what_to_install(model: list[str], state: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "ask", *model, "What is 37 * 91 - 4?"],
        capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), ENDPOINT: "http://127.0.0.1:9"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "It is 3363.\n"), done.stderr
    sentence = f"{ENDPOINT} is set, and no spans can be sent without: pip install 'tinsmith[otel]'"
    assert done.stderr.count(sentence) == 1
