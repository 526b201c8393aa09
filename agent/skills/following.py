"""How a request is done by a skill: which one it is, what is called next, what is said at the end.

A small model that reads "call it first" answers in words all the same, and behind long results it
has forgotten what its answer was to look like. So the loop holds it to the calls that the skill's
steps begin with, says the skill's form again before the answer, and lets it write nothing but what
matches the skill's pattern.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from agent.grounding import is_made_up, spoken
from agent.skills.telling import Skills, in_full, is_told, skill_before

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage, ToolCall

    from agent.skills.format import Skill

MOST_OF_FORM = 1000
"""Characters of a skill that are said again before the answer, as far as whole lines go."""


def advice(
    skills: Skills | None,
    sent: Sequence[BaseMessage],
    text: str,
    attached: Sequence[BaseMessage],
    nearest_tool: Callable[[Collection[str]], float],
) -> tuple[Sequence[BaseMessage], Skill | None]:
    """What is said of skills before the request `text`, and the one that it is done by.

    The skill that the user has put there is all, else the one that the request wants, else the
    lines of some. `nearest_tool` gives the cosine of the tool that fits `text` best, those of the
    given names left out.
    """
    if skills is None:
        return [], None
    given = skill_before(sent, attached)
    known = skills.known()
    meant = known.get(given) if given else skills.chosen(text, nearest_tool)
    if meant is None:
        return skills.name_some(text, sent), None
    return ([] if given or is_told(meant.name, sent) else [in_full(meant)]), meant


def tools_of(skill: Skill | None, tools: Collection[str]) -> set[str]:
    """Those of `tools` that it names."""
    return {name for name in skill.tools if name in tools} if skill else set()


def due(
    skill: Skill | None, called: Sequence[str], mend: str, tools: Collection[str], failed: bool
) -> str:
    """The tool that the skill's next step calls; "" for none.

    `called`: in this turn, in order. `mend`: the tool that is to be called once more, whatever the
    skill says. `failed`: whether one of the latest results is an error.
    """
    for step in skill.steps if skill else ():
        if step.tool not in tools:
            return ""
        if step.tool not in called:
            return step.tool
        if step.each and called[-1] == step.tool and mend != step.tool:
            return "" if failed else step.tool
    return ""


def is_through(calls: Sequence[ToolCall], sent: Sequence[BaseMessage]) -> bool:
    """Whether a step that calls a tool for each thing is done: the next one is made up."""
    said = spoken(sent)
    return bool(calls) and all(is_made_up(call["args"], said) for call in calls)


def pattern_of(skill: Skill | None, sent: Sequence[BaseMessage], tools: Collection[str]) -> str:
    """What the answer matches; "" for anything. That a call which the steps begin with gave
    nothing (an empty folder, files that cannot be read), or every call failed, is told in words."""
    from langchain_core.messages import ToolMessage

    if skill is None or not skill.pattern:
        return ""
    turn = itertools.takewhile(lambda one: one.type != "human", reversed(sent))
    results = [one for one in turn if isinstance(one, ToolMessage)]
    gave = {one.name for one in results if one.status == "success"}
    needed = {step.tool for step in skill.steps} & {*tools}
    has_all = needed <= gave if needed else bool(gave) or not results
    return skill.pattern if has_all else ""


def form_of(skill: Skill | None) -> str:
    """What is said of the answer once more."""
    if skill is None:
        return ""
    if len(skill.form) <= MOST_OF_FORM:
        return skill.form
    return skill.form[:MOST_OF_FORM].rpartition("\n")[0]
