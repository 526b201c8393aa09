"""Texts put into classes, entities found, gaps filled, by specialists that were trained here."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.base import ToolError, progress, tool
from tools.files import Files
from tools.specialists.columns import guess_columns
from tools.specialists.manifest import Manifest
from tools.specialists.plan import Task
from tools.specialists.reading import read
from tools.specialists.use import Specialists
from tools.storage import write_atomically

UNKNOWN = "unknown"
MOST_LABELS = 12
"""Of a specialist, that the model is told."""
LONGEST = 80
"""Characters of a text that are repeated in a result for several."""
DECIDING = 5
"""Words that `explain` names."""
ENDINGS = {".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".conll", ".txt"}
MOST_FILES = 50
ORDINARY = {"label", "labels", "class", "text", "tag", "target", "1", "2", "y"}
"""Names of columns that say nothing of what a specialist is for."""


def told(manifest: Manifest) -> str:
    """What a specialist tells apart, for the model."""
    kinds = manifest.labels
    if manifest.task == "tagger":
        kinds = tuple(dict.fromkeys(tag[2:] for tag in kinds if tag != "O"))
    more = f" and {len(kinds) - MOST_LABELS} more" if len(kinds) > MOST_LABELS else ""
    return ", ".join(kinds[:MOST_LABELS]) + more


def data_files(folder: Path) -> list[str]:
    """Names of the files in `folder` that may hold rows."""
    found = sorted(
        one.name
        for one in folder.iterdir()
        if one.suffix.lower() in ENDINGS and one.is_file() and not one.name.startswith(".")
    )
    return found[:MOST_FILES]


def _classifiers(self: Classify) -> Mapping[str, str]:
    return self.known("classifier")


def _taggers(self: Classify) -> Mapping[str, str]:
    return self.known("tagger")


def _fillers(self: Classify) -> Mapping[str, str]:
    return self.known("masked")


def _files(self: Classify) -> Sequence[str]:
    return data_files(self._files.root)


def _subjects(self: Classify) -> Sequence[str]:
    """Names of classifiers, and of the columns that they learnt: "topic"."""
    found = []
    for one in self._specialists.registry.usable("classifier"):
        column = str(one.settings.get("columns", {}).get("label", ""))
        found += [one.name, *([column] if column and column.lower() not in ORDINARY else [])]
    return found


def _shown(self: Classify, specialist: str, path: str, column: str = "") -> str:
    place = self._files.inside(path)
    target = _beside(place, specialist)
    return f"{path} is read; {target.name} is " + ("REPLACED" if target.exists() else "written")


def _beside(place: Path, specialist: str) -> Path:
    return place.with_name(f"{place.stem}.{specialist}.csv")


class Classify:
    """The tools that use specialists, on texts and on files of one folder."""

    def __init__(self, specialists: Specialists, files: Files) -> None:
        self._specialists = specialists
        self._files = files

    def known(self, task: Task) -> Mapping[str, str]:
        return {one.name: told(one) for one in self._specialists.registry.usable(task)}

    @tool(
        examples=[
            "which topic is this: my parcel has not come yet?",
            "is this review positive or negative: I loved every minute of it",
            "what kind of message is this?",
            "put these texts into their classes",
        ],
        choices={"specialist": _classifiers},
        subjects=_subjects,
        timeout=600,
    )
    def classify_text(self, specialist: str, texts: list[str], explain: bool = False) -> str:
        """Tell the class of one or several texts: their topic, sentiment, kind.

        Args:
            specialist: the classifier
            texts: the texts
            explain: also name the words that decided
        """
        if not texts or not all(text.strip() for text in texts):
            raise ToolError("there is an empty text; give the text whose class is asked for")
        from tools.specialists.classifier import explain as deciding

        classifier, manifest = self._specialists.classifier(specialist)
        given = classifier.confidences(texts, manifest.temperature, _report)
        lines = []
        for text, sure in zip(texts, given, strict=True):
            line = verdict(manifest, sure)
            if explain:
                words = sorted(
                    deciding(classifier, text, manifest.temperature), key=lambda one: -one[1]
                )
                named = ", ".join(f"{word} ({fall:+.0%})" for word, fall in words[:DECIDING])
                line += f"; decided by: {named}"
            lines.append(line if len(texts) == 1 else f"{line}: {_short(text)}")
        return "\n".join(lines)

    @tool(
        effects={"reads", "writes"},
        approval="ask",
        examples=[
            "classify all reviews in reviews.csv",
            "sort every line of messages.csv by topic and save the result",
        ],
        choices={"specialist": _classifiers, "path": _files},
        preview=_shown,
        timeout=3600,
    )
    def classify_file(self, specialist: str, path: str, column: str = "") -> str:
        """Tell the class of every row of a file, and write them into a new file beside it.

        Args:
            specialist: the classifier
            path: the file of rows
            column: the column that holds the text
        """
        place = self._files.inside(path)
        table = read(place)
        roles = guess_columns(table, "masked", {"text": column} if column else {}, False)
        texts = [str(row.values.get(roles["text"]) or "") for row in table.rows]
        classifier, manifest = self._specialists.classifier(specialist)
        given = classifier.confidences(texts, manifest.temperature, _report)
        target = _beside(place, manifest.name)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        said_in = manifest.name if manifest.name not in table.columns else f"{manifest.name}_said"
        writer.writerow([*table.columns, said_in, "confidence"])
        count: dict[str, int] = {}
        for row, text, sure in zip(table.rows, texts, given, strict=True):
            said = labels_of(manifest, sure) if text.strip() else [UNKNOWN]
            for label in said:
                count[label] = count.get(label, 0) + 1
            values = [row.values.get(name, "") for name in table.columns]
            writer.writerow([*values, "|".join(said), f"{sure.max():.3f}"])
        write_atomically(target, out.getvalue())
        often = sorted(count.items(), key=lambda one: -one[1])
        shares = ", ".join(f"{label} {rows}" for label, rows in often)
        return (
            f"{len(texts)} rows are classified and saved in {target.name}, nothing is left to be "
            f"written: {shares}"
            + (f"; {len(table.problems)} rows could not be read" if table.problems else "")
        )

    @tool(
        examples=[
            "which people and places are named in this text?",
            "find the names in: Ada flew to Paris on Monday",
            "mark the entities",
        ],
        choices={"specialist": _taggers},
        timeout=600,
    )
    def tag_entities(self, specialist: str, texts: list[str]) -> str:
        """Find names in texts: of people, places, products or what the specialist knows.

        Args:
            specialist: the tagger
            texts: the texts
        """
        tagger, _ = self._specialists.tagger(specialist)
        lines = []
        for text, found in zip(texts, tagger.entities(texts, _report), strict=True):
            named = "; ".join(
                f"{one.text} = {one.kind} ({one.confidence:.0%}, characters {one.start} to "
                f"{one.end})"
                for one in found
            )
            lines.append(named or "no entity" if len(texts) == 1 else f"{_short(text)}: {named}")
        return "\n".join(lines)

    @tool(
        examples=["which word fits: the [MASK] is late again?"],
        choices={"specialist": _fillers},
        timeout=600,
    )
    def fill_mask(self, specialist: str, text: str) -> str:
        """Find the likeliest words for a gap in a text.

        Args:
            specialist: the language model
            text: the text, with [MASK] for the one word that is missing
        """
        filler, _ = self._specialists.filler(specialist)
        return ", ".join(f"{one.word} ({one.confidence:.0%})" for one in filler.fill(text))


def labels_of(manifest: Manifest, sure: Sequence[float]) -> list[str]:
    """The labels that are said with these confidences: "unknown" where none is sure enough."""
    threshold = manifest.threshold or 0.0
    if manifest.many:
        there = [label for label, one in zip(manifest.labels, sure, strict=True) if one > threshold]
        return there or [UNKNOWN]
    best = max(range(len(sure)), key=lambda at: sure[at])
    return [manifest.labels[best] if sure[best] >= threshold else UNKNOWN]


def verdict(manifest: Manifest, sure: Sequence[float]) -> str:
    said = labels_of(manifest, sure)
    best = max(range(len(sure)), key=lambda at: sure[at])
    if said == [UNKNOWN]:
        return f"{UNKNOWN} (the nearest is {manifest.labels[best]}, {sure[best]:.0%} sure)"
    if manifest.many:
        known = dict(zip(manifest.labels, sure, strict=True))
        return ", ".join(f"{label} ({known[label]:.0%} sure)" for label in said)
    return f"{said[0]} ({sure[best]:.0%} sure)"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _report(done: int, total: int) -> None:
    progress(done, total, "texts")
