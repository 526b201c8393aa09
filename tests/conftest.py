"""Every test has a state folder of its own; real models come through the project's catalogue."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from agent import catalog
from agent.convert import convert
from agent.fetch import pull
from tests.chroma import Server

CACHE = Path(__file__).parent.parent / ".cache"
LONG = (
    "test_specialist_jobs", "test_train_command", "test_documents", "test_local_engine",
    "test_bad_documents", "test_specialist_training", "test_transformers_engine", "test_adapters",
    "test_terminal", "test_specialist_tools", "test_benchmarks", "test_cli", "test_commands",
)  # fmt: skip
"""Files that take longest: begun first, so that at the end no worker is left alone with one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of this test."""
    home = tmp_path / "home"
    monkeypatch.setenv("TINSMITH_HOME", str(home))
    return home


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "served")
    yield made
    made.end()


@pytest.fixture(scope="session")
def smollm() -> Path:
    return _pulled("smollm2-135m")


@pytest.fixture(scope="session")
def qwen() -> Path:
    return _pulled("qwen2.5-coder-0.5b")


@pytest.fixture(scope="session")
def smollm_folder(smollm: Path) -> Path:
    """The same model as a Hugging Face folder."""
    return _converted(smollm)


@pytest.fixture(scope="session")
def minilm() -> Path:
    return _pulled(catalog.EMBEDDER)


def _pulled(name: str) -> Path:
    """From a cache that outlives the tests, filled as a user would fill it."""
    home = Path(os.environ.get("TINSMITH_TEST_HOME", CACHE))
    with pytest.MonkeyPatch.context() as patch, _alone(home):
        patch.setenv("TINSMITH_HOME", str(home))
        return pull(name, lambda stage, done, total: None)


def _converted(gguf: Path) -> Path:
    target = gguf.parent.with_name(f"{gguf.parent.name}-hf")
    with _alone(target.parent):
        return target if target.exists() else convert(gguf, target)


def _alone(folder: Path) -> FileLock:
    """Of the workers of pytest-xdist, one fills the cache and the others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "tests.lock")
