"""How the conversation looks: the styles that the screen asks for by name, and the code's colours.

Names of colours alone are the terminal's own palette, which suits its background. The styles named
markdown.* are rich's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Theme:
    about: str
    code: str
    """A style of Pygments; with rich's two, ansi_dark and ansi_light, the terminal's palette."""
    styles: Mapping[str, str]


def _theme(about: str, code: str, **styles: str) -> Theme:
    """`styles`: with _ for the dot."""
    named = {name.replace("_", "."): style for name, style in styles.items()}
    return Theme(about, code, MappingProxyType({**_SCREENS, **named}))


_SCREENS = {
    "aside": "dim",
    "notice": "yellow",
    "fine": "green",
    "failed": "red",
    "added": "green",
    "removed": "red",
    "markdown.code": "bold cyan",
    "markdown.h2": "bold",
    "markdown.h3": "bold",
    "markdown.h4": "italic",
    "markdown.block_quote": "italic",
    "markdown.item.number": "bold",
    "markdown.link": "underline",
    "markdown.link_url": "underline",
    "markdown.table.border": "dim",
    "markdown.table.header": "bold",
    "markdown.list": "none",
}
"""aside: what is said beside the answer; fine, failed: of a call; added, removed: of a diff."""

THEMES = {
    "dark": _theme("for a dark background", "ansi_dark"),
    "light": _theme(
        "for a light background", "ansi_light",
        notice="magenta", fine="green4", added="green4", markdown_code="bold blue",
    ),
    "mono": _theme(
        "no colours; bold, underlined and dim", "bw",
        notice="bold", fine="default", failed="bold", added="bold", removed="dim strike",
        markdown_code="bold",
    ),
    "high-contrast": _theme(
        "nothing is dim, bright colours on a dark background", "fruity",
        aside="none", notice="bold bright_yellow", fine="bold bright_green",
        failed="bold bright_red", added="bold bright_green", removed="bold bright_red",
        markdown_code="bold bright_cyan", markdown_table_border="none",
    ),
}  # fmt: skip


def of(name: str) -> Theme:
    """`name`: of `THEMES`, or "auto"."""
    return THEMES[name if name in THEMES else _suited()]


def _suited() -> str:
    """What the terminal says of itself: COLORFGBG is "15;0", the last number the background."""
    background = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if background in ("7", "15") else "dark"
