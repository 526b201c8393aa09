"""`tinsmith train`, `jobs` and `specialists` as a user runs them, with a small model made here."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import small
from tests.emulator import Emulator
from tests.test_cli import ROOT, here, scripted, tinsmith

ROWS = [("message", "topic"), *((row["text"], row["label"]) for row in small.rows("classifier"))]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder in which `topics` was trained by the command."""
    home = tmp_path_factory.mktemp("home")
    small.bert(home / "models" / "all-minilm-l6-v2")
    file = write(home / "messages.csv", ROWS)
    done = tinsmith(
        *("train", str(file), "--name", "topics", "--yes", "--epochs", "25", "--rate", "5e-3"),
        env={"TINSMITH_HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    assert "topics@1: accuracy" in done.stdout
    assert "topics@1 is promoted" in done.stdout
    assert "training" in done.stderr
    return home


@pytest.fixture
def home(trained: Path, state: Path) -> Path:
    """A copy of it, for this test alone."""
    shutil.copytree(trained, state)
    return state


@pytest.fixture
def base(state: Path) -> Path:
    return small.bert(state / "models" / "all-minilm-l6-v2")


def write(file: Path, rows: Sequence[Sequence[str]]) -> Path:
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(rows)
    return file


def refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_a_dry_run_shows_the_plan_and_starts_nothing(tmp_path: Path, base: Path) -> None:
    file = write(tmp_path / "messages.csv", [*ROWS, ("", "stock"), ROWS[1]])
    done = here("train", str(file), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "messages: a classifier" in done.stdout
    assert "empty text" in done.stdout
    assert str(len(ROWS) + 1) in done.stdout  # the line of the empty one
    assert here("jobs").stdout == ""


def test_nothing_begins_when_nobody_can_agree(tmp_path: Path, base: Path) -> None:
    file = write(tmp_path / "messages.csv", ROWS)
    refused(here("train", str(file)), 2, "--yes")
    assert here("jobs").stdout == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--label", "topik"], "topic"),
        (["--text", "body"], "message"),
        (["--column", "label"], "ROLE=COLUMN"),
        (["--base", "all-minilm"], "all-minilm-l6-v2"),
        (["--base", "promoted"], "no version of messages is promoted"),
        (["--name", "Bad Name"], "bad-name"),
        (["--epochs", "many"], "auto"),
        (["--rate", "3"], "learning rate"),
        (["--batch", "-1"], "--batch -1"),
        (["--layers", "2"], "--method head"),
        (["--task", "embedder", "--method", "prefix"], "prefix"),
        (["--held-out", "nowhere.csv"], "nowhere.csv"),
        (["--method", "magic"], "magic"),
        (["--processes", "100000"], "this machine has room for"),
    ],
)  # fmt: skip
def test_a_wrong_wish_is_told(tmp_path: Path, base: Path, words: list[str], told: str) -> None:
    file = write(tmp_path / "messages.csv", ROWS)
    refused(here("train", str(file), "--dry-run", *words), 2, told)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 20, "picture"),
        (b"message,topic\n" + b"my parcel is late,stock\n" * 3, "20 rows are needed"),
        (b"message,topic\n" + b"".join(b"text %d,stock\n" % n for n in range(90)), "stock"),
    ],
    ids=["empty", "binary", "few rows", "one label"],
)
def test_a_hopeless_file_is_told(tmp_path: Path, base: Path, content: bytes, told: str) -> None:
    file = tmp_path / "messages.csv"
    file.write_bytes(content)
    refused(here("train", str(file), "--dry-run"), 2, "messages.csv", told)


def test_a_chat_model_is_not_named_as_another(tmp_path: Path, state: Path) -> None:
    small.llama(state / "models" / "little")
    file = small.write(tmp_path / "talks.jsonl", small.rows("causal"))
    for name in ("little", "smollm2-135m"):
        words = ("train", str(file), "--base", "little", "--name", name, "--dry-run")
        refused(here(*words), 2, f"{name} is the name of a model", "--name")


def test_a_file_that_is_not_there_is_told(base: Path) -> None:
    refused(here("train", "nowhere.csv", "--dry-run"), 2, "nowhere.csv")


def test_a_pickle_is_no_base(tmp_path: Path, base: Path) -> None:
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    file = write(tmp_path / "messages.csv", ROWS)
    refused(here("train", str(file), "--dry-run"), 2, "pytorch_model.bin", "safetensors")


