"""The keys of the prompt, beside those that prompt-toolkit has for emacs and vi."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, emacs_insert_mode, has_completions, has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

if TYPE_CHECKING:
    from agent.repl.terminal import Terminal


def bindings(terminal: Terminal) -> KeyBindings:
    keys = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)
    empty = Condition(lambda: not terminal.buffer.text)
    offered = Condition(lambda: bool(terminal.proposed) and terminal.question is None)
    waits = Condition(lambda: bool(terminal.queued) and not terminal.wants_a_line)

    @keys.add("enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None  # it has been put in; the next Enter sends
        elif terminal.wants_a_line:
            text = buffer.text
            buffer.reset()  # and into no history: it may be what a model wrote
            terminal.answer(text)
        elif (answer := terminal.meant(buffer.text)) is not None:
            buffer.reset()
            terminal.answer(answer)
        elif buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            if empty() and offered():
                terminal.take_proposed()
            buffer.validate_and_handle()

    @keys.add("tab", filter=typing & empty & offered)
    @keys.add("right", filter=typing & empty & offered)
    def _(event: KeyPressEvent) -> None:
        terminal.take_proposed()

    @keys.add(Keys.BracketedPaste, filter=typing)
    def _(event: KeyPressEvent) -> None:
        text = event.data.replace("\r\n", "\n").replace("\r", "\n")
        event.current_buffer.insert_text(terminal.pasted(text))

    @keys.add("escape", "enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("escape", filter=typing & emacs_insert_mode)
    @keys.add("escape", filter=typing & empty & waits)
    def _(event: KeyPressEvent) -> None:
        if empty() and waits():  # else Esc alone does nothing, and takes no key after it along
            terminal.take_back()

    @keys.add("escape", filter=typing & has_completions, eager=True)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.cancel_completion()

    @keys.add("c-c", filter=typing)
    @keys.add("<sigint>")
    def _(event: KeyPressEvent) -> None:
        if terminal.question is not None:
            terminal.answer(KeyboardInterrupt())
        elif terminal.is_in_the_line:
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
