"""Making room in a window that gets full: old results are shortened, then old turns summarised.

Only the mark of it is new in the history; `memory/window.py` says what is sent. Every size is a
share of what the window has beside the system's words and the tools.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.engines.base import Choice, Sampling
from agent.errors import UsageError, WindowFull
from agent.events import Notice, Stage, Usage
from agent.memory import window
from agent.prompts import render

if TYPE_CHECKING:
    from agent.loop import Agent
    from tools.spec import ToolSpec

FULL = 0.75
"""At which room is made."""
ROOMY = 0.4
"""That is taken afterwards, beside the summary."""
SUMMARY = 0.12
"""That a summary may take; the user's own words may take as much again."""
PINNED = 0.12
"""That what is pinned may take."""
CHARACTERS = 4
"""Of a token, about."""


def make_room(
    agent: Agent, tools: Sequence[ToolSpec], text: str
) -> Generator[Notice | Stage, None, Usage]:
    """Before the request `text`; `tools`: those in the prefix. Gives what it has cost."""
    size = _Size(agent, tools, text)
    if not size.is_full():
        return Usage()
    yield from _shorten(agent, size, len(agent.session.messages))
    if not size.is_full():
        return Usage()
    end = window.to_summarise(agent.session.messages, size.beside_prefix, int(ROOMY * size.room))
    return (yield from _summarise(agent, size, end, "the window was full: "))


def compact(agent: Agent, tools: Sequence[ToolSpec]) -> Generator[Notice | Stage, None, Usage]:
    """Though there is room: results are shortened, all but the last turns summarised. Says nothing
    where there was nothing to do."""
    size = _Size(agent, tools, "")
    messages = agent.session.messages
    yield from _shorten(agent, size, len(messages))
    end = window.to_summarise(messages, size.beside_prefix, int(ROOMY * size.room))
    if end <= window.cut_of(messages).summarised:
        return Usage()
    return (yield from _summarise(agent, size, end, ""))


def make_room_for_results(agent: Agent, tools: Sequence[ToolSpec]) -> Generator[Notice, None, None]:
    """Within a turn: the results that were read already are shortened."""
    size = _Size(agent, tools, "")
    if size.is_full():
        yield from _shorten(agent, size, window.latest_results(agent.session.messages))


def pin(agent: Agent) -> str:
    """Keep the last request and its answer word for word; gives the request. Raises UsageError."""
    from langchain_core.messages import HumanMessage

    messages = agent.session.messages
    asked = [at for at, message in enumerate(messages) if message.type == "human"]
    if not asked:
        raise UsageError("there is nothing to pin yet")
    mark = window.pin(asked[-1])
    pinned = "\n".join("\n".join(talk) for talk in window.pinned([*messages, mark]).values())
    taken = agent.engine.count_tokens([HumanMessage(pinned)])
    most = int(PINNED * agent.engine.context)
    if taken > most:
        raise UsageError(
            f"with this, {taken:,} tokens would be pinned, and the window has room for {most:,}; "
            "/unpin lets go of some"
        )
    agent.session.append(mark)
    return str(messages[asked[-1]].text)


def unpin(agent: Agent, number: int) -> str:
    """Let go of pin `number`, from 1; gives the request. Raises UsageError."""
    pinned = list(window.pinned(agent.session.messages).items())
    if not 1 <= number <= len(pinned):
        raise UsageError(f"there is no pin {number}; /unpin lists them")
    at, (request, _) = pinned[number - 1]
    agent.session.append(window.pin(at, on=False))
    return request


class _Size:
    """Tokens of the prompt, with `text` as the next request."""

    def __init__(self, agent: Agent, tools: Sequence[ToolSpec], text: str) -> None:
        from langchain_core.messages import HumanMessage

        self.tools = tools
        self._agent = agent
        self._asked = [HumanMessage(text)] if text else []
        self._prefix = agent.engine.count_tokens([agent.system], self.tools)
        self.room = agent.engine.context - self._prefix
        """Of the window, beside what every prompt begins with."""

    def tokens(self, cut: window.Cut | None = None) -> int:
        """`cut`: another one than that of now."""
        sent = window.view(self._agent.session.messages, cut)
        prompt = [self._agent.system, *sent, *self._asked]
        return self._agent.engine.count_tokens(prompt, self.tools)

    def beside_prefix(self, cut: window.Cut | None = None) -> int:
        return self.tokens(cut) - self._prefix

    def is_full(self) -> bool:
        return self.beside_prefix() > FULL * self.room


def _shorten(agent: Agent, size: _Size, end: int) -> Generator[Notice, None, None]:
    """Results before the message `end`."""
    cut = window.cut_of(agent.session.messages)
    if not window.has_long_results(agent.session.messages[cut.shortened : end]):
        return
    before = size.tokens()
    agent.session.append(window.mark(replace(cut, shortened=end)))
    now = size.tokens()
    agent.trace.compacted("shortened", before, now)
    yield Notice(f"old results of tools were shortened ({before:,} tokens, now {now:,})")


def _summarise(
    agent: Agent, size: _Size, end: int, why: str
) -> Generator[Notice | Stage, None, Usage]:
    """The messages before `end`."""
    messages = agent.session.messages
    before = size.tokens()
    yield Stage("summarising what was said, to make room")
    summary, spent = _summary(agent, size, end)
    if summary is None:
        agent.trace.compacted("stopped", before, before, spent)
        return spent
    words = window.said(messages[:end], int(SUMMARY * size.room * CHARACTERS))
    agent.session.append(window.mark(window.Cut(len(messages), end, summary, words)))
    now = size.tokens()
    agent.trace.compacted("summarised", before, now, spent)
    yield Notice(f"{why}all but the last messages were summarised ({before:,} tokens, now {now:,})")
    return spent


def _summary(agent: Agent, size: _Size, end: int) -> tuple[str | None, Usage]:
    """Of the messages before `end`, and what it has cost: they are in the cache still, so little
    more than what is written. None: the user has stopped it."""
    from langchain_core.messages import HumanMessage

    asked = HumanMessage(render("summarise"))
    prompt = [agent.system, *window.view(agent.session.messages[:end]), asked]
    sampling = Sampling(max_tokens=int(SUMMARY * size.room))
    reply = agent.engine.reply(prompt, size.tools, sampling, Choice("text"))
    try:
        while True:
            next(reply)
    except StopIteration as over:
        agent.usage += agent.engine.usage
        stopped = over.value.response_metadata["finish"] == "interrupted"
        return None if stopped else str(over.value.text).strip(), agent.engine.usage
    except WindowFull:
        return "", Usage()  # the user's own words have to do
