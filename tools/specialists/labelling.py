"""What specialists say of the rows of a file, written into a new one beside it."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.errors import PlanError, SpecialistError
from tools.specialists.columns import guess_columns
from tools.specialists.compute import Report, silent
from tools.specialists.data import Table
from tools.specialists.manifest import Manifest
from tools.specialists.plan import NOUNS
from tools.specialists.reading import read
from tools.specialists.rows import text_of
from tools.specialists.use import Specialists
from tools.storage import write_atomically

UNKNOWN = "unknown"


def default_target(file: Path, name: str) -> Path:
    return file.with_name(f"{file.stem}.{name}.csv")


def label_file(
    specialists: Specialists,
    reference: str,
    file: Path,
    column: str = "",
    target: Path | None = None,
    replace: bool = False,
    report: Report = silent,
) -> str:
    """Write the rows of `file` with what a classifier or tagger says of each, as CSV.

    `column`: that of the texts, guessed when it is "". `replace`: `target` may be there. Gives a
    sentence of what was found how often and where it is.

    Raises SpecialistError, DataError, PlanError.
    """
    wanted = prepare(specialists, reference, file, column, target, replace)
    one, table, texts = wanted.specialist, wanted.table, wanted.texts
    reference = f"{one.name}@{one.version}"  # another may be promoted meanwhile
    if one.task == "classifier":
        heads, said, counted = _classes(specialists, reference, texts, report)
    else:
        heads, said, counted = _entities(specialists, reference, texts, report)
    try:
        write_atomically(wanted.target, _csv(table, heads, said))
    except OSError as error:
        raise SpecialistError(f"{wanted.target} cannot be written: {error.strerror}") from error
    often = ", ".join(f"{label} {rows:,}" for label, rows in counted.most_common())
    unread = f"; {len(table.problems):,} could not be read" if table.problems else ""
    rows = "1 row is" if len(texts) == 1 else f"{len(texts):,} rows are"
    return f"{rows} labelled and saved in {wanted.target.name}: {often or 'none'}{unread}"


@dataclass(frozen=True)
class Labelling:
    """What is going to be labelled, checked."""

    specialist: Manifest
    table: Table
    column: str
    texts: list[str]
    target: Path


def prepare(
    specialists: Specialists,
    reference: str,
    file: Path,
    column: str = "",
    target: Path | None = None,
    replace: bool = False,
) -> Labelling:
    """Everything that can be refused is refused here. Raises as `label_file`."""
    one = specialists.registry.manifest(*specialists.registry.find(reference))
    if one.task not in ("classifier", "tagger"):
        raise PlanError(f"{one.name} is {NOUNS[one.task]}; a classifier or tagger labels")
    if file.is_dir():
        raise PlanError(f"{file} is a folder; name a file of rows")
    out = target or default_target(file, one.name)
    if out.suffix.lower() != ".csv":
        raise PlanError(f"{out}: what is written is CSV; name it {out.stem or file.stem}.csv")
    if out.resolve() == file.resolve():
        raise PlanError(f"{file.name} would be written over itself; name another file")
    if out.exists() and not replace:
        raise PlanError(f"{out} is there already; remove it, or name another file")
    if not out.parent.is_dir():
        raise PlanError(f"there is no folder {out.parent}")
    table = read(file)
    learnt = str(one.settings.get("columns", {}).get("text", ""))
    column = column or (learnt if learnt in table.columns else "")
    place = guess_columns(table, "masked", {"text": column} if column else {}, False)["text"]
    texts = [_readable(text_of(row.values.get(place))) for row in table.rows]
    return Labelling(one, table, place, texts, out)


def labels_of(manifest: Manifest, sure: Sequence[float]) -> list[str]:
    """The labels that are said with these confidences: "unknown" where none is sure enough."""
    threshold = manifest.threshold or 0.0
    if manifest.many:
        there = [label for label, one in zip(manifest.labels, sure, strict=True) if one > threshold]
        return there or [UNKNOWN]
    best = max(range(len(sure)), key=lambda at: sure[at])
    return [manifest.labels[best] if sure[best] >= threshold else UNKNOWN]


def _classes(
    specialists: Specialists, reference: str, texts: Sequence[str], report: Report
) -> tuple[list[str], list[list[str]], Counter[str]]:
    classifier, manifest = specialists.classifier(reference)
    given = classifier.confidences(texts, manifest.temperature, report)
    rows, counted = [], Counter[str]()
    for text, sure in zip(texts, given, strict=True):
        labels = labels_of(manifest, sure) if text.strip() else [UNKNOWN]
        counted.update(labels)
        rows.append(["|".join(labels), f"{sure.max():.3f}"])
    return [manifest.name, "confidence"], rows, counted


def _entities(
    specialists: Specialists, reference: str, texts: Sequence[str], report: Report
) -> tuple[list[str], list[list[str]], Counter[str]]:
    tagger, manifest = specialists.tagger(reference)
    rows, counted = [], Counter[str]()
    for found in tagger.entities(texts, report):
        counted.update(one.kind for one in found)
        facts = [
            {"text": one.text, "type": one.kind, "start": one.start, "end": one.end,
             "confidence": round(one.confidence, 3)}
            for one in found
        ]  # fmt: skip
        rows.append([json.dumps(facts, ensure_ascii=False)])
    return [manifest.name], rows, counted


def _csv(table: Table, heads: Sequence[str], said: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = list(table.columns)
    for head in heads:
        names.append(_free(head, names))
    writer.writerow(names)
    for row, more in zip(table.rows, said, strict=True):
        writer.writerow([*(row.values.get(name, "") for name in table.columns), *more])
    return _readable(out.getvalue())


def _readable(text: str) -> str:
    """Halves of characters, which no file can hold, become marks."""
    return text.encode("utf-8", "replace").decode()


def _free(head: str, columns: Sequence[str]) -> str:
    while head in columns:
        head += "_said"
    return head
