"""What goes wrong in a tool, for a reason that whoever called it can act on.

    ToolError                the model hears it; on the command line exit code 1, one sentence
    ├── Refused              no other arguments would mend the call
    │   └── FactError        a fact that is not there, or may not be kept
    ├── DocumentError        a document, or the store of them
    └── SpecialistError
        ├── PlanError        exit code 2: what was asked for cannot be done (column, method, base)
        ├── DataError        exit code 2: the file of examples cannot be used
        └── UnknownSpecialist  exit code 2

Anything else that a tool raises is a bug and stays visible.
"""

from __future__ import annotations


class ToolError(Exception):
    """The message says what is wrong, with the value, and the way out."""

    exit_code = 1


class Refused(ToolError):
    """The model is not made to call once more."""


class DocumentError(ToolError):
    pass


class FactError(Refused):
    pass


class SpecialistError(ToolError):
    pass


class PlanError(SpecialistError):
    exit_code = 2


class DataError(SpecialistError):
    exit_code = 2


class UnknownSpecialist(SpecialistError):
    exit_code = 2


def first_line(error: object) -> str:
    """What a library's error says, without the pages behind it; its type when it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
