"""Reading and writing inside one folder, and nowhere else, links included."""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
import heapq
import operator
import os
import re
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from tools.base import ToolError, tool

MOST_LINES = 200
MOST_CHARACTERS = 20_000
"""Given at once by `read_file`."""
MOST_HITS = 50
MOST_KINDRED = 8
LONGEST_LINE = 300
"""Characters of a found line that are shown."""
MOST_NAMED = 1000
MOST_FOLDERS = 200
"""Files by whose names a request is recognised, and folders that are looked through for them: it is
done at every step, and a walk through all of a large tree takes long."""
LARGEST = 2_000_000
"""Bytes of a file that is searched, and characters of one that is changed in a place."""
SKIPPED = {"node_modules", "__pycache__", "venv", "build", "dist"}
"""Folders that are not the user's own writing, besides hidden ones."""


def _names(self: Files) -> list[str]:
    """Of the files here. One without an ending is an ordinary word, which says nothing."""
    found: list[str] = []
    for _, files in islice(self._folders(), MOST_FOLDERS):
        found += [name for name in files if "." in name.strip(".")]
    return found[:MOST_NAMED]


def _show_write(self: Files, path: str, text: str) -> str:
    """A unified diff of what is there and what will be."""
    place = self.inside(path)
    old = place.read_bytes().decode("utf-8", "replace") if place.is_file() else ""
    return _difference(path, old, text)


def _show_append(self: Files, path: str, text: str) -> str:
    old, new = self._added(path, text)
    return _difference(path, old, old + new)


def _show_replace(self: Files, path: str, old: str, new: str) -> str:
    before, after, _, _ = self._replaced(path, old, new)
    return _difference(path, before, after)


def _lines(text: str) -> str:
    count = len(text.splitlines())
    return f"{count} line{'' if count == 1 else 's'}"


def _difference(path: str, old: str, text: str) -> str:
    """A unified diff; where line ends of both kinds are about, a line keeps its `\\r`."""
    plain_old, plain = (one.replace("\r\n", "\n") for one in (old, text))
    if old != text and _parted(plain_old) == _parted(plain):
        return f"(only line ends of {path} change)"
    ends = {end for one in (old, text) for end in re.findall(r"\r?\n", one)}
    if len(ends) < 2:
        old, text = plain_old, plain
    lines = difflib.unified_diff(_parted(old), _parted(text), path, path, lineterm="")
    return "\n".join(lines)


def _parted(text: str) -> list[str]:
    """Lines without `\\n`: a last one that has none would run into the next."""
    return text.removesuffix("\n").split("\n") if text else []


