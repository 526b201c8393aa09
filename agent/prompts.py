"""Prompts: Jinja files in `prompts/`, overridden by the same name in the home's `prompts/`, and by
that in `.tinsmith/prompts` of the working folder once it is trusted.

`prompts/samples.yaml` has for each prompt what it is given, with values to try it with. An
overriding file that uses anything else is refused with its line, and not when a talk first gets
there.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import PromptError, UnknownName
from agent.misnamed import misnamed

if TYPE_CHECKING:
    from jinja2 import Environment

SAMPLES = "samples.yaml"


def shipped(kind: str) -> Path:
    """The folder `prompts` or `skills` of this installation: in the wheel, else in the checkout."""
    package = Path(__file__).parent
    inside = package / "data" / kind
    return inside if inside.is_dir() else package.parent / kind


def render(name: str, /, **values: object) -> str:
    """The text of prompt `name`. Raises PromptError with the file, and the line if it is known."""
    import jinja2

    environment = _environment(places())
    try:
        template = environment.get_template(f"{name}.j2")
        if wrong := _unknown(Path(str(template.filename)), name):
            raise PromptError(wrong[0])
        return template.render(**values).strip()
    except jinja2.TemplateNotFound:
        there = ", ".join(files())
        raise PromptError(f"no prompt named {name!r} in prompts/ (there are: {there})") from None
    except jinja2.TemplateSyntaxError as error:
        raise PromptError(f"{error.filename}:{error.lineno}: {error.message}") from None
    except PromptError:
        raise
    except jinja2.UndefinedError as error:
        raise PromptError(f"{_where(name, error)}: {error.message}") from None
    except Exception as error:  # a template can do most of what Python can
        raise PromptError(f"{_where(name, error)}: {type(error).__name__}: {error}") from error


def places() -> tuple[Path, ...]:
    """The folders of prompts, that which counts most first."""
    from agent import app
    from agent.settings import home

    project = of_project()
    trusted = (project,) if app.is_trusted(project) else ()
    return (*trusted, home() / "prompts", shipped("prompts"))


def of_project() -> Path:
    """That of the working folder, used once it is trusted."""
    return Path.cwd() / ".tinsmith" / "prompts"


def untrusted() -> Path | None:
    """The project's folder, when it has prompts that are not used yet."""
    from agent import app

    return of_project() if app.asks_for_trust(of_project(), ".j2") else None


def files() -> dict[str, Path]:
    """The file of each prompt, by name: the project's or the home's, where there is one."""
    found = {file.stem: file for place in reversed(places()) for file in place.glob("*.j2")}
    return {name: found[name] for name in sorted(found) if name in _all_samples()}


def file_of(name: str) -> Path:
    """Raises UnknownName."""
    known = files()
    if name not in known:
        raise UnknownName("prompt", name, known)
    return known[name]


def origin(file: Path) -> str:
    """Where a prompt's file comes from, for the user."""
    if file.parent == shipped("prompts"):
        return "shipped"
    return f"{'the project' if file.parent == of_project() else 'yours'}: {file}"


def samples(name: str) -> Mapping[str, object]:
    """What prompt `name` is given, with a value for each."""
    return _all_samples().get(name, {})


def mistakes(name: str) -> list[str]:
    """What is wrong with the file of prompt `name`, with its line, nothing having been rendered."""
    import jinja2

    try:
        return list(_unknown(file_of(name), name))
    except jinja2.TemplateSyntaxError as error:
        return [f"{file_of(name)}:{error.lineno}: {error.message}"]


def strays() -> list[str]:
    """Files among the overriding ones that override nothing."""
    known = _all_samples()
    return [
        f"{file}:1: there is no prompt {file.stem!r} to replace{_or(file.stem, known)}"
        for place in places()[:-1]
        for file in sorted(place.glob("*"))
        if file.suffix in (".j2", ".jinja", ".jinja2") and file.name[:-3] not in known
    ]


@lru_cache
def _all_samples() -> dict[str, dict[str, Any]]:
    import yaml

    written = (shipped("prompts") / SAMPLES).read_text("utf-8")
    return {name: values or {} for name, values in yaml.safe_load(written).items()}


def _unknown(file: Path, name: str) -> Sequence[str]:
    """What `file` names and nothing gives it: variables, filters, tests. Raises
    TemplateSyntaxError."""
    if file.parent == shipped("prompts"):
        return ()  # a test looks at these
    try:
        return _unknown_in(file, file.stat().st_mtime_ns, name)
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"{file} cannot be read: {error}") from error


@lru_cache
def _unknown_in(file: Path, changed: int, name: str) -> tuple[str, ...]:
    from jinja2 import meta, nodes

    known = samples(name)
    environment = _environment((file.parent,))
    tree = environment.parse(file.read_text("utf-8"), file.name, str(file))
    if wrong := list(misnamed(tree, environment)):
        return tuple(f"{file}:{line}: {said}" for line, said in wrong)
    unknown = meta.find_undeclared_variables(tree) - known.keys()
    lines: dict[str, int] = {}
    for node in tree.find_all(nodes.Name):
        if node.name in unknown and node.ctx == "load":
            lines.setdefault(node.name, node.lineno)
    by_line = sorted((line, one) for one, line in lines.items())
    return tuple(
        f"{file}:{line}: {name} has no variable {one!r}{_or(one, known)}" for line, one in by_line
    )


def _or(word: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are: {', '.join(sorted(known))}" if known else "; it has none"


def _where(name: str, error: Exception) -> str:
    """The template's file, and the line in it; Jinja puts both into the traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    at = [f"{one.filename}:{one.lineno}" for one in frames if one.filename.endswith(".j2")]
    return at[-1] if at else f"prompt {name}.j2"


@lru_cache
def _environment(folders: tuple[Path, ...]) -> Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,  # a typo in a prompt is an error, not an empty string
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # a prompt is not a web page
    )
