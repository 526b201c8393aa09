from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as options
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from tools.errors import SpecialistError, UnknownSpecialist
from tools.specialists import archive
from tools.specialists import manifest as manifests
from tools.specialists.card import card
from tools.specialists.manifest import Manifest
from tools.specialists.registry import Registry

ONE = Manifest(
    name="topics",
    version=1,
    task="classifier",
    labels=("sport", "politics"),
    many=False,
    base="answerdotai/ModernBERT-base",
    method="full",
    came_from=0,
    data="news.csv",
    data_sha256="d" * 64,
    rows=800,
    held_rows=200,
    held_sha256="e" * 64,
    settings={"epochs": 3, "rate": 2e-4},
    metric="accuracy",
    metrics={
        "accuracy": 0.9,
        "macro_f1": 0.7,
        "calibration_error": 0.12,
        "per_label": {
            "sport": {"precision": 0.95, "recall": 0.9, "f1": 0.92, "rows": 190},
            "politics": {"precision": 0.4, "recall": 0.6, "f1": 0.48, "rows": 10},
        },
        "confusion": [[171, 19], [4, 6]],
    },
    baselines={"majority label": {"accuracy": 0.95}},
    threshold=0.4,
    temperature=1.3,
    length=256,
    seconds=12.5,
    versions={"torch": "2.7"},
    created="2026-05-31T12:00:00+00:00",
    files={},
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture
def registry(state: Path) -> Registry:
    return Registry(state)


@pytest.fixture
def finished(tmp_path: Path) -> Callable[[], Path]:
    """Makes a folder as a training leaves it."""

    def make() -> Path:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        save_file({"weight": np.arange(8, dtype=np.float32)}, folder / "model.safetensors")
        (folder / "config.json").write_text("{}")
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text("{}")
        return folder

    return make


@pytest.fixture
def add(registry: Registry, finished: Callable[[], Path]) -> Callable[..., Manifest]:
    def one(accuracy: float = 0.9, **facts: Any) -> Manifest:
        facts = {"metrics": {**ONE.metrics, "accuracy": accuracy}, **facts}
        return registry.add(finished(), replace(ONE, **facts))

    return one


def facts(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / manifests.FILE).read_text())
    return read


# the manifest


def test_a_manifest_reads_as_it_was_written(tmp_path: Path) -> None:
    one = replace(ONE, labels=("Straße", "日本"))
    manifests.write(tmp_path, one)
    assert manifests.read(tmp_path) == one


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lables": []}, "no such entry \"lables\"; did you mean 'labels'"),
        ({"version": 0}, "version is 0; it must be 1 or more"),
        ({"version": True}, "version is true; it must be a whole number"),
        ({"metric": "acuracy"}, 'metric is "acuracy", which is not in metrics'),
        ({"metric": "per_label"}, r"metrics.per_label is .*; it must be a number"),
        ({"metrics": [1]}, r"metrics is \[1\]; it must be an object"),
        ({"metrics": {"accuracy": float("nan")}}, "metrics.accuracy is NaN"),
        ({"metrics": {"accuracy": 90}}, "accuracy of metrics is 90; it must be in 0 to 1"),
        ({"labels": ["a", 1]}, "labels is .*; it must be a list of texts"),
        ({"labels": ["a", "a"]}, "they must differ"),
        ({"labels": ["\ud800", "b"]}, "half a character"),
        ({"task": "poet"}, 'task is "poet"; it must be one of classifier, tagger'),
        ({"temperature": 0}, "temperature is 0; it must be over 0"),
        ({"threshold": "high"}, 'threshold is "high"; it must be a number or null'),
        ({"rows": 10**5000}, "rows is a number of too many digits"),
        ({"files": {"../x": "1"}}, "files is .*; its names must be of files in the folder"),
        ({"created": "yesterday"}, 'created is "yesterday"'),
        ({"data": "/home/me/news.csv"}, "without its folder"),
        ({"baselines": {"base": 3}}, "baselines is .*; it must be an object in which each value"),
    ],
)
def test_nonsense_in_a_manifest_is_named(change: dict[str, Any], said: str) -> None:
    value = {**ONE.__dict__, "labels": list(ONE.labels), **change}
    with pytest.raises(SpecialistError, match=f"m.json: .*{said}"):
        manifests.from_json(value, "m.json")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "null"]
)
def test_a_file_that_is_no_manifest_is_an_error(text: str) -> None:
    with pytest.raises(SpecialistError, match=r"^m\.json"):
        manifests.parse(text, "m.json")


