"""What the line that is typed looks like, and how it is completed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.styles import BaseStyle, Style

_STYLE = Style.from_dict(
    {
        "live": "fg:ansibrightblack",
        "question": "fg:ansiyellow",
        "bottom-toolbar": "noreverse fg:ansibrightblack",
        "auto-suggestion": "fg:ansibrightblack",
    }
)


def style() -> BaseStyle:
    return _STYLE


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
