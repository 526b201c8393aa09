"""The README.md of a specialist: a model card whose limits are drawn from its numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from tools.specialists.manifest import LOWER_IS_BETTER, Manifest
from tools.specialists.metrics import wilson
from tools.specialists.plan import Task

FEW_ROWS = 20
"""Held-out rows of a label under which its F1 says little."""
WEAK = 0.6
"""F1 of a label under which it cannot be relied on."""
SKEWED = 5
"""The most frequent label has so many times the held-out rows of the rarest."""
DISHONEST = 0.05
"""Expected calibration error from which confidence misleads."""
MIXED_UP = 10
"""Pairs of labels that are shown."""
PIPELINES: Mapping[Task, str] = {
    "classifier": "text-classification",
    "tagger": "token-classification",
    "masked": "fill-mask",
    "embedder": "sentence-similarity",
    "causal": "text-generation",
}
PURPOSES: Mapping[Task, str] = {
    "classifier": "It says which of these labels a text has",
    "tagger": "It finds parts of a text, by these tags",
    "masked": "It knows the language of its examples and fills in their gaps; others are trained "
    "from it",
    "embedder": "It turns a text into a vector; texts that belong together lie close",
    "causal": "It answers as the assistant of its examples does",
}
Table = Mapping[str, Mapping[str, Any]]


def card(manifest: Manifest) -> str:
    parts = [
        _front_matter(manifest),
        f"# {manifest.name}, version {manifest.version}\n\n{_purpose(manifest)}",
        f"## Examples\n\n{_examples(manifest)}",
        f"## Training\n\n{_training(manifest)}",
        f"## Measures on the held-out rows\n\n{_measures(manifest)}",
    ]
    if table := _per_label(manifest):
        parts.append(f"## By label\n\n{_label_table(table)}")
    if pairs := _mixed_up(manifest):
        parts.append(f"## Mixed up most\n\n{_rows(('True', 'Said', 'Times'), pairs)}")
    parts.append("## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits(manifest)))
    pictures = [name for name in manifest.files if name.lower().endswith((".png", ".svg"))]
    parts += [f"![{_plain(name.rpartition('.')[0])}](<{name}>)" for name in pictures]
    return "\n\n".join(parts) + "\n"


def summary(manifest: Manifest) -> str:
    """What it is for, its measures and its limits, in a few lines."""
    beside = ", ".join(
        f"{name} {_number(scores[manifest.metric])}"
        for name, scores in manifest.baselines.items()
        if manifest.metric in scores
    )
    lines = [
        f"{manifest.name}, version {manifest.version}. {_purpose(manifest)}",
        f"{manifest.metric.replace('_', ' ')} {_number(manifest.score)} on {manifest.held_rows} "
        f"held-out rows" + (f" ({beside})" if beside else ""),
        *(f"mixed up: {true} taken for {said} {times} times"
          for true, said, times in _mixed_up(manifest)[:3]),
        *limits(manifest),
    ]  # fmt: skip
    return re.sub(r"\\(.)", r"\1", "\n".join(lines))


def limits(manifest: Manifest) -> Iterator[str]:
    """What it must not be trusted with, one sentence each."""
    yield (
        "It has seen texts like its examples only: another kind of text, or another language, is "
        "answered with the same confidence and may be wrong."
    )
    yield from _limits_of_measuring(manifest)
    yield from _limits_of_labels(manifest)
    error = manifest.metrics.get("calibration_error")
    if _is_number(error) and error > DISHONEST:
        yield f"Its confidence is off by {error:.2f} on average (expected calibration error)."
    if manifest.task == "tagger":
        yield f"A text is read in pieces of {manifest.length} tokens, each without the others."
    else:
        yield f"A text is cut at {manifest.length} tokens; what comes after has no influence."


def _limits_of_measuring(one: Manifest) -> Iterator[str]:
    accuracy = one.metrics.get("accuracy")
    if not one.held_rows:
        yield "It was not measured: no rows were held out."
    elif one.task == "classifier" and _is_number(accuracy):
        low, high = wilson(accuracy, one.held_rows)
        yield (
            f"It was measured on {one.held_rows} rows: the true accuracy lies between {low:.3f} "
            f"and {high:.3f} (95 %, Wilson)."
        )
    else:
        yield f"It was measured on {one.held_rows} held-out rows" + (
            ": small differences may be chance." if one.held_rows < 200 else "."
        )
    if one.held_rows:
        yield (
            "The same held-out rows chose the best epoch, and the temperature and threshold where "
            "there are any: on new texts it may do a little worse."
        )
    for name, scores in one.baselines.items():
        if one.metric not in scores:
            continue
        other = scores[one.metric]
        lower = one.metric in LOWER_IS_BETTER
        if not (one.score < other if lower else one.score > other):
            yield (
                f"It is not better than the baseline “{_plain(name)}” ({one.metric} "
                f"{_number(one.score)}, there {_number(other)})."
            )


def _limits_of_labels(one: Manifest) -> Iterator[str]:
    table = _per_label(one)
    rows = {label: rates["rows"] for label, rates in table.items() if _is_number(rates.get("rows"))}
    if few := [f"{_plain(label)} ({count})" for label, count in rows.items() if count < FEW_ROWS]:
        yield f"Under {FEW_ROWS} held-out rows, so that little is known of them: {_some(few)}."
    seen = {label: count for label, count in rows.items() if count > 0}
    if seen and max(seen.values()) >= SKEWED * min(seen.values()):
        often, rare = max(seen, key=seen.__getitem__), min(seen, key=seen.__getitem__)
        yield (
            f"The labels are skewed: {seen[often]} held-out rows are {_plain(often)}, "
            f"{seen[rare]} are {_plain(rare)}. Accuracy says little about the rare ones."
        )
    weak = [
        f"{_plain(label)} ({rates['f1']:.2f})"
        for label, rates in table.items()
        if _is_number(rates.get("f1")) and rates["f1"] < WEAK
    ]
    if weak:
        yield f"F1 under {WEAK}, not to be relied on: {_some(weak)}."


def _front_matter(one: Manifest) -> str:
    library = "sentence-transformers" if one.task == "embedder" else "transformers"
    facts: dict[str, Any] = {
        "library_name": "peft" if one.is_adapter else library,
        "pipeline_tag": PIPELINES[one.task],
        "tags": ["tinsmith", one.task, one.method],
        "metrics": [name for name, value in one.metrics.items() if _is_number(value)],
    }
    if re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", one.base):  # else a path on somebody's machine
        facts["base_model"] = one.base
    lines = [f"{key}: {json.dumps(value)}" for key, value in facts.items()]  # JSON is YAML
    return "\n".join(["---", *lines, "---"])


def _purpose(one: Manifest) -> str:
    several = ", any number of them at once" if one.many else ""
    labels = f"{several}: {_some([_plain(label) for label in one.labels])}" if one.labels else ""
    unknown = (
        f" An answer with a confidence under {one.threshold:.2f} counts as “unknown”."
        if one.threshold is not None
        else ""
    )
    return f"{PURPOSES[one.task]}{labels}.{unknown} Made by Tinsmith on {one.created[:10]}."


def _examples(one: Manifest) -> str:
    return (
        f"{one.rows} rows of {_code(one.data)} (SHA-256 `{one.data_sha256}`). {one.held_rows} "
        f"rows were held out and not trained on (SHA-256 `{one.held_sha256}`)."
    )


def _training(one: Manifest) -> str:
    begin = f"version {one.came_from} of it, which began as " if one.came_from else ""
    known = {"epochs, at most" if key == "epochs" else key: x for key, x in one.settings.items()}
    if not known.get("layers"):
        known.pop("layers", None)
    facts = {**known, "temperature": one.temperature, **one.versions}
    return (
        f"From {begin}{_code(one.base)}, method {one.method}, in {one.seconds:.0f} s.\n\n"
        + _rows(("Setting", "Value"), [(key, _value(value)) for key, value in facts.items()])
    )


def _measures(one: Manifest) -> str:
    columns = {"this version": one.metrics, **one.baselines}
    names = dict.fromkeys(
        name for scores in columns.values() for name, value in scores.items() if _is_number(value)
    )
    rows = [
        (
            f"{name} (decides)" if name == one.metric else name,
            *(_number(scores.get(name)) for scores in columns.values()),
        )
        for name in names
    ]
    return _rows(("Measure", *columns), rows)


def _per_label(one: Manifest) -> Table:
    table = one.metrics.get("per_label")
    if not isinstance(table, Mapping):
        return {}
    return {label: rates for label, rates in table.items() if isinstance(rates, Mapping)}


def _label_table(table: Table) -> str:
    measures = ("precision", "recall", "f1", "rows")
    return _rows(
        ("Label", "Precision", "Recall", "F1", "Held-out rows"),
        [(label, *(_number(rates.get(key)) for key in measures)) for label, rates in table.items()],
    )


def _mixed_up(one: Manifest) -> list[tuple[str, str, str]]:
    """True label, said label, times; most first. The confusion is in the order of `per_label`."""
    confusion, labels = one.metrics.get("confusion"), list(_per_label(one))
    if not isinstance(confusion, list) or not all(isinstance(row, list) for row in confusion):
        return []
    pairs = [
        (times, true, said)
        for true, row in zip(labels, confusion, strict=False)
        for said, times in zip(labels, row, strict=False)
        if true != said and _is_number(times) and times > 0
    ]
    pairs.sort(key=lambda pair: -pair[0])
    return [(true, said, _number(times)) for times, true, said in pairs[:MIXED_UP]]


def _rows(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(map(_plain, line)) + " |" for line in lines)


def _plain(text: str) -> str:
    """On one line, without what Markdown or HTML would take for its own."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    return f"`{' '.join(text.replace('`', ' ').split())}`"


def _some(items: list[str], most: int = 30) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return _number(value) if _is_number(value) else json.dumps(value, ensure_ascii=False)


def _number(value: Any) -> str:
    if not _is_number(value):
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
