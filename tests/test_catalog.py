from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from agent import catalog
from agent.errors import DoesNotFit, ModelError, UnknownName
from agent.estimate import estimate

GIB = 1 << 30


def test_an_unknown_name_shows_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"qwen2\.5-coder-0\.5b"):
        catalog.entry("qwen2.5-coder-05b")


def test_a_pulled_model_is_whole(smollm: Path) -> None:
    assert hashlib.sha256(smollm.read_bytes()).hexdigest() == catalog.entry("smollm2-135m").sha256
    assert [file.name for file in smollm.parent.iterdir()] == [smollm.name]


def test_a_pulled_embedder_is_a_folder_with_its_files(minilm: Path) -> None:
    one = catalog.entry(catalog.EMBEDDER)
    assert all((minilm / file).is_file() for file in (one.file, *one.beside))


def test_a_model_that_is_not_here_says_how_to_get_it() -> None:
    with pytest.raises(ModelError, match="tinsmith models pull smollm2-135m"):
        catalog.resolve("smollm2-135m")


def test_removing_frees_the_space_and_forgets(smollm: Path) -> None:
    place = catalog.folder("smollm2-135m")
    place.mkdir(parents=True)
    shutil.copy(smollm, place)
    assert catalog.is_here("smollm2-135m")
    assert catalog.remove("smollm2-135m") == smollm.stat().st_size
    assert not catalog.is_here("smollm2-135m")


def test_the_recommended_model_grows_with_the_memory() -> None:
    assert catalog.recommend(GIB, 0).name == "qwen2.5-coder-0.5b"
    assert catalog.recommend(16 * GIB, 0).name == "qwen2.5-coder-1.5b"
    assert catalog.recommend(16 * GIB, 2 * GIB).name == "qwen2.5-coder-1.5b"
    assert catalog.recommend(16 * GIB, 24 * GIB).name == "qwen3-32b"


def test_the_window_comes_from_the_model_and_the_free_memory(smollm: Path) -> None:
    model = estimate(smollm)
    assert model.window(0, 16 * GIB) == model.trained
    small = model.window(0, model.weights + 500 * (1 << 20))
    assert 2048 <= small < model.trained


def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded(smollm: Path) -> None:
    with pytest.raises(DoesNotFit, match="take a smaller model"):
        estimate(smollm).window(0, 100 << 20)
