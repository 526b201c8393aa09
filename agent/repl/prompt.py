"""What the line that is typed looks like."""

from __future__ import annotations

from prompt_toolkit.styles import BaseStyle, Style

_STYLE = Style.from_dict(
    {
        "live": "fg:ansibrightblack",
        "question": "fg:ansiyellow",
        "bottom-toolbar": "noreverse fg:ansibrightblack",
        "auto-suggestion": "fg:ansibrightblack",
        "proposed": "fg:ansibrightblack",
    }
)


def style() -> BaseStyle:
    return _STYLE
