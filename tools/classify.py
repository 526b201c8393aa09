"""Texts put into classes, entities found, gaps filled, by specialists that were trained here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.base import ToolError, progress, tool
from tools.files import Files
from tools.specialists.data import shortened
from tools.specialists.labelling import (
    UNKNOWN,
    default_target,
    label_file,
    labels_of,
    prepare,
)
from tools.specialists.manifest import Manifest
from tools.specialists.plan import Task
from tools.specialists.use import Specialists

MOST_LABELS = 12
"""Of a specialist, that the model is told."""
DECIDING = 5
"""Words that are named as the reason."""
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


def _tagger_names(self: Classify) -> Sequence[str]:
    return list(_taggers(self))


def _filler_names(self: Classify) -> Sequence[str]:
    return list(_fillers(self))


def _files(self: Classify) -> Sequence[str]:
    return data_files(self._files.root)


def _subjects(self: Classify) -> Sequence[str]:
    """Names of classifiers, and of the columns that they learnt: "topic"."""
    found = []
    for one in self._specialists.registry.usable("classifier"):
        column = str(one.settings.get("columns", {}).get("label", ""))
        found += [one.name, *([column] if column and column.lower() not in ORDINARY else [])]
    return found


def _shown(self: Classify, specialist: str, path: str, column: str = "", save_as: str = "") -> str:
    target = self._target(specialist, path, save_as)
    place = self._files.inside(path)
    wanted = prepare(self._specialists, specialist, place, column, target, replace=True)
    return f"{len(wanted.texts):,} texts of {path}, column {wanted.column!r}; {target.name} is " + (
        "REPLACED" if target.exists() else "written"
    )


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
    def classify_text(self, specialist: str, texts: list[str]) -> str:
        """Tell the class of one or several texts: their topic, sentiment, kind.

        Args:
            specialist: the classifier
            texts: the texts
        """
        _refuse_empty(texts)
        classifier, manifest = self._specialists.classifier(specialist)
        given = classifier.confidences(texts, manifest.temperature, _report)
        lines = [verdict(manifest, sure) for sure in given]
        if len(texts) == 1:
            return lines[0]
        return "\n".join(
            f"{line}: {shortened(text)}" for line, text in zip(lines, texts, strict=True)
        )

    @tool(
        examples=[
            "why did topics say payment?",
            "why did it say positive for that text?",
            "which words decided that?",
            "why did topics say delivery for: my parcel has not come yet?",
        ],
        choices={"specialist": _classifiers},
        subjects=_subjects,
        timeout=600,
    )
    def explain_class(self, specialist: str, text: str) -> str:
        """Tell why a text gets its class: which of its words decided.

        Args:
            specialist: the classifier
            text: the text
        """
        _refuse_empty([text])
        from tools.specialists.classifier import explain

        classifier, manifest = self._specialists.classifier(specialist)
        sure = classifier.confidences([text], manifest.temperature)[0]
        falls = sorted(explain(classifier, text, manifest.temperature), key=lambda one: -one[1])
        named = ", ".join(f"{word} ({fall:+.0%})" for word, fall in falls[:DECIDING])
        best = f" for {manifest.labels[int(sure.argmax())]}" if manifest.many else ""
        return f"{verdict(manifest, sure)}; decided{best} by: {named}"

    @tool(
        effects={"reads", "writes"},
        approval="ask",
        examples=[
            "classify all reviews in reviews.csv",
            "sort every line of messages.csv by topic and save the result",
            "classify all of mails.csv into sorted.csv",
            "give every row of mails.csv its topic",
        ],
        choices={"specialist": _classifiers, "path": _files},
        subjects=_files,
        preview=_shown,
        timeout=3600,
    )
    def classify_file(self, specialist: str, path: str, column: str = "", save_as: str = "") -> str:
        """Tell the class of every row of a file, and write them into a new file.

        Args:
            specialist: the classifier
            path: the file of rows
            column: the column that holds the text
            save_as: the new file
        """
        target = self._target(specialist, path, save_as)
        said = label_file(
            self._specialists,
            specialist,
            self._files.inside(path),
            column,
            target,
            replace=True,  # the user has seen which file
            report=_report,
        )
        return f"{said}. Nothing is left to be written."

    def _target(self, specialist: str, path: str, save_as: str) -> Path:
        if save_as:
            return self._files.inside(save_as)
        return default_target(self._files.inside(path), specialist)

    @tool(
        examples=[
            "which people and places are named in this text?",
            "find the names in: Ada flew to Paris on Monday",
            "mark the entities",
        ],
        choices={"specialist": _taggers},
        subjects=_tagger_names,
        timeout=600,
    )
    def tag_entities(self, specialist: str, texts: list[str]) -> str:
        """Find names in texts: of people, places, products or what the specialist knows.

        Args:
            specialist: the tagger
            texts: the texts
        """
        _refuse_empty(texts)
        tagger, _ = self._specialists.tagger(specialist)
        lines = []
        for text, found in zip(texts, tagger.entities(texts, _report), strict=True):
            named = "; ".join(
                f"{one.text} = {one.kind} ({one.confidence:.0%}, characters {one.start} to "
                f"{one.end})"
                for one in found
            )
            named = named or "no entity"
            lines.append(named if len(texts) == 1 else f"{shortened(text)}: {named}")
        return "\n".join(lines)

    @tool(
        examples=["which word fits: the [MASK] is late again?"],
        choices={"specialist": _fillers},
        subjects=_filler_names,
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


def verdict(manifest: Manifest, sure: Sequence[float]) -> str:
    said = labels_of(manifest, sure)
    best = max(range(len(sure)), key=lambda at: sure[at])
    if said == [UNKNOWN]:
        return f"{UNKNOWN} (the nearest is {manifest.labels[best]}, {sure[best]:.0%} sure)"
    if manifest.many:
        known = dict(zip(manifest.labels, sure, strict=True))
        return ", ".join(f"{label} ({known[label]:.0%} sure)" for label in said)
    return f"{said[0]} ({sure[best]:.0%} sure)"


def _refuse_empty(texts: Sequence[str]) -> None:
    if not texts or not all(text.strip() for text in texts):
        raise ToolError("there is an empty text; give the text that is meant")


def _report(done: int, total: int) -> None:
    progress(done, total, "texts")
