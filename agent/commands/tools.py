"""`tinsmith tools`: what the model can call, whether a file is right, whether it gets chosen."""

from __future__ import annotations

import argparse
import keyword
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.commands import options
from agent.commands.output import say, waiting, warn
from agent.errors import GrammarError, UnknownName, UsageError
from tools.storage import write_atomically

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from agent.loop import Agent

START = '''"""A tool for Tinsmith. Try it: tinsmith tools check {file}"""

from tools.base import ToolError, tool


@tool(examples=["say hello to Ada", "greet my team"])
def {name}(who: str) -> str:
    """Greet somebody by name.

    Args:
        who: whom to greet
    """
    if not who.strip():
        raise ToolError("who is empty; ask the user for a name")
    return f"Hello, {{who}}!"
'''


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("tools", help="list, check, test, new, trust")
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    check = actions.add_parser("check", help="what is wrong with a tool file")
    check.add_argument("path", type=Path)
    check.set_defaults(run=_check)
    test = actions.add_parser("test", help="how often the model picks each tool for its examples")
    test.add_argument("names", nargs="*", metavar="NAME")
    options.add(test)
    test.set_defaults(run=_test)
    new = actions.add_parser("new", help="write a starting point")
    new.add_argument("name")
    new.set_defaults(run=_new)
    trust = actions.add_parser("trust", help="let Tinsmith use the tools in ./tools")
    trust.set_defaults(run=_trust)


def _list(args: argparse.Namespace) -> int:
    from agent import app
    from tools.spec import approval_of, effects_of

    box = app.toolbox([], app.is_trusted(app.project_tools()))
    for name, tool in box.tools.items():
        asks = "asks" if approval_of(tool) == "ask" else ""
        effects = ", ".join(sorted(effects_of(tool)))
        line = tool.description.splitlines()[0]
        say(f"{name:16}{effects:14}{asks:6}{line}  ({box.origin[name]})")
    for problem in box.problems:
        warn(str(problem))
    return 0


def _check(args: argparse.Namespace) -> int:
    from tools.loader import Toolbox

    if not args.path.exists():
        raise UsageError(f"there is no {args.path}")
    box = Toolbox(list, [args.path])
    for problem in box.problems:
        say(f"error    {problem}")
    for name, tool in box.tools.items():
        faults = _faults(tool)
        for fault in faults:
            say(f"warning  {name}: {fault}")
        if not faults:
            say(f"ok       {name}")
    return 1 if box.problems else 0


def _faults(tool: BaseTool) -> list[str]:
    from agent import grammar
    from tools.spec import spec

    faults = [] if getattr(tool, "examples", ()) else ["has no examples; add two or three"]
    now = spec(tool)
    if now is None:
        return [*faults, "one of its choices has no value now, so it is not offered"]
    try:
        grammar.arguments(grammar.HERMES, now.name, now.parameters)
    except GrammarError as error:
        faults.append(str(error))
    for name, schema in now.parameters["properties"].items():
        if not schema.get("description"):
            faults.append(f"parameter {name!r} has no description under Args:")
    return faults


def _test(args: argparse.Namespace) -> int:
    from agent import app
    from agent.memory.sessions import Session

    box = app.toolbox(args.tools, app.is_trusted(app.project_tools()))
    refuse_unknown(args.names, box.tools)
    settings = app.settings_of(vars(args))
    with waiting(f"loading {app.called(settings)}") as wait:
        agent = app.build(settings, Session.create(":memory:"), box, tell=wait.tell)
    try:
        try_examples(agent, args.names)
    finally:
        agent.engine.close()
    return 0


def refuse_unknown(names: Sequence[str], tools: Mapping[str, BaseTool]) -> None:
    for name in names:
        if name not in tools:
            raise UnknownName("tool", name, tools)


def try_examples(agent: Agent, names: Sequence[str]) -> None:
    """How often the model picks each of these tools, or of all, for its examples."""
    wanted = names or list(agent.tools)
    with waiting("asking the model") as wait:
        for number, name in enumerate(wanted, 1):
            wait.say(f"{name}, {number} of {len(wanted)}")
            examples = getattr(agent.tools[name], "examples", ())
            chosen = [agent.first_choice(example) for example in examples]
            wait.pause()
            say(f"{name:16}{chosen.count(name)} of {len(examples)}")
            for example, other in zip(examples, chosen, strict=True):
                if other != name:
                    say(f"    {example!r}: {other or 'no tool'}")


def _new(args: argparse.Namespace) -> int:
    from agent import app

    file = begin(args.name, [tool.name for tool in app.built_in()])
    say(str(file))
    say(f"Next: edit it, then  tinsmith tools check {file}")
    say(f"and  tinsmith tools test {args.name}")
    return 0


def begin(name: str, taken: Collection[str]) -> Path:
    """Write a starting point for a tool; gives its file. `taken`: names that others have."""
    from agent.settings import home

    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(f"{name!r} is not a Python name; take letters, digits and _")
    if name.startswith("_"):
        raise UsageError(f"{name}: files that begin with _ are not read; take another name")
    if name in taken:
        raise UsageError(f"there is a tool named {name} already; take another name")
    file = home() / "tools" / f"{name}.py"
    if file.exists():
        raise UsageError(f"{file} is there already; take another name")
    write_atomically(file, START.format(name=name, file=file.as_posix()))
    return file


def _trust(args: argparse.Namespace) -> int:
    from agent import app

    folder = app.project_tools()
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    app.trust(folder)
    say(f"trusted {folder}")
    return 0
