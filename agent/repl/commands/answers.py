"""What was answered and what tools gave: look at it, take it along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import UsageError
from agent.repl.clean import clean
from agent.repl.commands.command import command, whole_number

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from agent.repl.repl import Repl


@command
def copy(repl: Repl, rest: str) -> None:
    """copy the last answer; /copy N: its code block N alone

    Through the terminal (OSC 52), which works over ssh and in tmux where they allow it, and with
    this machine's own clipboard.

    /copy 1
    """
    from agent.repl import clipboard

    text, terminal = _answer(repl), repl.screen.terminal
    if rest:
        text = _block(text, whole_number("copy", rest, "the number of a code block"))
    repl.screen.plain(clipboard.copy(text, terminal.write if terminal else None))


@command
def save(repl: Repl, rest: str) -> None:
    """write code block N of the last answer into a file: /save N FILE

    /export writes the conversation.

    /save 1 fibonacci.py
    """
    first, _, name = rest.partition(" ")
    if not name.strip():
        raise UsageError(f"/save {rest}: it is /save N FILE, such as /save 1 program.py")
    code = _block(_answer(repl), whole_number("save", first, "the number of a code block"))
    file = _file(f"/save {rest}", name.strip())
    if not _may_write(repl, file):
        return
    from tools.storage import write_atomically

    write_atomically(file, code)
    repl.screen.plain(f"code block {first} is in {file}")


@command
def export(repl: Repl, rest: str) -> None:
    """write this conversation into a file: Markdown, or JSON by its ending

    Without FILE into session-ID.md in the working folder. `tinsmith sessions export` writes others.

    /export talk.md
    """
    from agent.commands.sessions import write

    messages = repl.session.messages
    if not messages:
        raise UsageError("/export: nothing was said in this conversation yet")
    file = _file(f"/export {rest}", rest or f"session-{repl.session.id}.md")
    if _may_write(repl, file):
        write(messages, file)
        repl.screen.plain(f"{len(messages)} messages of session {repl.session.id} are in {file}")


@command
def last(repl: Repl, rest: str) -> None:
    """the last call of a tool with all of its arguments and its result; /last N: the last N

    /last 3
    """
    count = whole_number("last", rest or "1", "how many calls to show")
    calls = list(_calls(repl.session.messages))
    if not calls:
        raise UsageError("/last: no tool was called in this conversation yet")
    if not 0 < count <= len(calls):
        raise UsageError(f"/last {rest}: {len(calls)} calls were made in this conversation")
    repl.screen.plain(clean("\n\n".join(calls[-count:])))


def _file(typed: str, name: str) -> Path:
    """Raises UsageError for what cannot be one."""
    try:
        file = Path(name).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{typed}: {error}") from None
    if file.is_dir() or not file.name:
        raise UsageError(f"{typed}: {name} is a folder; name a file")
    if file.exists() and not file.is_file():
        raise UsageError(f"{typed}: {name} is no ordinary file")
    return file.resolve() if file.is_symlink() else file


def _may_write(repl: Repl, file: Path) -> bool:
    """Whether `file` is new, or to be replaced. Raises UsageError where nobody can be asked."""
    if not file.exists():
        return True
    if not repl.has_user:
        raise UsageError(f"{file} is there already; remove it, or name another file")
    return repl.choose(f"{file} is there already. [r]eplace it, or [k]eep it?",
                       ("replace", "keep")) == "replace"  # fmt: skip


def _answer(repl: Repl) -> str:
    """The last one. Raises UsageError."""
    for message in reversed(repl.session.messages):
        if message.type == "ai" and message.text:
            return str(message.text)
    raise UsageError("there is no answer yet in this conversation")


def _block(text: str, number: int) -> str:
    """Code block `number` of Markdown, from 1. Raises UsageError."""
    from agent.repl.markdown import code_blocks

    blocks = code_blocks(text)
    if not 1 <= number <= len(blocks):
        there = f"has {len(blocks)} code blocks" if blocks else "has no code block"
        raise UsageError(f"the last answer {there}; there is no {number}")
    return blocks[number - 1]


def _calls(messages: Sequence[BaseMessage]) -> Iterator[str]:
    """Each call in full: name, arguments, result."""
    import json

    from langchain_core.messages import AIMessage, ToolMessage

    from agent.memory.results import WHOLE

    results = {one.tool_call_id: one for one in messages if isinstance(one, ToolMessage)}
    for message in messages:
        for call in message.tool_calls if isinstance(message, AIMessage) else ():
            lines = [call["name"]]
            for name, value in call["args"].items():
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                lines.append(f"  {name}: {text}")
            if (result := results.get(str(call["id"]))) is None:
                lines.append("  (no result)")
            else:
                parts = result.additional_kwargs.get(WHOLE)
                mark = "✗" if result.status == "error" else "→"
                lines.append(f"{mark} {''.join(parts) if parts else result.text}")
            yield "\n".join(lines)