def test_a_missing_entry_is_named(tmp_path: Path) -> None:
    manifests.write(tmp_path, ONE)
    value = facts(tmp_path)
    del value["held_rows"]
    (tmp_path / manifests.FILE).write_text(json.dumps(value))
    with pytest.raises(SpecialistError, match=r"manifest\.json: held_rows is missing"):
        manifests.read(tmp_path)


@options(max_examples=150, deadline=None)
@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_a_manifest_or_a_specialist_error(text: str) -> None:
    try:
        manifests.parse(text, "x")
    except SpecialistError:
        return


@options(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(ONE.__dict__)), JSON)
def test_any_value_of_an_entry_is_taken_or_refused_and_has_a_card(entry: str, value: Any) -> None:
    text = json.dumps({**ONE.__dict__, entry: value})
    try:
        one = manifests.parse(text, "x")
    except SpecialistError:
        return
    assert card(one).startswith("---\n")


def test_a_name_that_cannot_be_comes_with_one_that_can() -> None:
    for name in ("Meine Straße!", "../../etc", "", "日本", "x" * 80, "-a", "a\n"):
        with pytest.raises(SpecialistError, match="how about") as error:
            manifests.checked_name(name)
        proposal = str(error.value).rpartition("'")[0].rpartition("'")[2]
        assert manifests.checked_name(proposal) == proposal


def test_versions_are_compared_only_on_the_same_rows_by_the_same_metric() -> None:
    better = replace(ONE, metrics={**ONE.metrics, "accuracy": 0.95})
    assert better.better_than(ONE) is True
    assert ONE.better_than(better) is False
    assert ONE.better_than(ONE) is False
    assert better.better_than(replace(ONE, held_sha256="f")) is None
    assert better.better_than(replace(ONE, metric="macro_f1")) is None
    assert replace(better, held_rows=0).better_than(replace(ONE, held_rows=0)) is None


def test_a_lower_perplexity_is_better() -> None:
    high = replace(ONE, task="masked", metric="perplexity", metrics={"perplexity": 9.0})
    assert replace(high, metrics={"perplexity": 5.0}).better_than(high) is True


# versions


def test_a_version_comes_with_its_number_its_hashes_and_its_card(
    registry: Registry, finished: Callable[[], Path]
) -> None:
    source = finished()
    one = registry.add(source, replace(ONE, version=7))
    assert not source.exists()
    assert (one.version, registry.names(), registry.versions("topics")) == (1, ["topics"], [1])
    assert {*one.files} == {
        "1_Pooling/config.json", "README.md", "config.json", "model.safetensors"
    }  # fmt: skip
    assert "# topics, version 1" in (registry.folder("topics", 1) / "README.md").read_text()
    registry.verify("topics", 1)
    assert registry.promoted("topics") is None


@pytest.mark.parametrize("name", ["pytorch_model.bin", "1_Pooling/training_args.PT", "x.ckpt"])
def test_a_folder_with_a_pickle_is_refused(
    registry: Registry, finished: Callable[[], Path], name: str
) -> None:
    source = finished()
    (source / name).write_bytes(b"")
    with pytest.raises(SpecialistError, match=f"{name} may be a pickle"):
        registry.add(source, ONE)
    assert registry.names() == []


def test_a_folder_without_sound_weights_is_refused(
    registry: Registry, finished: Callable[[], Path]
) -> None:
    source = finished()
    weights = source / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(SpecialistError, match=r"model\.safetensors is no whole"):
        registry.add(source, ONE)
    weights.unlink()
    with pytest.raises(SpecialistError, match="has no weights"):
        registry.add(source, ONE)
    weights.symlink_to("/etc/passwd")
    with pytest.raises(SpecialistError, match="no plain file"):
        registry.add(source, ONE)


