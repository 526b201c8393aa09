"""Every command of the conversation, and what must be seen when it is typed.

Each line stands by itself after `ASKED` was answered, and they may also follow each other in this
order. `tests/test_commands.py` drives them through a pipe and through a terminal.
"""

from __future__ import annotations

from dataclasses import dataclass

CODE = "The number is 3363.\n\n```python\nprint(37 * 91 - 4)\n```\n\n```\nsecond\n```\n"
SCRIPT: tuple[dict[str, object], ...] = (
    {"call": "calculate", "arguments": {"expression": "37 * 91 - 4"}},
    {"say": CODE},
    {"say": "Once more: 3363."},
)
"""What the model says."""
ASKED = "what is 37 * 91 - 4?"
ANSWERED = "The number is 3363"


@dataclass(frozen=True)
class Line:
    typed: str
    seen: str
    """A regular expression."""
    piped: str = ""
    """Another one, where nobody types who could be asked."""

    @property
    def command(self) -> str:
        return self.typed[1:].partition(" ")[0]


LINES = (
    Line("/help", r"/train +train a specialist on a file"),
    Line("/help train", r"/train reviews\.csv --name sentiment --epochs 2"),
    Line("/theme", r"\* auto +as the background is"),
    Line("/theme mono", r"theme = 'mono' in this conversation"),
    Line("/clear", r""),
    Line("/doctor", r"ok +Python 3"),
    Line("/set", r"temperature +0\.0 +0: always"),
    Line("/set temperature 0.5", r"temperature = 0\.5 in this conversation"),
    Line("/set max_steps 9 --keep", r"max_steps = 9 for good, in .*config\.toml"),
    Line("/commands", r"none yet; a file NAME\.md in .*commands is a prompt"),
    Line("/tools", r"calculate +Work out an arithmetic expression"),
    Line("/tool new wave", r"wave\.py is there, and the model may call wave from now on"),
    Line("/tool reload", r"\d+ tools are there"),
    Line("/tasks", r"there are none; /tasks new writes one"),
    Line("/run", r"/run takes the file of a task; /tasks lists"),
    Line("/prompts", r"system +shipped"),
    Line("/prompts repeated", r"Do not repeat it"),
    Line("/model", r"scripted, window 1000000 tokens"),
    Line("/bits", r"scripted is not loaded here"),
    Line("/engine", r"scripted"),
    Line("/docs", r"none yet; add some with: /docs add PATH"),
    Line("/sources", r"no passage of a document was found"),
    Line("/memory", r"nothing is remembered yet"),
    Line("/train --help", r"usage: /train "),
    Line("/jobs", r"none yet; begin one with: /train FILE"),
    Line("/specialists", r"none yet; train one with: /train FILE"),
    Line("/context", r"conversation +\d+ +\d+%"),
    Line("/compact", r"there is nothing to compact"),
    Line("/usage", r"this conversation +0 +\d+ +\d+"),
    Line("/trace", r"calculate"),
    Line("/last", r"expression: 37 \* 91 - 4\s+→ 3363"),
    Line("/copy", r"(sent|copied) \d+ characters", r"there is no clipboard here|copied \d+"),
    Line("/save 1 program.py", r"code block 1 is in program\.py"),
    Line("/export talk.md", r"4 messages of session \d+ are in talk\.md"),
    Line("/sessions", r"4 messages +what is 37"),
    Line("/pin", r"pinned: what is 37"),
    Line("/unpin", r"1  what is 37|nothing is pinned"),
    Line("/resume", r"/resume takes the number of a conversation"),
    Line("/fork", r"this is session \d+ now"),
    Line("/retry", r"Once more: 3363"),
    Line("/edit", r"> what is 37", r"it takes a terminal"),
    Line("/undo", r"this is session \d+ now|you have said"),
    Line("/new", r"this is session \d+ now|\s*"),
    Line("/tool test calculate", r"calculate +\d of \d|script has run out"),
    Line("/image", r"/image FILE: it takes the name of a picture"),
    Line("/tour", r"/tour stop", r"it takes a terminal"),
    Line("/quit", r""),
)
