"""One skill: its folder read, and every mistake in it with its line.

The rules are those of https://agentskills.io/specification and of its reference validator. On top
of them, a file that the body names has to be there.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

FILE = "SKILL.md"
KEYS = ("name", "description", "license", "compatibility", "metadata", "allowed-tools")
PATTERN = "tinsmith-answer"
"""The key of `metadata` that is ours."""
LONGEST = {"name": 64, "description": 1024, "compatibility": 500}
"""Characters."""
LARGEST = 1_000_000
"""Bytes of a SKILL.md; one of a model's instructions has a few thousand."""
FOLDERS = ("scripts", "references", "assets")
MOST_FILES = 200
"""Of a skill, that are known by name."""
TEXT = "tag:yaml.org,2002:str"


@dataclass(frozen=True)
class Step:
    """A numbered line of the body that begins with "Call `tool`"."""

    tool: str
    each: bool
    """It says "each": the tool is called until there is nothing new to call it for."""


@dataclass(frozen=True)
class Skill:
    name: str
    description: str
    folder: Path
    body: str
    """What the model is told, Markdown."""
    tools: tuple[str, ...] = ()
    """That it names: in `allowed-tools`, else `in backticks` in its body. It may name others than
    there are."""
    steps: tuple[Step, ...] = ()
    """Those that begin with a call, in their order."""
    form: str = ""
    """The body without these lines: how the answer is to be."""
    pattern: str = ""
    """A regular expression (Rust's) that the answer matches as a whole: `tinsmith-answer` in
    `metadata`."""
    files: tuple[str, ...] = ()
    """Beside SKILL.md, relative to the folder."""
    license: str = ""
    compatibility: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mistake:
    file: Path
    line: int
    """From 1."""
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


def read(folder: Path) -> tuple[Skill | None, list[Mistake]]:
    """The skill in `folder`, None when there is a mistake in it, and all mistakes."""
    file = folder / FILE
    if not file.is_file():
        wrong = next((one for one in _listed(folder) if one.name.lower() == "skill.md"), None)
        if wrong is None:
            return None, [Mistake(file, 1, "there is no such file; every skill has one")]
        return None, [Mistake(wrong, 1, f"it is to be called {FILE}, in these letters")]
    try:
        text = _text(file)
    except OSError as error:
        return None, [Mistake(file, 1, f"it cannot be read: {error.strerror}")]
    except ValueError as error:
        return None, [Mistake(file, 1, str(error))]
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        why = "its first line is to be ---, and `name:` and `description:` come next"
        return None, [Mistake(file, 1, why)]
    end = next((at for at, one in enumerate(lines[1:], 1) if one.rstrip() == "---"), None)
    if end is None:
        why = "the front matter that begins here has no end; put --- on a line of its own"
        return None, [Mistake(file, 1, why)]
    head = _Head(file, "\n".join(lines[1:end]))
    found = head.values()
    files = tuple(_files(folder))
    body = "\n".join(lines[end + 1 :])
    mistakes = [*head.mistakes, *_body_mistakes(file, lines, end + 1, files)]
    if mistakes:
        return None, sorted(mistakes, key=lambda one: one.line)
    allowed = str(found.get("allowed-tools", "")).split()
    skill = Skill(
        name=str(found["name"]),
        description=" ".join(str(found["description"]).split()),
        folder=folder,
        body=body.strip(),
        tools=tuple(allowed or dict.fromkeys(_TICKED.findall(body))),
        steps=tuple(Step(tool, "each" in rest.split()) for tool, rest in _STEP.findall(body)),
        form=re.sub(r"\n{2,}", "\n", _STEP.sub("", body)).strip(),
        pattern=str(found.get("metadata", {}).get(PATTERN, "")),
        files=files,
        license=str(found.get("license", "")),
        compatibility=str(found.get("compatibility", "")),
        metadata=found.get("metadata", {}),
    )
    return skill, []


def _text(file: Path) -> str:
    """Raises OSError, ValueError."""
    size = file.stat().st_size
    if size > LARGEST:
        raise ValueError(f"it has {size:,} bytes; put what is long into references/")
    data = file.read_bytes()
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"it is no UTF-8: byte {error.start} is {data[error.start]:#04x}"
        ) from None


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _files(folder: Path) -> Iterator[str]:
    """Those of the folders that the format knows, and the Markdown beside SKILL.md. What a link
    leads to outside the skill is none of it."""
    root = folder.resolve()
    places: Iterable[Path] = [
        *(one for one in _listed(folder) if one.suffix == ".md" and one.name != FILE),
        *(one for name in FOLDERS for one in sorted((folder / name).rglob("*"))),
    ]
    found = (
        one.relative_to(folder).as_posix()
        for one in places
        if one.is_file() and one.resolve().is_relative_to(root) and one.name[0] != "."
    )
    for _, name in zip(range(MOST_FILES), found, strict=False):
        yield name


def _body_mistakes(
    file: Path, lines: Sequence[str], first: int, files: Sequence[str]
) -> Iterator[Mistake]:
    """`first`: the index of the body's first line."""
    if not any(line.strip() for line in lines[first:]):
        yield Mistake(file, first, "nothing stands below the front matter; say there what to do")
    for number, line in enumerate(lines[first:], first + 1):
        for path in dict.fromkeys(_NAMED.findall(line)):
            if path not in files and not (file.parent / path).is_dir():
                yield Mistake(file, number, f"there is no {path}{_or(path, files)}")


