"""The one place where the parts are put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from agent import catalog, machine
from agent.approval import Approver, deny
from agent.engines.base import Engine, Sampling
from agent.errors import UsageError
from agent.loop import Agent, Limits
from agent.offering import Embedder, Offering
from agent.prompts import shipped
from agent.settings import Settings, home
from agent.skills.places import Place, Shelf, folders
from agent.skills.telling import Skills
from agent.trace import otel
from tools.errors import FactError
from tools.quiet import quiet

if TYPE_CHECKING:
    import numpy as np
    from langchain_core.tools import BaseTool

    from agent.engines.llamacpp import LlamaModel
    from agent.engines.transformers import TransformersModel
    from agent.memory.sessions import Session
    from tools.knowledge.facts import Facts
    from tools.knowledge.library import Library
    from tools.loader import Toolbox

Tell = Callable[[str], None]


def build(
    settings: Settings,
    session: Session,
    toolbox: Toolbox,
    approve: Approver = deny,
    tell: Tell = lambda line: None,
) -> Agent:
    """An agent with its model loaded; `tell` hears beforehand what it needs and what is missing.

    Raises ModelError, DoesNotFit, EngineError, UsageError.
    """
    quiet()
    with ThreadPoolExecutor(1) as beside:
        embedder = beside.submit(load_embedder)  # importing torch and loading a GGUF go together
        if not catalog.is_here(catalog.EMBEDDER) and settings.engine != "scripted":
            tell(
                f"without the embedder {catalog.EMBEDDER} nothing judges which tool fits; "
                f"get it with: tinsmith models pull {catalog.EMBEDDER}"
            )
        engine = load_engine(settings, tell)
        try:
            offering = Offering(embedder.result(), settings.offer_all)
        except BaseException:
            engine.close()
            raise
    agent = Agent(
        engine,
        toolbox.tools,
        session,
        offering,
        approve,
        sampling_of(settings),
        limits_of(settings),
        facts() if embedder.result() else None,
        Skills(shelf(), embedder.result(), engine.context),
    )
    agent.trace.export = otel.exporter(tell, agent.warn)
    return agent


def sampling_of(settings: Settings) -> Sampling:
    return Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        min_p=settings.min_p,
        repetition_penalty=settings.repetition_penalty,
        seed=None if settings.seed < 0 else settings.seed,
        max_tokens=settings.max_tokens,
    )


def limits_of(settings: Settings) -> Limits:
    return Limits(
        steps=settings.max_steps,
        seconds=settings.max_seconds,
        tool_seconds=settings.tool_timeout,
    )


def load_engine(settings: Settings, tell: Tell = lambda line: None) -> Engine:
    """`tell` hears what the model needs, before it is loaded."""
    return load_engines(settings, 1, tell)[0]


def load_engines(
    settings: Settings, lanes: int, tell: Tell = lambda line: None
) -> Sequence[Engine]:
    """One model for `lanes` replies at once: an engine for each thread.

    Fewer, which `tell` hears of, when the memory does not hold so many caches or the model cannot
    be batched. The first owns the weights: whoever closes it has closed all.
    """
    if settings.engine == "scripted":
        from agent.engines.scripted import ScriptedEngine

        script = ScriptedEngine.from_file(Path(settings.script))
        return [script, *(script.beside() for _ in range(lanes - 1))]
    if not is_local(settings):
        from agent.engines.openai import OpenAIEngine

        if not settings.url:
            raise UsageError("the openai engine needs --url, such as http://127.0.0.1:8000/v1")
        return [OpenAIEngine(settings.url, settings.model, settings.context) for _ in range(lanes)]
    name = settings.model or default_model()
    weights = weights_of(settings)
    from agent.engines.local import LocalEngine

    named = name if catalog.is_here(name) or catalog.specialist(name) else weights.path.stem
    model = _load_model(weights, settings, lanes, tell)
    return [LocalEngine(named, lane) for lane in model.lanes]


def weights_of(settings: Settings) -> catalog.Weights:
    """What a local engine loads. Raises UnknownName, ModelError, and UsageError for an engine that
    cannot load it."""
    weights = catalog.weights(settings.model or default_model(), settings.engine, settings.device)
    path, wanted = weights.path, settings.engine
    if wanted != "auto" and (wanted == "transformers") != path.is_dir():
        raise UsageError(
            f"the {wanted} engine cannot load {path}; "
            + (
                f"make a folder of the GGUF file with: tinsmith models convert {called(settings)}"
                if wanted == "transformers"
                else "it takes GGUF files"
            )
        )
    return weights


def free_for(weights: catalog.Weights, settings: Settings) -> int:
    """Bytes, where the engine would put these weights."""
    free = machine.free_memory()
    if weights.path.is_dir() and settings.device == "auto":
        return _free_on_gpu() or free
    return free


def _load_model(
    weights: catalog.Weights, settings: Settings, lanes: int, tell: Tell
) -> LlamaModel | TransformersModel:
    from agent.estimate import estimate

    path = weights.path
    free = free_for(weights, settings)
    needed = estimate(path, settings.bits).of_lanes(lanes, settings.context, free)
    context = needed.window(settings.context, free)
    tell(needed.describe(context, free))
    if needed.lanes < lanes:
        tell(f"the memory holds the caches of {needed.lanes} replies at once, not of {lanes}")
    if not path.is_dir():
        from agent.engines.llamacpp import LlamaModel

        return LlamaModel(
            path, context, settings.device, adapter=weights.adapter, lanes=needed.lanes
        )
    from agent.engines.transformers import TransformersModel

    model = TransformersModel(
        path,
        context,
        settings.bits,
        settings.device,
        settings.trust_remote_code,
        adapter=weights.adapter,
        lanes=needed.lanes,
    )
    if len(model.lanes) < needed.lanes:
        tell(f"{path.name} cannot be batched; it writes one reply after the other")
    return model


def weights_size(settings: Settings) -> int:
    """Bytes that loading the model takes into memory, about; 0 where it is not known."""
    if settings.engine == "scripted" or not is_local(settings):
        return 0
    from agent.estimate import estimate

    return estimate(weights_of(settings).path, settings.bits).weights


def _free_on_gpu() -> int:
    """Bytes, over all GPUs; 0 without one."""
    import torch

    if not torch.cuda.is_available():
        return 0
    return sum(torch.cuda.mem_get_info(gpu)[0] for gpu in range(torch.cuda.device_count()))


def called(settings: Settings) -> str:
    """What the user calls the model that these settings name; nothing is loaded."""
    if settings.engine == "scripted":
        return "scripted"
    if not is_local(settings):
        return settings.model or settings.url
    return Path(settings.model).name if settings.model else default_model()


def is_local(settings: Settings) -> bool:
    """Whether the model is in the memory of this machine."""
    return settings.engine != "openai" and not (settings.engine == "auto" and settings.url)


def default_model() -> str:
    """The model to talk with when none is named: the best that is here, else the recommended."""
    best = catalog.recommend(machine.free_memory(), machine.free_on_gpus())
    if catalog.is_here(best.name):
        return best.name
    here = [e for e in catalog.entries().values() if e.memory and catalog.is_here(e.name)]
    return max(here, key=lambda e: e.memory).name if here else best.name


def load_embedder() -> Embedder | None:
    """None when it has not been pulled: all tools are then offered, and none is judged."""
    if not catalog.is_here(catalog.EMBEDDER):
        return None
    return _embedder(catalog.path_of(catalog.EMBEDDER))


@cache  # one for the tools' choice and for the facts
def _embedder(path: Path) -> Embedder:
    from agent.embedder import SentenceEmbedder

    return SentenceEmbedder(path)


def toolbox(paths: Sequence[Path], trusted: bool) -> Toolbox:
    """The tools there are. `trusted`: those of `./tools` too.

    Raises UsageError for a path of `paths` that does not exist.
    """
    refuse_missing(paths)
    from tools.loader import Toolbox

    return Toolbox(built_in, [home() / "tools", *([project_tools()] if trusted else []), *paths])


def refuse_missing(paths: Sequence[Path]) -> None:
    """Raises UsageError for a path given as `--tools` that does not exist; imports nothing."""
    for path in paths:
        if not path.exists():
            raise UsageError(f"--tools {path}: there is no such file or folder")


def library() -> Library:
    """The documents of the state folder, or of the server that the settings name."""
    from tools.knowledge.library import Library

    now = settings_of({})
    return Library(home(), now.store_url, now.embedder, now.reranker)


def facts() -> Facts:
    """Those of the state folder. One object: the tools write what the loop reads."""
    return _facts(home())


@cache
def _facts(home: Path) -> Facts:
    from tools.knowledge.facts import Facts

    return Facts(home, catalog.EMBEDDER, _embed_facts)


def _embed_facts(texts: Sequence[str]) -> np.ndarray:
    embedder = load_embedder()
    if embedder is None:
        raise FactError(
            f"facts need the embedder {catalog.EMBEDDER}; get it with: tinsmith models pull "
            f"{catalog.EMBEDDER}"
        )
    return embedder.embed(texts)


def built_in() -> Iterable[BaseTool]:
    from tools.base import tools_of
    from tools.calculate import calculate
    from tools.classify import Classify
    from tools.documents import Documents
    from tools.files import Files
    from tools.memory import Memory
    from tools.review import Review
    from tools.specialists.use import Specialists
    from tools.train import Train

    files, specialists = Files(Path.cwd()), Specialists(home())
    boxes = (
        files,
        Documents(library(), files),
        Memory(facts()),
        Classify(specialists, files),
        Review(files, load_embedder),
        Train(specialists, files),
    )
    return [calculate, *(one for box in boxes for one in tools_of(box))]


def project_tools() -> Path:
    return Path.cwd() / "tools"


def project_commands() -> Path:
    """Those of the working folder, used once they are trusted."""
    return Path.cwd() / ".tinsmith" / "commands"


def own_commands() -> list[Path]:
    """The folders of the commands that users write themselves."""
    folder = project_commands()
    return [home() / "commands", *([folder] if is_trusted(folder) else [])]


def project_skills() -> list[Path]:
    """Those of the working folder, used once they are trusted. Tinsmith's own are none."""
    here = Path.cwd()
    others = [] if _are_own_tools(here / "tools") else [here / "skills"]
    return [here / ".agents" / "skills", *others]


