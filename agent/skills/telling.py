"""How skills reach the model: a line each where it costs nothing, one in full when it is chosen.

While there are few, the lines stand in the stable prefix, which is processed before anybody asks.
Of many, the nearest are named behind the conversation, just before the request. A skill is chosen
by its name in the request, by the embedder where the description is near enough, by the model with
the tool `read_skill`, or by the user with /skill. Its text then comes into the conversation behind
all that was said, and not again as long as the model still reads it there.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from agent.memory.window import BEFORE, READ_SKILL, SKILL, SKILLS
from agent.prompts import render
from agent.skills.format import FILE, Skill
from agent.skills.places import Shelf

if TYPE_CHECKING:
    import numpy as np
    from langchain_core.messages import BaseMessage, SystemMessage
    from langchain_core.tools import BaseTool

    from agent.offering import Embedder

FEW = 8
"""Skills that have a line each in the stable prefix."""
SHARE = 0.04
"""Of the window, that these lines may take, a token being about four characters."""
NEAREST = 3
"""Of many skills, those that are named before a request."""
NEAR = 0.30
"""Cosine from which one of many is named."""
IS_MEANT = 0.425
"""Cosine of a request with a skill's description from which the skill is told in full: of requests
that want a shipped one 3 in 4 come as near, of others 1 in 100, of requests about small files 3 in
100 (`benchmarks/skill_choice.py`)."""
NEARER_TOOL = 0.08
"""By how much a tool may be nearer than the skill: of 40 requests that want a shipped one 27 then
bring it instead of 23, of others no more than without (`benchmarks/skill_choice.py`)."""
LONGEST = 120
"""Characters of a description that a line holds; of a longer one it is the first sentence."""
MOST_NAMED = 60
"""Files that may be named to `read_skill`; of more, it is not said which there are."""


class Skills:
    """What the loop asks. `lines` is made once; a skill that comes later is named when near."""

    def __init__(self, shelf: Shelf, embedder: Embedder | None, context: int) -> None:
        """`context`: the window, in tokens."""
        self.shelf = shelf
        self._embedder = embedder
        self._seen: dict[tuple[str, ...], np.ndarray] = {}
        """The vectors of what requests are compared with."""
        found = self.known()
        told = render("skills", skills=_lines(found.values()))
        fits = len(found) <= FEW and len(told) <= 4 * SHARE * context
        few = found if fits or embedder is None else {}
        self.lines = told if few else ""
        """For the stable prefix."""
        self._told = frozenset(few)

    def known(self) -> Mapping[str, Skill]:
        return self.shelf.found().skills

    def chosen(
        self, request: str, nearest_tool: Callable[[Collection[str]], float]
    ) -> Skill | None:
        """The skill that `request` names, else the one that the embedder takes it to mean.

        `nearest_tool` gives the cosine of the tool that fits best, those of the given names left
        out, and is asked only where a skill is near: tools may look through documents for it. What
        a tool does alone, being clearly nearer, needs no skill, which would only lead away from it.
        A skill that names one tool says how to use it, and this tool leads nowhere else.
        """
        known = self.known()
        named = [name for name in known if "-" in name and _names(request, name)]
        if named:
            return known[named[0]]
        near = self.nearness(request, known)
        best = max(near, key=lambda name: near[name], default="")
        if not best or near[best] <= IS_MEANT:
            return None
        skill = known[best]
        own = skill.tools if len(skill.tools) == 1 else ()
        return skill if near[best] > nearest_tool(own) - NEARER_TOOL else None

    def nearness(self, request: str, known: Mapping[str, Skill]) -> dict[str, float]:
        """The cosine of each with `request` or with its beginning; without an embedder none."""
        if self._embedder is None or not known:
            return {}
        new = {
            texts: None for skill in known.values() if (texts := _texts(skill)) not in self._seen
        }
        if new:
            vectors = self._embedder.embed([text for texts in new for text in texts])
            at = 0
            for texts in new:
                self._seen[texts] = vectors[at : at + len(texts)]
                at += len(texts)
        asked = self._embedder.embed(parts_of(request)).T
        return {name: float((self._seen[_texts(s)] @ asked).max()) for name, s in known.items()}

    def name_some(self, request: str, sent: Sequence[BaseMessage]) -> list[SystemMessage]:
        """What is said before `request` of skills that have no line yet. `sent`: what the model
        reads already."""
        from langchain_core.messages import SystemMessage

        told = {name for one in sent for name in one.additional_kwargs.get(SKILLS, ())}
        new = {k: v for k, v in self.known().items() if k not in self._told | told}
        near = self.nearness(request, new)
        names = sorted((name for name in near if near[name] > NEAR), key=lambda name: -near[name])
        if not names:
            return []
        names = names[:NEAREST]
        text = render("skills", skills=_lines(new[name] for name in names))
        return [SystemMessage(text, additional_kwargs={SKILLS: names})]


def parts_of(request: str) -> list[str]:
    """All of it, and its beginning: behind that the text may stand that something is done with."""
    begin = _BEGINNING.split(request.strip(), maxsplit=1)[0]
    return [request, begin] if begin != request and len(begin.split()) > 2 else [request]


def in_full(skill: Skill) -> SystemMessage:
    """What the model is told when the skill was chosen."""
    from langchain_core.messages import SystemMessage

    return SystemMessage(text_of(skill), additional_kwargs={SKILL: skill.name})


def text_of(skill: Skill) -> str:
    return render("skill", skill=skill.name, body=skill.body, files=skill.files)


def is_told(skill: str, sent: Iterable[BaseMessage]) -> bool:
    """Whether the model still reads it in full."""
    return any(one.additional_kwargs.get(SKILL) == skill or _was_read(one, skill) for one in sent)


def skill_before(sent: Sequence[BaseMessage], attached: Sequence[BaseMessage]) -> str:
    """The name of the one that the user has put before the next request; "" for none."""
    for one in reversed([*sent, *attached]):
        if not BEFORE & one.additional_kwargs.keys():
            return ""
        if name := one.additional_kwargs.get(SKILL):
            return str(name)
    return ""


def _was_read(message: BaseMessage, skill: str) -> bool:
    """By the model itself."""
    if message.type != "tool" or getattr(message, "name", "") != READ_SKILL:
        return False
    return str(message.text).startswith(_opening(skill))


def _opening(skill: str) -> str:
    """Of the text of a skill, its first line."""
    return render("skill", skill=skill, body="", files=()).split("\n", 1)[0]


def reader(shelf: Shelf) -> BaseTool:
    """The tool `read_skill` over the skills of now."""
    from tools.base import ToolError, tool

    def names() -> list[str]:
        return list(shelf.found().skills)

    def files() -> list[str]:
        every = {file for skill in shelf.found().skills.values() for file in skill.files}
        return [FILE, *sorted(every)][:MOST_NAMED]

    @tool(
        name=READ_SKILL,
        choices={"name": names, "file": files},
        examples=["read the skill that says how to do it", "which steps does the skill have?"],
    )
    def read(name: str, file: str = FILE) -> str:
        """Read a skill: step by step instructions for a kind of task, or a file that comes with it.

        Args:
            name: the skill
            file: a file that the skill names
        """
        skill = shelf.found().skills[name]
        if file == FILE:
            return text_of(skill)
        if file not in skill.files:
            near = difflib.get_close_matches(file, skill.files, n=1)
            there = near or skill.files
            hint = f"it has: {', '.join(there)}" if there else "it has no files"
            raise ToolError(f"the skill {name} has no file {file}; {hint}")
        try:
            return (skill.folder / file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ToolError(f"{file} of the skill {name} is no text that can be read") from error

    return read


def _lines(skills: Iterable[Skill]) -> list[tuple[str, str]]:
    return [(skill.name, _short(skill.description)) for skill in skills]


def _short(text: str) -> str:
    if len(text) > LONGEST:
        text = _SENTENCE.split(text)[0]
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rsplit(' ', 1)[0]}…"


def _texts(skill: Skill) -> tuple[str, ...]:
    """What a request is compared with: all of the description, and each of its sentences."""
    name = skill.name.replace("-", " ")
    sentences = [one for one in _SENTENCE.split(skill.description) if len(one.split()) > 2]
    return (f"{name}: {skill.description}", *sentences)


def _names(request: str, name: str) -> bool:
    """Whether `name` stands in `request` as a whole word."""
    return re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w/-]|\.\w)", request.lower()) is not None


_BEGINNING = re.compile(r":\s|\n|(?<=[.?!])\s")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
