"""Notes that Tinsmith keeps for you: a text file for each title, in `notes/` of the working folder.

    tinsmith chat --tools examples/notes.py

A toolbox is a class: its methods that are `@tool`s share what the instance holds.
"""

from __future__ import annotations

import re
from pathlib import Path

from tools.base import ToolError, tool


class Notes:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # Looked up each time it is asked: you may add and delete files yourself, while you talk.
    def titles(self) -> list[str]:
        return sorted(file.stem for file in self.folder.glob("*.txt"))

    # The docstring is written for the model: it is all that the model knows of the tool.
    # `examples` are sentences that should select it; they help the model to choose.
    @tool(
        effects={"writes"},
        examples=[
            "note that the train leaves at 8:15, title journey",
            "write down under shopping: milk and bread",
            "make a note about Ada: her birthday is on 10 December",
        ],
    )
    def add_note(self, title: str, text: str) -> str:
        """Keep a note of the user's. A note of the same title grows by a line.

        Args:
            title: one to three words
            text: what the user wants to have noted
        """
        if not re.fullmatch(r"\w[\w -]{0,60}", title):
            # A ToolError is heard by the model, which can mend it. Anything else is a bug.
            raise ToolError(f"{title!r} is not a title; take letters, digits, blanks and -")
        self.folder.mkdir(exist_ok=True)
        with (self.folder / f"{title}.txt").open("a", encoding="utf-8") as file:
            file.write(f"{text.strip()}\n")
        return f"noted under {title!r}"

    # `choices`: the values of `title` are the notes that are there now, and the model can write
    # nothing else. While there are no notes, the tool is not offered at all.
    @tool(
        examples=["what is in my note journey?", "what did I note about Ada?", "read my notes"],
        choices={"title": titles},
    )
    def read_note(self, title: str) -> str:
        """Read a note of the user's.

        Args:
            title: of the note
        """
        try:
            return (self.folder / f"{title}.txt").read_text("utf-8")
        except FileNotFoundError:
            raise ToolError(f"the note {title!r} has been deleted") from None


# The instance that is offered. Tinsmith finds tools and toolboxes among a file's names.
notes = Notes(Path.cwd() / "notes")
