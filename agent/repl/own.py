"""Commands that users write: functions under `@command` in Python files, prompts in Markdown files.

The Markdown is that of other terminal agents (Claude Code, opencode, Codex), so that files can be
shared: `description` in the front matter, `$ARGUMENTS` for all that is typed behind the name, `$1`
to `$9` for its words. No Jinja: braces are code in many a prompt. Their other keys (`model`,
`allowed-tools`) are read over; tools are asked about as always.
"""

from __future__ import annotations

import functools
import re
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cut import cut
from agent.errors import TinsmithError, UsageError
from agent.repl.commands.command import COMMANDS, COMPLETES, OWN, Command, Leave, kept_apart
from tools.errors import ToolError, first_line

if TYPE_CHECKING:
    from agent.repl.repl import Repl

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
SHOWN = 60
"""Characters of a prompt that are its help when it has no description."""
_ARGUMENT = re.compile(r"\$(ARGUMENTS\b|[1-9](?!\d))")


class Own:
    """Those of some folders, read in a thread of their own: the prompt does not wait for them."""

    def __init__(self, folders: Sequence[Path], tell: Callable[[str], None]) -> None:
        """`folders`: the user's own first. `tell` hears, in that thread, what cannot be used."""
        self.folder = folders[0]
        self._folders = folders
        self._tell = tell
        self._started = threading.Lock()
        self._done = threading.Event()

    def start(self) -> None:
        """Once; later calls do nothing."""
        if self._started.acquire(blocking=False):
            threading.Thread(target=self._read, name="own commands", daemon=True).start()

    def wait(self) -> None:
        """Until they are there."""
        self.start()
        self._done.wait()

    def reload(self) -> None:
        """Read the files again."""
        self.wait()
        for name in list(OWN):
            COMMANDS.pop(name, None)
            COMPLETES.pop(name, None)
            del OWN[name]
        self._read()

    def _read(self) -> None:
        try:
            for file in self._files():
                try:
                    _add(file)
                except UsageError as error:
                    self._tell(str(error))
        finally:
            self._done.set()

    def _files(self) -> Iterator[Path]:
        for folder in self._folders:
            try:
                there = sorted(folder.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self._tell(f"{folder} cannot be read: {error.strerror}")
                continue
            for file in there:
                is_one = file.suffix in (".md", ".py") and file.name[0] not in "._"
                if is_one and file.is_file():  # to open a pipe would wait for ever
                    yield file


def _add(file: Path) -> None:
    """The commands of a file. Raises UsageError for the file, and for names that are taken."""
    with kept_apart() as (commands, choices):
        if file.suffix == ".md":
            commands[_name_of(file)] = prompt(file)
        else:
            _run(file)
            if not commands:
                raise UsageError(f"{file} has no command; put @command above a function")
    taken = [name for name in commands if name in COMMANDS]
    for name in commands.keys() - taken:
        COMMANDS[name] = commands[name] if file.suffix == ".md" else _guarded(commands[name], file)
        OWN[name] = file
        if name in choices:
            COMPLETES[name] = choices[name]
    if taken:
        whose = f"from {OWN[taken[0]]}" if taken[0] in OWN else "built in"
        names = ", ".join(f"/{name}" for name in taken)
        raise UsageError(f"{file}: {names} is there already, {whose}; take another name")


def _name_of(file: Path) -> str:
    name = file.stem.lower().replace(" ", "-")
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{file}: /{file.stem} cannot be typed; its name is letters, digits, - and _"
        )
    return name


def _run(file: Path) -> None:
    from tools.loader import ToolFileError, executed

    try:
        with executed(file):
            pass
    except ToolFileError as error:
        raise UsageError(str(error)) from error


def _guarded(command: Command, file: Path) -> Command:
    """An error in it is that of its file, and no bug of ours."""

    @functools.wraps(command)
    def run(repl: Repl, rest: str) -> None:
        try:
            command(repl, rest)
        except (TinsmithError, ToolError, Leave, EOFError):
            raise
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == str(file)]
            where = f"{file}:{lines[-1]}" if lines else str(file)
            raise UsageError(f"{where}: {type(error).__name__}: {error}") from error

    return run


def prompt(file: Path) -> Command:
    """The command that sends the text of a Markdown file. Raises UsageError."""
    try:
        about, text = _parts(file.read_text("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:  # no UTF-8, or no YAML
        raise UsageError(f"{file}: {' '.join(str(error).split())}") from error
    if not text:
        raise UsageError(f"{file} is empty; write into it what is to be sent")

    def send(repl: Repl, rest: str) -> None:
        repl.send(filled(text, rest), filled(text, repl.typed))

    line = first_line(text).lstrip("# ")
    send.__doc__ = about or cut(line, SHOWN)
    return send


def filled(text: str, arguments: str) -> str:
    """`text` with what was typed behind the name; without a place for it, it comes at the end."""
    import shlex

    try:
        words = shlex.split(arguments)
    except ValueError:  # a quote that is not closed
        words = arguments.split()

    def value(found: re.Match[str]) -> str:
        if found[1] == "ARGUMENTS":
            return arguments
        return words[int(found[1]) - 1] if int(found[1]) <= len(words) else ""

    # in one pass: what was typed may itself hold a $1
    sent, places = _ARGUMENT.subn(value, text)
    return sent if places or not arguments else f"{sent}\n\n{arguments}"


def _parts(text: str) -> tuple[str, str]:
    """Description and prompt. Raises ValueError."""
    import yaml

    lines = text.strip().split("\n")
    if lines[0].strip() != "---":
        return "", text.strip()
    end = next((at for at, line in enumerate(lines[1:], 1) if line.strip() == "---"), None)
    if end is None:
        raise ValueError("the front matter that begins in its first line has no end (---)")
    try:
        facts = yaml.safe_load("\n".join(lines[1:end])) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"its front matter is no YAML: {error}") from error
    if not isinstance(facts, dict):
        raise ValueError("its front matter is not of the form `description: …`")
    return " ".join(str(facts.get("description") or "").split()), "\n".join(
        lines[end + 1 :]
    ).strip()
