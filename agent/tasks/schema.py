"""The JSON schema of task files, for editors: made from the classes in `form.py`."""

from __future__ import annotations

import ast
import itertools
import json
from pathlib import Path
from typing import Any

from agent.tasks import form
from agent.tasks.form import ALIASES, Form

FILE = "examples/task.schema.json"
"""Where it is published in the repository; a test keeps it current."""


def schema() -> dict[str, Any]:
    from pydantic import TypeAdapter

    made = TypeAdapter(Form).json_schema(by_alias=True)
    for name, told in _told().items():
        place = made if name == Form.__name__ else made["$defs"].get(name, {})
        for key, about in told.items():
            if key in place.get("properties", {}):
                place["properties"][key]["description"] = about
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "anyOf": [{"required": ["prompt"]}, {"required": ["steps"]}],
    }


def _told() -> dict[str, dict[str, str]]:
    """By class and key, the text that stands under it."""
    found: dict[str, dict[str, str]] = {}
    for made in ast.parse(Path(form.__file__).read_text("utf-8")).body:
        if not isinstance(made, ast.ClassDef):
            continue
        for field, below in itertools.pairwise(made.body):
            if not isinstance(field, ast.AnnAssign) or not isinstance(below, ast.Expr):
                continue
            if isinstance(below.value, ast.Constant) and isinstance(field.target, ast.Name):
                name = ALIASES.get(field.target.id, field.target.id)
                text = " ".join(str(below.value.value).split())
                found.setdefault(made.name, {})[name] = text
    return found


def text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