def shelf() -> Shelf:
    """The skills that are shipped, the user's, and those of the working folder once trusted."""
    trusted = [Place(one, str(one)) for one in project_skills() if is_trusted(one)]
    shipped_ones = Place(shipped("skills"), "shipped")
    return Shelf([shipped_ones, Place(home() / "skills", "yours"), *trusted])


def untrusted_skills() -> dict[Path, list[str]]:
    """Folders of the working folder that have skills which are not trusted yet, and which."""
    trusted = _trusted()
    there = {
        place: [one.name for one in folders(place)]
        for place in project_skills()
        if str(place) not in trusted
    }
    return {place: names for place, names in there.items() if names}


def _are_own_tools(folder: Path) -> bool:
    """Whether these are Tinsmith's own, in its repository."""
    return (folder / "loader.py").is_file() and (folder / "base.py").is_file()


def is_trusted(folder: Path) -> bool:
    """Whether the user has trusted this folder. Tinsmith's own `tools/` is no such folder."""
    if not folder.is_dir() or _are_own_tools(folder):
        return False
    return str(folder) in _trusted()


def asks_for_trust(folder: Path, *endings: str) -> bool:
    """Whether there are files in `folder`, of these endings, that the user has not trusted yet."""
    there = any(file.suffix in endings for file in folder.glob("*"))
    return not _are_own_tools(folder) and there and str(folder) not in _trusted()


def trust(folder: Path) -> None:
    from tools.storage import locked, write_atomically

    file = home() / "trusted"
    with locked(file):
        write_atomically(file, "\n".join(sorted({*_trusted(), str(folder)})) + "\n")


def _trusted() -> set[str]:
    try:
        return set((home() / "trusted").read_text("utf-8").splitlines())
    except FileNotFoundError:
        return set()


def settings_of(given: dict[str, object]) -> Settings:
    """The settings, with what the command line gave."""
    from agent import settings

    known = {field.name for field in dataclasses.fields(Settings)}
    return settings.load({key: value for key, value in given.items() if key in known})
