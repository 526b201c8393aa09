"""Settings: one frozen value, from `config.toml` in the state folder and the command line.

A default lives here and nowhere else.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from agent.errors import SettingsError
from tools.storage import locked, write_atomically


def home() -> Path:
    """The state folder: TINSMITH_HOME, else the platform's data folder. Not created here.

    Raises SettingsError.
    """
    if given := os.environ.get("TINSMITH_HOME"):
        try:
            folder = Path(given).expanduser().absolute()
        except RuntimeError as error:
            raise SettingsError(f"TINSMITH_HOME={given}: {error}; name a folder") from None
        if folder.is_file():
            raise SettingsError(f"TINSMITH_HOME={given} is a file; name a folder")
        return folder
    import platformdirs

    return Path(platformdirs.user_data_dir("tinsmith", appauthor=False))


def _setting(default: Any, about: str) -> Any:
    return dataclasses.field(default=default, metadata={"about": about})


@dataclass(frozen=True)
class Settings:
    model: str = _setting("", "a name from `tinsmith models` or a path; empty: the recommended one")
    engine: Literal["auto", "llamacpp", "transformers", "openai", "scripted"] = _setting(
        "auto", "auto: openai with a url, llamacpp for GGUF files, transformers for folders"
    )
    url: str = _setting("", "an OpenAI chat server, such as http://127.0.0.1:8000/v1")
    script: str = _setting("", "a file of replies, for the scripted engine")
    device: Literal["auto", "cpu"] = _setting("auto", "auto: the GPU, when the engine can use it")
    bits: Literal[4, 8, 16, 32] = _setting(4, "of the weights, in the transformers engine")
    trust_remote_code: bool = _setting(False, "run code of a model's folder, which can do anything")
    context: int = _setting(0, "the window in tokens; 0: what model and half the free memory allow")
    temperature: float = _setting(0.0, "0: always the likeliest token")
    top_p: float = _setting(1.0, "draw from the likeliest tokens with this share; 1: all")
    top_k: int = _setting(0, "draw from so many of the likeliest tokens; 0: all")
    min_p: float = _setting(0.0, "leave out what is less likely than this share of the likeliest")
    repetition_penalty: float = _setting(1.0, "above 1: what was said is less likely")
    seed: int = _setting(-1, "of what is drawn; -1: a new one each time")
    max_tokens: int = _setting(2048, "of one reply")
    max_steps: int = _setting(12, "replies in one turn")
    max_seconds: float = _setting(600.0, "of one turn")
    tool_timeout: float = _setting(60.0, "seconds for a tool that does not say")
    embedder: str = _setting(
        "all-minilm-l6-v2", "of documents: a model, or a specialist that is an embedder"
    )
    reranker: str = _setting(
        "",
        "of documents: a cross-encoder, a model or a path, that orders what was found; empty: none",
    )
    store_url: str = _setting("", "a Chroma server, such as http://127.0.0.1:8000; empty: none")
    theme: Literal["auto", "dark", "light", "mono", "high-contrast"] = _setting(
        "auto", "of the conversation; auto: as the terminal's background is"
    )
    plain: bool = _setting(
        False, "for a screen reader: plain lines, nothing is drawn twice, no status line"
    )
    editing_mode: Literal["emacs", "vi"] = _setting("emacs", "the keys of the line that you type")
    offer_all: int = _setting(10, "up to so many tools are all offered; of more, the best")


def load(overrides: dict[str, Any] | None = None) -> Settings:
    """`config.toml`, then `overrides`, in which None means not given. Raises SettingsError."""
    file = home() / "config.toml"
    values = _read(file)
    for key, value in values.items():
        _check(key, value, str(file))
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    for key, value in given.items():
        _check(key, value, "the command line")
    return Settings(**{**values, **given})


def save(key: str, text: str | None) -> None:
    """Write one setting into `config.toml`, or take it out. Raises SettingsError."""
    import tomlkit

    file = home() / "config.toml"
    with locked(file):
        _read(file)
        document = tomlkit.parse(file.read_text("utf-8")) if file.exists() else tomlkit.document()
        if text is None:
            _check_key(key, "the command line")
            document.pop(key, None)
        else:
            document[key] = parse(key, text)
        write_atomically(file, tomlkit.dumps(document))


def describe() -> list[tuple[str, Any, str, str]]:
    """Key, value, where the value comes from and what it means, for every setting."""
    written = _read(home() / "config.toml")
    now = load()
    return [
        (
            field.name,
            getattr(now, field.name),
            "config.toml" if field.name in written else "default",
            field.metadata["about"],
        )
        for field in dataclasses.fields(Settings)
    ]


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error


def _check_key(key: str, where: str) -> Any:
    types = get_type_hints(Settings)
    if key not in types:
        near = difflib.get_close_matches(key, types, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(types)}"
        raise SettingsError(f"{where}: no setting named {key!r}; {hint}")
    return types[key]


def _check(key: str, value: Any, where: str) -> None:
    wanted = _check_key(key, where)
    if get_origin(wanted) is Literal:
        if value not in get_args(wanted):
            choices = ", ".join(map(str, get_args(wanted)))
            raise SettingsError(f"{where}: {key} = {value!r}; it is one of {choices}")
        return
    allowed = (int, float) if wanted is float else (wanted,)
    if type(value) not in allowed:
        raise SettingsError(f"{where}: {key} = {value!r}; it is {NOUNS[wanted]}")
    if key == "context" and 0 < value < LEAST_WINDOW:
        raise SettingsError(f"{where}: context = {value}; it is 0 or at least {LEAST_WINDOW}")
    low, high = RANGES.get(key, (float("-inf"), float("inf")))
    if isinstance(value, int | float) and not low <= value <= high:
        raise SettingsError(f"{where}: {key} = {value!r}; it is from {low:g} to {high:g}")


def parse(key: str, text: str, where: str = "the command line") -> Any:
    """The value of a setting that `text` stands for. Raises SettingsError."""
    wanted = _check_key(key, where)
    kind = type(get_args(wanted)[0]) if get_origin(wanted) is Literal else wanted
    try:
        value = WORDS[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        raise SettingsError(f"{where}: {key} = {text!r}; it is {NOUNS[kind]}") from None
    _check(key, value, where)
    return value


NOUNS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

LEAST_WINDOW = 256
"""Tokens. llama.cpp makes no smaller one."""

LONGEST = 1e6
"""Seconds. More than some systems can wait for is an error there, in the middle of a turn."""

RANGES: dict[str, tuple[float, float]] = {
    "context": (0, 1e9),
    "temperature": (0, 2),
    "top_p": (0, 1),
    "top_k": (0, 1e9),
    "min_p": (0, 1),
    "repetition_penalty": (0.01, 10),
    "max_tokens": (1, 1e9),
    "max_steps": (1, 1000),
    "max_seconds": (0.001, LONGEST),
    "tool_timeout": (0.001, LONGEST),
    "offer_all": (0, 1000),
}
