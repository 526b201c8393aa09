"""The JSON schema of task files, for editors: made from the classes in `form.py`."""

from __future__ import annotations

import json
from typing import Any

from agent.tasks.form import Form

FILE = "examples/task.schema.json"
"""Where it is published in the repository; a test keeps it current."""


def schema() -> dict[str, Any]:
    from pydantic import TypeAdapter

    made = TypeAdapter(Form).json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "anyOf": [{"required": ["prompt"]}, {"required": ["steps"]}],
    }


def text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
