"""The keys of the prompt, beside those that prompt-toolkit has for emacs and vi."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_completions, has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

if TYPE_CHECKING:
    from agent.repl.terminal import Terminal


def bindings(terminal: Terminal) -> KeyBindings:
    keys = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)
    answering = typing & Condition(lambda: _wants_key(terminal))
    empty = Condition(lambda: not terminal.buffer.text)
    waits = Condition(lambda: bool(terminal.queued) and terminal.question is None)

    @keys.add("enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None  # it has been put in; the next Enter sends
        elif buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add(Keys.BracketedPaste, filter=typing)
    def _(event: KeyPressEvent) -> None:
        text = event.data.replace("\r\n", "\n").replace("\r", "\n")
        event.current_buffer.insert_text(terminal.pasted(text))

    @keys.add("escape", "enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("escape", filter=typing & empty & waits)
    def _(event: KeyPressEvent) -> None:
        terminal.take_back()

    @keys.add("escape", filter=typing & has_completions, eager=True)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.cancel_completion()

    @keys.add(Keys.Any, filter=answering)
    def _(event: KeyPressEvent) -> None:
        keys = terminal.question.keys if terminal.question else None
        if keys and (answer := keys.get(event.data.lower())) is not None:
            terminal.answer(answer)

    @keys.add("c-c", filter=typing)
    @keys.add("<sigint>")
    def _(event: KeyPressEvent) -> None:
        if terminal.question is not None:
            terminal.answer(KeyboardInterrupt())
        elif terminal.is_idle and terminal.buffer.text:
            terminal.buffer.reset()
        else:
            terminal.interrupt()

    @keys.add("c-d", filter=typing & empty)
    def _(event: KeyPressEvent) -> None:
        if terminal.question is not None:
            terminal.answer(EOFError())
        else:
            terminal.leave()
            if not terminal.is_idle:  # the end of the lines is seen only between two of them
                terminal.interrupt()

    return keys


def _wants_key(terminal: Terminal) -> bool:
    question = terminal.question
    return question is not None and question.keys is not None and terminal.is_settled
