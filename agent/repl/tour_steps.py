"""What the tour shows, one step after the other."""

from __future__ import annotations

from dataclasses import dataclass

NAME = "bikeshop"
"""Of the file of messages, and so of the specialist and of the collection that come of the tour."""


@dataclass(frozen=True)
class Step:
    name: str
    title: str
    says: str
    line: str
    """What is proposed; NAME stands for what the tour's things are called here."""
    tool: str = ""
    """The one that has to be called; "": any answer will do."""
    needs_embedder: bool = False


STEPS = (
    Step(
        "ask",
        "Ask",
        "The model is a file on this machine, and so is all that you say to it. The answer comes "
        "word by word; the line below it counts what the model had to read. The first question "
        "costs most: what was read once is kept, and each turn reads only what is new.",
        "Which is the highest mountain on Earth?",
    ),
    Step(
        "tool",
        "Call a tool",
        "Models are bad at arithmetic, so this one calls a calculator. It cannot write an invalid "
        "call: each is decoded under a grammar made from the tools. The line with a ✓ shows what "
        "was called and what came back.",
        "What is 37 * 91 - 4?",
        "calculate",
    ),
    Step(
        "train",
        "Train a specialist",
        "NAME.csv holds messages to a shop, each with its topic. From them a small model learns to "
        "sort new ones. You see the plan and are asked first (o: once). The training then runs in "
        "the background, a minute or two, while the tour goes on.",
        "train a classifier on NAME.csv, and call it NAME",
        "train_specialist",
        needs_embedder=True,
    ),
    Step(
        "document",
        "Add a document",
        "The folder handbook holds what the shop tells its staff. It is cut into passages that "
        "know their lines and kept in a store on this machine, found by words and by meaning.",
        "add the folder handbook to the collection NAME, so that I can ask about it",
        "add_documents",
        needs_embedder=True,
    ),
    Step(
        "read",
        "Ask the document",
        "Now the model looks the answer up. Behind the answer stand the file and the lines that it "
        "rests on; /sources FILE:LINE shows them.",
        "What does the handbook say: within how many days can a tent be returned?",
        "search_documents",
        needs_embedder=True,
    ),
    Step(
        "write",
        "Write a tool",
        "A tool is a Python function with a docstring for the model. This one is written to TOOLS "
        "and loaded when you send the line below:",
        "/tour write",
    ),
    Step(
        "call",
        "Call it",
        "It is there, without a restart. The model has never seen it before.",
        "How far do I get in one turn of the pedals, with 50 teeth in front and 17 at the back?",
        "distance_per_turn",
    ),
    Step(
        "use",
        "Use the specialist",
        "It was measured on messages that it had not seen, and beat the commonest topic: so it is "
        "in use, as one more tool. What it knows are the topics of its file; a text that fits "
        "none of them is called unknown.",
        "which topic is this: the chain keeps slipping when I pedal hard",
        "classify_text",
        needs_embedder=True,
    ),
)
ENDS = (
    "Next, with your own things: tinsmith tools new NAME writes a starting point for a tool; "
    "train on a file of yours by saying so; /help lists the commands. /tour remove deletes all "
    "that the tour has made."
)
