"""A turn as a tree in the terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.cut import cut_and_counted
from agent.events import Usage
from agent.repl.clean import clean, one_line, written
from agent.repl.screen import ENDED
from agent.trace.turn import Asked, Call, Candidate, Offer, Step, Turn

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

LIKELY = 5
"""Tools that are shown of those that might have been called."""
LINE = 400
"""Characters of what was said or called."""
GLANCE = 100
"""Characters of a message that was sent."""
BAR = 24
"""Cells of the bar of tokens."""
MODES = {"text": "had to be text", "call": "had to be a call", "free": "text or a call"}


def tree(turn: Turn) -> Tree:
    from rich.tree import Tree

    root = Tree(_text(head(turn), "bold"))
    root.add(_text(f"you: {_short(turn.request)}"))
    for compaction in turn.compactions:
        root.add(_text(f"window: {compaction.what}, {compaction.before:,} to {compaction.after:,} "
                       f"tokens{_paid(compaction.usage)}", "yellow"))  # fmt: skip
    for number, step in enumerate(turn.steps, 1):
        _step(root.add(_text(f"step {number}: {took(step)}", "bold")), step)
    for notice in turn.notices:
        root.add(_text(_short(notice), "yellow"))
    root.add(_text(f"ended: {ended(turn)}; {cost(turn.usage)}"))
    return root


def head(turn: Turn) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(turn.started))
    return (
        f"session {turn.session}, turn {turn.number}: {when}, {one_line(turn.model)}, "
        f"{seconds(turn.seconds)}"
    )


def ended(turn: Turn) -> str:
    if not turn.reason:
        return "not yet: it is under way, or the program was ended"
    return ENDED.get(turn.reason, turn.reason)


def cost(usage: Usage) -> str:
    rate = usage.generated / usage.decode_seconds if usage.decode_seconds else 0.0
    speed = f", {rate:.0f} tok/s" if rate else ""
    return (
        f"{usage.cached:,} tokens cached, {usage.prefilled:,} read in "
        f"{seconds(usage.prefill_seconds)}, {usage.generated:,} written in "
        f"{seconds(usage.decode_seconds)}{speed}"
    )


def took(step: Step) -> str:
    what = "a call" if step.calls else "text" if step.reply else "nothing that was kept"
    if step.replied_at is None:
        what = "broken off" if step.reply else "no reply"
    elif step.begun and not (step.reply and step.reply.text.strip()):
        what = "a call that was broken off"
    elif step.cut:
        what = "a call that was cut off, and asked for again"
    return f"{what}, {seconds(step.ended - step.began)}"


def chosen(step: Step) -> str:
    """What the reply could be, and why."""
    if step.offer is None:
        return f"asked again; it {MODES[step.mode]}"
    judged = []
    if step.offer.score is not None:
        judged.append(f"the judge {step.offer.score:+.2f}")
    if step.offer.odds is not None:
        judged.append(f"the model's own odds {step.offer.odds:+.2f}")
    said = f" ({', '.join(judged)})" if judged else ""
    may = "could be " if step.mode == "free" else ""
    return f"{may}{MODES[step.mode]}: {step.offer.why}{said}"


def sent(step: Step) -> str:
    parts = [f"{len(step.sent)} messages"]
    parts += [f"{step.earlier} of them of earlier turns"] if step.earlier else []
    parts += [f"{step.shortened} shortened"] if step.shortened else []
    return f"sent the system's words and {', '.join(parts)}"


def asked(one: Asked) -> str:
    if one.answer == "edit":
        return f"approval: other arguments, {seconds(one.seconds)}"
    said = {"before": "allowed before", "nobody": "nobody was asked"}.get(one.answer, one.answer)
    allowed = "allowed" if one.allowed else "refused"
    reason = f" ({_short(one.reason)})" if one.reason else ""
    return f"approval: {allowed}, {said}{reason}, {seconds(one.seconds)}"


def seconds(count: float) -> str:
    return f"{count * 1000:.0f} ms" if count < 1 else f"{count:.1f} s"


def _step(branch: Tree, step: Step) -> None:
    messages = branch.add(_text(sent(step), "dim"))
    for message in step.new:
        messages.add(_text(f"{message.role}: {_short(message.text, GLANCE)}", "dim"))
    branch.add(_bar(step.usage)).add(_text(cost(step.usage), "dim"))
    choice = branch.add(_text(chosen(step)))
    if step.offer:
        for line in _likely(step.offer):
            choice.add(line)
    if step.reasoning:
        branch.add(_text(f"thought: {_short(step.reasoning)}", "dim"))
    if step.reply and step.reply.text.strip():
        branch.add(_text(f"said: {_short(step.reply.text)}"))
    if step.begun:
        branch.add(_text(f"a call that was broken off: {_short(step.begun)}"))
    for call in step.calls:
        _call(branch, call)


def _likely(offer: Offer) -> Iterator[Text]:
    if all(_measures(one) == "" for one in offer.candidates):
        yield _text(", ".join(one.name for one in offer.candidates), "dim")
        return
    shown = offer.candidates[:LIKELY]
    width = max((len(one.name) for one in shown), default=0)
    for one in shown:
        yield _text(f"{one.name:{width}}{_measures(one)}", "" if one.offered else "dim")
    if more := len(offer.candidates) - len(shown):
        yield _text(f"and {more} more", "dim")


def _measures(one: Candidate) -> str:
    near = "" if one.nearness is None else f"  near {one.nearness:.2f}"
    own = "" if one.own is None else f"  model {one.own:.1%}"
    share = "" if one.share is None else f"  together {one.share:.1%}"
    return f"{near}{own}{share}{'' if one.offered else '  not offered'}"


def _call(branch: Tree, call: Call) -> None:
    mark, style = ("✓", "green") if call.ok else ("✗", "red")
    text = _text(f"{mark} ", style)
    text.append(_short(written(call.name, call.arguments)), "default")
    text.append(f" {seconds(call.seconds)}" if call.began is not None else " (not seen to end)")
    leaf = branch.add(text)
    for one in call.asked:
        leaf.add(_text(asked(one)))
    result = "no result" if call.result is None else _short(call.result)
    leaf.add(_text(f"→ {result}", "" if call.ok else "red"))


def _bar(usage: Usage) -> Text:
    """Tokens that were cached, read and written, as shares of a line."""
    total = usage.cached + usage.prefilled + usage.generated
    text = _text("")
    if not total:
        return _text("no tokens were counted", "dim")
    edges = [
        round(BAR * part / total) for part in (usage.cached, usage.cached + usage.prefilled, total)
    ]
    text.append("█" * edges[0], "green")
    text.append("▓" * (edges[1] - edges[0]), "yellow")
    text.append("░" * (edges[2] - edges[1]), "cyan")
    return text


def _paid(usage: Usage) -> str:
    return f"; {cost(usage)}" if usage != Usage() else ""


def _short(text: str, most: int = LINE) -> str:
    return cut_and_counted(one_line(text), most)


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(clean(text), style)