class Files:
    """The toolbox. `root` is the working folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    @tool(
        subjects=_names,
        examples=[
            "what does notes.txt say?",
            "show me lines 10 to 30 of main.py",
            "open README.md",
            "summarise the file report.txt",
            "read data.csv and tell me which entry is the largest",
            "how much did the flights cost altogether? see costs.csv",
            "explain what the function load in utils.py does",
            "when is the deadline? it should be in my plan",
            "is there a mistake in config.json?",
        ],
    )
    def read_file(self, path: str, first_line: int = 1, lines: int = MOST_LINES) -> str:
        """Read a text file.

        Args:
            path: relative to the working folder
            first_line: where to start, from 1
            lines: how many
        """
        if first_line < 1 or lines < 1:
            raise ToolError(f"first_line and lines start at 1, not {min(first_line, lines)}")
        text = self._text(self.inside(path), path)
        all_lines = text.splitlines()
        if not all_lines:
            return f"({path} is empty)"
        if first_line > len(all_lines):
            raise ToolError(f"{path} has {len(all_lines)} lines; line {first_line} is not there")
        last = min(first_line - 1 + min(lines, MOST_LINES), len(all_lines))
        part = "\n".join(all_lines[first_line - 1 : last])
        if len(part) > MOST_CHARACTERS:
            cut = part[:MOST_CHARACTERS]
            last = first_line + cut.count("\n")
            note = f"(cut in line {last} of {len(all_lines)}, after {MOST_CHARACTERS} characters)"
            return f"{cut}\n{note}"
        if first_line == 1 and last == len(all_lines):
            return part
        return f"{part}\n(lines {first_line} to {last} of {len(all_lines)})"

    @tool(
        examples=[
            "what files are in this folder?",
            "list the python files",
            "how many text files do I have?",
            "what is in the folder data?",
            "show me what is inside the folder photos",
            "show the directory",
        ]
    )
    def list_files(self, folder: str, pattern: str = "*") -> str:
        """List the files and folders in a folder.

        Args:
            folder: relative to the working folder, which is .
            pattern: only names like this, such as *.txt
        """
        place = self.inside(folder)
        if not place.is_dir():
            raise ToolError(f"{folder} is not a folder here; list_files shows what there is")
        entries = sorted(place.iterdir(), key=lambda entry: (not entry.is_dir(), entry.name))
        names = [
            entry.name + ("/" if entry.is_dir() else "")
            for entry in entries
            if fnmatch.fnmatch(entry.name, pattern)
        ]
        if not names:
            return f"(nothing like {pattern} in {folder})" if pattern != "*" else "(empty)"
        more = f"\n(and {len(names) - MOST_LINES} more)" if len(names) > MOST_LINES else ""
        return "\n".join(names[:MOST_LINES]) + more

    @tool(
        examples=[
            "which files here mention budget?",
            "which of these files mention it?",
            "find where parse_date is used",
            "in which files does the word apple occur?",
            "search for TODO in the python files",
            "does any file contain a password?",
            "is there anything about Berlin in here?",
            "where did I write down the phone number of my doctor?",
        ]
    )
    def search_files(self, text: str, pattern: str = "*") -> str:
        """Find the lines that contain a text in the files here, case ignored.

        Args:
            text: what to look for, word for word
            pattern: only files like this, such as *.py
        """
        if not text.strip():
            raise ToolError("the text to look for is empty")
        wanted = re.compile(re.escape(text.strip()), re.IGNORECASE)
        hits: list[str] = []
        for place, line in self._numbered(pattern):
            if wanted.search(line):
                hits.append(place + line.strip()[:LONGEST_LINE])
            if len(hits) == MOST_HITS:
                return "\n".join(hits) + f"\n(stopped after {MOST_HITS} lines)"
        if not hits:
            near = _kindred(text, lambda: self._numbered(pattern), MOST_KINDRED)
            none = f"(no line contains {text!r}; nearest to it are)"
            hits = [none, *near] if near else [f"(no file here contains {text!r})"]
        if large := [path.name for path in self._files(pattern) if _size(path) > LARGEST]:
            hits.append(f"(not searched, since larger than 2 MB: {', '.join(large[:5])})")
        return "\n".join(hits)

    @tool(
        effects={"writes"},
        approval="ask",
        preview=_show_write,
        writes_to="path",
        subjects=_names,
        examples=[
            "write a file ideas.txt with two lines",
            "save this list as shopping.md",
            "save this text as message.txt",
            "create notes.txt with three ideas",
            "put the result into result.csv",
            "write a story about a fox and save it in fox.txt",
            "write a python script hello.py that says hello",
        ],
    )
    def write_file(self, path: str, text: str) -> str:
        """Write a text file; what it held before is replaced.

        Args:
            path: relative to the working folder
            text: the whole new content
        """
        place = self.inside(path)
        with _writing(f"write {path}"):
            if place.is_dir():
                raise ToolError(f"{path} is a folder")
            if place.exists() and not place.is_file():
                raise ToolError(f"{path} is not an ordinary file")
            place.parent.mkdir(parents=True, exist_ok=True)
            _replace(place, text)
        return f"wrote {_lines(text)} to {path}"

    @tool(
        effects={"writes"},
        approval="ask",
        preview=_show_append,
        writes_to="path",
        subjects=_names,
        examples=[
            "add a line to todo.txt",
            "append this to notes.txt",
            "put bananas on my shopping list too",
            "note in diary.md that it rained",
        ],
    )
    def append_to_file(self, path: str, text: str) -> str:
        """Add lines at the end of a text file, which keeps what it has.

        Args:
            path: relative to the working folder
            text: only what is new
        """
        _, new = self._added(path, text)
        # what others add meanwhile stays
        with _writing(f"add to {path}"), self.inside(path).open("ab") as file:
            file.write(new.encode())
            file.flush()
            os.fsync(file.fileno())
        return f"added {_lines(text)} to {path}"

    @tool(
        effects={"writes"},
        approval="ask",
        preview=_show_replace,
        writes_to="path",
        subjects=_names,
        examples=[
            "change the timeout in config.json to 30",
            "replace the word fox with wolf in the story fox.txt",
            "set debug to false in config.json and leave the rest",
            "rename the function load to read in main.py",
            "change Anna to Maria in notes.txt",
            "fix the typo in README.md",
            "remove the first line from todo.txt",
            "update the price of pears in data.csv to 2.10",
        ],
    )
    def replace_in_file(self, path: str, old: str, new: str) -> str:
        """Change one place in a text file; all else stays.

        Args:
            path: relative to the working folder
            old: what stands there now, word for word
            new: what shall stand there instead
        """
        _, after, old, new = self._replaced(path, old, new)
        with _writing(f"change {path}"):
            _replace(self.inside(path), after)
        return f"changed {old!r} to {new!r} in {path}"

    def _replaced(self, path: str, old: str, new: str) -> tuple[str, str, str, str]:
        """The file before and after, what of it goes, which is there only once, and what comes."""
        text = self._exactly(path)
        if len(text) > LARGEST:
            raise ToolError(f"{path} has {len(text)} characters; at most {LARGEST} can be changed")
        if not old:
            raise ToolError("old is empty; it must say what stands there now")
        if old not in text and "\r\n" in text:
            old, new = (one.replace("\r\n", "\n").replace("\n", "\r\n") for one in (old, new))
        at = _places(old, text)
        if not at:
            old, new = _alike(old, new, text) or (old, new)
            at = _places(old, text)
        if not at:
            near = _kindred(f"{old} {new}", lambda: (("", line) for line in text.splitlines()), 3)
            hint = "; nearest to it are the lines\n" + "\n".join(near) if near else ""
            raise ToolError(f"{path} does not hold {old!r}{hint}")
        if len(at) > 1:
            lines = ", ".join(str(text.count("\n", 0, start) + 1) for start in at[:10])
            raise ToolError(
                f"{old!r} stands in {path} {len(at)} times, in lines {lines}; say in old what "
                "stands around the one that is meant"
            )
        if not new and (line_end := _ends_line(text, at[0], at[0] + len(old))):
            old += line_end
        if old == new:
            raise ToolError(f"{old!r} would stay as it is; say in new what shall stand there")
        return text, text[: at[0]] + new + text[at[0] + len(old) :], old, new

    def _added(self, path: str, text: str) -> tuple[str, str]:
        """What the file holds, and what is written behind it: `text` on lines of its own."""
        if not text:
            raise ToolError("there is nothing to add")
        old = self._exactly(path)
        new = text if text.endswith("\n") else text + "\n"
        if "\r\n" in old:
            new = new.replace("\r\n", "\n").replace("\n", "\r\n")
        if old and not old.endswith("\n"):
            new = ("\r\n" if "\r\n" in old else "\n") + new
        return old, new

    def inside(self, path: str) -> Path:
        """The real place of `path`. Raises ToolError when it is outside the working folder."""
        if not path or "\0" in path:
            raise ToolError(f"{path!r} is not a path")
        try:
            place = (self.root / path).resolve()
        except (OSError, RuntimeError) as error:  # a loop of links, a name too long
            raise ToolError(f"{path}: {error}") from error
        if not place.is_relative_to(self.root):
            raise ToolError(f"{path} is outside the working folder; only files in it can be used")
        return place

    def _exactly(self, path: str) -> str:
        """What the file holds, such that writing it again changes nothing."""
        try:
            return self._content(self.inside(path), path).decode("utf-8")
        except UnicodeDecodeError:
            raise ToolError(f"{path} is not UTF-8, and writing to it would damage it") from None

    def _text(self, place: Path, path: str) -> str:
        return self._content(place, path).decode("utf-8", "replace")

    def _content(self, place: Path, path: str) -> bytes:
        try:
            if place.is_dir():
                raise ToolError(f"{path} is a folder; list_files shows what is in it")
            if not stat.S_ISREG(place.stat().st_mode):
                raise ToolError(f"{path} is not an ordinary file")
            content = place.read_bytes()
        except FileNotFoundError:
            near = difflib.get_close_matches(
                path, [str(p.relative_to(self.root)) for p in self._files("*")], 3
            )
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise ToolError(f"there is no file {path}{hint}") from None
        except OSError as error:
            raise ToolError(f"cannot read {path}: {error.strerror}") from error
        if b"\0" in content[:8192]:
            raise ToolError(f"{path} is not a text file")
        return content

    def _numbered(self, pattern: str) -> Iterator[tuple[str, str]]:
        """Every line of the files, behind `file:line: `."""
        for path in self._files(pattern):
            for number, line in enumerate(self._lines(path), 1):
                yield f"{path.relative_to(self.root)}:{number}: ", line

    def _files(self, pattern: str) -> Iterator[Path]:
        for folder, names in self._folders():
            for name in names:
                path = folder / name
                if fnmatch.fnmatch(name, pattern) or path.match(pattern):
                    yield path

    def _folders(self) -> Iterator[tuple[Path, list[str]]]:
        """Each folder that is the user's own, from the top, and the names of its files."""
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith("."))
            yield Path(folder), sorted(names)

    def _lines(self, path: Path) -> list[str]:
        with contextlib.suppress(OSError):
            about = path.lstat()
            if stat.S_ISREG(about.st_mode) and about.st_size <= LARGEST:
                content = path.read_bytes()
                return (
                    []
                    if b"\0" in content[:8192]
                    else content.decode("utf-8", "replace").splitlines()
                )
        return []


