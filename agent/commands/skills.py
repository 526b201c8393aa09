"""`tinsmith skills`: what there is, what is wrong with one, what the model is told."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.commands.output import say, tell, warn
from agent.errors import UnknownName, UsageError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("skills", help="list, check, show, trust")
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    check = actions.add_parser("check", help="every mistake in a skill, with its line")
    check.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH",
        help="a skill, its SKILL.md, or a folder of skills; all that are found without one",
    )  # fmt: skip
    check.set_defaults(run=_check)
    show = actions.add_parser("show", help="what the model is told of a skill")
    show.add_argument("name")
    show.set_defaults(run=_show)
    trust = actions.add_parser("trust", help="let Tinsmith use the skills of this folder")
    trust.set_defaults(run=_trust)


def _list(args: argparse.Namespace) -> int:
    from agent import app

    found = app.shelf().found()
    width = max(map(len, found.skills), default=0)
    for name, skill in found.skills.items():
        whose = found.whose[name]
        if others := found.hidden.get(name):
            whose += f", in place of the one {' and the one '.join(map(_of, others))}"
        say(f"{name:{width}}  {skill.description}  ({whose})")
    for mistake in found.mistakes:
        warn(f"{mistake}; it is not used")
    for folder, names in app.untrusted_skills().items():
        tell(f"not used: {', '.join(names)} in {folder}; to trust them: tinsmith skills trust")
    return 0


def _of(whose: str) -> str:
    return {"shipped": "that is shipped", "yours": "of yours"}.get(whose, f"in {whose}")


def _check(args: argparse.Namespace) -> int:
    from agent import app
    from agent.settings import home
    from agent.skills.format import read
    from agent.skills.places import folders

    places = [*(one.folder for one in app.shelf().places), *app.project_skills()]
    skills = [
        one
        for path in dict.fromkeys(args.paths or places)
        for one in (_in(path) if args.paths else folders(path))
    ]
    if not skills:
        raise UsageError(f"there are no skills; put a folder with a SKILL.md into {home()}/skills")
    wrong = 0
    for folder in dict.fromkeys(skills):
        skill, mistakes = read(folder)
        wrong += bool(mistakes)
        for mistake in mistakes:
            say(str(mistake))
        if skill is not None:
            lines = len(skill.body.splitlines())
            say(f"ok  {skill.name}: {lines} lines, {_files(len(skill.files))} beside it")
    return 1 if wrong else 0


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _in(path: Path) -> list[Path]:
    """The folders of the skills that `path` means. Raises UsageError."""
    from agent.skills.places import folders

    if path.is_file():
        return [path.absolute().parent]
    if not path.is_dir():
        raise UsageError(f"there is no {path}")
    path = path.absolute()
    if path in folders(path.parent):
        return [path]
    return folders(path) or [path]  # one without a SKILL.md is told so


def _show(args: argparse.Namespace) -> int:
    from agent import app
    from agent.skills.telling import text_of

    found = app.shelf().found()
    if args.name not in found.skills:
        broken = [one for one in found.mistakes if one.file.parent.name == args.name]
        if broken:
            raise UsageError("\n".join(map(str, broken)))
        raise UnknownName("skill", args.name, found.skills)
    skill = found.skills[args.name]
    say(text_of(skill))
    tell("")
    tell(f"{skill.description}")
    tell(f"in {skill.folder} ({found.whose[args.name]})")
    for key in ("license", "compatibility"):
        if value := getattr(skill, key):
            tell(f"{key}: {value}")
    if skill.metadata:
        tell("metadata: " + ", ".join(f"{key} {value}" for key, value in skill.metadata.items()))
    return 0


def _trust(args: argparse.Namespace) -> int:
    from agent import app

    there = app.untrusted_skills()
    if not there:
        places = " and ".join(map(str, app.project_skills()))
        raise UsageError(f"no skill is in {places} that is not trusted already")
    for folder, names in there.items():
        app.trust(folder)
        say(f"trusted {folder}: {', '.join(names)}")
    return 0
