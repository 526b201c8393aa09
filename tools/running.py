"""A tool while it runs: its result as text, what it tells, and where the call comes from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from tools.errors import ToolError

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

Report = Callable[[int, int, str], None]
_report: ContextVar[Report | None] = ContextVar("report", default=None)


@dataclass(frozen=True)
class Origin:
    """Where in which conversation something was asked for."""

    session: int = 0
    """Its number; 0: in none, on the command line."""
    message: int = 0
    """The user's n-th message in it, from 1."""


_origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039  frozen


def invoke(tool: BaseTool, arguments: Mapping[str, Any]) -> str:
    """Run `tool` and give its result as text. Raises ToolError for what the model can mend.

    Whatever else the tool raises is a bug in it and passes through.
    """
    try:
        result = tool.invoke(dict(arguments))
    except ValidationError as error:
        if error.title != _model_name(tool):
            raise  # raised inside the tool, not by its arguments
        where = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ToolError(f"wrong arguments: {where}") from error
    except _langchains() as error:
        raise ToolError(str(error)) from error
    return as_text(result)


def _langchains() -> type[Exception]:
    from langchain_core.tools import ToolException

    return ToolException


def progress(done: int, total: int, what: str) -> None:
    """For a tool that works long: tell how many of its `what` are done, of how many."""
    report = _report.get()
    if report is not None:
        report(done, total, what)


def origin() -> Origin:
    """For a tool: where the call that runs it comes from."""
    return _origin.get()


def hear(report: Report, asked: Origin) -> None:
    """In a thread that runs a tool: who is told of its progress, and where the call comes from."""
    _report.set(report)
    _origin.set(asked)


def as_text(result: Any) -> str:
    """A tool's result for the model: text as it is, everything else as JSON."""
    if isinstance(result, str):
        return result
    return json.dumps(result, ensure_ascii=False, default=_jsonable)


def _model_name(tool: BaseTool) -> str:
    model = tool.args_schema
    return model.__name__ if isinstance(model, type) else ""


def _jsonable(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, set | frozenset | tuple | Iterator):
        return list(value)
    return str(value)
