"""The line the user types: keys, history, completion."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from prompt_toolkit import PromptSession
from prompt_toolkit.application.current import get_app_session
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input.typeahead import get_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import is_dumb_terminal as is_dumb_terminal

from agent.settings import home

END_OF_INPUT = b"\x04"


def session(completer: Completer) -> PromptSession[str]:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    home().mkdir(parents=True, exist_ok=True)
    return PromptSession(
        history=FileHistory(str(home() / "history")),
        key_bindings=keys,
        multiline=True,
        completer=completer,
        reserve_space_for_menu=5,
        style=Style.from_dict({"rprompt": "fg:ansibrightblack"}),
    )


class Words(Completer):
    """Commands and what they take as one types; names of tools when asked with Tab."""

    def __init__(
        self,
        commands: Mapping[str, str],
        arguments: Callable[[str], Iterable[str]],
        tools: Callable[[], Iterable[str]],
    ) -> None:
        """`commands`: what each does. `arguments` of a command and `tools` are asked each time."""
        self._commands = commands
        self._arguments = arguments
        self._tools = tools

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        before = document.text_before_cursor
        command, space, argument = before.partition(" ")
        if before.startswith("/") and not space:
            for name, what in self._commands.items():
                if name.startswith(command[1:]):
                    yield Completion(f"/{name}", -len(command), display_meta=what)
        elif before.startswith("/"):
            for word in self._arguments(command[1:]):
                if word.startswith(argument):
                    yield Completion(word, -len(argument))
        elif event.completion_requested:
            begun = document.get_word_before_cursor()
            for tool in self._tools():
                if begun and tool.startswith(begun):
                    yield Completion(tool, -len(begun))


@contextlib.contextmanager
def quiet_keys() -> Iterator[None]:
    """What is typed now is not echoed into the answer; the next prompt gets it. Ctrl-C works."""
    try:
        import termios
        import tty
    except ImportError:  # Windows does not echo what nobody reads
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    tty.setcbreak(file, termios.TCSANOW)
    quiet = termios.tcgetattr(file)
    quiet[3] |= termios.NOFLSH  # Ctrl-C stops the answer; what was typed before it stays
    termios.tcsetattr(file, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(file, termios.TCSANOW, before)


def typed() -> bytes:
    """What has been typed since, without waiting."""
    if not sys.stdin.isatty():
        return b""
    # what came in one piece with the line before, prompt_toolkit has read already
    read = "".join(key.data for key in get_typeahead(get_app_session().input)).encode()
    if not select.select([sys.stdin], [], [], 0)[0]:
        return read
    return read + os.read(sys.stdin.fileno(), 4096)


def text_of(keys: bytes) -> str:
    """The text among keys that were pressed; arrows and the like are left out."""
    text = re.sub(r"\x1b(\[[0-9;?]*)?.?", "", keys.decode("utf-8", "ignore"))
    return "".join(c for c in text.replace("\r", "\n") if c == "\n" or c.isprintable())


@contextlib.contextmanager
def interrupts(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C calls `stop` and nothing is broken off in the middle; a second one breaks in."""

    def first(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # in a thread: this one may be holding the lock that `stop` wants
        threading.Thread(target=stop, daemon=True).start()

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
