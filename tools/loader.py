"""Where tools come from: the package, folders and files, entry points, LangChain.

A file is imported under a name of its own, so a user's `calculate.py` shadows nothing. A file that
fails is reported and never stops the rest; when it is loaded again, its last good version stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from langchain_core.tools import BaseTool

from tools.base import _Declared, tools_of
from tools.spec import ToolMistake, spec

ENTRY_POINTS = "tinsmith.tools"


@dataclass(frozen=True)
class Problem:
    """Why a file or a tool could not be used."""

    where: str
    """File and line, or the name of an entry point."""
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(frozen=True)
class Found:
    """The tools of one source."""

    source: str
    tools: Sequence[BaseTool]


class Toolbox:
    """All tools there are. `reload` reads the files again."""

    def __init__(self, built_in: Callable[[], Iterable[BaseTool]], paths: Sequence[Path]) -> None:
        """`paths`: files, and folders whose top-level `*.py` are read."""
        self.tools: dict[str, BaseTool] = {}
        self.problems: list[Problem] = []
        self.origin: dict[str, str] = {}
        """Where each tool comes from, by name."""
        self._built_in = built_in
        self._paths = paths
        self._good: dict[Path, Found] = {}
        self.reload()

    def add_path(self, path: Path) -> None:
        """A file or folder that `reload` reads too."""
        self._paths = [*(one for one in self._paths if one != path), path]

    def drop_path(self, path: Path) -> None:
        self._paths = [one for one in self._paths if one != path]

    def reload(self) -> None:
        """Read everything again. A file that now fails keeps the tools it had."""
        self.problems = []
        found = [Found("built in", list(self._built_in()))]
        found += self._entry_points()
        for file in self._files():
            try:
                self._good[file] = Found(str(file), read(file))
            except ToolFileError as error:
                self.problems.append(self._kept(file, error.problem))
            if file in self._good:
                found.append(self._good[file])
        self.tools, self.origin = {}, {}
        for group in found:
            for tool in group.tools:
                self._add(tool, group.source)

    def _kept(self, file: Path, problem: Problem) -> Problem:
        """With what is still there of `file`, as it was when it could be read."""
        if file not in self._good:
            return problem
        names = ", ".join(tool.name for tool in self._good[file].tools)
        return replace(problem, message=f"{problem.message}; as it was before stays: {names}")

    def _add(self, tool: BaseTool, source: str) -> None:
        if (other := self.origin.get(tool.name)) is not None:
            message = f"a tool named {tool.name!r} is there already, from {other}; rename one"
            self.problems.append(Problem(source, message))
            return
        self.tools[tool.name] = tool
        self.origin[tool.name] = source

    def _files(self) -> list[Path]:
        files: list[Path] = []
        for path in self._paths:
            if path.is_dir():
                files += sorted(f for f in path.glob("*.py") if not f.name.startswith(("_", ".")))
            elif path.suffix or path.exists():  # a folder that is not there yet has no tools
                files.append(path)
        return list(dict.fromkeys(file.resolve() for file in files))

    def _entry_points(self) -> list[Found]:
        found = []
        for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
            try:
                value = point.load()
                found.append(Found(point.value, _tools_in([value])))
            except Exception as error:  # somebody else's package may raise anything
                self.problems.append(Problem(point.value, f"{type(error).__name__}: {error}"))
        return found


class ToolFileError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read(file: Path) -> list[BaseTool]:
    """The tools that a Python file defines. Raises ToolFileError with the line."""
    with executed(file) as module:
        tools = _tools_in(list(vars(module).values()))
        for tool in tools:
            spec(tool)
    if not tools:
        raise ToolFileError(Problem(str(file), "defines no tool; decorate a function with @tool"))
    return tools


@contextlib.contextmanager
def executed(file: Path) -> Iterator[ModuleType]:
    """A user's file as a module; what goes wrong while one looks at it is its mistake too.

    Raises ToolFileError with the line. The module of an earlier time then stays.
    """
    try:
        module_spec = importlib.util.spec_from_file_location(_module_name(file), file)
        if module_spec is None or module_spec.loader is None or not file.is_file():
            raise ToolFileError(Problem(str(file), "there is no such Python file"))
        module = importlib.util.module_from_spec(module_spec)
        before = sys.modules.get(module_spec.name)
        sys.modules[module_spec.name] = module  # dataclasses look their module up
        try:
            module_spec.loader.exec_module(module)
            yield module
        except BaseException:
            if before is not None:
                sys.modules[module_spec.name] = before
            raise
    except ToolFileError:
        raise
    except KeyboardInterrupt:
        raise
    except SyntaxError as error:
        raise ToolFileError(
            Problem(f"{file}:{error.lineno}", f"syntax error: {error.msg}")
        ) from error
    except BaseException as error:  # a user's file may raise anything, SystemExit too
        message = (
            str(error) if isinstance(error, ToolMistake) else f"{type(error).__name__}: {error}"
        )
        raise ToolFileError(Problem(f"{file}:{_line(file, error)}", message)) from error


def _tools_in(values: Iterable[object]) -> list[BaseTool]:
    """Tools, and the tools of toolbox instances, among the values of a module."""
    tools: list[BaseTool] = []
    for value in values:
        if isinstance(value, BaseTool):
            tools.append(value)
        elif isinstance(value, list | tuple):
            tools += [one for one in value if isinstance(one, BaseTool)]
        elif not isinstance(value, type) and _is_toolbox(value):
            tools += tools_of(value)
    return list({id(tool): tool for tool in tools}.values())


def _is_toolbox(value: object) -> bool:
    return any(
        isinstance(member, _Declared)
        for owner in type(value).__mro__
        for member in vars(owner).values()
    )


def _module_name(file: Path) -> str:
    return f"tinsmith_tools_{hashlib.sha256(str(file).encode()).hexdigest()[:12]}_{file.stem}"


def _line(file: Path, error: BaseException) -> int:
    """The line of `file` that led to `error`: the last one in the traceback that is in it."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(file)
    ]
    return lines[-1] or 1 if lines else 1
