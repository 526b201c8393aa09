"""A task's prompts as the model would get them, without a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from agent.errors import UsageError
from agent.tasks import inputs, templates
from agent.tasks.form import Step
from agent.tasks.task import Task


class _Unsaid(dict[str, Any]):
    """What an earlier step would give: it can be asked for anything, and says its own name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __missing__(self, key: str) -> _Unsaid:
        return _Unsaid(f"{self._name}.{key}")

    def __str__(self) -> str:
        return f"<{self._name}>"


def prompts(task: Task, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Titles, and what is sent or called. Raises UsageError with the line of a wrong template."""
    earlier: dict[str, Any] = {}
    for at, step in enumerate(task.steps):
        there = {**inputs.in_templates(values), "steps": SimpleNamespace(**earlier)}
        if step.each is not None:
            there["item"] = _Unsaid("item")
        yield from _one(task, at, step, there)
        answer = _Unsaid(f"the answer of {step.id}")
        earlier[step.id] = SimpleNamespace(answer=answer, skipped=False)


def _one(task: Task, at: int, step: Step, there: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    key = "prompt" if step.prompt is not None or step.tool is None else "arguments"
    try:
        if key == "prompt":
            yield f"{step.id}: the prompt", templates.render(step.prompt or "", there)
        else:
            filled = templates.value(step.arguments, there)
            yield f"{step.id}: {step.tool}", templates.written(_named(filled))
    except templates.TemplateProblem as problem:
        where = task.where(("steps", at, key), problem.line)
        raise UsageError(f"{where}: in the template: {problem}") from None


def _named(value: Any) -> Any:
    """With the names of what is unsaid, wherever in it that is."""
    if isinstance(value, _Unsaid):
        return str(value)
    if isinstance(value, dict):
        return {key: _named(one) for key, one in value.items()}
    return [_named(one) for one in value] if isinstance(value, list) else value
