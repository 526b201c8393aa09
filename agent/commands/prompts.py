"""`tinsmith prompts`: every word that the model is told, and whether your own files can be used."""

from __future__ import annotations

import argparse
import json

from agent.commands.output import say, tell
from agent.errors import PromptError, UsageError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("prompts", help="list, show, render, check, trust")
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    show = actions.add_parser("show", help="the file")
    show.add_argument("name")
    show.set_defaults(run=_show)
    rendered = actions.add_parser("render", help="what the model is told, with sample values")
    rendered.add_argument("name")
    rendered.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="values",
        help="another value, in JSON where it is no text; repeatable",
    )  # fmt: skip
    rendered.set_defaults(run=_render)
    check = actions.add_parser("check", help="every mistake in the files, with its line")
    check.add_argument("names", nargs="*", metavar="NAME")
    check.set_defaults(run=_check)
    trust = actions.add_parser("trust", help="let Tinsmith use the prompts of this folder")
    trust.set_defaults(run=_trust)


def _list(args: argparse.Namespace) -> int:
    from agent import prompts

    files = prompts.files()
    width = max(map(len, files))
    for name, file in files.items():
        variables = ", ".join(prompts.samples(name))
        say(f"{name:{width}}  {prompts.origin(file)}" + (f"  ({variables})" if variables else ""))
    if untrusted := prompts.untrusted():
        tell(f"not used: {untrusted}; to trust it: tinsmith prompts trust")
    return 0


def _show(args: argparse.Namespace) -> int:
    from agent import prompts

    file = prompts.file_of(args.name)
    say(file.read_text("utf-8").rstrip("\n"))
    tell(f"{file} ({prompts.origin(file)})")
    return 0


def _render(args: argparse.Namespace) -> int:
    from agent import prompts

    prompts.file_of(args.name)
    samples = prompts.samples(args.name)
    values = dict(samples)
    for one in args.values:
        key, equals, text = one.partition("=")
        if not equals:
            raise UsageError(f"--set {one}: it is --set KEY=VALUE")
        if key not in samples:
            there = f"it has: {', '.join(samples)}" if samples else "it has none"
            raise UsageError(f"--set {one}: {args.name} has no variable {key!r}; {there}")
        values[key] = _value(one, text, samples[key])
    say(prompts.render(args.name, **values))
    return 0


def _value(given: str, text: str, sample: object) -> object:
    """Raises UsageError."""
    if isinstance(sample, str):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"--set {given}: {error}; it is JSON, such as {json.dumps(sample)}"
        ) from error


def _check(args: argparse.Namespace) -> int:
    from agent import prompts

    names = args.names or list(prompts.files())
    wrong = 0
    for name in names:
        prompts.file_of(name)
        mistakes = prompts.mistakes(name)
        wrong += bool(mistakes)
        for mistake in mistakes:
            say(mistake)
        if not mistakes:
            try:
                prompts.render(name, **prompts.samples(name))
            except PromptError as error:
                wrong += 1
                say(str(error))
                continue
            say(f"ok  {name}")
    for stray in prompts.strays() if not args.names else ():
        wrong += 1
        say(stray)
    return 1 if wrong else 0


def _trust(args: argparse.Namespace) -> int:
    from agent import app, prompts

    folder = prompts.untrusted()
    if folder is None:
        raise UsageError(f"there is nothing in {prompts.of_project()} that is not trusted already")
    app.trust(folder)
    say(f"trusted {folder}")
    return 0
