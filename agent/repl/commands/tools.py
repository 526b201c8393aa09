"""Tools, and the words that the model is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent import prompts as files
from agent.commands import tools as tools_of_shell
from agent.commands.output import speaking_through
from agent.errors import UnknownName, UsageError
from agent.repl import listing
from agent.repl.commands.command import Choice, command, nothing, one_of
from agent.repl.commands.shell import OnScreen
from agent.settings import home

if TYPE_CHECKING:
    from agent.repl.repl import Repl

ACTIONS = ("new", "reload", "test")


@command
def tools(repl: Repl, rest: str) -> None:
    """list the tools that the model can call

    With where each comes from, if that is a file. /tool new writes one.
    """
    nothing("tools", rest)
    box = repl.toolbox()
    rows = []
    for name, tool in box.tools.items():
        origin = Path(box.origin[name])
        file = f"  ({origin})" if origin.suffix == ".py" else ""
        rows.append((name, f"{tool.description.splitlines()[0]}{file}"))
    listing.show(repl.screen, rows)


@command(completes=lambda repl, typed: map(Choice, ACTIONS))
def tool(repl: Repl, rest: str) -> None:
    """/tool new NAME writes one, reload reads the files again, test NAME tries it

    new writes a tool that works, for you to change; reload takes what you have changed. test asks
    the model which tool it would call for the tool's examples, and runs nothing; without a NAME it
    tries all tools.

    /tool new greet
    """
    action, _, names = rest.partition(" ")
    one_of("tool", action, ACTIONS)
    if action == "new":
        _new(repl, names.strip())
    elif action == "test":
        _test(repl, names.split())
    else:
        nothing("tool reload", names)
        _reload(repl)
        repl.screen.plain(f"{len(repl.toolbox().tools)} tools are there")


def _new(repl: Repl, name: str) -> None:
    if not name:
        raise UsageError("/tool new takes the name of the new tool, such as /tool new greet")
    file = tools_of_shell.begin(name, repl.toolbox().tools)
    _reload(repl)
    repl.screen.plain(f"{file} is there, and the model may call {name} from now on")
    repl.screen.dim(f"edit it, then /tool reload; /tool test {name} tells if the model picks it")


def _test(repl: Repl, names: list[str]) -> None:
    agent = repl.agent()
    tools_of_shell.refuse_unknown(names, agent.tools)
    with speaking_through(OnScreen(repl)):
        tools_of_shell.try_examples(agent, names)


def _reload(repl: Repl) -> None:
    box = repl.toolbox()
    box.reload()
    for problem in box.problems:
        repl.screen.notice(str(problem))
    repl.tools_changed()


@command(completes=lambda repl, typed: map(Choice, files.files()))
def prompts(repl: Repl, rest: str) -> None:
    """list the prompt files; /prompts NAME shows what the model is told

    A file of the same name in the state folder's prompts/ replaces one that is shipped: at once,
    and that of system when a model is loaded next.

    /prompts system
    """
    known = files.files()
    if rest and rest not in known:
        raise UnknownName("prompt", rest, known)
    if rest:
        repl.screen.plain(known[rest].read_text("utf-8").rstrip())
        repl.screen.dim(str(known[rest]))
        return
    own = home() / "prompts"
    listing.show(
        repl.screen,
        [
            (name, f"yours: {file}" if file.is_relative_to(own) else "shipped")
            for name, file in known.items()
        ],
    )
    repl.screen.dim(f"a file of the same name in {own} replaces one")
