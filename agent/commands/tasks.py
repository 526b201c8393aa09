"""`tinsmith tasks`: those there are, what is wrong with one, a new one, one as it is sent."""

from __future__ import annotations

import argparse
import difflib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.commands.output import advised, say, tell, warn
from agent.commands.run import pairs
from agent.errors import UsageError
from tools.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.tasks.task import Task

PATTERNS = ("*.task.yaml", "*.task.yml", "*.task.md")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("tasks", help="list, check, show, new, import")
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    check = actions.add_parser("check", help="every mistake in task files, with its line")
    check.add_argument("files", type=Path, nargs="+", metavar="FILE")
    check.add_argument("--tools", type=Path, action="append", default=[], metavar="PATH",
                       help="a Python file or folder with tools; may be repeated")  # fmt: skip
    check.set_defaults(run=_check)
    show = actions.add_parser("show", help="what a task takes and does")
    show.add_argument("file", type=Path, metavar="FILE")
    show.add_argument("--render", action="store_true", help="the prompts, as the model gets them")
    show.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    show.set_defaults(run=_show)
    new = actions.add_parser("new", help="write an example to change")
    new.add_argument("name", nargs="?", default="example")
    new.set_defaults(run=_new)
    schema = actions.add_parser("schema", help="the JSON schema of task files, for an editor")
    schema.set_defaults(run=_schema)
    bring = actions.add_parser("import", help="make tasks and rows of another program's files")
    bring.add_argument("kind", choices=["bfcl", "promptfoo"])
    bring.add_argument("files", type=Path, nargs="+", metavar="FILE")
    bring.set_defaults(run=_import)


def _list(args: argparse.Namespace) -> int:
    from agent.tasks.read import read
    from agent.tasks.task import TaskFileError

    there = list(files())
    if not there:
        tell(f"there are none; {advised('tasks new')} writes one")
    for file in there:
        try:
            task = read(file)
        except (TaskFileError, UsageError) as error:
            warn(str(error).splitlines()[0])
            continue
        say(f"{file}  {task.form.description}".rstrip())
    return 0


def files() -> Iterator[Path]:
    """In this folder, in ./tasks and in the state folder's tasks/."""
    from agent.settings import home

    for folder in (Path(), Path("tasks"), home() / "tasks"):
        for pattern in PATTERNS:
            yield from sorted(folder.glob(pattern))


def _check(args: argparse.Namespace) -> int:
    from agent.tasks.hints import hints
    from agent.tasks.load import named_by
    from agent.tasks.read import read
    from agent.tasks.task import TaskFileError

    wrong = 0
    for file in args.files:
        mistakes: list[str] = []
        try:
            task = read(file)
            mistakes += _rows_missing(task)
            named_by(task, args.tools, warn)
        except TaskFileError as error:
            mistakes += error.mistakes
        for mistake in mistakes:
            say(mistake)
        if not mistakes:
            for hint in hints(task):
                tell(hint)
            tell(f"{file} is right")
        wrong += len(mistakes)
    if wrong:
        tell(f"{wrong} {'mistake' if wrong == 1 else 'mistakes'}")
    return 2 if wrong else 0


def _rows_missing(task: Task) -> Iterator[str]:
    """Only this command asks: a task runs without its rows."""
    rows = task.form.eval.rows
    file = task.file.parent / rows
    if not rows or file.exists():
        return
    there = [one.name for one in file.parent.glob("*")] if file.parent.is_dir() else []
    near = difflib.get_close_matches(file.name, there, n=1)
    hint = f"; did you mean {str(Path(rows).with_name(near[0]))!r}?" if near else ""
    yield f"{task.where(('eval', 'rows'))}: there is no file {rows!r}{hint}"


def _new(args: argparse.Namespace) -> int:
    name = args.name.removesuffix(".yaml").removesuffix(".task")
    if not name or Path(name).name != name:
        raise UsageError(f"{args.name!r} is no name for a task; take letters, digits, _ and -")
    file = Path(f"{name}.task.yaml")
    if file.exists():
        raise UsageError(f"{file} is there already; give another name")
    text = (Path(__file__).parent.parent / "tasks" / "example.yaml").read_text("utf-8")
    write_atomically(file, text.replace("NAME", name))
    say(str(file))
    tell(f"try it: {advised(f'run {shlex.quote(str(file))}')}")
    return 0


def _import(args: argparse.Namespace) -> int:
    from agent.tasks import from_bfcl, from_promptfoo

    read = from_bfcl.read if args.kind == "bfcl" else from_promptfoo.read
    for found in [read(file) for file in args.files]:  # all of them, before one is written
        for file in found.write(Path()):
            say(str(file))
            tell(f"measure it: {advised(f'eval {file} --models A,B')}")
        for said in found.left_out:
            warn(said)
    return 0


def _show(args: argparse.Namespace) -> int:
    from agent.tasks.inputs import checked, filled, from_text
    from agent.tasks.read import read
    from agent.tasks.show import prompts

    task = read(args.file)
    if not args.render:
        for line in _about(task):
            say(line)
        return 0
    given = from_text(task, pairs(args.set))
    values: dict[str, Any] = filled(task, checked(task, given))
    for title, text in prompts(task, values):
        tell(f"── {title}")
        say(text)
    return 0


def _about(task: Task) -> Iterator[str]:
    form = task.form
    yield f"{task.name} ({task.hash})"
    if form.description:
        yield form.description
    for name, one in form.inputs.items():
        needed = "needed" if one.default is None else f"{one.default!r} if it is not given"
        yield f"  {name}: {one.type}, {needed}" + (
            f". {one.description}" if one.description else ""
        )
    if form.tools:
        yield f"tools: {', '.join(form.tools)}"
    for step in task.steps:
        what = f"calls {step.tool}" if step.tool else "asks the model"
        yield f"step {step.id}: {what}" + (", for each item" if step.each is not None else "")
    yield f"checks: {len(form.checks)}, outputs: {len(form.outputs)}"


def _schema(args: argparse.Namespace) -> int:
    from agent.tasks.schema import text

    say(text().rstrip())
    return 0
