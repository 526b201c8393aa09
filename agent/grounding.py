"""Whether a value stands in the conversation.

Small models fill in optional arguments that nobody mentioned, and telling them not to does not
help (FINDINGS). An optional value that is neither written in the conversation nor one of a fixed
set is an invention, and leaving it out gives the tool's own default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.memory.window import ATTACHED

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

    from tools.spec import ToolSpec

NUMBERS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
]  # fmt: skip


def spoken(messages: Sequence[BaseMessage]) -> str:
    """What people, tools, files and the model said, without our own instructions."""
    return "\n".join(
        str(message.text)
        for message in messages
        if message.type != "system" or ATTACHED in message.additional_kwargs
    )


def request_of(messages: Sequence[BaseMessage]) -> str:
    """What the user said last; "" before anything."""
    asked = (str(message.text) for message in reversed(messages) if message.type == "human")
    return next(asked, "")


def without_invented_options(
    message: AIMessage, history: Sequence[BaseMessage], specs: Sequence[ToolSpec]
) -> AIMessage:
    """The same message, each call without the optional arguments that it made up."""
    import jsonschema

    schemas = {spec.name: spec.parameters for spec in specs}
    said = spoken(history)
    calls = []
    for call in message.tool_calls:
        schema = schemas[call["name"]]
        kept = keep_grounded(call["args"], schema, said)
        # a rule between parameters, or on the length of a list, may want what was left out
        valid = jsonschema.Draft202012Validator(schema).is_valid(kept)
        calls.append({**call, "args": kept if valid else call["args"]})
    return message.model_copy(update={"tool_calls": calls})


def keep_grounded(
    arguments: Mapping[str, Any], schema: Mapping[str, Any], said: str
) -> dict[str, Any]:
    """`arguments` without the optional ones of `schema` that are not in `said`.

    Of an optional list, the parts that are there stay.
    """
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    kept = {}
    for key, value in arguments.items():
        about = properties.get(key, {})
        if key in required or "enum" in about or "const" in about:
            kept[key] = value  # of a fixed set: "by bus" may mean `transit`
        elif isinstance(value, bool):
            if _is_named(key, about, said):
                kept[key] = value
        elif is_grounded(value, said):
            parts = (
                [part for part in value if is_grounded(part, said)] if _is_list(value) else value
            )
            kept[key] = parts
    return kept


def _is_named(key: str, about: Mapping[str, Any], said: str) -> bool:
    """Whether `said` has a word of the parameter's name or description."""
    told = _words(f"{key.replace('_', ' ')} {about.get('description', '')}")
    there = _words(said)
    return any(len(word) >= 4 and any(_alike(word, other) for other in there) for word in told)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def is_made_up(arguments: Mapping[str, Any], said: str) -> bool:
    """Whether there are names of files among the values, and none of them stands in `said`."""
    texts = [value for value in _leaves(arguments) if isinstance(value, str)]
    names = [text.rpartition("/")[2].casefold() for text in texts if _FILE.search(text)]
    return bool(names) and not any(name in said.casefold() for name in names)


_FILE = re.compile(r"[^\s/]\.\w{1,8}$")


def names_more(arguments: Mapping[str, Any], request: str) -> bool:
    """Whether `request` names something else beside one of the values: "in Rome and in Paris".

    A small model that was made to call would go on after any call. Asking it only where the
    request joins something to a value costs no tokens where it does not.
    """
    values = {str(value).casefold() for value in _leaves(arguments)} - {""}
    known = {word for text in (*values, *arguments) for word in _words(text)}
    text = request.casefold()
    for value in values:
        for match in _whole(value).finditer(text):
            joined = _JOINED.match(text, match.end())
            if joined and not _words(joined["next"]) <= known:
                return True
    return False


def is_about_more(
    arguments: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], said: str
) -> bool:
    """Whether `arguments` name something written in `said` that none of `earlier` does.

    Every value must be written there: a second call for "Rome and Paris" is, one that only turns
    a switch, swaps two values, spins a value out or adds an invention is not.
    """
    known = {str(value).casefold() for call in earlier for value in _leaves(call)}
    new = [value for value in _leaves(arguments) if str(value).casefold() not in known]
    named = [value for value in new if not isinstance(value, bool)]
    spun = any(
        _contains(value.casefold(), other) or _contains(other, value.casefold())
        for value in named
        if isinstance(value, str)
        for other in known
    )
    return bool(named) and not spun and all(is_grounded(value, said) for value in new)


def _contains(text: str, part: str) -> bool:
    """Whether `part` stands in `text` as whole words."""
    return bool(part) and _whole(part).search(text) is not None


def _whole(part: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(part)}(?!\w)")


def _leaves(value: Any) -> list[Any]:
    """The strings, numbers and booleans in `value`."""
    if isinstance(value, Mapping):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    if _is_list(value):
        return [leaf for part in value for leaf in _leaves(part)]
    return [] if value is None else [value]


def is_grounded(value: Any, said: str) -> bool:
    """Whether `value`, or for lists and objects any part of it, is written in `said`."""
    if isinstance(value, bool):
        return True
    if isinstance(value, Mapping):
        return any(is_grounded(part, said) for part in value.values())
    if _is_list(value):
        return any(is_grounded(part, said) for part in value)
    if isinstance(value, int | float):
        return _has_number(value, said)
    return isinstance(value, str) and _has_words(value, said)


def _has_number(value: float, said: str) -> bool:
    try:
        number = float(value)
        written = [float(digits.replace(",", "")) for digits in _NUMBER.findall(said)]
    except OverflowError:  # an integer beyond all floats
        return str(value) in said
    wanted = (number, number * 100)  # 5 % may be 0.05
    if any(math.isclose(one, other) for one in wanted for other in written):
        return True
    named = int(number) if number.is_integer() and 0 <= number < len(NUMBERS) else None
    return named is not None and NUMBERS[named] in _words(said)


def _has_words(value: str, said: str) -> bool:
    """Whether `value` is in `said`, or at least half of its words are."""
    if value.strip() and value.casefold() in said.casefold():
        return True
    wanted = _words(value)
    if not wanted:
        return False
    there = _words(said)
    found = sum(any(_alike(word, other) for other in there) for word in wanted)
    return found * 2 >= len(wanted)


def _alike(one: str, other: str) -> bool:
    """Equal, or the same stem: "kilometers" and "km" are not, "meter" and "meters" are."""
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) >= 4 and long.startswith(short))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
_JOINED = re.compile(
    r"[\"'`)]*\s*(?:[,;&+/\n]|\b(?:and|or|then|und|oder|et|ou|y|o|e)\b)+\s*"
    r"(?:(?:and|in|to|at|of|for|the|a|from|with)\s+)*(?P<next>[^\s,;]+)"
)
"""What follows a value when another one is joined to it."""
_WORD = re.compile(r"[^\W_]+")
