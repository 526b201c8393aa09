"""Prompts: Jinja files in `prompts/`, overridden by the same name in the home's `prompts/`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import PromptError

if TYPE_CHECKING:
    from jinja2 import Environment


def shipped(kind: str) -> Path:
    """The folder `prompts` or `skills` of this installation: in the wheel, else in the checkout."""
    package = Path(__file__).parent
    inside = package / "data" / kind
    return inside if inside.is_dir() else package.parent / kind


def render(name: str, **values: object) -> str:
    """The text of prompt `name`. Raises PromptError with the file, and the line if it is known."""
    import jinja2

    from agent.settings import home

    environment = _environment(home() / "prompts")
    try:
        return environment.get_template(f"{name}.j2").render(**values).strip()
    except jinja2.TemplateNotFound:
        there = ", ".join(sorted(file[:-3] for file in environment.list_templates()))
        raise PromptError(f"no prompt named {name!r} in prompts/ (there are: {there})") from None
    except jinja2.TemplateSyntaxError as error:
        raise PromptError(f"{error.filename}:{error.lineno}: {error.message}") from None
    except jinja2.UndefinedError as error:
        raise PromptError(f"prompt {name!r}: {error.message}") from None
    except Exception as error:  # a template can do most of what Python can
        raise PromptError(f"prompt {name}.j2: {type(error).__name__}: {error}") from error


def files() -> dict[str, Path]:
    """The file of each prompt, by name: the home's, where there is one."""
    from agent.settings import home

    places = (shipped("prompts"), home() / "prompts")
    found = {file.stem: file for place in places for file in place.glob("*.j2")}
    return dict(sorted(found.items()))


@lru_cache
def _environment(overrides: Path) -> Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([overrides, shipped("prompts")]),
        undefined=jinja2.StrictUndefined,  # a typo in a prompt is an error, not an empty string
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # a prompt is not a web page
    )
