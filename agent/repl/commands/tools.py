"""Tools, skills, and the words that the model is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agent import app
from agent import prompts as files
from agent.commands import prompts as prompts_of_shell
from agent.commands import skills as skills_of_shell
from agent.commands import tools as tools_of_shell
from agent.commands.output import speaking_through
from agent.errors import UsageError
from agent.memory import window
from agent.repl import listing
from agent.repl.commands import shell
from agent.repl.commands.command import Choice, command, nothing, one_of
from agent.repl.commands.shell import OnScreen
from agent.settings import home
from agent.skills.telling import in_full, is_told

if TYPE_CHECKING:
    from agent.repl.repl import Repl

ACTIONS = ("new", "reload", "test")
SHOWS = ("show", "render", "check", "trust")
"""What may follow /prompts beside the name of one."""


def _skills(repl: Repl, typed: str) -> Iterator[Choice]:
    for name, one in app.shelf().found().skills.items():
        yield Choice(name, one.description)


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


@command(completes=lambda repl, typed: map(Choice, [*SHOWS, *files.files()]))
def prompts(repl: Repl, rest: str) -> None:
    """list the prompts; /prompts NAME shows one, render NAME tries it, check looks for mistakes

    A file of the same name in the state folder's prompts/ replaces one that is shipped: at once,
    and that of system when a model is loaded next. What `tinsmith prompts` takes.

    /prompts render facts
    """
    shown = f"show {rest}" if rest and rest.split()[0] not in SHOWS else rest
    shell.run(repl, prompts_of_shell, "prompts", shown)
    if not rest:
        repl.screen.dim(f"a file of the same name in {home() / 'prompts'} replaces one")


@command(completes=shell.actions(skills_of_shell, "skills", _skills))
def skills(repl: Repl, rest: str) -> None:
    """list the skills; /skills show NAME, check PATH, trust

    What `tinsmith skills` takes. /skill NAME uses one.

    /skills show extract-a-table
    """
    shell.run(repl, skills_of_shell, "skills", rest)


@command(completes=_skills)
def skill(repl: Repl, rest: str) -> None:
    """/skill NAME WHAT TO DO: the model reads the skill, then does it

    Without words behind it, the model reads the skill with your next message.

    /skill extract-a-table who lives where? Ada lives in Linz, Bo in Graz.
    """
    name, _, request = rest.partition(" ")
    known = app.shelf().found().skills
    one_of("skill", name, known)
    agent = repl.agent()
    told = is_told(name, window.view(agent.session.messages))
    if request.strip():
        typed = repl.typed.partition(" ")[2]
        repl.send(request.strip(), typed, first=() if told else (in_full(known[name]),))
    elif told:
        repl.screen.dim(f"the model has read {name} already; say what to do")
    else:
        agent.session.append(in_full(known[name]))
        repl.screen.dim(f"the model reads {name} with your next message")
