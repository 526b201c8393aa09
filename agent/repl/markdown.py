"""An answer as it grows: which of its blocks are finished, and how Markdown looks here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.padding import Padding
from rich.segment import Segment
from rich.syntax import Syntax

from agent.repl.clean import clean

# without HTML and link definitions, which rich leaves out: nothing that was said may be lost
_PARSER = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["table", "strikethrough"])
    .disable(["reference", "html_block", "html_inline"])
)


def blocks(text: str) -> list[str]:
    """The blocks of `text`, which make it up again. What comes can change only the last."""
    lines = re.split(r"(?<=\n)", text)  # as the parser does it: at no other character
    begins = [
        token.map[0]
        for token in _PARSER.parse(text)
        if token.level == 0 and token.map and token.nesting >= 0
    ]
    ends = [*begins[1:], len(lines)]
    return ["".join(lines[begin:end]) for begin, end in zip([0, *begins[1:]], ends, strict=True)]


def code_blocks(text: str) -> list[str]:
    """The code of each, in order, as `/copy` and `/save` number them."""
    return [token.content for token in _PARSER.parse(text) if token.type in ("fence", "code_block")]


class Answer(Markdown):
    """Markdown as people read it in a terminal: plain headings, code that can be copied."""

    def __init__(self, text: str, code_theme: str = "ansi_dark") -> None:
        """`code_theme`: a style of Pygments."""
        super().__init__("", code_theme=code_theme, hyperlinks=False)
        self.markup = text
        self.parsed = _PARSER.parse(text)
        for token in self.parsed:
            for part in token.children or ():
                if part.type == "softbreak":
                    part.type = "hardbreak"  # a line that the model ended stays a line

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Without the empty lines that rich puts before and after some blocks."""
        lines = list(Segment.split_lines(self._segments(console, options)))
        full = [at for at, line in enumerate(lines) if "".join(s.text for s in line).strip()]
        for line in lines[full[0] : full[-1] + 1] if full else ():
            for one in line:  # a link's %1B is a control character only now
                yield Segment(clean(one.text), one.style)
            yield Segment.line()

    def _segments(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for part in super().__rich_console__(console, options):
            if isinstance(part, Segment):
                yield part
            else:
                yield from console.render(part, options)

    class Title(Heading):
        LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {}

    class Code(CodeBlock):
        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            code = Syntax(
                str(self.text).rstrip(),
                self.lexer_name,
                theme=self.theme,
                word_wrap=True,
                background_color="default",
            )
            yield Padding(code, (0, 0, 0, 2)) if options.max_width > 20 else code

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": Title,
        "fence": Code,
        "code_block": Code,
    }
