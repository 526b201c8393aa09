"""A model's chat template: from messages to the exact text the model was trained on.

Jinja as transformers sets it up (transformers/utils/chat_template_utils.py), without importing it.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.errors import EngineError
from agent.grammar import CallForm
from agent.memory.window import ATTACHED
from agent.prompts import render

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from tools.spec import ToolSpec

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""For a model that brings no template."""
BREAK = "\u200b"
"""A zero-width space, behind the first character of what would be read as a control token."""
CONTROL = r"<[|｜][^\s<>]{1,80}>|<[^\s<>]{1,80}[|｜]>"
"""<|im_end|>, <｜User｜>, <|turn>, <turn|>: control tokens of any model."""
TAGS = r"</?(?:tool_call|tool_response|think)>"
LITERALS = r"<[^\s<>{}]{1,80}>|\[/?[A-Z][A-Z_]+\]"
"""What the template itself marks turns with: <start_of_turn>, [INST]."""


class ChatTemplate:
    def __init__(self, source: str, form: CallForm, bos: str, eos: str) -> None:
        """Raises EngineError when `source` is not a template."""
        import jinja2
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _generation()]
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _raise
        environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
        try:
            self._template = environment.from_string(source or CHATML)
        except jinja2.TemplateError as error:
            raise EngineError(f"the model's chat template cannot be read: {error}") from error
        self._form = form
        self._bos = bos
        self._eos = eos
        controls = [CONTROL, *(re.escape(one) for one in (bos, eos) if len(one) > 1)]
        own = sorted(set(re.findall(LITERALS, source)), key=len, reverse=True)
        self._controls = re.compile("|".join(controls))
        self._marks = re.compile("|".join([*controls, TAGS, *map(re.escape, own)]))
        self.knows_tools = "tools" in source and form.marker in source
        """False: the tools are described by our own prompt."""

    def render(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> str:
        """The prompt, up to and with the opening of the assistant's reply.

        What people, tools and the model said cannot open or end a turn: spellings of control
        tokens in it are broken. Raises EngineError.
        """
        described = [describe(tool) for tool in tools]
        turns = self._turns(messages)
        if tools and not self.knows_tools:
            turns = _with_tools(turns, render("tools", tools=[_tojson(d) for d in described]))
        listed = described if tools and self.knows_tools else None
        try:
            return self._rendered(turns, listed)
        except Exception as error:  # a template is a program, and fails in any way
            merged = without_system(turns)
            if merged == turns:
                raise _refusal(error) from error
            try:
                return self._rendered(merged, listed)
            except Exception:
                raise _refusal(error) from error

    def _rendered(
        self, turns: Sequence[Mapping[str, str]], tools: list[dict[str, Any]] | None
    ) -> str:
        return self._template.render(
            messages=turns,
            tools=tools,
            add_generation_prompt=True,
            bos_token=self._bos,
            eos_token=self._eos,
        )

    def _turns(self, messages: Sequence[BaseMessage]) -> list[dict[str, str]]:
        turns: list[dict[str, str]] = []
        attached = ""
        for message in messages:
            content = str(message.text)
            is_attached = ATTACHED in message.additional_kwargs
            if message.type == "system" and not is_attached:
                # it may describe tools, and says then in which tags a call is written
                turns.append({"role": "system", "content": _broken(self._controls, content)})
                continue
            content = _broken(self._marks, content)
            if is_attached:  # a part of what the user says next: many templates refuse two turns
                attached += content + "\n\n"
            elif message.type == "ai":
                calls = [
                    _broken_call(self._marks, self._form, call["name"], call["args"])
                    for call in getattr(message, "tool_calls", [])
                ]
                content = self._form.again.join([content, *calls] if content else calls)
                turns.append({"role": "assistant", "content": content})
            elif message.type == "tool" and self.knows_tools:
                turns.append({"role": "tool", "content": content})
            elif message.type == "tool":
                content = self._form.result_open + content + self._form.result_close
                if turns and turns[-1].get("results"):
                    turns[-1]["content"] += "\n" + content
                else:
                    turns.append({"role": "user", "content": content, "results": "yes"})
            else:
                turns.append({"role": "user", "content": attached + content})
                attached = ""
        return turns


def describe(tool: ToolSpec) -> dict[str, Any]:
    """A tool as the chat protocol writes it."""
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    }


def _with_tools(turns: list[dict[str, str]], block: str) -> list[dict[str, str]]:
    if turns and turns[0]["role"] == "system":
        first = {**turns[0], "content": turns[0]["content"] + "\n\n" + block}
        return [first, *turns[1:]]
    return [{"role": "system", "content": block}, *turns]


def without_system(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For templates that know no system, or none behind the first turn: each system text stands
    in the user's or tool's turn before it, else in the user's next."""
    merged: list[dict[str, Any]] = []
    waiting = ""
    for turn in turns:
        before = merged[-1] if merged else {"role": ""}
        if turn["role"] != "system":
            if waiting and turn["role"] == "user":
                turn = {**turn, "content": waiting + turn["content"]}
                waiting = ""
            merged.append(turn)
        elif before["role"] in ("user", "tool"):
            merged[-1] = {**before, "content": f"{before['content']}\n\n{turn['content']}"}
        else:
            waiting += turn["content"] + "\n\n"
    return [*merged, {"role": "user", "content": waiting.rstrip()}] if waiting else merged


def _broken(marks: re.Pattern[str], text: str) -> str:
    return marks.sub(lambda found: found[0][0] + BREAK + found[0][1:], text)


def _broken_call(
    marks: re.Pattern[str], form: CallForm, name: str, arguments: Mapping[str, Any]
) -> str:
    written = form.write(name, arguments)
    tail = form.end + form.close
    head = form.open + name + form.middle
    return head + _broken(marks, written.removeprefix(head).removesuffix(tail)) + tail


def _refusal(error: Exception) -> EngineError:
    return EngineError(f"the model's chat template refuses: {str(error) or type(error).__name__}")


def _generation() -> Any:
    """The tag that marks what the assistant says in a template made for training."""
    from jinja2.ext import Extension

    class Generation(Extension):
        tags = {"generation"}  # noqa: RUF012  jinja's own form

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    return Generation


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # jinja's own escapes <, > and & for the web and sorts the keys
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise(message: str) -> None:
    import jinja2

    raise jinja2.TemplateError(message)
