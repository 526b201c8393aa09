"""Settings: one frozen value, from `config.toml` in the state folder and the command line.

A default lives here and nowhere else.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from agent.errors import SettingsError
from agent.files import write_atomically


def home() -> Path:
    """The state folder: TINSMITH_HOME, else the platform's data folder. Not created here."""
    if given := os.environ.get("TINSMITH_HOME"):
        return Path(given).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("tinsmith", appauthor=False))


@dataclass(frozen=True)
class Settings:
    model: str = ""
    """A name from `tinsmith models` or a path. Empty: the one recommended here."""
    engine: Literal["auto", "llamacpp", "scripted"] = "auto"
    """auto: llamacpp, for GGUF files."""
    script: str = ""
    """A file of replies, for engine = "scripted"."""
    device: Literal["auto", "cpu"] = "auto"
    """auto: llama.cpp takes a GPU when its build has one."""
    context: int = 0
    """Window in tokens. 0: what the model and half of the free memory allow."""
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = -1
    """-1: a new one each time."""
    max_tokens: int = 2048
    """Of one reply."""
    max_steps: int = 12
    """Replies in one turn."""
    max_seconds: float = 600.0
    """Of one turn."""
    tool_timeout: float = 60.0
    """Seconds for a tool that does not say."""
    offer_all: int = 8
    """Up to this many tools, all are offered; with more, the best ones are picked."""


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
    """Write one setting into `config.toml`, or take it out; comments stay. Raises SettingsError."""
    import tomlkit

    file = home() / "config.toml"
    written = _read(file)
    document = tomlkit.parse(file.read_text("utf-8")) if file.exists() else tomlkit.document()
    if text is not None:
        document[key] = _parse(key, text)
    elif key in written:  # an unknown key too: this is the way to get rid of it
        del document[key]
    else:
        _check_key(key, "the command line")
        return
    try:
        write_atomically(file, tomlkit.dumps(document))
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}") from error


@dataclass(frozen=True)
class Described:
    """A setting as `tinsmith config` shows it."""

    key: str
    type: str
    value: Any
    default: Any
    text: str
    """What stands under the field, on one line; "" when nothing does."""
    origin: str
    """"default" or "config.toml"."""


def describe() -> list[Described]:
    """Every setting, in the order of `Settings`. Raises SettingsError."""
    file = home() / "config.toml"
    written = _read(file)
    now = load()
    types = get_type_hints(Settings)
    texts = _texts()
    return [
        Described(
            field.name,
            _type_name(types[field.name]),
            getattr(now, field.name),
            field.default,
            texts.get(field.name, ""),
            file.name if field.name in written else "default",
        )
        for field in dataclasses.fields(Settings)
    ]


def _texts() -> dict[str, str]:
    """The strings that stand under the fields. Python does not keep them; the source does."""
    import ast
    import inspect

    (definition,) = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(definition, ast.ClassDef)
    texts = {}
    for field, below in pairwise(definition.body):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            assert isinstance(field.target, ast.Name)
            texts[field.target.id] = " ".join(ast.literal_eval(below.value).split())
    return texts


def _type_name(wanted: Any) -> str:
    if get_origin(wanted) is Literal:
        return " | ".join(map(str, get_args(wanted)))
    return str(wanted.__name__)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not TOML: {error}") from error
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
        raise SettingsError(f"{where}: {key} = {value!r}; it is {KINDS[wanted]}")
    low, high = RANGES.get(key, (float("-inf"), float("inf")))
    if isinstance(value, int | float) and not low <= value <= high:
        raise SettingsError(f"{where}: {key} = {value!r}; it is from {low:g} to {high:g}")


def _parse(key: str, text: str) -> Any:
    wanted = _check_key(key, "the command line")
    kind = type(get_args(wanted)[0]) if get_origin(wanted) is Literal else wanted
    try:
        value = kind(text)
    except ValueError:
        raise SettingsError(f"{key} = {text!r}; it is {KINDS[kind]}") from None
    _check(key, value, "the command line")
    return value


KINDS = {int: "a whole number", float: "a number", str: "text"}
RANGES: dict[str, tuple[float, float]] = {
    "context": (0, 1e9),
    "temperature": (0, 10),
    "top_p": (0, 1),
    "top_k": (0, 1e9),
    "min_p": (0, 1),
    "repetition_penalty": (0.01, 10),
    "max_tokens": (1, 1e9),
    "max_steps": (1, 1000),
    "max_seconds": (0.001, 1e9),
    "tool_timeout": (0.001, 1e9),
    "offer_all": (0, 1000),
}