class _Head:
    """The front matter. YAML's nodes know their lines; its values do not."""

    def __init__(self, file: Path, text: str) -> None:
        self._file = file
        self._text = text
        self.mistakes: list[Mistake] = []

    def values(self) -> dict[str, Any]:
        """What could be read; the mistakes say what could not."""
        import yaml

        try:
            root = yaml.compose(self._text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            hint = ""
            if "mapping values are not allowed" in str(error.problem):
                hint = "; a text with a colon in it stands in quotes"
            self._wrong(mark.line if mark else 0, f"no YAML: {error.problem}{hint}")
            return {}
        except yaml.YAMLError as error:  # a character that YAML does not allow
            self._wrong(0, f"no YAML: {' '.join(str(error).split())}")
            return {}
        except RecursionError:
            self._wrong(0, "no YAML that can be read: it is nested too deeply")
            return {}
        if not isinstance(root, yaml.MappingNode):
            self._wrong(0, "the front matter is of the form `name: …`, one key on each line")
            return {}
        nodes = self._nodes(root)
        found: dict[str, Any] = {}
        for key, node in nodes.items():
            if key not in KEYS:
                self._wrong(_line(node), f"there is no key {key!r}{_or(key, KEYS)}", key)
            elif key == "metadata":
                found[key] = self._metadata(node)
            elif (value := self._string(key, node)) is not None:
                self._check(key, value, node)
                found[key] = value
        for key in ("name", "description"):
            if key not in nodes:
                self._wrong(-1, f"there is no {key!r}, which every skill has")
        return found

    def _nodes(self, root: yaml.MappingNode) -> dict[str, Any]:
        """By their keys."""
        nodes: dict[str, Any] = {}
        for key, node in root.value:
            name = str(key.value)
            if name in nodes:
                self._wrong(key.start_mark.line, f"{name!r} stands here a second time")
            nodes.setdefault(name, node)
        return nodes

    def _string(self, key: str, node: Any) -> str | None:
        import yaml

        if not isinstance(node, yaml.ScalarNode):
            hint = ""
            if key == "allowed-tools":
                hint = ", the names with a blank between them"
            self._wrong(_line(node), f"{key!r} is to be one text{hint}")
            return None
        if node.tag != TEXT and node.value.strip() not in ("", "~", "null"):
            self._wrong(_line(node), f'{key!r} is to be a text; write it in quotes: "{node.value}"')
            return None
        return "" if node.tag != TEXT else str(node.value)

    def _metadata(self, node: Any) -> dict[str, str]:
        import yaml

        if not isinstance(node, yaml.MappingNode):
            self._wrong(_line(node), "'metadata' is to be keys with a text each")
            return {}
        nodes = self._nodes(node)
        texts = {key: self._string(key, value) for key, value in nodes.items()}
        if pattern := texts.get(PATTERN):
            from agent.grammar import wrong_pattern

            if why := wrong_pattern(pattern):
                said = f"{PATTERN!r} of 'metadata' is no pattern for an answer: {why}"
                self._wrong(_line(nodes[PATTERN]), said)
        return {key: text for key, text in texts.items() if text is not None}

    def _check(self, key: str, value: str, node: Any) -> None:
        line = _line(node)
        if not value.strip():
            self._wrong(line, f"{key!r} is empty" + ("" if key in KEYS[:2] else "; leave it out"))
            return
        most = LONGEST.get(key)
        if most is not None and len(value) > most:
            self._wrong(line, f"{key!r} has {len(value)} characters; {most} are the most")
        if key == "name":
            for why in _name_mistakes(value, self._file.parent.absolute().name):
                self._wrong(line, why)

    def _wrong(self, line: int, text: str, key: str = "") -> None:
        """`line`: of the front matter's text, from 0, which the file's second line is."""
        self.mistakes.append(Mistake(self._file, line + 2, text))


def _line(node: Any) -> int:
    line: int = node.start_mark.line
    return line


def _name_mistakes(name: str, folder: str) -> Iterator[str]:
    name = unicodedata.normalize("NFKC", name)
    better = re.sub(r"-+", "-", re.sub(r"[^\w-]|_", "-", name.strip().lower())).strip("-")
    hint = f"; did you mean {better}?" if better and better != name else ""
    if name != name.lower():
        yield f"the name {name!r} has capital letters{hint}"
    elif not all(one.isalnum() or one == "-" for one in name):
        yield f"the name {name!r} is to have letters, digits and - only{hint}"
    elif name.startswith("-") or name.endswith("-"):
        yield f"the name {name!r} begins or ends with -{hint}"
    elif "--" in name:
        yield f"the name {name!r} has two - in a row{hint}"
    elif name != unicodedata.normalize("NFKC", folder):
        yield f"the name {name!r} is not that of its folder, which is {folder!r}"


def _or(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are: {', '.join(known)}" if known else ""


_TICKED = re.compile(r"`([A-Za-z_]\w*)`")
"""A name in backticks."""
_STEP = re.compile(r"^\d+[.)] +Call `(\w+)`(.*)$", re.MULTILINE)
_NAMED = re.compile(rf"(?:(?<=`)|(?<=\]\()|(?<=\s))(?:\./)?((?:{'|'.join(FOLDERS)})/[\w./-]*\w)")
"""A file of the skill: in backticks, in a link, or a word."""
