"""Make `chat.svg`, the picture in the README: a real conversation, with a real model, in tmux.

    python -m examples.record --model qwen2.5-coder-1.5b

Run it in the checkout. It needs tmux. The models are yours; everything else that Tinsmith keeps
goes into a folder of its own, which is then deleted.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from agent.settings import home

QUESTIONS = ["What is 37 * 91 - 4, and which files here mention it?"]
WIDTH, HEIGHT = 90, 28
PATIENCE = 600
"""Seconds for the model to load, and again to answer."""
PROMPT = "\n> "
ANSWERED = "tokens cached"
"""Of the line below each answer."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="qwen2.5-coder-1.5b", metavar="NAME")
    parser.add_argument("--ask", action="append", metavar="QUESTION", help="may be repeated")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("chat.svg"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        (Path(state) / "models").symlink_to(home() / "models")
        screen = record(args.model, args.ask or QUESTIONS, Path(state))
    print(screen)
    args.out.write_text(picture(screen), "utf-8")


def record(model: str, questions: Sequence[str], state: Path) -> str:
    """What the terminal shows after the last answer, with its colours as escape sequences."""
    command = [sys.executable, "-m", "agent", "chat", "--model", model]
    # a server of its own, which knows nothing of your tmux and its settings
    size = ("-x", str(WIDTH), "-y", str(HEIGHT))
    tmux("-f", "/dev/null", "new-session", "-d", *size, "-e", f"TINSMITH_HOME={state}", *command)
    try:
        tmux("set-option", "status", "off")
        wait_for(PROMPT, 1)
        for number, question in enumerate(questions, 1):
            tmux("send-keys", "-l", question)
            tmux("send-keys", "Enter")
            wait_for(ANSWERED, number)
        return tmux("capture-pane", "-e", "-p", "-S", "-").rstrip().rstrip(">")
    finally:
        tmux("kill-server")


def wait_for(text: str, times: int) -> None:
    end = time.monotonic() + PATIENCE
    while (shown := "\n" + tmux("capture-pane", "-p", "-S", "-")).count(text) < times:
        if time.monotonic() > end:
            sys.exit(f"{text!r} did not come within {PATIENCE} s; the terminal shows:{shown}")
        time.sleep(0.2)


def tmux(*words: str) -> str:
    done = subprocess.run(["tmux", "-L", "tinsmith-record", *words], check=True,
                          capture_output=True, text=True)  # fmt: skip
    return done.stdout


def picture(screen: str) -> str:
    """An SVG of `screen`. Deterministic, and it fetches nothing."""
    from rich.console import Console
    from rich.text import Text

    lines = [line for line in screen.splitlines() if re.sub(r"\x1b\[[\d;]*m", "", line).strip()]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), color_system="truecolor")
    for line in lines:
        console.print(Text.from_ansi(line), no_wrap=True, crop=True)
    drawn = console.export_svg(title="tinsmith chat", unique_id="chat")
    return re.sub(r"@font-face \{.*?\}\n?", "", drawn, flags=re.DOTALL)  # they name a web server


if __name__ == "__main__":
    main()
