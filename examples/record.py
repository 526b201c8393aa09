"""Make `chat.svg`, the moving picture in the README: a real talk with a real model, in tmux.

    python -m examples.record --model qwen2.5-coder-1.5b

Run it in the checkout. It needs tmux. The models are yours; everything else that Tinsmith keeps
goes into a folder of its own, which is then deleted.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from agent.errors import TinsmithError
from agent.memory import sessions
from agent.settings import home
from examples.animation import Frame, animate

QUESTIONS = ["What is 37 * 91 - 4, and which files here mention it?"]
COLUMNS, ROWS = 90, 20
PATIENCE = 600
"""Seconds for the model to load, and again to answer."""
PROMPT = re.compile(r"^(\x1b\[[\d;]*m)*>", re.MULTILINE)
KEY = 0.06
"""Seconds from one key to the next."""
GLANCE = 0.1
"""Seconds between two looks at the screen."""
STILL = 1.5
"""Seconds without a change, after which nothing is under way."""
LONGEST = 1.0
"""Seconds that a screen stays on which nothing happens."""
PLAYS = 20.0
"""Seconds that all of it takes at most; the waits are played faster when it took longer."""
HOLD = 4.0
"""Seconds that the last screen stays."""


@dataclass(frozen=True)
class Shot:
    """A frame as it was taken."""

    frame: Frame
    waits: bool
    """Whether the model was waited for; else somebody typed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="qwen2.5-coder-1.5b", metavar="NAME")
    parser.add_argument(
        "--ask",
        action="append",
        metavar="TEXT",
        help="a question or a command; may be repeated; empty: Enter alone",
    )
    parser.add_argument("--rows", type=int, default=ROWS, help=f"of the screen (default: {ROWS})")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("chat.svg"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        (Path(state) / "models").symlink_to(home() / "models")
        command = [sys.executable, "-m", "agent", "chat", "--model", args.model]
        shots = list(record(command, args.ask or QUESTIONS, args.rows, Path(state)))
    print(shots[-1].frame.screen)
    frames, factor = played(shots)
    title = "tinsmith chat" + (f" (waits are {factor:.1f} times as fast)" if factor > 1.05 else "")
    args.out.write_text(animate(frames, COLUMNS, HOLD, title), "utf-8")
    print(f"{args.out}: {args.out.stat().st_size / 1000:.0f} kB, {frames[-1].at:.1f} s")


def record(command: Sequence[str], lines: Sequence[str], rows: int, state: Path) -> Iterator[Shot]:
    """What the terminal shows from the first key to the last answer."""
    # a server of its own, which knows nothing of your tmux and its settings
    size = ("-x", str(COLUMNS), "-y", str(rows))
    tmux("-f", "/dev/null", "new-session", "-d", *size, "-e", f"TINSMITH_HOME={state}",
         "-e", "COLORTERM=truecolor", *command)  # fmt: skip
    try:
        tmux("set-option", "status", "off")
        for _ in until_still(PROMPT):
            pass
        answers = 0
        for line in lines:
            for key in line:
                tmux("send-keys", "-l", key)
                yield Shot(look(), waits=False)
                time.sleep(KEY)
            tmux("send-keys", "Enter")
            for frame in until_answered(state, answers, line):
                yield Shot(frame, waits=True)
            answers = answered(state)
    finally:
        tmux("kill-server")


def until_answered(state: Path, answers: int, line: str) -> Iterator[Frame]:
    """Screens until there is one answer more and nothing changes; a command is not answered."""
    end = time.monotonic() + PATIENCE
    while not line.startswith("/") and answered(state) == answers:
        frame = look()
        yield frame
        if time.monotonic() > end:
            sys.exit(f"no answer within {PATIENCE} s; the terminal shows:\n{frame.screen}")
        time.sleep(GLANCE)
    yield from until_still(re.compile(""))


def until_still(wanted: re.Pattern[str]) -> Iterator[Frame]:
    """Screens until `wanted` is on them and nothing has changed for a while."""
    end = time.monotonic() + PATIENCE
    before, since = look(), time.monotonic()
    while time.monotonic() - since < STILL or not wanted.search(before.screen):
        frame = look()
        yield frame
        if frame.screen != before.screen:
            before, since = frame, time.monotonic()
        if time.monotonic() > end:
            sys.exit(f"no quiet prompt within {PATIENCE} s; the terminal shows:\n{frame.screen}")
        time.sleep(GLANCE)


def answered(state: Path) -> int:
    """How many answers the conversation has, whatever the screen looks like."""
    database = state / "sessions.db"
    with contextlib.suppress(TinsmithError):  # it is being made
        return sum(
            message.type == "ai" and not getattr(message, "tool_calls", ())
            for one in sessions.sessions(database)
            for message in sessions.read(database, one.id)
        )
    return 0


def look() -> Frame:
    """The screen of now."""
    where = "#{cursor_flag} #{cursor_x} #{cursor_y}"
    shown = tmux("capture-pane", "-e", "-p", ";", "display-message", "-p", where)
    screen, _, cursor = shown.rstrip("\n").rpartition("\n")
    on, column, row = map(int, cursor.split())
    return Frame(time.monotonic(), screen, (column, row) if on else None)


def tmux(*words: str) -> str:
    done = subprocess.run(["tmux", "-L", "tinsmith-record", *words], check=True,
                          capture_output=True, text=True)  # fmt: skip
    return done.stdout


def played(shots: Sequence[Shot]) -> tuple[list[Frame], float]:
    """As they are shown, and how many times as fast the waits are."""
    changes = [shots[0]] + [
        shot for before, shot in pairwise(shots) if not _same(before.frame, shot.frame)
    ]
    gaps = [
        (min(after.frame.at - shot.frame.at, LONGEST), after.waits)
        for shot, after in pairwise(changes)
    ]
    typed = sum(gap for gap, waits in gaps if not waits)
    waited = sum(gap for gap, waits in gaps if waits)
    factor = max(1.0, waited / max(1.0, PLAYS - typed))
    frames, now = [replace(changes[0].frame, at=0.0)], 0.0
    for shot, (gap, waits) in zip(changes[1:], gaps, strict=True):
        now += gap / factor if waits else gap
        frames.append(replace(shot.frame, at=now))
    return frames, factor


def _same(one: Frame, other: Frame) -> bool:
    return (one.screen, one.cursor) == (other.screen, other.cursor)


if __name__ == "__main__":
    main()
