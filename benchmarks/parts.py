"""What the benchmarks share: data, models, sessions that vanish, rows that are kept."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import app, catalog
from agent.errors import TinsmithError
from agent.settings import home
from tools.quiet import quiet

if TYPE_CHECKING:
    from agent.engines.local import LocalEngine
    from agent.engines.token_model import TokenModel
    from agent.estimate import Bits
    from agent.memory.sessions import Session
    from agent.offering import Embedder

CONTEXT = 8192


def data(name: str) -> Path:
    """The folder `name` of the data sets that TINSMITH_DATA points at."""
    given = os.environ.get("TINSMITH_DATA")
    if not given:
        sys.exit(f"set TINSMITH_DATA to the folder that has {name}/ in it")
    folder = Path(given).expanduser() / name
    if not folder.is_dir():
        sys.exit(f"TINSMITH_DATA is {given}, and there is no {name}/ in it")
    return folder


def path(model: str) -> Path:
    """Where the model of this name or path lies."""
    try:
        return catalog.resolve(model)
    except TinsmithError as error:
        sys.exit(str(error))


def models() -> Path:
    """The folder of those that were fetched, for a state folder that is made for a benchmark."""
    return home() / "models"


def token_model(model: str, bits: Bits = 16) -> TokenModel:
    """The model of this name or path, with a window of `CONTEXT` tokens; a folder at `bits`."""
    quiet()
    file = path(model)
    try:
        if file.is_dir():
            from agent.engines.transformers import TransformersModel

            return TransformersModel(file, CONTEXT, bits)
        from agent.engines.llamacpp import LlamaModel

        return LlamaModel(file, CONTEXT)
    except TinsmithError as error:
        sys.exit(str(error))


def engine(model: str, bits: Bits = 16) -> LocalEngine:
    from agent.engines.local import LocalEngine

    name = Path(model).stem if Path(model).exists() else model
    return LocalEngine(name, token_model(model, bits))


def embedder() -> Embedder:
    quiet()
    found = app.load_embedder()
    if found is None:
        sys.exit(f"the embedder is missing; get it with: tinsmith models pull {catalog.EMBEDDER}")
    return found


@contextmanager
def session() -> Iterator[Session]:
    """A session on the disk, as in a real conversation, that goes with its folder."""
    from agent.memory.sessions import Session

    with tempfile.TemporaryDirectory() as folder:
        opened = Session.create(Path(folder) / "sessions.db")
        try:
            yield opened
        finally:
            opened.close()


def lines(path: Path | None) -> Iterator[dict[str, Any]]:
    """The rows kept in `path` so far. A last line that a kill cut short is dropped from it."""
    if path is None or not path.exists():
        return
    whole = path.read_bytes()
    end = whole.rfind(b"\n") + 1
    if end < len(whole):
        os.truncate(path, end)
    yield from map(json.loads, whole[:end].splitlines())


def keep(path: Path | None, row: Mapping[str, Any]) -> None:
    """Append one row to `path`."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def progress(done: int, total: int, what: str) -> None:
    if done % 10 == 0 or done == total:
        print(f"{done}/{total} {what}", file=sys.stderr, flush=True)