def test_jobs_are_listed_and_drawn(home: Path) -> None:
    assert "topics-1" in here("jobs").stdout
    shown = here("jobs", "show", "topics-1").stdout
    assert "held-out rows" in shown
    assert "┤" in shown  # a plot
    assert "\x1b" not in shown
    assert "done: topics@1 is promoted" in here("jobs", "log", "topics-1").stdout
    refused(here("jobs", "stop", "topics-1"), 1, "it is done")
    refused(here("jobs", "continue", "topics-1"), 1, "nothing to continue")
    refused(here("jobs", "show", "topic-1"), 2, "topics-1")
    assert "removed topics-1" in here("jobs", "rm", "topics-1").stdout
    assert here("jobs").stdout == ""
    assert "topics@1" in here("specialists").stdout


def test_a_job_that_was_damaged_is_told_and_can_be_removed(home: Path) -> None:
    (home / "jobs" / "topics-1" / "job.json").write_text('{"plan": 3}')
    listed = here("jobs")
    assert listed.returncode == 0
    assert "job.json" in listed.stderr
    assert "Traceback" not in listed.stderr
    assert here("jobs", "rm", "topics-1").returncode == 0


def test_versions_are_promoted_rolled_back_and_removed(home: Path) -> None:
    shutil.copytree(home / "specialists" / "topics" / "1", home / "specialists" / "topics" / "2")
    place = home / "specialists" / "topics" / "2" / "manifest.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"version": 2}))
    assert "the same" in here("specialists", "compare", "topics", "topics@2").stdout
    assert "topics@2 is promoted" in here("specialists", "promote", "topics@2").stdout
    assert "promoted" in here("specialists", "rollback", "topics").stdout
    refused(here("specialists", "rollback", "topics"), 1, "topics")
    refused(here("specialists", "rm", "topics@1"), 1, "promote")
    assert "removed topics@2" in here("specialists", "rm", "topics@2").stdout
    refused(here("specialists", "promote", "topics@2"), 2, "topics")
    refused(here("specialists", "rm", "topics"), 2, "topics@1 is in use", "--yes")
    assert "removed topics" in here("specialists", "rm", "topics", "--yes").stdout
    assert "none yet" in here("specialists").stderr


