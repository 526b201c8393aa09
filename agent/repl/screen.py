"""Drawing events: what is finished is written once, the block that grows is changed in place."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TextIO

from agent import citations
from agent.cut import cut, cut_and_counted
from agent.events import (
    Event,
    Notice,
    Stage,
    TextDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    TurnEnded,
)
from agent.loop import SEARCH
from agent.repl.clean import clean, one_line, visible, written
from agent.repl.status import cost
from agent.repl.themes import THEMES, Theme

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from rich.console import Console, RenderableType
    from rich.segment import Segment

    from agent.repl.above import Line
    from agent.repl.painter import Painter
    from agent.repl.terminal import Terminal

LONGEST_CALL = 400
"""Characters of a call that runs."""
LONGEST_RESULT = 200
"""Characters of a result, in a line of its own."""
SHOWN = 2000
"""Characters of what the user has sent."""
PATIENCE = 0.3
"""Seconds until a wait is worth a line."""
THINKING = "thinking"
ENDED = {
    "interrupted": "interrupted", "failed": "failed", "repeats": "stopped: it went in circles",
    "tokens": "cut off: at max_tokens, at the end of the window, or going in circles",
}  # fmt: skip
SETTING = {"seconds": "max_seconds", "steps": "max_steps"}
"""What ended a turn that reached a limit."""


class Screen:
    def __init__(self, draws: bool, theme: Theme = THEMES["dark"]) -> None:
        """`draws` False: text is written as it comes, all else goes to stderr."""
        self._theme = theme
        self.ended = ""
        """Why the last turn ended."""
        self.draws = draws
        self.terminal: Terminal | None = None
        """Where the prompt stands, while it does."""
        self._painter: Painter | None = None
        """Of the turn that is under way, where it is drawn."""
        self._thought = ""
        self._running: dict[str, tuple[ToolStarted, str, float]] = {}
        """What was called, how that is shown, and since when it runs."""
        self._progress: dict[str, ToolProgress] = {}
        self._stage: Callable[[], str] | None = None
        """What is waited for."""
        self._doing = THINKING
        """What the turn is busy with while there is neither text nor a call."""
        self._since = 0.0
        self._reading: Callable[[], str] = str
        """What is added to that."""
        self._column_open = False
        self._made: Console | None = None

    @contextmanager
    def turn(self, reading: Callable[[], str]) -> Iterator[None]:
        """Draws what grows; at the end, what was said is there whatever happened.

        `reading`: how far the model is with the prompt.
        """
        self.ended, self._thought, self._doing = "", "", THINKING
        self._reading = reading
        if self.terminal is not None:
            from agent.repl.painter import Painter

            self._painter = Painter(self.terminal, self._lines)
        with (
            self.waiting(lambda: self._doing),
            self._painter.at_work() if self._painter else nullcontext(),
        ):
            try:
                yield
            finally:
                self._finish_text()
                self._painter = None
                self._reading = str
                self._running.clear()
                self._progress.clear()

    @contextmanager
    def waiting(self, stage: Callable[[], str]) -> Iterator[None]:
        """A line that says what is waited for, gone afterwards."""
        before, self._stage = self._stage, stage
        self._since = time.monotonic()
        self._redraw()
        try:
            yield
        finally:
            self._stage = before
            self._redraw()

    @contextmanager
    def working(self, text: str) -> Iterator[Callable[[str], None]]:
        """For long work of a command; what is yielded changes the line."""
        doing = [text]

        def say(text: str) -> None:
            doing[0] = text
            self._redraw()

        with self.waiting(lambda: doing[0]):
            yield say

    def live(self) -> list[str]:
        """What stands above the line that is typed at this moment; any thread asks."""
        now = time.monotonic()
        running = list(self._running.values())
        if running:
            return [
                f"· {self._far(one.id)}{call} {_seconds(now - begun)}"
                for one, call, begun in running
            ]
        if self._thought:
            words = f"thinking {_seconds(now - self._since)}, {len(self._thought.split())} words  "
            room = max(0, self.width - len(words) - 2)
            return [f"{words}…{one_line(self._thought[-2 * room :])[-room:]}" if room else words]
        asks = self.terminal is not None and self.terminal.question is not None
        answers = self._painter is not None and self._painter.has_text
        if self._stage is None or answers or asks or now - self._since < PATIENCE:
            return []
        return [f"{self._stage()} {_seconds(now - self._since)}{self._reading()}"]

    def draw(self, event: Event) -> None:
        doing = event.text if isinstance(event, Stage) else THINKING
        if doing != self._doing:
            self._doing, self._since = doing, time.monotonic()
            self._redraw()
        if isinstance(event, TextDelta):
            self._text(event)
        elif isinstance(event, ToolStarted):
            self._finish_text()
            call = cut(one_line(written(event.name, event.arguments)), LONGEST_CALL)
            self._running[event.id] = (event, call, time.monotonic())
            self._redraw()
        elif isinstance(event, ToolProgress):
            self._progress[event.id] = event
            self._redraw()
        elif isinstance(event, ToolFinished):
            started, *_ = self._running.pop(event.id)
            self._tool(started, event)
            self._since = time.monotonic()
        elif isinstance(event, Notice):
            self._finish_text()
            self.notice(event.text)
        elif isinstance(event, TurnEnded):
            self._finish_text()
            self.ended = event.reason
            if event.reason == "answered" and not any(map(str.isalnum, event.answer)):
                self.notice("the model said nothing; /retry asks once more")
            reason = ENDED.get(event.reason, "")
            if setting := SETTING.get(event.reason):
                reason = f"stopped at {setting}; /set {setting} N allows more"
            reason = f"({reason}) " if reason else ""
            if not self.draws:
                self.dim(reason + cost(event.usage))
            elif reason:  # the line below the prompt tells the rest
                self.dim(reason)

    def recall(self, messages: Sequence[BaseMessage]) -> None:
        """The last request and what was answered, of a conversation that goes on."""
        asked = [at for at, message in enumerate(messages) if message.type == "human"]
        if not asked:
            return
        for message in messages[asked[-1] :]:
            text = clean(str(message.text)).strip()
            if text and message.type in ("human", "ai"):
                self.dim(f"> {cut_and_counted(text, SHOWN)}" if message.type == "human" else text)
            elif message.type == "tool" and getattr(message, "status", "") == "error":
                self.dim(f"✗ {message.name} → {cut(one_line(text), LONGEST_RESULT)}")
        last = next(message for message in reversed(messages) if message.type != "system")
        if last.type != "ai" or not str(last.text).strip():
            self.dim("(ended before there was an answer)")
        elif last.response_metadata.get("finish") == "interrupted":
            self.dim("(the answer breaks off there)")

    def sent(self, text: str) -> None:
        """What the user has sent, now that it is its turn."""
        if self.draws:
            shown = cut_and_counted(text, SHOWN)
            self._say("\n> " + shown.replace("\n", "\n  "), "bold", sys.stdout)

    def plain(self, text: str) -> None:
        self._say(text, "", sys.stdout)

    def show(self, shown: RenderableType) -> None:
        """A table, a picture, Markdown: whatever rich can draw. Plain text in a pipe."""
        self._end_line()
        with self._console.capture() as captured:
            self._console.print(shown)
        self._put(captured.get(), sys.stdout)

    def clear(self) -> None:
        if self.terminal is not None:
            self.terminal.clear()

    def use(self, theme: Theme) -> None:
        self._theme, self._made = theme, None

    def dim(self, text: str) -> None:
        self._say(text, "aside", sys.stderr)

    def notice(self, text: str) -> None:
        self._say(text if self.draws else f"tinsmith: {text}", "notice", sys.stderr)

    def proposal(self, name: str, arguments: Mapping[str, Any], preview: str) -> None:
        """What is to be allowed, with what cannot be seen made visible."""
        self._finish_text()
        self.plain(written(name, arguments))
        shown = visible(preview)
        if not shown:
            return
        if not self.draws:
            self.plain(shown)
            return
        from rich.text import Text

        lines = shown.split("\n")
        styles = {"+": "added", "-": "removed"}
        # in one piece: with each that is written, the prompt is drawn again
        self.show(Text("\n").join(Text(one, styles.get(one[:1], "")) for one in lines))

    @property
    def width(self) -> int:
        return self.terminal.width if self.terminal is not None else self._console.width

    def ansi(self, segments: Sequence[Segment]) -> str:
        """As this terminal is told them."""
        from rich.segment import Segments

        with self._console.capture() as captured:
            self._console.print(Segments(segments), end="")
        return captured.get()

    def _text(self, event: TextDelta) -> None:
        if event.kind == "reasoning":
            if not self._thought:
                self._since = time.monotonic()
            self._thought += event.text
            self._redraw()
            return
        self._finish_thought()
        if not self.draws:
            print(clean(event.text) if sys.stdout.isatty() else event.text, end="", flush=True)
            self._column_open = not event.text.endswith("\n")
            return
        if self._painter is not None:
            begins = not self._painter.has_text
            self._painter.add(clean(event.text))
            if begins:
                self._redraw()  # nothing is waited for any more

    def _finish_text(self) -> None:
        self._finish_thought()
        if self._painter is not None:
            self._painter.end()
        self._end_line()

    def _finish_thought(self) -> None:
        thought, self._thought = self._thought, ""
        if thought and self.draws:
            seconds = time.monotonic() - self._since
            self.dim(f"thought for {seconds:.0f} s, {len(thought.split())} words")

    def _lines(self, text: str, width: int) -> list[Line]:
        """A block of Markdown, without the blanks that fill its lines."""
        from agent.repl.markdown import Answer

        options = self._console.options.update(width=width)
        lines = self._console.render_lines(Answer(text, self._theme.code), options, pad=False)
        lines = [_without_blanks(line) for line in lines]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def _tool(self, started: ToolStarted, event: ToolFinished) -> None:
        call = one_line(written(started.name, started.arguments))
        result = _in_short(event)
        seconds = f" ({event.seconds:.1f} s)" if event.seconds >= 1 else ""
        mark = "✓" if event.ok else "✗"
        if not self.draws:
            short = cut(result, LONGEST_RESULT)
            print(f"{mark} {call} → {short}{seconds}", file=sys.stderr, flush=True)
            return
        from rich.text import Text

        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{mark} ", "fine" if event.ok else "failed")
        width = max(8, self.width - 6 - len(seconds))
        shown = Text(call, "aside")
        shown.truncate(max(width // 2, width - Text(result).cell_len), overflow="ellipsis")
        answer = Text(f" → {result}", "aside" if event.ok else "failed")
        answer.truncate(width + 3 - shown.cell_len, overflow="ellipsis")
        self.show(text.append_text(shown).append_text(answer).append(seconds, "aside"))

    def _say(self, text: str, style: str, otherwise: TextIO) -> None:
        """A line on the terminal, or to `otherwise`."""
        self._end_line()
        if not self.draws:
            print(clean(text) if otherwise.isatty() else text, file=otherwise, flush=True)
            return
        with self._console.capture() as captured:
            self._console.print(clean(text), style=style, markup=False, emoji=False)
        self._put(captured.get(), sys.stdout)

    def _put(self, text: str, stream: TextIO) -> None:
        if self.terminal is not None:
            self.terminal.print(text)
        else:
            stream.write(text)
            stream.flush()

    @property
    def _console(self) -> Console:
        if self._made is None:
            from rich.console import Console
            from rich.theme import Theme as Styles

            styles = Styles(dict(self._theme.styles))
            self._made = Console(highlight=False, force_terminal=self.draws or None, theme=styles)
        if self.terminal is not None:
            self._made.width = self.terminal.width
        return self._made

    def _redraw(self) -> None:
        if self.terminal is not None:
            self.terminal.redraw()

    def _far(self, id: str) -> str:
        """How far a tool is that tells."""
        now = self._progress.get(id)
        return f"{now.done} of {now.total} {now.what}: " if now else ""

    def _end_line(self) -> None:
        """Begin a new line when the last is not finished."""
        if self._column_open:
            print(flush=True)
            self._column_open = False


def _in_short(event: ToolFinished) -> str:
    """One line of what a tool gave; of passages, where they stand."""
    found = citations.sources(event.result) if event.ok and event.name == SEARCH else []
    if not found:
        return one_line(event.result)
    passages = "1 passage" if len(found) == 1 else f"{len(found)} passages"
    return f"{passages}: {', '.join(map(str, found))}"


def _without_blanks(line: Line) -> Line:
    """Without those at its end that nobody sees."""
    kept = list(line)
    while kept and not (one := kept[-1]).text.rstrip(" ") and not _fills(one):
        kept.pop()
    if kept and not _fills(one := kept[-1]):
        kept[-1] = type(one)(one.text.rstrip(" "), one.style)
    return kept


def _fills(one: Segment) -> bool:
    """Whether its blanks are seen."""
    style = one.style
    if style is None:
        return False
    has_ground = style.bgcolor is not None and not style.bgcolor.is_default
    return bool(has_ground or style.underline or style.reverse)


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s"
