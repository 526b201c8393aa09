"""What the model reads and what it costs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from agent import compaction
from agent.events import Notice, Usage
from agent.repl.commands.command import command, nothing

if TYPE_CHECKING:
    from agent.repl.repl import Repl


@command
def context(repl: Repl, rest: str) -> None:
    """show what fills the window, as a bar

    Counted as the engine counts: the system's words, tools, facts, the summary, attached files,
    what was said, results of tools, and what is free. /compact makes room.
    """
    from agent.repl.bar import Bar

    nothing("context", rest)
    tokens = _filling(repl)
    window, used = repl.agent().engine.context, sum(tokens.values())
    repl.screen.show(Bar({**tokens, "free": max(0, window - used)}))
    repl.screen.plain(f"{used:,} of {window:,} tokens, {used / window:.0%}")


@command
def compact(repl: Repl, rest: str) -> None:
    """make room in the window now: shorten old results, summarise old turns

    The last turns stay as they are, and so do your words and what is pinned. The conversation keeps
    everything; only the model reads less. It happens by itself when the window gets full.
    """
    nothing("compact", rest)
    agent = repl.agent()
    before = sum(_filling(repl).values())
    told = False
    with (
        repl.screen.working("summarising"),
        contextlib.closing(compaction.compact(agent, agent.prefix())) as notices,
    ):
        for event in notices:
            if isinstance(event, Notice):
                repl.screen.plain(event.text)
                told = True
    if not told:
        repl.screen.plain("there is nothing to compact: the last turns stay as they are")
        return
    after, window = sum(_filling(repl).values()), agent.engine.context
    repl.screen.plain(
        f"{before - after:,} tokens are free again; {after:,} of {window:,} are taken, "
        f"{after / window:.0%}"
    )


@command
def usage(repl: Repl, rest: str) -> None:
    """show tokens and speed: of this conversation and of the last turn

    cached: read from what the model remembers of the prompt; processed: read anew; written: by the
    model. Of a fork, what was said before it counts in the conversation that it comes from.
    """
    nothing("usage", rest)
    messages = repl.session.messages
    asked = [at for at, message in enumerate(messages) if message.type == "human"]
    rows = [("this conversation", repl.session.usage())]
    if asked:
        rows.append(("the last turn", repl.session.usage(asked[-1])))
    repl.screen.plain(f"{'':18}{'cached':>10}{'processed':>11}{'written':>9}  tokens a second")
    for name, one in rows:
        counts = f"{one.cached:>10,}{one.prefilled:>11,}{one.generated:>9,}"
        repl.screen.plain(f"{name:18}{counts}  {_speed(one)}")


def _filling(repl: Repl) -> Mapping[str, int]:
    from agent.memory.filling import filling

    agent = repl.agent()
    with repl.screen.working("counting"):
        return filling(agent.engine, agent.system, agent.prefix(), repl.session.messages)


def _speed(one: Usage) -> str:
    """Of writing, and of reading the prompt."""
    rates = (
        (one.generated, one.decode_seconds, "written"),
        (one.prefilled, one.prefill_seconds, "processed"),
    )
    said = [f"{count / seconds:,.0f} {what}" for count, seconds, what in rates if seconds]
    return ", ".join(said) or "not measured"
