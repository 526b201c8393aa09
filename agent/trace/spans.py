"""The spans of a turn, after the OpenTelemetry conventions for generative AI (v0.1.0).

    invoke_agent tinsmith            the turn
    ├── chat MODEL                   a step
    └── execute_tool NAME            a call

https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

from agent.memory import window
from agent.trace.turn import Call, Step, Turn

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from agent.events import Usage

NAME = "tinsmith"
"""Of the agent and, as the convention has none for a model of one's own, of the provider."""
NANOSECONDS = 1_000_000_000
ROLES = {"human": "user", "ai": "assistant"}


class _Kept(SpanProcessor):
    """Keeps the spans that have ended, for one request with all of a turn."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        if span.context and span.context.trace_flags.sampled:
            self.spans.append(span)


def of(turn: Turn, messages: Sequence[BaseMessage], content: bool) -> list[ReadableSpan]:
    """`messages`: of the session. `content`: with what was said, called and answered."""
    kept = _Kept()
    # from OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES; Resource.create would start threads, and
    # there are none to be had when the program ends
    resource = Resource(_service()).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(kept)
    tracer = provider.get_tracer(NAME, _version(NAME))

    def at(seconds: float) -> int:
        return int((turn.started + seconds) * NANOSECONDS)

    root = tracer.start_span(
        f"invoke_agent {NAME}", kind=SpanKind.INTERNAL, start_time=at(0),
        attributes=_of_turn(turn, content),
    )  # fmt: skip
    inside = set_span_in_context(root)
    for step in turn.steps:
        chat = tracer.start_span(
            f"chat {turn.model}", inside, SpanKind.CLIENT, start_time=at(step.began),
            attributes=_of_step(turn, step, messages, content),
        )  # fmt: skip
        if step.replied_at is None:
            _failed(chat, "no_reply")
        chat.end(at(step.replied_at if step.replied_at is not None else step.ended))
        for call in step.calls:
            if call.began is None:
                continue
            tool = tracer.start_span(
                f"execute_tool {call.name}", inside, SpanKind.INTERNAL,
                start_time=at(call.began), attributes=_of_call(call, content),
            )  # fmt: skip
            if not call.ok:
                _failed(tool, "tool_error")
            tool.end(at(call.began + call.seconds))
    if turn.reason == "failed":
        _failed(root, "failed")
    root.end(at(turn.seconds))
    return kept.spans


def send(spans: Sequence[ReadableSpan]) -> bool:
    """Whether they have arrived."""
    return not spans or _exporter().export(spans) is SpanExportResult.SUCCESS


@cache
def _exporter() -> OTLPSpanExporter:
    return OTLPSpanExporter()


def _service() -> dict[str, str]:
    return {
        "service.name": NAME,
        "service.version": _version(NAME),
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": _version("opentelemetry-sdk"),
    }


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a checkout that is not installed
        return ""


def _of_turn(turn: Turn, content: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": NAME,
        "gen_ai.agent.name": NAME,
        "gen_ai.conversation.id": str(turn.session),
        "gen_ai.request.model": turn.model,
        "tinsmith.turn": turn.number,
        "tinsmith.reason": turn.reason,
        **_tokens(turn.usage),
    }
    if content:
        found["gen_ai.system_instructions"] = _json([_text(turn.system)])
        found["gen_ai.input.messages"] = _json([{"role": "user", "parts": [_text(turn.request)]}])
        answer = {"role": "assistant", "parts": [_text(turn.answer)], "finish_reason": "stop"}
        found["gen_ai.output.messages"] = _json([answer])
    return found


def _of_step(
    turn: Turn, step: Step, messages: Sequence[BaseMessage], content: bool
) -> dict[str, Any]:
    finish = "tool_call" if step.calls else step.finish or "error"
    found: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": NAME,
        "gen_ai.conversation.id": str(turn.session),
        "gen_ai.request.model": turn.model,
        "gen_ai.request.stream": True,
        "gen_ai.response.model": turn.model,
        "gen_ai.response.finish_reasons": [finish],
        "tinsmith.mode": step.mode,
        **_tokens(step.usage),
    }
    if window.cut_of(messages[: step.upto]) != window.Cut():
        found["gen_ai.conversation.compacted"] = True
    if step.first_word is not None:
        found["gen_ai.response.time_to_first_chunk"] = step.first_word - step.sent_at
    if step.offer:
        found["tinsmith.why"] = step.offer.why
        if step.offer.score is not None:
            found["tinsmith.judge.score"] = step.offer.score
    if content:
        said = window.view(messages[: step.upto])
        found["gen_ai.system_instructions"] = _json([_text(turn.system)])
        found["gen_ai.input.messages"] = _json([_message(one) for one in said])
        if step.reply:
            reply = _message(messages[step.upto]) | {"finish_reason": finish}
            found["gen_ai.output.messages"] = _json([reply])
    return found


def _of_call(call: Call, content: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.name,
        "gen_ai.tool.call.id": call.id,
        "gen_ai.tool.type": "function",
    }
    if content:
        found["gen_ai.tool.call.arguments"] = _json(call.arguments)
        found["gen_ai.tool.call.result"] = _clean(call.result or "")
    return found


def _tokens(usage: Usage) -> dict[str, int]:
    return {
        "gen_ai.usage.input_tokens": usage.cached + usage.prefilled,
        "gen_ai.usage.cache_read.input_tokens": usage.cached,
        "gen_ai.usage.output_tokens": usage.generated,
    }


def _message(message: BaseMessage) -> dict[str, Any]:
    """As `gen-ai-input-messages.json` of the convention has it."""
    from langchain_core.messages import AIMessage, ToolMessage

    text = str(message.text)
    parts: list[dict[str, Any]] = []
    if isinstance(message, ToolMessage):
        parts = [{"type": "tool_call_response", "id": message.tool_call_id, "response": text}]
    elif text:
        parts = [_text(text)]
    for call in message.tool_calls if isinstance(message, AIMessage) else ():
        parts.append({"type": "tool_call", "id": call["id"], "name": call["name"],
                      "arguments": call["args"]})  # fmt: skip
    return {"role": ROLES.get(message.type, message.type), "parts": parts}


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "content": text}


def _json(value: Sequence[Any] | Mapping[str, Any]) -> str:
    return _clean(json.dumps(value, ensure_ascii=False))


def _clean(text: str) -> str:
    """Without halves of characters, which protobuf does not take."""
    return text.encode("utf-8", "replace").decode()


def _failed(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))