def test_a_version_comes_from_another_disk_whole(registry: Registry) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        source = Path(other) / "made"
        source.mkdir()
        save_file({"weight": np.zeros(4)}, source / "model.safetensors")
        registry.add(source, ONE)
        assert not source.exists()
    registry.verify("topics", 1)


def test_what_a_killed_program_left_goes_with_the_next_version(
    registry: Registry, add: Callable[..., Manifest]
) -> None:
    left = registry.place / "topics" / ".new-left"
    left.mkdir(parents=True)
    (registry.place / ".gone-left").mkdir()
    (registry.place / ".in-at-work").mkdir()
    assert registry.names() == []
    add()
    hidden = [path.name for path in registry.place.rglob(".*") if path.is_dir()]
    assert hidden == [".in-at-work"]


def test_an_unknown_specialist_shows_the_nearest(
    registry: Registry, add: Callable[..., Manifest]
) -> None:
    with pytest.raises(UnknownSpecialist, match="there are none yet"):
        registry.find("topics")
    add()
    with pytest.raises(UnknownSpecialist, match="did you mean topics"):
        registry.manifest("topcs")
    with pytest.raises(UnknownSpecialist, match="no version of topics is promoted yet"):
        registry.manifest("topics")
    with pytest.raises(UnknownSpecialist, match="no version 3 of topics; there are: 1"):
        registry.find("topics@3")
    for odd in ("topics@x", "topics@", f"topics@{'9' * 5000}", "../topics", "@", ""):
        with pytest.raises(UnknownSpecialist):
            registry.find(odd)


def test_a_reference_is_the_promoted_version_else_the_latest(
    registry: Registry, add: Callable[..., Manifest]
) -> None:
    add(), add()
    assert registry.find("topics") == ("topics", 2)
    registry.promote("topics", 1)
    assert registry.find("topics") == ("topics", 1)
    assert registry.find("topics@2") == ("topics", 2)


def test_a_folder_put_there_by_hand_must_match_its_manifest(
    registry: Registry, add: Callable[..., Manifest]
) -> None:
    add()
    registry.folder("topics", 1).rename(registry.place / "topics" / "4")
    with pytest.raises(SpecialistError, match="is that of topics@1"):
        registry.manifest("topics", 4)


# promoting


def test_a_worse_version_is_promoted_only_when_the_user_insists(
    registry: Registry, add: Callable[..., Manifest]
) -> None:
    add(0.9), add(0.8), add(0.95)
    assert registry.promote("topics", 1) == "topics@1 is promoted"
    with pytest.raises(SpecialistError, match=r"measures worse.*accuracy 0.8; version 1 has 0.9"):
        registry.promote("topics", 2)
    assert registry.promoted("topics") == 1
    assert "in place of version 1" in registry.promote("topics", 3)
    registry.promote("topics", 2, insist=True)
    assert registry.manifest("topics").version == 2
    assert "already" in registry.promote("topics", 2)


def test_what_cannot_be_compared_is_not_promoted_unasked(
    registry: Registry, add: Callable[..., Manifest]
) -> None:
    add(0.5), add(0.9, held_sha256="f" * 64)
    registry.promote("topics", 1)
    with pytest.raises(SpecialistError, match="tinsmith specialists compare topics@2 topics@1"):
        registry.promote("topics", 2)
    assert registry.promote("topics", 2, insist=True).endswith("on other held-out rows")


def test_rollback_goes_back_step_by_step(registry: Registry, add: Callable[..., Manifest]) -> None:
    add(0.7), add(0.8), add(0.9)
    with pytest.raises(SpecialistError, match="no version of topics is promoted"):
        registry.rollback("topics")
    for version in (1, 2, 3):
        registry.promote("topics", version)
    registry.remove("topics", 2)
    assert registry.rollback("topics").startswith("topics@1 is promoted again")
    with pytest.raises(SpecialistError, match="promote one of: 1, 3"):
        registry.rollback("topics")
    assert json.loads((registry.place / "topics" / "promoted.json").read_text()) == {
        "promoted": 1,
        "history": [],
    }


