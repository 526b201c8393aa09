"""A model's chat template: from messages to the exact text the model was trained on.

Jinja as transformers sets it up (transformers/utils/chat_template_utils.py), without importing it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent.errors import EngineError
from agent.grammar import CallForm
from agent.prompts import render

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from tools.base import ToolSpec

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""For a model that brings no template."""


class ChatTemplate:
    def __init__(self, source: str, form: CallForm, bos: str, eos: str) -> None:
        """Raises EngineError when `source` is not a template."""
        import jinja2
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
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
        self.knows_tools = "tools" in source and form.marker in source
        """False: the tools are described by our own prompt."""

    def render(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> str:
        """The prompt, up to and with the opening of the assistant's reply."""
        import jinja2

        described = [describe(tool) for tool in tools]
        turns = self._turns(messages)
        if tools and not self.knows_tools:
            turns = _with_tools(turns, render("tools", tools=[_tojson(d) for d in described]))
        try:
            return self._template.render(
                messages=turns,
                tools=described if tools and self.knows_tools else None,
                add_generation_prompt=True,
                bos_token=self._bos,
                eos_token=self._eos,
            )
        except jinja2.TemplateError as error:
            raise EngineError(f"the model's chat template refuses: {error}") from error

    def _turns(self, messages: Sequence[BaseMessage]) -> list[dict[str, str]]:
        turns: list[dict[str, str]] = []
        for message in messages:
            content = str(message.text)
            if message.type == "ai":
                calls = [
                    self._form.write(call["name"], call["args"])
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
                role = "system" if message.type == "system" else "user"
                turns.append({"role": role, "content": content})
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


def _tojson(value: Any, indent: int | None = None) -> str:
    # jinja's own escapes <, > and & for the web and sorts the keys
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> None:
    import jinja2

    raise jinja2.TemplateError(message)
