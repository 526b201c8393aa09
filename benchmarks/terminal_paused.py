"""The program, which draws nothing in every second stretch of an answer (for `terminal.py`).

    STRETCHES=FILE python -m benchmarks.terminal_paused chat …

FILE gets a line for each stretch: [whether it was drawn, seconds].
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from agent import cli
from agent.repl.painter import Painter
from agent.repl.terminal import Terminal

LENGTH = 40
"""Pieces of text in a stretch; a piece is mostly a token."""
SETTLING = 5
"""Pieces at its beginning that are not counted: the stretch before may still be drawn."""


def main() -> None:
    file = Path(os.environ["STRETCHES"])
    add, end, init = Painter.add, Painter.end, Terminal.__init__
    pieces, began, waiting = 0, 0.0, ""

    def is_drawn() -> bool:
        return pieces // LENGTH % 2 == 0

    def counted(painter: Painter, text: str) -> None:
        nonlocal pieces, began, waiting
        waiting += text
        if is_drawn():
            add(painter, waiting)
            waiting = ""
        at = pieces % LENGTH
        if at == SETTLING:
            began = time.monotonic()
        if at == LENGTH - 1:
            with file.open("a") as stream:
                stream.write(json.dumps([is_drawn(), time.monotonic() - began]) + "\n")
        pieces += 1

    def ended(painter: Painter) -> None:
        nonlocal pieces, waiting
        add(painter, waiting)
        pieces, waiting = 0, ""  # from here on all is drawn
        end(painter)

    def begun(terminal: Terminal, *given: Any) -> None:
        init(terminal, *given)
        terminal._live = _held(terminal._live, is_drawn)
        terminal._status = _held(terminal._status, is_drawn)

    with (
        patch.object(Painter, "add", counted),
        patch.object(Painter, "end", ended),
        patch.object(Terminal, "__init__", begun),
    ):
        cli.main()


def _held(ask: Callable[[], Any], is_drawn: Callable[[], bool]) -> Callable[[], Any]:
    """What stands around the line changes only while there is drawing."""
    last: list[Any] = []

    def held() -> Any:
        if is_drawn() or not last:
            last[:] = [ask()]
        return last[0]

    return held


if __name__ == "__main__":
    main()