def test_a_damaged_version_is_not_promoted(
    registry: Registry, add: Callable[..., Manifest]
) -> None:
    add()
    weights = registry.folder("topics", 1) / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(SpecialistError, match=r"model\.safetensors has changed since"):
        registry.promote("topics", 1)
    weights.unlink()
    with pytest.raises(SpecialistError, match=r"model\.safetensors is missing"):
        registry.promote("topics", 1)
    assert registry.promoted("topics") is None


def test_verify_sees_a_changed_tokenizer_and_weights_that_were_added(
    registry: Registry, add: Callable[..., Manifest]
) -> None:
    add()
    folder = registry.folder("topics", 1)
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(SpecialistError, match=r"pytorch_model\.bin was not there"):
        registry.verify("topics", 1)
    (folder / "pytorch_model.bin").unlink()
    (folder / "config.json").write_text('{"a": 1}')
    with pytest.raises(SpecialistError, match=r"config\.json has changed"):
        registry.verify("topics", 1)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"promoted": 1}', '{"promoted": true, "history": []}',
             '{"promoted": 1, "history": ["2"]}', '{"promoted": 1, "history": [], "x": 1}', "\xff"]
)  # fmt: skip
def test_a_damaged_promotion_says_the_way_out_which_repairs_it(
    registry: Registry, add: Callable[..., Manifest], text: str
) -> None:
    add()
    (registry.place / "topics" / "promoted.json").write_text(text, "latin-1")
    for reads in (registry.promoted, registry.manifest, registry.find, registry.rollback):
        with pytest.raises(SpecialistError, match="tinsmith specialists promote topics@"):
            reads("topics")
    assert registry.usable("classifier") == []
    assert "was damaged" in registry.promote("topics", 1)
    assert registry.promoted("topics") == 1


def test_usable_ones_are_promoted_of_the_task_and_can_be_read(
    registry: Registry, add: Callable[..., Manifest]
) -> None:
    for name in ("a", "b", "c", "d", "e"):
        add(name=name)
        registry.promote(name, 1) if name != "a" else None
    (registry.folder("b", 1) / manifests.FILE).write_text("{")
    (registry.folder("c", 1) / "model.safetensors").unlink()
    (registry.place / "e" / "promoted.json").write_text('{"promoted": 9, "history": []}')
    assert [one.name for one in registry.usable("classifier")] == ["d"]
    assert registry.usable("tagger") == []


def test_usable_sees_what_another_program_promoted(
    registry: Registry, add: Callable[..., Manifest], state: Path
) -> None:
    add(), add()
    other = Registry(state)
    for version in (1, 2):
        other.promote("topics", version)
        assert [one.version for one in registry.usable("classifier")] == [version]


# removing


def test_the_promoted_version_goes_only_with_all_others(
    registry: Registry, add: Callable[..., Manifest]
) -> None:
    add(), add()
    registry.promote("topics", 1)
    with pytest.raises(SpecialistError, match="promote another version first"):
        registry.remove("topics", 1)
    size = sum(path.stat().st_size for path in registry.folder("topics", 2).rglob("*.*"))
    assert registry.remove("topics", 2) >= size
    assert registry.remove("topics", None) > 0
    assert registry.names() == []
    with pytest.raises(UnknownSpecialist):
        registry.remove("topics", None)
    assert add().version == 1


def test_what_an_adapter_was_trained_on_stays(
    registry: Registry, add: Callable[..., Manifest], tmp_path: Path
) -> None:
    add()
    folder = tmp_path / "adapter"
    folder.mkdir()
    save_file({"weight": np.zeros(2)}, folder / manifests.ADAPTER)
    registry.add(folder, replace(ONE, came_from=1, method="lora"))
    with pytest.raises(SpecialistError, match="remove topics@2 first"):
        registry.remove("topics", 1)
    with pytest.raises(SpecialistError, match="an adapter of topics@1"):
        archive.export(registry, "topics", 2, tmp_path)


# kills, full disks, two programs at once

CHILD = """
import resource, shutil, sys
from pathlib import Path
from tools.errors import SpecialistError
from tools.specialists import manifest
from tools.specialists.registry import Registry
registry, template, work = Registry(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
one = manifest.read(template)
def add(n):
    return registry.add(shutil.copytree(template, work / f"{n}"), one).version
"""


