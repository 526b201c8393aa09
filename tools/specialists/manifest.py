"""What is known of a version of a specialist: `manifest.json`, read with distrust."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import difflib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tools.errors import SpecialistError
from tools.specialists.plan import Method, Task
from tools.storage import write_atomically

FILE = "manifest.json"
ADAPTER = "adapter_model.safetensors"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
LOWER_IS_BETTER = ("perplexity", "loss")
SHARES = ("accuracy", "macro_f1", "micro_f1", "entity_f1", "ndcg@10")
DEEPEST = 20
"""Levels of lists and objects in a manifest."""


@dataclass(frozen=True)
class Manifest:
    name: str
    version: int
    task: Task
    labels: tuple[str, ...]
    many: bool
    """A text may have several labels (classifier)."""
    base: str
    """The model it was trained from, as the user calls it."""
    method: Method
    came_from: int
    """The version it was trained on from; 0: from the base."""
    data: str
    """Name of the file of examples, without its folder."""
    data_sha256: str
    rows: int
    """That it was trained on."""
    held_rows: int
    held_sha256: str
    """Over the held-out rows: two versions can be compared only when theirs are equal."""
    settings: Mapping[str, Any]
    """The numbers of the plan."""
    metric: str
    """The one of `metrics` that decides which of two versions is better."""
    metrics: Mapping[str, Any]
    """Numbers, and tables such as `per_label` and `confusion`."""
    baselines: Mapping[str, Mapping[str, float]]
    """What it is measured beside, such as {"majority label": {"accuracy": 0.2}}."""
    threshold: float | None
    """Confidence under which an answer is "unknown"."""
    temperature: float
    """The logits are divided by it. 1.0: they stay as they come."""
    length: int
    """Tokens at which a text is cut."""
    seconds: float
    """Of training."""
    versions: Mapping[str, str]
    """Of the libraries it was trained with."""
    created: str
    """ISO 8601, UTC."""
    files: Mapping[str, str]
    """File name -> SHA-256. Filled in by `Registry.add`."""

    @property
    def score(self) -> float:
        return float(self.metrics[self.metric])

    @property
    def is_adapter(self) -> bool:
        """Of no use without what it was trained on."""
        return ADAPTER in self.files

    def better_than(self, other: Manifest) -> bool | None:
        """None: they were not measured by the same metric on the same held-out rows.

        A version that was trained while another was promoted has measured that one beside itself.
        """
        scores = self.scores_beside(other)
        if scores is None:
            return None
        mine, theirs = scores
        if self.metric in LOWER_IS_BETTER:
            return mine < theirs
        return mine > theirs

    def scores_beside(self, other: Manifest) -> tuple[float, float] | None:
        """What this one and `other` got on the same rows; None as for `better_than`."""
        if self.name == other.name and (theirs := self._beside(other)) is not None:
            return self.score, theirs
        if self.name == other.name and (mine := other._beside(self)) is not None:
            return mine, other.score
        return (self.score, other.score) if self._same_rows(other) else None

    def _beside(self, other: Manifest) -> float | None:
        """What `other`, a version of the same name, got on the held-out rows of this one."""
        return self.baselines.get(f"version {other.version}", {}).get(self.metric)

    def _same_rows(self, other: Manifest) -> bool:
        same_rows = self.held_rows > 0 and self.held_sha256 == other.held_sha256 != ""
        return same_rows and self.metric == other.metric


def read(folder: Path) -> Manifest:
    """Raises SpecialistError, which names the file and the entry, for anything wrong."""
    path = folder / FILE
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecialistError(f"{path} cannot be read: {error}") from error
    return parse(text, str(path))


def write(folder: Path, manifest: Manifest) -> None:
    """Raises SpecialistError for what `read` would refuse, such as a metric that is NaN."""
    facts = {field.name: getattr(manifest, field.name) for field in dataclasses.fields(manifest)}
    text = json.dumps(facts, indent=2)  # ASCII: a lone surrogate is refused below, by its entry
    parse(text, str(folder / FILE))
    write_atomically(folder / FILE, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


def parse(text: str, where: str) -> Manifest:
    """Raises SpecialistError that begins with `where`."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecialistError(f"{where} is not JSON: {error}") from error
    return from_json(value, where)


def from_json(value: Any, where: str) -> Manifest:
    """Raises SpecialistError for what is missing, unknown, mistyped or cannot be."""
    if not isinstance(value, Mapping):
        raise SpecialistError(f"{where}: a manifest is an object, not {_shown(value)}")
    types = get_type_hints(Manifest)
    for key in value:
        if key not in types:
            near = difflib.get_close_matches(str(key), types, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(types)}"
            raise SpecialistError(f"{where}: no such entry {_shown(key)}; {hint}")
    missing = [key for key in types if key not in value]
    if missing:
        raise SpecialistError(f"{where}: {missing[0]} is missing")
    for key, wanted in types.items():
        _refuse_odd_values(value[key], key, where)
        if not _fits(value[key], wanted):
            raise SpecialistError(
                f"{where}: {key} is {_shown(value[key])}; it must be {_words(wanted)}"
            )
    manifest = Manifest(**{**value, "labels": tuple(value["labels"])})
    for key, (sound, rule) in _rules(manifest).items():
        if not sound:
            raise SpecialistError(f"{where}: {key} is {_shown(getattr(manifest, key))}; {rule}")
    _check_measures(manifest, where)
    return manifest


