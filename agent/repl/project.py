"""The files of the working folder, as they are offered while one types."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from agent.repl.fuzzy import best

if TYPE_CHECKING:
    from tools.knowledge.walk import Rules

MOST = 100_000
"""Files and folders that are known of. Those of the upper folders come first."""
OFFERED = 50
"""Paths for what is typed."""
FRESH = 3.0
"""Seconds for which a list is good; at least `RARELY` times as long as it took to make."""
RARELY = 20
FIRST = 2000
"""Paths that are offered before the rest is found."""
PATIENCE = 0.2
"""Seconds that are waited for the first list."""


@dataclass(frozen=True)
class Names:
    """Paths relative to the folder, with / between; a folder ends with one."""

    paths: Sequence[str] = ()
    folded: Sequence[str] = ()
    """The same in small letters."""


@lru_cache(1)
def of(root: Path) -> Project:
    """One for a folder, so that it is looked through once."""
    return Project(root)


class Project:
    """Looks through `root` in a thread of its own when asked, so that no key waits for the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names = Names()
        self._folder: tuple[Path, int, Names] | None = None
        """The one that was listed last, and when it had changed."""
        self._stale = float("-inf")
        """When it is time for another look."""
        self._looking = threading.Lock()
        self._ready = threading.Event()

    def like(self, typed: str) -> list[str]:
        """Paths that `typed` may mean, the likeliest first. A folder ends with /.

        Anywhere in the project; but one that begins with /, ~ or a dot, or has a hidden folder in
        it, is looked for where it says. Raises OSError.
        """
        folder, slash, last = typed.rpartition("/")
        if typed == "~":
            return ["~/"]
        if typed.startswith(("/", "~", ".")) or "/." in typed:
            names = self._listed(self._root / Path(f"{folder}{slash}").expanduser())
            hidden = last.startswith(".")
            shown = [at for at, name in enumerate(names.paths) if hidden or name[0] != "."]
            found = best(last, [names.folded[at] for at in shown], OFFERED)
            return [f"{folder}{slash}{names.paths[shown[at]]}" for at in found]
        names = self.names()
        return [names.paths[at] for at in best(typed, names.folded, OFFERED)]

    def _listed(self, folder: Path) -> Names:
        changed = folder.stat().st_mtime_ns
        if self._folder is None or self._folder[:2] != (folder, changed):
            with os.scandir(folder) as entries:
                paths = sorted(one.name + ("/" if one.is_dir() else "") for one in entries)
            names = Names(paths, [path.casefold() for path in paths])
            self._folder = (folder, changed, names)
        return self._folder[2]

    def names(self) -> Names:
        """Without hidden files and those that a .gitignore names."""
        if time.monotonic() > self._stale and self._looking.acquire(blocking=False):
            threading.Thread(target=self._look, name="files", daemon=True).start()
        self._ready.wait(PATIENCE)
        return self._names

    def _look(self) -> None:
        began = time.monotonic()
        try:
            found: list[str] = []
            for path in islice(_walk(self._root), MOST):
                found.append(path)
                if len(found) == FIRST and not self._ready.is_set():
                    self._names = _sorted(found)
                    self._ready.set()
            self._names = _sorted(found)
        finally:
            now = time.monotonic()
            self._stale = now + max(FRESH, RARELY * (now - began))
            self._ready.set()
            self._looking.release()


def _sorted(paths: Sequence[str]) -> Names:
    names = sorted(paths, key=lambda path: (path.count("/"), len(path), path))
    return Names(names, [path.casefold() for path in names])


def _walk(root: Path) -> Iterator[str]:
    """Folder by folder, the upper ones first."""
    from tools.knowledge.walk import NEVER, ignored, rules_in

    waiting: deque[tuple[str, Rules]] = deque([("", [])])
    while waiting:
        inside, rules = waiting.popleft()
        folder = root / inside
        try:
            with os.scandir(folder) as entries:
                there = list(entries)
        except OSError:  # it is not to be read, or gone
            continue
        if any(one.name == ".gitignore" for one in there):
            rules = [*rules, *rules_in(folder, [])]
        for one in there:
            is_folder = one.is_dir(follow_symlinks=False)  # a link may lead round in a circle
            if one.name.startswith(".") or (is_folder and one.name in NEVER):
                continue
            if rules and ignored(one.path, is_folder, rules):
                continue
            path = f"{inside}{one.name}" + ("/" if is_folder else "")
            yield path
            if is_folder:
                waiting.append((path, rules))
