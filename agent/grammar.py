"""What may be written next: free text, or a call of one of these tools.

Everything is llguidance's Lark dialect (https://github.com/guidance-ai/llguidance, docs/syntax.md),
which llama.cpp and our transformers loop both read, so no engine has a grammar of its own. A call
is decoded in stages: the fixed parts are appended, the name is chosen among the offered ones, and
only the arguments are written by the model, under the JSON schema of that tool.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.errors import GrammarError

HEAD = "%llguidance {}\n"
"""llama.cpp takes a grammar that begins so for llguidance's."""


@dataclass(frozen=True)
class CallForm:
    """How a call is written, in the order of the parts: open NAME middle ARGUMENTS end close."""

    open: str
    middle: str
    """Ends before the blank in front of the arguments: it is part of their first token."""
    end: str
    """Written by the model: its first characters are part of the arguments' last token."""
    close: str
    again: str
    """Stands between two calls of one reply."""
    marker: str
    """The text that only a call may contain."""
    result_open: str
    result_close: str

    def write(self, name: str, arguments: Mapping[str, Any]) -> str:
        written = json.dumps(arguments, ensure_ascii=False)
        return f"{self.open}{name}{self.middle} {written}{self.end}{self.close}"


HERMES = CallForm(
    open='<tool_call>\n{"name": "',
    middle='", "arguments":',
    end="}\n",
    close="</tool_call>",
    again="\n",
    marker="<tool_call>",
    result_open="<tool_response>\n",
    result_close="\n</tool_response>",
)
"""The form of Hermes, Qwen2.5, Qwen3 and others; also taught by our own prompt to the rest."""


OPENERS = ("<tool_call>", "```", "{", '{"', "{{", "[{", '[{"')
"""How models begin a call, whatever form they were trained on."""


def text(
    form: CallForm,
    encode: Callable[[str], list[int]],
    ends: Iterable[int],
    tools: bool,
    pattern: str = "",
) -> str:
    """Anything but nothing, and no call in it; then one of `ends`, the tokens that end a turn.

    They are named because llguidance inside llama.cpp knows but one, and for models such as SmolLM2
    it is not the one they end with.

    With `tools`, a reply does not begin with JSON or the middle of a sentence either: small models
    spell out a call then, and the user would read it. What is forbidden further in costs a twelfth
    of the decoding, so only the beginning is. A `pattern` that the whole text has to match
    (`wrong_pattern`) says itself what it begins with.
    """
    forbidden = []
    if tools and not pattern:
        forbidden.append(r"\s*(```\w*\s*)?[{}\[\]<,;:)](.|\n)*")
        forbidden.append(r"\s*```json(.|\n)*")
    if len(encode(form.marker)) > 1:  # else it is a special token, which no text can match
        forbidden.append(f"(.|\\n)*{form.marker}(.|\\n)*")
    rules = "".join(f" & ~/{one}/" for one in forbidden)
    last = " | ".join(f"<[{token}]>" for token in sorted(ends))
    if pattern:
        rules += f" & /{_slashed(pattern)}/"
    return HEAD + f"start: TEXT ({last})?\nTEXT: /\\s*\\S(.|\\n)*/{rules}\n"


def wrong_pattern(pattern: str) -> str:
    """Why no text can be held to this regular expression (Rust's); "" when one can."""
    if "\n" in pattern:
        return r"it goes over several lines; a line end is written \n"
    problem = _validated(f"start: TEXT\nTEXT: /{_slashed(pattern)}/\n")
    return _wrong_regex(problem) or problem.partition("\n")[0]


def _slashed(pattern: str) -> str:
    """As it stands between two slashes: those in it are escaped, if they are not yet."""
    return re.sub(r"(\\.)|/", lambda found: found[1] or r"\/", pattern)


def reasoning(encode: Callable[[str], list[int]]) -> str:
    """What stands between <think> and </think>, both single tokens, and the second of them."""
    return HEAD + f"start: /(.|\\n)*/ <[{encode('</think>')[0]}]>\n"


def arguments(form: CallForm, name: str, schema: Mapping[str, Any]) -> str:
    """A blank, one JSON value of `schema` written as `json.dumps` would, and `form.end`.

    Without the end, the tokens that models close a call with, such as `}}`, would be forbidden,
    and what is likely besides them is one more digit or one more option.
    Raises GrammarError when the schema cannot be a grammar: llama.cpp would ignore such a grammar
    without a word (FINDINGS), so nothing unvalidated leaves this module.
    """
    lark = HEAD + f'start: " " {_json(schema)} {json.dumps(form.end)}\n'
    if problem := _problem(lark):
        raise GrammarError(
            f"the arguments of tool {name!r} cannot be constrained: {problem}; "
            "change the types of its parameters"
        )
    return lark


def answer(schema: Mapping[str, Any], ends: Iterable[int]) -> str:
    """One JSON value of `schema`, then one of `ends`, the tokens that end a turn.

    Raises GrammarError when the schema cannot be a grammar, or nothing at all can follow it.
    """
    if problem := _problem(f"{HEAD}start: {_json(schema)}\n"):
        raise GrammarError(f"no answer can be constrained to this schema: {problem}")
    last = " | ".join(f"<[{token}]>" for token in sorted(ends))
    return f"{HEAD}start: {_json(schema)} {f'({last})?' if last else ''}\n"


def _json(schema: Mapping[str, Any]) -> str:
    guided = {
        **schema,
        "x-guidance": {
            "whitespace_flexible": False,
            "item_separator": ", ",
            "key_separator": ": ",
        },
    }
    return f"%json {json.dumps(guided, ensure_ascii=False)}"


def _problem(lark: str) -> str | None:
    problem = _validated(lark.removeprefix(HEAD))
    first = problem.partition("\n")[0]
    return f"{first} {_wrong_regex(problem)}".strip() if problem else None


def _wrong_regex(problem: str) -> str:
    """Of all that is said of a grammar, what is wrong with a regular expression in it."""
    found = re.search(r"^error: (.*)$", problem, re.MULTILINE)
    return found[1] if found else ""


def _validated(lark: str) -> str:
    """All that is wrong with a grammar; "" when nothing is."""
    from llguidance import LLMatcher

    problem: str = LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(lark))
    return problem.strip()