def checked_name(name: str) -> str:
    """`name`, which a specialist can have. Raises SpecialistError with one that it could have."""
    if NAME.fullmatch(name):
        return name
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    proposal = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:41].rstrip("-_") or "specialist"
    raise SpecialistError(
        f"a specialist cannot be called {_shown(name)}: up to 41 of a-z, 0-9, - and _, of which "
        f"the first is a letter or digit; how about {proposal!r}?"
    )


def is_inner_path(name: str) -> bool:
    """Of a file in a folder, written the same on every system: no `..`, nothing absolute."""
    parts = PurePosixPath(name).parts
    plain = "/".join(parts) == name and not any(mark in name for mark in "\\:\0")
    return plain and bool(parts) and ".." not in parts and parts[0] != "/"


def _rules(one: Manifest) -> Mapping[str, tuple[bool, str]]:
    needs_labels = one.task in ("classifier", "tagger")
    labels = len(set(one.labels)) == len(one.labels) and "" not in one.labels
    return {
        "name": (bool(NAME.fullmatch(one.name)), "it must be up to 41 of a-z, 0-9, - and _"),
        "version": (one.version >= 1, "it must be 1 or more"),
        "labels": (
            labels and (bool(one.labels) or not needs_labels),
            "they must differ, none may be empty, and a classifier or tagger has some",
        ),
        "base": (bool(one.base), "it must name a model"),
        "came_from": (one.came_from >= 0, "it must be a version, or 0 for none"),
        "data": (not {"/", "\\"} & {*one.data}, "it must be a file name without its folder"),
        "rows": (one.rows >= 0, "it must be 0 or more"),
        "held_rows": (one.held_rows >= 0, "it must be 0 or more"),
        "threshold": (one.threshold is None or 0 <= one.threshold <= 1, "it must be in 0 to 1"),
        "temperature": (one.temperature > 0, "it must be over 0"),
        "length": (one.length >= 1, "it must be 1 or more"),
        "seconds": (one.seconds >= 0, "it must be 0 or more"),
        "created": (_is_time(one.created), "it must be a time such as 2026-05-31T12:00:00+00:00"),
        "files": (all(map(is_inner_path, one.files)), "its names must be of files in the folder"),
    }


def _check_measures(one: Manifest, where: str) -> None:
    if one.metric not in one.metrics:
        there = ", ".join(one.metrics) or "none"
        raise SpecialistError(
            f"{where}: metric is {_shown(one.metric)}, which is not in metrics (there are: {there})"
        )
    if not _is_number(one.metrics[one.metric]):
        shown = _shown(one.metrics[one.metric])
        raise SpecialistError(f"{where}: metrics.{one.metric} is {shown}; it must be a number")
    for place, table in [("metrics", one.metrics), *one.baselines.items()]:
        for key in SHARES:
            if key in table and not (_is_number(table[key]) and 0 <= table[key] <= 1):
                raise SpecialistError(
                    f"{where}: {key} of {place} is {_shown(table[key])}; it must be in 0 to 1"
                )


def _refuse_odd_values(value: Any, entry: str, where: str, depth: int = 0) -> None:
    """Those that json.loads lets through and that nothing can be done with."""
    if depth > DEEPEST:
        raise SpecialistError(f"{where}: {entry[:80]} is nested deeper than {DEEPEST} levels")
    if isinstance(value, int | float) and not isinstance(value, bool) and not _is_number(value):
        raise SpecialistError(f"{where}: {entry} is {_shown(value)}, which is no usable number")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise SpecialistError(
                f"{where}: {entry} is {_shown(value)}, half a character"
            ) from error
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_odd_values(key, f"a key of {entry}", where, depth + 1)
            _refuse_odd_values(inner, f"{entry}.{key}", where, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_odd_values(inner, f"{entry}[{index}]", where, depth + 1)


def _fits(value: Any, wanted: Any) -> bool:
    if wanted is Any:
        return True
    if get_origin(wanted) is Literal:
        return isinstance(value, str) and value in get_args(wanted)
    if wanted == tuple[str, ...]:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if get_origin(wanted) is Mapping:
        inner = get_args(wanted)[1]
        return isinstance(value, Mapping) and all(_fits(item, inner) for item in value.values())
    if wanted in (float, float | None):
        return _is_number(value) or (value is None and wanted is not float)
    return type(value) is wanted


def _words(wanted: Any) -> str:
    if get_origin(wanted) is Literal:
        return f"one of {', '.join(get_args(wanted))}"
    if get_origin(wanted) is Mapping:
        inner = get_args(wanted)[1]
        return "an object" if inner is Any else f"an object in which each value is {_words(inner)}"
    return {
        str: "a text",
        int: "a whole number",
        bool: "true or false",
        float: "a number",
        float | None: "a number or null",
        tuple[str, ...]: "a list of texts",
    }[wanted]


def _is_number(value: Any) -> bool:
    """Finite, and a float can hold it."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300


def _is_time(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(datetime.datetime.fromisoformat(text))
    return False


def _shown(value: Any) -> str:
    """As it stands in the file, on one line of ASCII."""
    if isinstance(value, int) and abs(value) > 1 << 64:
        return "a number of too many digits"  # Python refuses to write out the longest
    try:
        text = json.dumps(list(value) if isinstance(value, tuple) else value, default=repr)
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."
