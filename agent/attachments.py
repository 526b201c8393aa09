"""What `@file`, `#collection` and `$specialist` in a sent line mean, for the model.

The line itself stays as it was typed: tools can be called on the paths and names in it. What is
told besides goes into the history before it, in messages of its own, which are shortened like old
results when the window gets full; the user's words are not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.excerpt import Content, content, excerpt
from agent.memory.window import ATTACHED, MEANT
from agent.prompts import render
from agent.references import Reference, references
from tools.errors import ToolError
from tools.knowledge import formats

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from agent.engines.base import Engine
    from tools.specialists.plan import Task

SHARE = 0.25
"""Of the window, that the files of one line may take together."""
MOST = 20
"""Files of one line."""
LOOKED_AT = 500
"""References that are looked at: a paste may hold any number of @."""
SAMPLE = 20_000
"""Characters by which it is judged how many tokens a text has."""
NEAR, NEARER = 75, 85
"""How like another name (of 100) a name must be that is taken for a misspelt path: one that looks
like a path, and one that may be anything, such as `@pytest.fixture`."""
TOOLS: Mapping[Task, tuple[str, ...]] = {
    "classifier": ("classify_text", "classify_file"),
    "tagger": ("tag_entities",),
    "masked": ("fill_mask",),
}
"""By the task of a specialist."""


@dataclass(frozen=True)
class Attached:
    messages: tuple[BaseMessage, ...] = ()
    """For `Agent.send`."""
    said: tuple[str, ...] = ()
    """What the user should see of it: a line for each file."""
    problems: tuple[str, ...] = ()
    """What was not attached, and why."""


def attached(text: str, engine: Engine) -> Attached:
    """Of a line that the user has typed. `engine`: it says how much there is room for."""
    found = references(text)[:LOOKED_AT]
    if not found:
        return Attached()
    from langchain_core.messages import SystemMessage

    problems: list[str] = []
    messages: list[BaseMessage] = []
    if told := _meant(found, problems):
        messages.append(SystemMessage(told, additional_kwargs={MEANT: True}))
    contents = dict(_contents(_files(found, problems), problems))
    said = []
    for (place, whole), most in zip(
        contents.items(), _room([*contents.values()], engine), strict=True
    ):
        name, part = shown(place), excerpt(whole, most)
        inside = place.is_relative_to(Path.cwd())
        prompt = render(
            "attached",
            file=name,
            about=part.about,
            text=part.text,
            fence=_fence(part.text),
            more=_more(place, whole) if inside and not part.whole else "",
            next_line=part.next_line,
        )
        mark = {ATTACHED: {"file": name, "whole": part.whole}}
        messages.append(SystemMessage(prompt, additional_kwargs=mark))
        said.append(f"attached {name}: {part.about}")
    return Attached(tuple(messages), tuple(said), tuple(problems))


def shown(place: Path) -> str:
    """As tools take it: relative to the working folder, where it lies in it."""
    here = Path.cwd()
    return place.relative_to(here).as_posix() if place.is_relative_to(here) else str(place)


def _files(found: Sequence[Reference], problems: list[str]) -> list[Path]:
    """Absolute, each once."""
    places: dict[Path, None] = {}
    for reference in found:
        if reference.kind != "@":
            continue
        there = next(filter(None, map(_existing, reference.spellings())), None)
        if there is not None:
            places[there] = None
        elif missing := _missing(reference):
            problems.append(missing)
    if len(places) > MOST:
        problems.append(f"{len(places)} files are named; the first {MOST} are attached")
    return list(places)[:MOST]


def _existing(name: str) -> Path | None:
    try:
        # without following links: the name that the user knows is the one that tools take
        place = Path(_absolute(name))
        return place if place.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, ~ of nobody
        return None


def _absolute(name: str) -> str:
    return os.path.abspath(Path(name).expanduser())


def _missing(reference: Reference) -> str:
    """What to say of a name that no file has; "" for what was hardly meant as a path."""
    name = reference.spellings()[-1]
    sure = reference.quoted or name[0] in "~/." or bool(formats.kind_of(Path(name)))
    if not sure and not re.search(r"[./]", name):
        return ""
    near = _nearest(name, NEAR if sure else NEARER)
    if not sure and not near:
        return ""
    return f"there is no file {name}; " + (
        f"did you mean {near}?" if near else "the line is sent as it is"
    )


def _nearest(name: str, least: int) -> str:
    """The path in the same folder whose last part is most like that of `name`; "" for none."""
    from rapidfuzz import fuzz, process

    folder, slash, last = name.rpartition("/")
    try:
        place = Path(_absolute(f"{folder}{slash}" or "."))
        names = [one.name for one in place.iterdir() if not one.name.startswith(".")]
    except (OSError, ValueError, RuntimeError):
        return ""
    found = process.extractOne(last, names, scorer=fuzz.ratio, score_cutoff=least)
    return f"{folder}{slash}{found[0]}" if found else ""


def _contents(places: Sequence[Path], problems: list[str]) -> Iterator[tuple[Path, Content]]:
    for place in places:
        try:
            yield place, content(place)
        except ToolError as error:
            problems.append(f"{error}; it is not attached")
        except OSError as error:
            problems.append(f"{shown(place)} cannot be read: {error.strerror}; it is not attached")


def _room(contents: Sequence[Content], engine: Engine) -> list[int]:
    """Characters that each may take: what small ones leave, the large ones share."""
    from langchain_core.messages import HumanMessage

    def tokens(text: str) -> float:
        """Of a character, on average."""
        sample = text[:SAMPLE]
        return engine.count_tokens([HumanMessage(sample)]) / max(1, len(sample))

    rates = [tokens(one.text) for one in contents]
    sizes = [rate * len(one.text) for rate, one in zip(rates, contents, strict=True)]
    left = engine.context * SHARE
    room = [0] * len(contents)
    by_size = sorted(range(len(contents)), key=lambda at: sizes[at])
    for number, at in enumerate(by_size):
        fair = left / (len(by_size) - number)
        given = min(sizes[at], fair)
        left -= given
        text = contents[at].text
        room[at] = len(text) if given == sizes[at] else int(given / rates[at])
    return room


def _fence(text: str) -> str:
    """Longer than any in the text, which so cannot end it."""
    return "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))


def _more(place: Path, whole: Content) -> str:
    """How the model can go on reading: "lines", "documents", "folder"; "" when it cannot."""
    if whole.unit == "items":
        return "folder"
    if whole.unit == "characters":
        return "documents"
    return "" if place.suffix.lower() == ".parquet" else "lines"


def _meant(found: Sequence[Reference], problems: list[str]) -> str:
    collections = [one.name for one in found if one.kind == "#"]
    specialists = [one.name for one in found if one.kind == "$"]
    if collections:
        collections = _known(collections, problems)
    meant = [*_specialists(specialists)] if specialists else []
    if not collections and not meant:
        return ""
    return render("meant", collections=collections, specialists=meant)


def _known(names: Sequence[str], problems: list[str]) -> list[str]:
    """Those that are collections of documents; #12 may be anything."""
    from agent import app

    try:
        there = {one.name for one in app.library().collections()}
    except ToolError as error:
        problems.append(f"the documents cannot be used: {error}")
        return []
    return [name for name in names if name in there]


def _specialists(names: Sequence[str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Of those that are in use: name, task, and the tools that use it; $HOME is nobody's."""
    from agent.settings import home
    from tools.specialists.registry import Registry

    registry = Registry(home())
    for task, tools in TOOLS.items():
        for one in registry.usable(task):
            if one.name in names:
                yield one.name, task, tools
