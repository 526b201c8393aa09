"""The tools that train and use specialists, with a small model that is made in the test."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from langchain_core.tools import BaseTool

from tests import small
from tools.base import ToolError, tools_of
from tools.classify import Classify, verdict
from tools.errors import SpecialistError
from tools.files import Files
from tools.running import Origin, hear, invoke
from tools.spec import preview, spec
from tools.specialists import bases
from tools.specialists.classifier import Classifier, explain
from tools.specialists.compute import Report, silent
from tools.specialists.jobs import ALIVE, Job, Jobs
from tools.specialists.labelling import label_file
from tools.specialists.proposal import Wishes, propose
from tools.specialists.use import Specialists, unseen
from tools.train import Train

LIMIT = 240.0
"""Seconds in which the smallest training must have ended; it takes about fifteen."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a base of the usual name."""
    home = tmp_path_factory.mktemp("home")
    small.bert(home / "models" / "all-minilm-l6-v2")
    return home


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with examples."""
    folder = tmp_path_factory.mktemp("work")
    with (folder / "messages.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["message", "topic"])
        writer.writerows((row["text"], row["label"]) for row in small.rows("classifier", 400))
    (folder / "notes.md").write_text("nothing to learn")
    return folder


@pytest.fixture(scope="module")
def box(home: Path, folder: Path) -> dict[str, BaseTool]:
    files, specialists = Files(folder), Specialists(home)
    boxes = (Classify(specialists, files), Train(specialists, files))
    return {tool.name: tool for one in boxes for tool in tools_of(one)}


@pytest.fixture(scope="module")
def trained(home: Path, folder: Path) -> str:
    """With a rate that suits a model which knows nothing yet."""
    wishes = Wishes(folder / "messages.csv", name="topics", rate=5e-3, epochs=25)
    job = ended(Jobs(home).start(propose(home, wishes).plan))
    assert job.stage == "topics@1 is promoted"
    return "topics"


def ended(job: Job) -> Job:
    begun = time.monotonic()
    while job.state in ALIVE:
        assert time.monotonic() - begun < LIMIT, (job.folder / "log.txt").read_text()
        time.sleep(0.2)
        job = job.reread()
    assert job.state == "done", (job.folder / "log.txt").read_text()
    return job


def test_tools_that_need_a_specialist_are_not_offered_without_one(
    tmp_path: Path, folder: Path
) -> None:
    files, specialists = Files(folder), Specialists(tmp_path)
    tools = [*tools_of(Classify(specialists, files)), *tools_of(Train(specialists, files))]
    assert [tool.name for tool in tools if spec(tool)] == ["train_specialist"]


def test_nothing_is_trained_where_no_file_has_rows(tmp_path: Path) -> None:
    train = Train(Specialists(tmp_path), Files(tmp_path))
    assert spec(train.train_specialist) is None


def test_only_files_that_are_there_can_be_trained_on(box: dict[str, BaseTool]) -> None:
    now = spec(box["train_specialist"])
    assert now is not None
    assert now.parameters["properties"]["path"]["enum"] == ["messages.csv"]


def test_the_plan_is_shown_before_it_is_agreed_to(box: dict[str, BaseTool]) -> None:
    shown = preview(box["train_specialist"], {"path": "messages.csv", "name": "topics"})
    assert "400 rows read" in shown
    assert "held out" in shown
    assert "all-minilm-l6-v2" in shown


def test_a_column_that_is_not_there_is_told_to_the_model(box: dict[str, BaseTool]) -> None:
    with pytest.raises(ToolError, match="topic"):
        preview(box["train_specialist"], {"path": "messages.csv", "label_column": "topik"})


def test_a_name_that_is_none_is_told_with_one_that_is(box: dict[str, BaseTool]) -> None:
    with pytest.raises(ToolError, match="my-topics"):
        preview(box["train_specialist"], {"path": "messages.csv", "name": "My Topics!"})


def test_a_trained_specialist_and_its_labels_are_live_choices(
    box: dict[str, BaseTool], trained: str
) -> None:
    now = spec(box["classify_text"])
    assert now is not None
    place = now.parameters["properties"]["specialist"]
    assert place["enum"] == ["topics"]
    assert "delivery, payment, stock" in place["description"]
    assert set(now.subjects) == {"topics", "topic"}


def test_one_text_gets_its_label(box: dict[str, BaseTool], trained: str) -> None:
    given = {"specialist": trained, "texts": ["the parcel is late and the courier is at my door"]}
    assert invoke(box["classify_text"], given).startswith("delivery (")


def test_several_texts_are_classified_at_once_and_told_apart(
    box: dict[str, BaseTool], trained: str
) -> None:
    texts = ["my card was debited twice", "when is my parcel shipped by courier"]
    lines = invoke(box["classify_text"], {"specialist": trained, "texts": texts}).splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["payment", "delivery"]
    assert all(text in line for text, line in zip(texts, lines, strict=True))


class _Knows(Classifier):
    """Is sure of the first label where "parcel" stands."""

    def __init__(self) -> None:
        self.labels = ("delivery", "stock")
        self.reads = 256

    def confidences(
        self, texts: Sequence[str], temperature: float = 1.0, report: Report = silent
    ) -> np.ndarray:
        return np.array([[0.9, 0.1] if "parcel" in text else [0.4, 0.6] for text in texts])


def test_the_word_without_which_the_confidence_falls_decided() -> None:
    falls = dict(explain(_Knows(), "my parcel is late", 1.0))
    assert falls == pytest.approx({"my": 0.0, "parcel": 0.5, "is": 0.0, "late": 0.0})


def test_the_words_that_decided_are_named(box: dict[str, BaseTool], trained: str) -> None:
    given = {"specialist": trained, "text": "the courier with my parcel"}
    said = invoke(box["explain_class"], given)
    named = said.partition("; decided by: ")[2].split(", ")
    assert sorted(one.partition(" ")[0] for one in named) == sorted(
        ["the", "courier", "with", "my", "parcel"]
    )


def test_what_is_less_sure_than_the_threshold_is_unknown(home: Path, trained: str) -> None:
    manifest = replace(Specialists(home).registry.manifest(trained), threshold=0.6)
    assert verdict(manifest, [0.1, 0.3, 0.6]) == "stock (60% sure)"
    assert verdict(manifest, [0.1, 0.5, 0.4]) == "unknown (the nearest is payment, 50% sure)"


def test_an_empty_text_is_refused(box: dict[str, BaseTool], trained: str) -> None:
    with pytest.raises(ToolError, match="empty"):
        invoke(box["classify_text"], {"specialist": trained, "texts": [" "]})


def test_a_file_is_classified_into_a_new_one_beside_it(
    box: dict[str, BaseTool], trained: str, folder: Path
) -> None:
    seen: list[tuple[int, int, str]] = []
    hear(lambda *far: seen.append(far), Origin())
    said = invoke(box["classify_file"], {"specialist": trained, "path": "messages.csv"})
    assert said.startswith("400 rows are labelled and saved in messages.topics.csv: ")
    assert seen[-1] == (400, 400, "texts")
    with (folder / "messages.topics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["message", "topic", "topics", "confidence"]
    assert sum(row["topic"] == row["topics"] for row in rows) > 360
    (folder / "messages.topics.csv").unlink()


def test_the_classified_rows_go_where_the_user_wants_them(
    box: dict[str, BaseTool], trained: str, folder: Path
) -> None:
    given = {"specialist": trained, "path": "messages.csv", "save_as": "sorted.csv"}
    shown = preview(box["classify_file"], given)
    assert shown == "400 texts of messages.csv, column 'message'; sorted.csv is written"
    assert "saved in sorted.csv" in invoke(box["classify_file"], given)
    assert "sorted.csv is REPLACED" in preview(box["classify_file"], given)
    (folder / "sorted.csv").unlink()


@pytest.mark.parametrize(
    ("save_as", "why"),
    [("sorted.json", "sorted.csv"), ("messages.csv", "over itself"), ("../out.csv", "out.csv")],
)
def test_classified_rows_replace_nothing_else(
    box: dict[str, BaseTool], trained: str, folder: Path, save_as: str, why: str
) -> None:
    before = sorted(folder.iterdir()), (folder / "messages.csv").read_bytes()
    given = {"specialist": trained, "path": "messages.csv", "save_as": save_as}
    with pytest.raises(ToolError, match=why):
        preview(box["classify_file"], given)
    with pytest.raises(ToolError, match=why):
        invoke(box["classify_file"], given)
    assert (sorted(folder.iterdir()), (folder / "messages.csv").read_bytes()) == before


def test_columns_of_the_file_keep_their_names(home: Path, trained: str, tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    file.write_text("message,topics,topics_said\nmy parcel is late with the courier,a,b\n")
    label_file(Specialists(home), trained, file)
    with (tmp_path / "more.topics.csv").open(newline="") as out:
        rows = list(csv.reader(out))
    heads = ["message", "topics", "topics_said", "topics_said_said", "confidence"]
    assert rows[0] == heads
    assert rows[1][:4] == ["my parcel is late with the courier", "a", "b", "delivery"]


def test_how_good_a_specialist_is_can_be_asked(
    box: dict[str, BaseTool], home: Path, trained: str
) -> None:
    said = invoke(box["describe_specialist"], {"specialist": trained})
    one = Specialists(home).registry.manifest(trained)
    assert f"accuracy {one.score:.4g} on {one.held_rows} held-out rows" in said
    assert "delivery, payment, stock" in said
    assert "cut at" in said  # a limit
    assert "\\" not in said


def test_a_file_without_labels_is_not_learnt_from(box: dict[str, BaseTool], folder: Path) -> None:
    (folder / "bare.csv").write_text(
        "message\n" + "".join(f"the text of number {n} is here\n" for n in range(60))
    )
    with pytest.raises(ToolError, match="no column of labels"):
        preview(box["train_specialist"], {"path": "bare.csv"})
    (folder / "bare.csv").unlink()


def test_a_training_that_does_not_fit_waits_and_says_so(
    home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.specialists.compute.free", lambda: 1 << 20)
    train = Train(Specialists(home), Files(folder))
    given = {"path": "messages.csv", "name": "large"}
    assert "will wait for room" in preview(train.train_specialist, given)
    assert "large-1" in invoke(train.train_specialist, given)
    job = Jobs(home).stop("large-1")
    while job.state in ALIVE:
        time.sleep(0.1)
        job = job.reread()
    assert job.plan.memory > 1 << 20


def test_a_specialist_is_measured_on_a_file(box: dict[str, BaseTool], trained: str) -> None:
    said = invoke(box["evaluate_specialist"], {"specialist": trained, "path": "messages.csv"})
    assert said.startswith("topics version 1 on ")
    assert float(said.rpartition(" ")[2]) > 0.9


def test_nothing_is_measured_on_rows_that_were_trained_on(home: Path, folder: Path) -> None:
    file = folder / "messages.csv"
    one = Specialists(home).registry.manifest("topics")
    kept = unseen(one, file).held
    assert len(kept) == one.held_rows
    beside = {"trained_on_sha256": one.data_sha256}  # as with a held-out file of its own
    other = replace(one, data_sha256="0" * 64, settings={**one.settings, **beside})
    with pytest.raises(SpecialistError, match=r"was trained on every row of messages\.csv"):
        unseen(other, file)


def test_a_model_is_needed_under_each_of_its_names(tmp_path: Path) -> None:
    base = small.bert(tmp_path / "models" / "org--small")
    file = small.write(tmp_path / "topics.jsonl", small.rows("classifier"))
    plan = propose(tmp_path, Wishes(file, base=str(base), method="lora")).plan
    jobs = Jobs(tmp_path)
    job = jobs.start(replace(plan, memory=1 << 60))
    try:
        assert bases.needed_by(tmp_path, "org/small") == [job.id]
        assert bases.needed_by(tmp_path, "org--small") == [job.id]
        assert bases.needed_by(tmp_path, "other") == []
    finally:
        jobs.stop(job.id)


def test_the_state_of_a_training_can_be_asked(box: dict[str, BaseTool], trained: str) -> None:
    said = invoke(box["training_status"], {"job": "topics-1"})
    assert said == "topics-1 is done: topics@1 is promoted"


def test_a_new_version_is_promoted_only_when_asked(
    home: Path, box: dict[str, BaseTool], trained: str
) -> None:
    said = invoke(box["train_specialist"], {"path": "messages.csv", "name": "topics"})
    assert "only begun" in said
    job = ended(Jobs(home).job("topics-2"))
    registry = Specialists(home).registry
    assert job.version == 2
    assert registry.promoted("topics") == 1
    assert "version 1" in registry.manifest("topics", 2).baselines
    now = spec(box["promote_specialist"])
    assert now is not None
    assert now.parameters["properties"]["version"]["enum"] == ["topics@2"]
    with pytest.raises(ToolError, match="worse"):  # at the rate of models that know something
        invoke(box["promote_specialist"], {"version": "topics@2"})
    assert registry.promoted("topics") == 1


@pytest.mark.parametrize("damage", ["[]", '{"version": "no"}', "not json", ""])
def test_a_damaged_version_does_not_end_the_one_in_use(
    home: Path, box: dict[str, BaseTool], trained: str, damage: str
) -> None:
    broken = home / "specialists" / "topics" / "9"
    broken.mkdir()
    (broken / "manifest.json").write_text(damage)
    try:
        texts = {"specialist": trained, "texts": ["my card was debited twice"]}
        assert invoke(box["classify_text"], texts).startswith("payment")
    finally:
        (broken / "manifest.json").unlink()
        broken.rmdir()