def child(code: str, *arguments: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + code, *map(str, arguments)],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def template(finished: Callable[[], Path]) -> Path:
    folder = finished()
    manifests.write(folder, ONE)
    return folder


def test_a_kill_at_any_point_leaves_the_promoted_version_working(
    registry: Registry, add: Callable[..., Manifest], state: Path, template: Path, tmp_path: Path
) -> None:
    add(), add()
    registry.promote("topics", 1)
    chance = random.Random(0)
    loop = """
print("go", flush=True)
for n in range(10**6):
    registry.promote("topics", registry.promoted("topics") % 2 + 1)
    version = add(n)
    registry.rollback("topics")
    registry.remove("topics", version)
"""
    for turn in range(8):
        work = tmp_path / f"work{turn}"
        work.mkdir()
        process = child(loop, state, template, work)
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        time.sleep(chance.random() * 0.15)
        process.kill()
        process.communicate()
        fresh = Registry(state)
        assert fresh.promoted("topics") in (1, 2)
        assert [one.name for one in fresh.usable("classifier")] == ["topics"]
        for version in fresh.versions("topics"):
            fresh.verify("topics", version)
    latest = max(registry.versions("topics"))
    assert add().version == latest + 1
    assert not [path for path in (registry.place / "topics").glob(".*") if path.is_dir()]


def test_two_programs_that_add_at_once_get_different_versions(
    registry: Registry, state: Path, template: Path, tmp_path: Path
) -> None:
    processes = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        code = "print(*[add(n) for n in range(10)])"
        processes.append(child(code, state, template, tmp_path / name))
    numbers = [int(n) for process in processes for n in process.communicate()[0].split()]
    assert sorted(numbers) == registry.versions("topics") == list(range(1, 21))


