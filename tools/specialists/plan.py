"""What will be trained, on what and how. It can be shown, agreed to and kept; nothing is loaded."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tools.errors import PlanError

Task = Literal["classifier", "tagger", "masked", "embedder", "causal"]
Method = Literal["full", "head", "lora", "qlora", "prefix", "prompt"]
NOUNS: Mapping[Task, str] = {
    "classifier": "a classifier",
    "tagger": "an entity tagger",
    "masked": "a masked language model",
    "embedder": "a sentence embedder",
    "causal": "a chat model",
}
"""For sentences to the user."""


@dataclass(frozen=True)
class Plan:
    """0 and "" mean: chosen by the recipe, and filled in before the job starts."""

    name: str
    """Of the specialist."""
    task: Task
    data: str
    """The file or folder of examples, an absolute path."""
    sha256: str = ""
    """Of the examples, see `checks.Examples`. Empty: whatever they are then."""
    held_out: str = ""
    """A file of held-out rows. Empty: a share of `data`, chosen by a hash of each row."""
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Which column is what, such as {"text": "review", "label": "stars"}. See `data.ROLES`."""
    many: bool = False
    """A text may have several labels (classifier)."""
    base: str = ""
    """The model to start from, as the user calls it."""
    base_path: str = ""
    """Its folder, or that of a version of a specialist to go on from."""
    came_from: int = 0
    """The version of the specialist that is trained on; 0: the base."""
    method: Method = "full"
    layers: int = 0
    """With method "head": so many of the last layers are trained too."""
    epochs: int = 0
    """0: until the held-out rows get no better."""
    batch: int = 0
    """Rows of one forward pass."""
    accumulate: int = 1
    """Forward passes for one step of the optimizer."""
    rate: float = 0.0
    """Peak learning rate."""
    length: int = 0
    """Tokens at which a text is cut."""
    seed: int = 0
    processes: int = 1
    """Data-parallel ones, through `accelerate launch`."""
    ray: bool = False
    """The processes are those of a Ray cluster."""
    memory: int = 0
    """Bytes that have to be free before it begins. 0: it begins at once."""

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def from_json(value: Any, where: str) -> Plan:
    """The opposite of `Plan.as_json`. Raises PlanError for what is missing, unknown or mistyped."""
    if not isinstance(value, Mapping):
        raise PlanError(f"{where}: a plan is an object, not {json.dumps(value)[:80]}")
    types = get_type_hints(Plan)
    for key, given in value.items():
        if key not in types:
            near = difflib.get_close_matches(str(key), types, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(types)}"
            raise PlanError(f"{where}: no such entry {key!r}; {hint}")
        if not _fits(given, types[key]):
            raise PlanError(f"{where}: {key} is {given!r}")
    missing = [
        field.name
        for field in dataclasses.fields(Plan)
        if field.name not in value
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise PlanError(f"{where}: {missing[0]} is missing")
    return Plan(**value)


def _fits(value: Any, wanted: Any) -> bool:
    if get_origin(wanted) is Literal:
        return value in get_args(wanted)
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted in (int, bool, str):
        return type(value) is wanted
    return isinstance(value, Mapping) and all(isinstance(x, str) for x in [*value, *value.values()])
