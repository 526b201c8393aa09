"""What of a conversation the model still reads when the window gets full.

The history itself only grows. A mark in it says from where on results of tools are shortened, and
up to where a summary stands in the place of the messages; `view` makes of both what is sent. So a
session that is opened again is read as it was, and nothing is lost.

A cut lies only where the user begins to speak: a call is never parted from its result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from agent.cut import cut
from agent.prompts import render

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage, SystemMessage

RECENT = 2
"""Turns that stay as they are, as long as they fit."""
SHORT = 200
"""Characters that are left of an old result."""
MARK = "compacted"
PIN = "pinned"
MARKS = {MARK, PIN}
"""Of messages that the model never sees."""
ATTACHED = "attached"
"""Marks, with {"file": its name, "whole": whether all of it is there}, the text of a file that the
user named. It is the words of strangers, and reaches the model in the user's turn."""
MEANT = "meant"
"""Marks what is said of the collections and specialists that the user named."""
SCHEMA = "schema"
"""Marks what is said of the form that the answer must have."""
SKILL = "skill"
"""Marks, with its name, the text of a skill."""
READ_SKILL = "read_skill"
"""The name of the tool that reads one."""
SKILLS = "skills"
"""Marks, with their names, the lines of some skills."""
BEFORE = {"offer", "facts", MEANT, ATTACHED, SCHEMA, SKILL, SKILLS}
"""Marks of what is told to the model just before the user speaks."""
GIVEN = {MEANT, ATTACHED, SKILL}
"""Of these, the marks of what the user's words brought along."""


@dataclass(frozen=True)
class Cut:
    shortened: int = 0
    """Results and files before this message are shortened."""
    summarised: int = 0
    """Messages before this one are not sent; a summary is."""
    summary: str = ""
    words: tuple[str, ...] = ()
    """What the user said in the messages that were summarised."""


def cut_of(messages: Sequence[BaseMessage]) -> Cut:
    """The last one."""
    for message in reversed(messages):
        if facts := message.additional_kwargs.get(MARK):
            return Cut(**{**facts, "words": tuple(facts["words"])})
    return Cut()


def mark(cut: Cut) -> SystemMessage:
    """For the history; the model never sees it."""
    from langchain_core.messages import SystemMessage

    return SystemMessage("", additional_kwargs={MARK: asdict(cut)})


def view(messages: Sequence[BaseMessage], cut: Cut | None = None) -> list[BaseMessage]:
    """What is sent of `messages`. `cut`: the last one that is marked in them."""
    from langchain_core.messages import SystemMessage

    now = cut or cut_of(messages)
    sent: list[BaseMessage] = []
    if now.summarised:
        told = render(
            "summary",
            summary=now.summary,
            words=now.words,
            pinned=[talk for at, talk in pinned(messages).items() if at < now.summarised],
        )
        sent.append(SystemMessage(told))
    for at, message in enumerate(messages[now.summarised :], now.summarised):
        if MARKS & message.additional_kwargs.keys():
            continue
        sent.append(_shortened(message) if at < now.shortened else message)
    return sent


def pin(at: int, on: bool = True) -> SystemMessage:
    """For the history: the turn of the request `at` stays word for word, or no longer does."""
    from langchain_core.messages import SystemMessage

    return SystemMessage("", additional_kwargs={PIN: [at, on]})


def pinned(messages: Sequence[BaseMessage]) -> dict[int, tuple[str, str]]:
    """Where the requests are that are pinned: each with its answer."""
    marks = dict(one.additional_kwargs[PIN] for one in messages if PIN in one.additional_kwargs)
    return {at: _talk(messages, at) for at, on in sorted(marks.items()) if on}


def _talk(messages: Sequence[BaseMessage], at: int) -> tuple[str, str]:
    """The request `at` and what it was answered."""
    answer = ""
    for message in messages[at + 1 :]:
        if message.type == "human":
            break
        if message.type == "ai" and message.text:
            answer = str(message.text)
    return str(messages[at].text), answer


def turns(messages: Sequence[BaseMessage]) -> list[int]:
    """Where the user begins to speak; with what is told to the model just before."""
    found = []
    for at, message in enumerate(messages):
        if message.type != "human":
            continue
        while at and BEFORE & messages[at - 1].additional_kwargs.keys():
            at -= 1
        found.append(at)
    return found


def told_before(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """What the model is told just before the user's last words."""
    found: list[BaseMessage] = []
    at = max((at for at, one in enumerate(messages) if one.type == "human"), default=0)
    while at and BEFORE & messages[at - 1].additional_kwargs.keys():
        at -= 1
        found.append(messages[at])
    return found


def latest_results(messages: Sequence[BaseMessage]) -> int:
    """Where the results that the model has not read yet begin."""
    at = len(messages)
    while at and messages[at - 1].type in ("tool", "system"):
        at -= 1
    return at


def has_long_results(messages: Sequence[BaseMessage]) -> bool:
    return any(map(_is_long, messages))


def to_summarise(messages: Sequence[BaseMessage], tokens: Callable[[Cut], int], room: int) -> int:
    """Up to where messages have to go, so that the rest takes at most `room` tokens.

    `tokens`: of the prompt with a cut. As many of the `RECENT` turns as fit stay.
    """
    starts = turns(messages)
    for kept in range(min(RECENT, len(starts)), 0, -1):
        if tokens(Cut(len(messages), starts[-kept])) <= room:
            return starts[-kept]
    return len(messages)


def said(messages: Sequence[BaseMessage], room: int) -> tuple[str, ...]:
    """The user's words, the newest `room` characters of them; long ones are cut."""
    kept: list[str] = []
    for message in reversed(messages):
        if message.type != "human":
            continue
        text = cut(" ".join(str(message.text).split()), SHORT)
        if sum(map(len, kept)) + len(text) > room:
            break
        kept.append(text)
    return tuple(reversed(kept))


def _is_long(message: BaseMessage) -> bool:
    given = message.type == "tool" or ATTACHED in message.additional_kwargs
    return given and len(str(message.text)) > SHORT


def _shortened(message: BaseMessage) -> BaseMessage:
    if not _is_long(message):
        return message
    text = str(message.text)
    left = f"{text[:SHORT]}… ({len(text) - SHORT} more characters were here)"
    return message.model_copy(update={"content": left})