def test_a_specialist_goes_to_another_machine(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "topics.zip"
    assert tinsmith("specialists", "export", "topics", str(file)).returncode == 0
    other = {"TINSMITH_HOME": str(tmp_path / "other")}
    done = tinsmith("specialists", "import", str(file), env=other)
    assert "topics@1 is here" in done.stdout
    rows = write(tmp_path / "rows.csv", ROWS)
    shutil.copytree(home / "models", tmp_path / "other" / "models")
    measured = tinsmith("specialists", "evaluate", "topics", str(rows), env=other)
    assert "accuracy 0.9" in measured.stdout or "accuracy 1.0" in measured.stdout, measured.stderr
    assert "recall" in measured.stdout
    refused(tinsmith("specialists", "import", str(rows), env=other), 1, "rows.csv")


def test_nonsense_in_a_manifest_is_told(home: Path) -> None:
    place = home / "specialists" / "topics" / "1" / "manifest.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"labels": "many"}))
    for words in (["show", "topics"], ["evaluate", "topics", str(home / "messages.csv")]):
        refused(here("specialists", *words), 1, "manifest.json", "labels")
    listed = here("specialists")
    assert listed.returncode == 0
    assert "labels" in listed.stderr


def test_the_card_is_shown(home: Path) -> None:
    shown = here("specialists", "show", "topics").stdout
    assert "delivery, payment, stock" in shown
    assert "Limits" in shown
    assert not re.search(r"[#\\]|!\[|\x1b", shown)  # it is drawn, not its Markdown


def test_the_rows_of_a_file_are_labelled(home: Path, tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.csv", [("message",), *((text,) for text, _ in ROWS[1:41])])
    done = here("specialists", "label", "topics", str(rows))
    assert done.stdout.startswith("40 rows are labelled and saved in rows.topics.csv: ")
    out = tmp_path / "said.csv"
    words = ("specialists", "label", "topics", str(rows), "--text", "message", "--out", str(out))
    assert here(*words).returncode == 0
    assert out.read_text() == (tmp_path / "rows.topics.csv").read_text()
    refused(here(*words), 2, "said.csv is there already")
    refused(here("specialists", "evaluate", "topics", str(rows)), 2, "specialists label topics")
    assert out.stat().st_mode & 0o777 == rows.stat().st_mode & 0o777
    out.unlink()
    refused(here(*words[:5], "masage", "--out", str(out)), 2, "message")
    refused(here(*words[:7], str(tmp_path / "said.txt")), 2, "said.csv")
    refused(here(*words[:7], "/proc/said.csv"), 1, "/proc/said.csv cannot be written")
    refused(here(*words[:7], str(tmp_path / "no" / "said.csv")), 2, "there is no folder")
    refused(here(*words[:3], "."), 2, "is a folder")
    rows = tmp_path / "odd.jsonl"
    rows.write_text('{"message": "half \\ud800 one"}\n{"message": 0}\n{"message": ["a"]}\n')
    done = here(*words[:3], str(rows), "--text", "message")
    assert done.stdout.startswith("3 rows are labelled"), done.stderr


def test_a_base_that_is_needed_stays(home: Path) -> None:
    file = home / "messages.csv"
    begun = tinsmith("train", str(file), "--name", "small", "--yes", "--detach", "--method", "lora")
    assert begun.returncode == 0, begun.stderr
    refused(tinsmith("models", "rm", "all-minilm-l6-v2"), 1, "small-1", "tinsmith jobs rm")
    stopped = tinsmith("jobs", "stop", "small-1")
    assert stopped.stdout.startswith("small-1 is stopped")
    assert tinsmith("jobs", "rm", "small-1").returncode == 0
    assert tinsmith("models", "rm", "all-minilm-l6-v2").returncode == 0


def begin_training(one: Emulator, *plan: str) -> None:
    """Ask for it, see the plan, and allow it."""
    one.see("Ctrl-D leaves")
    one.send("learn to sort these by topic\r")
    for part in plan:
        one.see(part, seconds=120)
    one.see("dit the call")
    one.send("o")
    one.see("It has begun")


def test_one_learns_and_uses_it_without_leaving_the_talk(tmp_path: Path, base: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    write(work / "messages.csv", ROWS)
    texts = ["my card was debited twice"]
    options = scripted(
        tmp_path,
        {"call": "train_specialist", "arguments": {"path": "messages.csv", "name": "topics"}},
        {"say": "It has begun."},
        {"call": "classify_text", "arguments": {"specialist": "topics", "texts": texts}},
        {"say": "It is payment."},
    )
    one = Emulator("chat", *options, cwd=work, columns=160, rows=40)
    begin_training(one, "160 rows read")
    one.see("topics@1: accuracy", seconds=240)
    # the small base learns too little
    one.see("/specialists promote topics@1 uses it from now on")
    one.send("/specialists promote topics\r")
    one.see("topics@1 is promoted")
    one.send("which topic is this: my card was debited twice?\r")
    one.see("classify_text.*→ (delivery|payment|stock|unknown)", seconds=120)
    one.see("It is payment")
    one.send("/jobs\r")
    one.see("topics-1 +done")
    one.send("/specialists promote topic\r")
    one.see("did you mean")
    assert one.leave() == 0


def test_a_model_is_set_aside_for_a_training_and_comes_back(tmp_path: Path, base: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    write(work / "messages.csv", ROWS)
    free = tmp_path / "free"
    free.write_text("1000000")
    told = {"path": "messages.csv", "name": "topics"}
    options = scripted(
        tmp_path, {"call": "train_specialist", "arguments": told}, {"say": "It has begun."}
    )
    disturbed = str(Path(__file__).parent / "disturbed")
    env = {"PYTHONPATH": f"{disturbed}:{ROOT}", "TEST_FREE": str(free)}
    one = Emulator("chat", *options, cwd=work, env=env, columns=160, rows=40)
    begin_training(one, "TOO LITTLE", "will wait for room")
    one.see("topics-1 is waiting for memory: .* GB are needed", seconds=120)
    try:
        one.see("\\[a\\]side until it is done")
        one.send("maybe")
        one.see("send or clear the line to be asked")
        one.send("\x7f" * 5)
        one.see("\\[a\\]side until it is done")
        one.send("a")
        one.gone("\\[a\\]side")
        one.send("are you there?\r")
        one.see("the model is set aside until topics-1 has ended")
        one.send("/new\r")
        one.see("back to the last with /resume")
        scripted(tmp_path, {"say": "I am back."})
        free.write_text("100000000000")
        one.see("topics@1: accuracy", seconds=240)
        one.send("and now?\r")
        one.see("I am back")
        assert one.leave() == 0
    finally:
        tinsmith("jobs", "begin", "topics-1")
        tinsmith("jobs", "stop", "topics-1")


def test_a_training_does_not_go_on_with_other_examples(home: Path) -> None:
    file = write(home / "other.csv", ROWS)
    begun = tinsmith("train", str(file), "--name", "other", "--yes", "--detach")
    assert begun.returncode == 0, begun.stderr
    file.write_text(file.read_text() + "one more parcel,delivery\n")
    tinsmith("jobs", "stop", "other-1")
    tinsmith("jobs", "watch", "other-1")
    tinsmith("jobs", "continue", "other-1")
    watched = tinsmith("jobs", "watch", "other-1")
    refused(watched, 1, "other.csv has changed", "train anew")