@contextlib.contextmanager
def _writing(what: str) -> Iterator[None]:
    """An error of the disk, or of a character that no file can hold, is told to the model."""
    try:
        yield
    except (OSError, UnicodeEncodeError) as error:
        raise ToolError(f"cannot {what}: {error}") from error


def _size(path: Path) -> int:
    """Bytes; 0 for what is gone."""
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _places(old: str, text: str) -> list[int]:
    """Where `old` stands in `text`, not as a part of a longer word or number."""
    before = r"(?<!\w)(?<!\d[.,])" if re.match(r"\w", old) else ""
    behind = r"(?!\w|[.,]\d)" if re.search(r"\w$", old) else ""
    overlapping = re.compile(f"(?={before}{re.escape(old)}{behind})")
    return [match.start() for match in overlapping.finditer(text)]


def _ends_line(text: str, start: int, end: int) -> str:
    """What ends the line that the place is all of; "" when it is not all of one."""
    if start and text[start - 1] != "\n":
        return ""
    return next((one for one in ("\r\n", "\n") if text.startswith(one, end)), "")


def _alike(old: str, new: str, text: str) -> tuple[str, str] | None:
    """What stands in `text` and differs from `old` in quotes and blanks alone, and `new` with the
    quotes and blanks that stand there; None when there is no such place, or several, or when `new`
    differs from `old` in more than words.

    Small models write `port: 80` where the file says `"port": 80`.
    """
    parts, changed = _words_and_signs(old), _words_and_signs(new)
    signs, others = ([part for part in one if re.match(r"\W", part)] for one in (parts, changed))
    if not parts or signs != others or len(parts) != len(changed):
        return None
    loose = r"([ \t\"'`]*)".join(map(re.escape, parts))
    there = list(re.finditer(rf"(?<!\w){loose}(?!\w)", text))
    if len(there) != 1:
        return None
    gaps = [*there[0].groups(), ""]
    return there[0][0], "".join(map("".join, zip(changed, gaps, strict=True)))


def _words_and_signs(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s\"'`]", text)


def _kindred(text: str, lines: Callable[[], Iterable[tuple[str, str]]], most: int) -> list[str]:
    """Of `lines`, each with its place, those that share words with `text`; a rare word counts more.

    Small models look for "Anna's telephone number" where the file says "Anna: 5550167".
    """
    words = {word for word in re.findall(r"\w+", text.casefold()) if len(word) > 2}

    def shared(line: str) -> set[str]:
        folded = line.casefold()
        likely = {word for word in words if word in folded}
        return likely and likely.intersection(re.findall(r"\w+", folded))

    seen = Counter(word for _, line in lines() for word in shared(line))
    worth = ((sum(1 / seen[word] for word in shared(line)), place, line) for place, line in lines())
    best = heapq.nlargest(most, (one for one in worth if one[0]), key=operator.itemgetter(0))
    return [
        place + line.strip()[:LONGEST_LINE] for value, place, line in best if value * 2 > best[0][0]
    ]


def _replace(place: Path, text: str) -> None:
    """Write all of it or nothing; an existing file keeps its mode."""
    mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o666 & ~_umask()
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name[:50]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
