"""Everything that can go wrong for a user, as a tree.

    TinsmithError                  exit code 1, shown as one sentence, never as a traceback
    ├── UsageError                 exit code 2: the command line or a file the user wrote is wrong
    │   ├── SettingsError          an unknown key or a bad value in the settings
    │   └── UnknownName            no such model, tool, session...; says which names come nearest
    ├── ModelError                 a model cannot be fetched, verified, converted or removed
    │   ├── Unreachable            neither the hub nor the mirror answered
    │   └── Damaged                the size or the SHA-256 is not the one expected
    ├── EngineError                a loaded model cannot answer
    │   ├── DoesNotFit             the estimate says so before anything is loaded
    │   ├── OutOfMemory            it happened all the same; the conversation is intact
    │   └── WindowFull             the conversation is longer than the model can read
    ├── GrammarError               a tool's schema cannot be made into a grammar
    ├── PromptError                a prompt file is missing or wrong
    └── SessionError               the session database cannot be used

What the model hears is `tools.errors.ToolError`. Anything else is a bug and stays visible.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TinsmithError(Exception):
    """The message says what is wrong, with the value, and the way out."""

    exit_code = 1


class UsageError(TinsmithError):
    exit_code = 2


class SettingsError(UsageError):
    pass


class UnknownName(UsageError):
    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        """`hint` is a sentence that is put behind the names."""
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        there = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names)}"
        said = f"no {kind} named {name!r}; {there if names else 'there are none'}"
        end = "" if said.endswith("?") else "."
        super().__init__(f"{said}{end} {hint}" if hint else said)


class ModelError(TinsmithError):
    pass


class Unreachable(ModelError):
    pass


class Damaged(ModelError):
    pass


class EngineError(TinsmithError):
    pass


class DoesNotFit(EngineError):
    pass


class OutOfMemory(EngineError):
    pass


class WindowFull(EngineError):
    pass


class GrammarError(TinsmithError):
    pass


class PromptError(TinsmithError):
    pass


class SessionError(TinsmithError):
    pass
