"""The prompt that stays: it is drawn in a thread of its own, while a turn runs in the main one.

What is said appears above it. Lines wait in a queue until the main thread asks for the next.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import Completer
from prompt_toolkit.document import Document
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import BaseStyle, DynamicStyle

from agent.references import begun
from agent.repl.above import ERASE, Growing, Prompt
from agent.repl.clean import clean
from agent.repl.history import PASTED
from agent.repl.interrupts import LEAVE_SECONDS
from agent.repl.keys import bindings
from agent.repl.plain import Line

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from prompt_toolkit.buffer import Buffer

    from agent.repl.above import Ansi
    from agent.repl.above import Line as Drawn

T = TypeVar("T")

GLANCE = 0.2
"""Seconds between two looks of a waiting main thread, where no signal wakes it."""
READING = 0.5
"""Seconds in which nobody can have read a question: what is typed then is no answer to it."""
LONG_PASTE = 2000
"""Characters of a paste that would only be in the way when it is shown as it is."""
ALONE = 0.4
"""Seconds after which a key that nothing followed is an answer."""
TICK = 1.0
"""Seconds between two looks at what the lines around the prompt say."""
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: a terminal that knows it shows what is between them at once."""


@dataclass(frozen=True)
class Question:
    text: str
    keys: Mapping[str, str] | None
    """What each key answers; None: a line is the answer."""
    confirmed: Collection[str] = ()
    """Keys that count only with Enter behind them: what they allow lasts."""


