"""New specialists, made in the conversation: trained in the background, measured, promoted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tools.base import ToolError, tool
from tools.classify import data_files
from tools.files import Files
from tools.specialists.card import summary
from tools.specialists.jobs import ALIVE, Job, Jobs
from tools.specialists.use import Specialists

if TYPE_CHECKING:
    from tools.specialists.proposal import Proposal

MOST_JOBS = 8
"""The last ones, of which can be asked."""
WAITS = """
It does not fit beside what the memory holds now, and will wait for room."""


def _data(self: Train) -> Sequence[str]:
    return data_files(self._files.root)


def _jobs(self: Train) -> Mapping[str, str]:
    return {job.id: job.state for job in self._jobs.all()[-MOST_JOBS:]}


def _job_names(self: Train) -> Sequence[str]:
    return list(_jobs(self))


def _specialists(self: Train) -> Sequence[str]:
    return self._specialists.registry.names()


def _fresh(self: Train) -> Sequence[str]:
    """Versions that could be promoted: the latest of each name, where it is not."""
    registry = self._specialists.registry
    return [
        f"{name}@{versions[-1]}"
        for name in registry.names()
        if (versions := registry.versions(name)) and registry.promoted(name) != versions[-1]
    ]


def _plan(self: Train, path: str, name: str = "", label_column: str = "") -> str:
    proposal = self._proposed(path, name, label_column)
    return proposal.describe() + (WAITS if proposal.waits else "")


class Train:
    """The tools that train, on files of one folder."""

    def __init__(self, specialists: Specialists, files: Files) -> None:
        self._specialists = specialists
        self._files = files
        self._jobs = Jobs(specialists.home)

    @tool(
        effects={"reads", "writes"},
        approval="ask",
        examples=[
            "train a classifier on reviews.csv",
            "learn to sort these by topic",
            "learn from messages.csv to tell spam from ham",
            "make a specialist that finds the names, from entities.conll",
            "learn to tell from tickets.csv which team a request is for, and call it teams",
        ],
        choices={"path": _data},
        subjects=_data,
        preview=_plan,
        timeout=300,
    )
    def train_specialist(self, path: str, name: str = "", label_column: str = "") -> str:
        """Learn from a file of examples to classify texts, or to find names in them.

        Args:
            path: the file of examples
            name: what to call the specialist
            label_column: the column that is to be learnt
        """
        proposal = self._proposed(path, name, label_column)
        plan = proposal.plan
        if proposal.waits:
            plan = replace(plan, memory=proposal.memory)
        job = self._jobs.start(plan)
        return (
            f"The training of {proposal.plan.name} (job {job.id}) has only begun and is not done. "
            "It takes some minutes, in which one can go on talking; a line on the screen says when "
            "it is done."
        )

    @tool(
        examples=["how far is the training?", "is the training done?"],
        choices={"job": _jobs},
        subjects=_job_names,
    )
    def training_status(self, job: str) -> str:
        """Tell how far a training is, or what came of it.

        Args:
            job: the training
        """
        return status(self._jobs.job(job))

    @tool(
        examples=["how good is topics on test.csv?", "measure sentiment on reviews.csv"],
        choices={"specialist": _specialists, "path": _data},
        subjects=_data,
        timeout=3600,
    )
    def evaluate_specialist(self, specialist: str, path: str) -> str:
        """Measure a specialist on a file of rows whose right answers are known.

        Args:
            specialist: the specialist
            path: the file of rows
        """
        measured, one, rows = self._specialists.evaluate(specialist, self._files.inside(path))
        return (
            f"{one.name} version {one.version} on {rows} rows: {measured.metric} "
            f"{measured.metrics[measured.metric]:.3f}"
        )

    @tool(
        examples=[
            "how good is topics?",
            "how good is it?",
            "can I trust the classifier?",
            "what can the specialist tell apart?",
            "where is sentiment often wrong?",
        ],
        choices={"specialist": _specialists},
        subjects=_specialists,
    )
    def describe_specialist(self, specialist: str) -> str:
        """Tell what a specialist knows, how good it was when it was measured, and its limits.

        Args:
            specialist: the specialist
        """
        registry = self._specialists.registry
        return summary(registry.manifest(*registry.find(specialist)))

    @tool(
        effects={"reads", "writes"},
        approval="ask",
        examples=["use the new one", "promote the new version"],
        choices={"version": _fresh},
    )
    def promote_specialist(self, version: str) -> str:
        """Use a newly trained version from now on, in place of the one before.

        Args:
            version: the version
        """
        name, _, number = version.partition("@")
        return self._specialists.registry.promote(name, int(number))

    def _proposed(self, path: str, name: str, label_column: str) -> Proposal:
        from tools.specialists.proposal import Wishes, propose

        file = self._files.inside(path)
        if not file.exists():
            raise ToolError(f"there is no {path}; here are: {', '.join(_data(self)) or 'none'}")
        columns = {"label": label_column} if label_column else {}
        proposal = propose(self._specialists.home, Wishes(file, name=name, columns=columns))
        if proposal.plan.task == "masked":
            raise ToolError(
                f"{path} has no column of labels, so there is nothing to learn from it; train on "
                "rows with the right answer beside each text"
            )
        return proposal


def status(job: Job) -> str:
    """How a job stands, in one line."""
    if job.state not in ALIVE:
        return f"{job.id} is {job.state}: {job.stage}"
    now = job.progress()
    if not now.of:
        return f"{job.id} is {job.state}: {job.stage}"
    left = f", about {now.left / 60:.0f} minutes left" if now.left and now.left > 90 else ""
    return f"{job.id}: {job.stage}, step {now.step} of {now.of}{left}"
