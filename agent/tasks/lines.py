"""YAML that remembers where each value stands.

The values are those of YAML 1.2: `yes`, `on`, `012` and `12:30` are texts, which in the older YAML
are true, true, 10 and 750.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from agent.tasks import bounds

Place = tuple[str | int, ...]
"""The keys and numbers that lead to a value from the top."""
DEEP = 60
"""Values in each other; what reads a schema calls itself several times for each."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: Any = {}  # noqa: RUF012  PyYAML's, and replaced as a whole


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?|[-+]?\.[0-9]+([eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(node.value)


_Loader.add_constructor("tag:yaml.org,2002:float", _number)


@dataclass
class Read:
    """What a text holds, and where."""

    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    """Of a key, or of an item of a list; from 1."""
    texts: dict[Place, int] = field(default_factory=dict)
    """Where a text itself begins."""
    problems: list[tuple[int, str]] = field(default_factory=list)
    """Lines, and what is wrong there."""

    def line(self, place: Place) -> int:
        """Of the value, else of the nearest thing around it."""
        return line_of(self.lines, place)


def line_of(lines: Mapping[Place, int], place: Place) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def texts(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """All texts in what stands at `place`, but for keys."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from texts(one, (*place, key))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from texts(one, (*place, at))


def read(text: str, first: int = 1) -> Read:
    """`first`: the line on which `text` begins. What is wrong is in the answer's `problems`."""
    found = Read()
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return found
        _Walk(found, first).go(node, (), node.start_mark.line + first, ())
        if not found.problems:
            found.data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        found.problems.append((mark.line + first if mark else first, _said(error, text)))
    except yaml.YAMLError as error:  # a character that no YAML may hold
        reader = error if isinstance(error, yaml.reader.ReaderError) else None
        at = text.count("\n", 0, reader.position) if reader else 0
        found.problems.append((at + first, f"is no YAML: {str(error).splitlines()[0]}"))
    except RecursionError:
        found.problems.append((first, "its values lie too deep in each other"))
    except (ValueError, OverflowError) as error:  # a number of ten thousand digits
        found.problems.append((first, f"a value cannot be read: {str(error).splitlines()[0]}"))
    return found


def _said(error: yaml.MarkedYAMLError, text: str) -> str:
    said = ", ".join(filter(None, [error.context, error.problem]))
    if "'\\t'" in said:
        said += "; YAML is indented with blanks, not with tabs"
    elif "mapping values are not allowed" in said:
        said += "; a text that holds a colon wants quotes around it"
    elif "got '?'" in said:
        said += "; between { and }, a text with a question mark wants quotes around it"
    elif "expected <block end>" in said or ("block" in said and "found '?'" in said):
        if _begins_line(error.problem_mark, text):
            said += "; what belongs together begins in the same column, and this line does not"
        else:
            said += "; a text that begins with a quote ends with it: put other quotes around it all"
    elif "unhashable key" in said or "found '{'" in said:
        said += "; a text that begins with {{ wants quotes around it"
    return f"is no YAML: {said}"


def _begins_line(mark: yaml.Mark | None, text: str) -> bool:
    """Whether nothing but blanks stands before it, and the dashes of a list."""
    before = text.split("\n")[mark.line][: mark.column] if mark else ""
    return not before.strip(" -")


class _Walk:
    """Notes the lines of all nodes, and what YAML allows and we do not."""

    def __init__(self, found: Read, first: int) -> None:
        self._found = found
        self._first = first
        self._nodes = 0
        self._is_too_deep = False

    def go(self, node: yaml.Node, place: Place, line: int, above: tuple[int, ...]) -> None:
        """`line`: of what leads to the node. `above`: the nodes around it."""
        self._nodes += 1
        if self._nodes > bounds.NODES:
            if self._nodes == bounds.NODES + 1:
                self._wrong(node, f"holds more than {bounds.NODES:,} values, aliases counted")
            return
        if len(place) > DEEP:
            if not self._is_too_deep:
                self._wrong(node, f"lies more than {DEEP} deep in other values")
            self._is_too_deep = True
            return
        if id(node) in above:
            self._wrong(node, "this alias stands for something that contains it: no end")
            return
        self._found.lines[place] = line
        inside = (*above, id(node))
        if isinstance(node, yaml.ScalarNode):
            begins = node.start_mark.line + self._first
            self._found.texts[place] = begins + (node.style in ("|", ">"))
        elif isinstance(node, yaml.SequenceNode):
            for at, item in enumerate(node.value):
                self.go(item, (*place, at), item.start_mark.line + self._first, inside)
        elif isinstance(node, yaml.MappingNode):
            self._mapping(node, place, inside)

    def _mapping(self, node: yaml.MappingNode, place: Place, inside: tuple[int, ...]) -> None:
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + self._first
            if not isinstance(key, yaml.ScalarNode):
                text = "a key has to be a word; a text that begins with {{ wants quotes around it"
                self._wrong(key, text)
                continue
            if key.tag != "tag:yaml.org,2002:str":
                self._wrong(key, f"the key {key.value!r} is no text; put it in quotes")
                continue
            if key.value in seen:
                text = f"{key.value!r} stands here twice, first in line {seen[key.value]}"
                self._wrong(key, text)
                continue
            seen[key.value] = line
            self.go(value, (*place, key.value), line, inside)

    def _wrong(self, node: yaml.Node, text: str) -> None:
        self._found.problems.append((node.start_mark.line + self._first, text))
