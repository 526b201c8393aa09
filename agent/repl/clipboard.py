"""The clipboard, through the terminal and through the platform's own tool.

OSC 52 (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html) reaches the terminal that one sits
at, also over ssh; whether it obeys, it does not tell. tmux takes it as it is (`set-clipboard on`)
or hands it through (`allow-passthrough on`). pyperclip knows the tools: pbcopy, wl-copy, xclip,
xsel, those of Windows and of WSL.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable

from agent.errors import UsageError

MOST = 74_994
"""Bytes of base64 that xterm takes, and others after it."""


def copy(text: str, write: Callable[[str], None] | None) -> str:
    """Gives what became of it. `write`: to the terminal, where there is one.

    Raises UsageError where there is no clipboard.
    """
    what = f"{len(text):,} characters"
    code = osc52(text, "TMUX" in os.environ)
    sent = write is not None and len(code) <= MOST
    if write is not None and sent:
        write(code)
    if _with_tool(text):
        return f"copied {what}"
    if sent:
        return f"sent {what} to the terminal, which copies them where it allows that (OSC 52)"
    why = "there is no clipboard here" if write is None else f"{what} are too many for the terminal"
    raise UsageError(f"{why}; /save and /export write files")


def osc52(text: str, tmux: bool) -> str:
    """What makes a terminal copy `text`."""
    data = base64.b64encode(text.encode("utf-8", "replace")).decode()
    code = f"\x1b]52;c;{data}\x07"
    passed = code.replace("\x1b", "\x1b\x1b")
    return f"{code}\x1bPtmux;{passed}\x1b\\" if tmux else code


def _with_tool(text: str) -> bool:
    import pyperclip

    try:
        pyperclip.copy(text)
    except (pyperclip.PyperclipException, OSError):  # none is there, or it has no display
        return False
    return True