def test_a_full_disk_leaves_nothing_behind_and_keeps_what_was_trained(
    registry: Registry, state: Path, template: Path
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:  # so that it must be copied
        code = """
source = shutil.copytree(template, work / "made")
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
try:
    registry.add(source, one)
except SpecialistError as error:
    print(error)
"""
        save_file({"weight": np.zeros(5000)}, template / "model.safetensors")
        said = child(code, state, template, Path(other)).communicate()[0]
        assert "topics could not be written to" in said
        assert "MiB are free on its disk" in said
        assert (Path(other) / "made" / "model.safetensors").exists()
    assert registry.names() == []
    assert [path for path in registry.place.iterdir() if path.is_dir()] == []


# archives


def test_an_archive_brings_the_same_specialist_to_another_machine(
    registry: Registry, add: Callable[..., Manifest], tmp_path: Path
) -> None:
    add(), add()
    file = archive.export(registry, "topics", 2, tmp_path)
    assert file.name == "topics-2.zip"
    with pytest.raises(SpecialistError, match="is there already"):
        archive.export(registry, "topics", 2, tmp_path)
    other = Registry(tmp_path / "other")
    made = archive.bring_in(other, file, "news")
    assert (made.name, made.version, other.promoted("news")) == ("news", 1, None)
    assert "# news, version 1" in (other.folder("news", 1) / "README.md").read_text()
    weights = load_file(other.folder("news", 1) / "model.safetensors")["weight"]
    assert weights.tolist() == list(range(8))
    assert archive.bring_in(other, file).name == "topics"
    assert [path for path in other.place.glob(".*") if path.is_dir()] == []


def test_a_damaged_version_is_not_exported(
    registry: Registry, add: Callable[..., Manifest], tmp_path: Path
) -> None:
    add()
    (registry.folder("topics", 1) / "config.json").write_text("[]")
    with pytest.raises(SpecialistError, match="has changed"):
        archive.export(registry, "topics", 1, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


Member = tuple[str | zipfile.ZipInfo, bytes]


def link(name: str) -> zipfile.ZipInfo:
    one = zipfile.ZipInfo(name)
    one.external_attr = 0o120777 << 16
    return one


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("member", "said"),
    [
        (("../evil.json", b""), "leads out of the folder"),
        (("/etc/evil.json", b""), "leads out of the folder"),
        (("a\\..\\b.json", b""), "leads out of the folder"),
        (("C:/evil.json", b""), "leads out of the folder"),
        ((link("vocab.txt"), b"/etc/passwd"), "is a link"),
        (("pytorch_model.bin", b""), "may be a pickle"),
        (("modeling.py", b""), "is a program"),
        (("extra.json", b"{}"), "extra.json is not in its manifest"),
        (("config.json", b"{}"), "twice"),
        (("zeros.json", bytes(30 << 20)), "as a bomb does"),
    ],
)
def test_an_archive_with_what_does_not_belong_there_is_refused(
    registry: Registry, add: Callable[..., Manifest], tmp_path: Path, member: Member, said: str
) -> None:
    add()
    file = archive.export(registry, "topics", 1, tmp_path)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as out:
        out.writestr(*member)
    with pytest.raises(SpecialistError, match=said):
        archive.bring_in(registry, file)
    assert registry.versions("topics") == [1]
    assert [path for path in registry.place.glob(".*") if path.is_dir()] == []


def test_an_archive_of_other_bytes_is_refused(
    registry: Registry, add: Callable[..., Manifest], tmp_path: Path
) -> None:
    add()
    folder = registry.folder("topics", 1)
    file = tmp_path / "x.zip"
    with zipfile.ZipFile(file, "w") as out:
        for name in (manifests.FILE, *registry.manifest("topics", 1).files):
            out.writestr(name, (folder / name).read_bytes() + b" " * (name == "config.json"))
    with pytest.raises(SpecialistError, match=r"config\.json is not the file that its manifest"):
        archive.bring_in(registry, file)


def test_any_damage_to_an_archive_is_a_specialist_error(
    registry: Registry, add: Callable[..., Manifest], tmp_path: Path
) -> None:
    add()
    whole = archive.export(registry, "topics", 1, tmp_path).read_bytes()
    file, chance = tmp_path / "damaged.zip", random.Random(1)
    refused = 0
    for _ in range(150):
        raw = bytearray(whole)
        for _ in range(3):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        file.write_bytes(raw[: chance.choice([len(raw), chance.randrange(len(raw))])])
        try:
            registry.remove("topics", archive.bring_in(registry, file).version)
        except SpecialistError:
            refused += 1
    assert refused > 100
    registry.verify("topics", 1)


def test_a_file_that_is_no_archive_is_refused(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(SpecialistError, match="there is no file"):
        archive.bring_in(registry, tmp_path / "none.zip")
    (tmp_path / "a.zip").write_text("no zip")
    with pytest.raises(SpecialistError, match="no sound zip file"):
        archive.bring_in(registry, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as out:
        out.writestr("topics/manifest.json", "{}")
    with pytest.raises(SpecialistError, match="at its top"):
        archive.bring_in(registry, tmp_path / "b.zip")


# the card


def test_a_card_says_what_is_weak() -> None:
    text = card(ONE)
    for said in (
        'base_model: "answerdotai/ModernBERT-base"',
        'pipeline_tag: "text-classification"',
        "| accuracy (decides) | 0.9 | 0.95 |",
        "| sport | politics | 19 |",
        "between 0.851 and 0.934 (95 %, Wilson)",
        "not better than the baseline “majority label” (accuracy 0.9, there 0.95)",
        "little is known of them: politics (10)",
        "The labels are skewed: 190 held-out rows are sport, 10 are politics",
        "F1 under 0.6, not to be relied on: politics (0.48)",
        "Its confidence is off by 0.12",
        "cut at 256 tokens",
    ):
        assert said in text


def test_a_label_cannot_break_the_tables_of_a_card() -> None:
    table = {"a|b\n<b>": {"precision": None, "recall": None, "f1": None, "rows": 0}}
    text = card(replace(ONE, labels=("a|b\n<b>", "c"), metrics={"accuracy": 1, "per_label": table}))
    assert "| a\\|b \\<b\\> | – | – | – | 0 |" in text


def test_the_pictures_of_a_specialist_are_on_its_card() -> None:
    assert "![confusion](<confusion.png>)" in card(replace(ONE, files={"confusion.png": "0"}))


def test_the_registry_starts_light() -> None:
    code = "import sys, tools.specialists.archive; print({'torch', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