class Terminal:
    """Thread-safe, but for `next_line` and `ask`, which are the main thread's."""

    def __init__(
        self,
        completer: Completer,
        history: History,
        style: Callable[[], BaseStyle],
        live: Callable[[], Sequence[str]],
        status: Callable[[], str],
        ansi: Ansi,
        editing_mode: EditingMode = EditingMode.EMACS,
    ) -> None:
        """`live`: lines above the one that is typed; `status`: the one below it."""
        self.question: Question | None = None
        self.queued: list[str] = []
        """Sent, and not yet asked for."""
        self.proposed = ""
        """What Enter sends while nothing is typed."""
        self.given = ""
        """What was put into the line last; as long as it stands there, nothing has been typed."""
        self._live = live
        self._status = status
        self._wake = threading.Event()
        self._lines = threading.Condition()
        self._idle = False
        """Whether the main thread waits for a line."""
        self.is_over = False
        """Whether nothing more will be typed."""
        self._answers: queue.SimpleQueue[tuple[Question, str | BaseException]] = queue.SimpleQueue()
        self._asked = 0.0
        self._pastes: dict[str, str] = {}
        """Texts that were pasted, by what stands for them in the line: a name, or themselves."""
        self._interrupted = -LEAVE_SECONDS
        self._pressed = 0.0
        """When a key was pressed last."""
        self._kept = ""
        """What was being typed when a line was asked for."""
        self._growing = Growing(ansi)
        self._prompt: Prompt | None = None
        self._loop: AbstractEventLoop | None = None
        self._error: BaseException | None = None
        self._drawn = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prompt", daemon=True)
        self._streams: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)
        self._output = _output()
        self.session: PromptSession[str] = PromptSession(
            self._message,
            multiline=True,
            placeholder=self._placeholder,
            bottom_toolbar=self._toolbar,
            completer=completer,
            complete_while_typing=Condition(self._names),
            complete_in_thread=True,
            history=history,
            auto_suggest=AutoSuggestFromHistory(),
            enable_open_in_editor=True,
            enable_suspend=True,
            search_ignore_case=True,
            reserve_space_for_menu=6,
            key_bindings=bindings(self),
            style=DynamicStyle(style),
            editing_mode=editing_mode,
            output=self._output,
            # prompt_toolkit knows no NO_COLOR (no-color.org), which rich does
            color_depth=ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None,
            erase_when_done=True,
        )
        self.app = self.session.app
        self.app.ttimeoutlen = 0.1  # Esc alone is a key here, and must not feel slow,
        self.app.timeoutlen = 0.2  # nor take the next key with it
        self.app.key_processor.after_key_press += self._note_key
        self.app.before_render += self._shrink
        self.app.after_render += self._measure
        self.buffer.accept_handler = self._accept

    @property
    def buffer(self) -> Buffer:
        """Of the line that is typed. Only for the thread of the prompt."""
        return self.session.default_buffer

    def start(self) -> None:
        """Returns when the prompt has been drawn. Raises what hindered it."""
        self._thread.start()
        self._drawn.wait()
        if self._error is not None:
            raise self._error
        sys.stdout, sys.stderr = _Printed(self, sys.stdout), _Printed(self, sys.stderr)
        if sys.platform != "win32":
            # prompt_toolkit draws again as soon as it has sent the signal that is to stop it, which
            # with several threads may be before the program stops: the shell then writes over it
            signal.signal(signal.SIGCONT, lambda number, frame: self._continue())
        threading.Thread(target=self._look, name="status", daemon=True).start()

    def stop(self) -> None:
        """Take the prompt away. What is printed from then on goes to the terminal as it is."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, _Printed):
                stream.finish()
        sys.stdout, sys.stderr = self._streams
        if sys.platform != "win32":
            signal.signal(signal.SIGCONT, signal.SIG_DFL)
        with contextlib.suppress(RuntimeError):  # its loop has ended by itself
            self._in_loop(self._exit)
        self._thread.join()

    @property
    def unsent(self) -> tuple[str, ...]:
        """What was sent and never asked for, or was given back."""
        given = self.buffer.text if self.buffer.text == self.given else ""
        return tuple(self._line(text).text for text in (given, *self.queued) if text.strip())

    def next_line(self) -> Line:
        """What the user sends next. Raises EOFError, and KeyboardInterrupt at Ctrl-C."""
        self._idle = True
        try:
            with self._lines:
                while not self.queued and not self.is_over:
                    self._lines.wait(GLANCE)
                if self.is_over:  # what waits was not asked for before one left
                    raise EOFError
                return self._line(self.queued.pop(0))
        finally:
            self._idle = False
            self.redraw()

    def ask(
        self,
        question: str,
        keys: Mapping[str, str] | None = None,
        default: str = "",
        confirmed: Collection[str] = (),
    ) -> str:
        """The answer to `question`: what one of `keys` stands for, or without them a line.

        A key counts when it stays alone in the line for a moment; one of `confirmed` with Enter.

        What was being typed stays and is there again afterwards. Raises EOFError at Ctrl-D,
        KeyboardInterrupt at Ctrl-C.
        """
        asked = Question(question, keys, confirmed)
        try:
            self._in_loop(lambda: self._begin_question(asked, default))
            while True:
                with contextlib.suppress(queue.Empty):
                    question_of, answer = self._answers.get(timeout=GLANCE)
                    if question_of is asked:  # and not one that was broken off
                        break
                if self.is_over:
                    raise EOFError
        finally:
            self._in_loop(lambda: self._end_question(asked))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _line(self, text: str) -> Line:
        """With what was pasted in it, which is not what the user typed."""
        longest_first = sorted(self._pastes, key=len, reverse=True)
        pasted = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        whole = pasted.sub(lambda found: self._pastes[found.group()], text)
        return Line(whole, pasted.sub(" ", text))

    def answer(self, answer: str | BaseException) -> None:
        """For the keys: to the question that is asked, which is none any more."""
        asked, self.question = self.question, None
        if isinstance(answer, str):
            answer = self._line(answer).text
        if asked is not None:
            self._answers.put((asked, answer))

    def meant(self, text: str) -> str | None:
        """What `text` in the line answers to a question that is asked with keys; else None."""
        question = self.question
        if question is None or question.keys is None or self._pressed - self._asked < READING:
            return None  # or it was typed before the question could be read
        said = text.strip().lower()
        words = {answer: answer for answer in question.keys.values()}
        return {**words, **question.keys}.get(said)

    @property
    def wants_a_line(self) -> bool:
        """Whether a question is asked whose answer is a line, and not a key."""
        return self.question is not None and self.question.keys is None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return self._idle

    @property
    def is_in_the_line(self) -> bool:
        """Whether Ctrl-C is about what stands in the line. A second one is not about what the first
        gave back."""
        just_now = time.monotonic() - self._interrupted < LEAVE_SECONDS
        given_back = just_now and self.buffer.text == self.given
        return self._idle and bool(self.buffer.text) and not given_back

    def interrupt(self) -> None:
        """As Ctrl-C in a program without a prompt: the main thread gets a KeyboardInterrupt."""
        self._interrupted = time.monotonic()
        if sys.platform == "win32":
            import _thread

            _thread.interrupt_main()
        else:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def pasted(self, text: str) -> str:
        """What stands in the line for pasted text: itself, or of a long one a short name."""
        if len(text) > LONG_PASTE:
            name = f"{PASTED} {len(self._pastes) + 1}, {len(text)} characters]"
        else:
            name = text
        if name is not text or len(text.split()) > 1:
            self._pastes[name] = text
        return name

    def take_back(self) -> None:
        """For the keys: put what was sent last and still waits into the line again."""
        with self._lines:
            if self.queued:
                self._fill(self.queued.pop())

    def leave(self) -> None:
        """Nothing more will be typed."""
        with self._lines:
            self.is_over = True
            self._lines.notify()

    def begin(self, text: str) -> None:
        """The line begins with `text`, behind which one goes on; what is being typed comes last."""
        self._in_loop(lambda: self._give(text))

    def propose(self, text: str) -> None:
        """What Enter sends next while nothing is typed; what is typed is not disturbed."""
        self.proposed = text
        self.app.invalidate()

    def take_proposed(self) -> None:
        """For the keys: into the line."""
        self._fill(self.proposed)

    def print(self, text: str) -> None:
        """Whole lines, above the prompt. Each fits the width."""
        self._in_loop(lambda: self._print(text))

    def grow(self, lines: list[Drawn]) -> None:
        """The block that grows above the prompt shows `lines` now."""
        self._in_loop(lambda: self._grow(lines))

    def finish(self, lines: int) -> None:
        """The first `lines` of what grows are not drawn again."""
        self._in_loop(lambda: self._growing.finish(lines))

    def end_block(self) -> None:
        """What grew stays as it is."""
        self._in_loop(self._end_block)

    def redraw(self) -> None:
        """What stands around the line has changed."""
        self._wake.set()

    @property
    def width(self) -> int:
        return self._output.get_size().columns

    def write(self, control: str) -> None:
        """A sequence that shows nothing, such as OSC 52."""
        self._in_loop(lambda: self._write(control))

    def clear(self) -> None:
        self._in_loop(self.app.renderer.clear)

    def _run(self) -> None:
        try:
            self.session.prompt(pre_run=self._began, handle_sigint=False)
        except (EOFError, OSError) as error:  # the terminal is gone
            self._error = error
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._drawn.set()
            self.leave()

    def _began(self) -> None:
        """The loop is running."""
        self._loop = self.app.loop

    def _in_loop(self, do: Callable[[], T]) -> T:
        """In the thread of the prompt, which alone may touch it; without one, here."""
        if not self._thread.is_alive() or threading.current_thread() is self._thread:
            return do()
        done: Future[T] = Future()

        def work() -> None:
            if self.app._running_in_terminal:  # the screen is the editor's, or the shell's
                self._loop_of().call_later(GLANCE, work)
                return
            try:
                done.set_result(do())
            except BaseException as error:
                done.set_exception(error)

        self._loop_of().call_soon_threadsafe(work, context=self.app.context)
        while not wait([done], GLANCE).done:
            if not self._thread.is_alive():
                raise RuntimeError("the prompt has ended")
        return done.result()

    def _loop_of(self) -> AbstractEventLoop:
        assert self._loop is not None
        return self._loop

    def _accept(self, buffer: Buffer) -> bool:
        text, self.proposed = buffer.text, ""
        if text.strip():
            with self._lines:
                self.queued.append(text)
                self._lines.notify()
        return False

    def _begin_question(self, question: Question, default: str) -> None:
        self.question = question
        self._asked = time.monotonic()
        self.app.vi_state.input_mode = InputMode.INSERT  # where a key is what it says
        if question.keys is None:
            self._kept = self.buffer.text
            self._fill(default)
        self.app.invalidate()
        if self._thread.is_alive():
            self._loop_of().call_later(READING, self.app.invalidate)

    def _end_question(self, question: Question) -> None:
        self.question = None
        if question.keys is None:
            self._fill(self._kept)
        self.app.invalidate()

    def _give(self, text: str) -> None:
        for name, pasted in self._pastes.items():
            if name != pasted:
                text = text.replace(pasted, name)
        typed = self.buffer.text
        self.given = text if not typed.strip() else f"{text}\n{typed}"
        self._fill(self.given)

    def _fill(self, text: str) -> None:
        """The line holds `text`, and the cursor is behind it."""
        self.buffer.document = Document(text)

    def _names(self) -> bool:
        """Whether what is being typed is the name of something, which is completed as one types."""
        before = self.buffer.document.text_before_cursor
        return before.startswith("/") or begun(before) is not None

    def _around(self) -> list[str]:
        """The lines above the one that is typed."""
        waiting = [f"queued: {' '.join(one[:LONG_PASTE].split())}" for one in self.queued]
        return [*self._live(), *waiting]

    def _message(self) -> StyleAndTextTuples:
        width = max(1, self.width - 1)
        lines: StyleAndTextTuples = [
            ("class:live", f"{_cut(one, width)}\n") for one in self._around()
        ]
        if self.question is None:
            return [*lines, ("class:prompt", "> ")]
        asked = self.question.text
        if (keys := self.question.keys) is not None:
            if time.monotonic() - self._asked < READING:
                asked = ""
            elif self.buffer.text.lower() not in ("", *keys):
                asked = "send or clear the line to be asked"
        lines += [("class:question", f"{one}\n") for one in textwrap.wrap(asked, width)]
        return [*lines, ("class:prompt", "? " if keys is None else "> ")]

    def _placeholder(self) -> StyleAndTextTuples:
        return (
            []
            if self.question
            else [("class:proposed", _cut(self.proposed, max(1, self.width - 3)))]
        )

    def _toolbar(self) -> str:
        return _cut(self._status(), max(1, self.width - 1))

    def _look(self) -> None:
        """Draw again when something around the line has changed."""
        before: object = None
        while self._thread.is_alive():
            self._wake.wait(TICK)
            self._wake.clear()
            now = (self._around(), self._status())
            if now != before:
                self.app.invalidate()
            before = now

    def _shrink(self, sender: object) -> None:
        """prompt_toolkit keeps the height that it once had; what is above would stay apart."""
        last, size = self.app.renderer.last_rendered_screen, self._output.get_size()
        wanted = self.app.layout.container.preferred_height(size.columns, size.rows).preferred
        if last is not None and last.height > max(1, wanted):
            self.app.renderer.erase()

    def _note_key(self, sender: object) -> None:
        """A key that answers is one that nothing follows: whoever types a word means the word."""
        self._pressed = pressed = time.monotonic()
        question, text = self.question, self.buffer.text
        if question is None or not question.keys:
            return
        if text.lower() not in question.keys or text.lower() in question.confirmed:
            return

        def take() -> None:
            answer = self.meant(text)
            alone = self._pressed == pressed and self.buffer.text == text
            if alone and answer and self.question is question:
                self.buffer.reset()
                self.answer(answer)

        self._loop_of().call_later(ALONE, take)

    def _measure(self, sender: object) -> None:
        screen = self.app.renderer.last_rendered_screen
        if screen is None:
            self._prompt = None
            return
        cursor = screen.get_cursor_position(self.app.layout.current_window)
        rows = self._output.get_size().rows
        self._prompt = Prompt(min(screen.height, rows), cursor.x, cursor.y, rows)
        self._drawn.set()

    def _print(self, text: str) -> None:
        whole = text if text.endswith("\n") else f"{text}\n"
        self._above(self._growing.around(whole, self._visible()))

    def _end_block(self) -> None:
        if written := self._growing.end(self._visible()):
            self._above(written)

    def _visible(self) -> int:
        """Rows above the prompt."""
        return self._prompt.rows - self._prompt.height if self._prompt else 0

    def _grow(self, lines: list[Drawn]) -> None:
        prompt = self._prompt
        if prompt is None or self.app.renderer.last_rendered_screen is None:
            self._above(self._growing.rewritten(lines, 0))
        elif (written := self._growing.update(lines, prompt)) is not None:
            self._write(written)
        else:
            self._above(self._growing.rewritten(lines, prompt.rows - prompt.height))

    def _above(self, text: str) -> None:
        """Take the prompt away, write, and draw it again."""
        text = text.replace("\n", "\r\n")
        if not self.app.is_running:
            self._write(text)
            return
        self._write(BEGIN)
        self.app.renderer.erase()
        self._write(text)
        self.app._redraw()  # at once, where `invalidate` would leave the prompt away for a while
        self._write(END)

    def _write(self, text: str) -> None:
        self._output.write_raw(text)
        self._output.flush()

    def _continue(self) -> None:
        self._loop_of().call_soon_threadsafe(self._above, "", context=self.app.context)

    def _exit(self) -> None:
        if self.app.is_running:
            self.app.exit(result="")


class _Steady(Vt100_Output):
    """Asks the terminal nothing: its answer would come in between what is typed."""

    def get_rows_below_cursor_position(self) -> int:
        return 1

    def erase_down(self) -> None:
        self.write_raw(ERASE)


def _output() -> Output:
    if sys.platform == "win32":
        return create_output()
    return _Steady.from_pty(sys.stdout, term=os.environ.get("TERM"))


def _cut(text: str, width: int) -> str:
    from prompt_toolkit.utils import get_cwidth

    if get_cwidth(text) <= width:
        return text
    kept = ""
    for character in text:
        if get_cwidth(kept) + get_cwidth(character) > width - 1:
            break
        kept += character
    return f"{kept}…"


def _after_returns(line: str) -> str:
    """What is left of it on a terminal, where a progress bar writes over what it wrote before."""
    return line.rstrip("\r").rpartition("\r")[2]


class _Printed:
    """In the place of a stream: whole lines of what others print go above the prompt."""

    def __init__(self, terminal: Terminal, stream: TextIO) -> None:
        self._terminal = terminal
        self._stream = stream
        self._line = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        with self._lock:
            *lines, last = (self._line + text).split("\n")
            self._line = _after_returns(last) + ("\r" if last.endswith("\r") else "")
        if lines:
            self._terminal.print(clean("\n".join(map(_after_returns, lines))))
        return len(text)

    def flush(self) -> None:
        """A line is shown when it is whole."""

    def finish(self) -> None:
        if self._line:
            self._terminal.print(clean(self._line))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
