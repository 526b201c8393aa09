"""`tinsmith specialists`: the small models that were trained here, their versions and measures."""

from __future__ import annotations

import argparse
import contextlib
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

from agent.commands.following import measures
from agent.commands.output import advised, agrees, say, show, tell, waiting, warn
from agent.errors import UsageError
from tools.quiet import quiet

if TYPE_CHECKING:
    from tools.specialists.manifest import Manifest
    from tools.specialists.measured import Measured
    from tools.specialists.registry import Registry


PICTURE = re.compile(r"^!\[.*\]\(.*\)$", re.MULTILINE)
"""A line of a model card, which rich does not show as a picture."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "specialists",
        help="list, show, label, compare, promote, rollback, evaluate, export, import, rm",
    )
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    named = "NAME, or NAME@VERSION for one that is not promoted"

    show = actions.add_parser("show", help="the model card: data, measures, limits")
    show.add_argument("name", help=named)
    show.set_defaults(run=_show)

    label = actions.add_parser("label", help="classify, or find entities in, the rows of a file")
    label.add_argument("name", help=named)
    label.add_argument("file", type=Path)
    label.add_argument("--text", metavar="COLUMN", default="", help="the column of texts")
    label.add_argument("--out", type=Path, metavar="FILE", help="(default: FILE.NAME.csv)")
    label.set_defaults(run=_label)

    compare = actions.add_parser("compare", help="two versions beside each other")
    compare.add_argument("first", help=named)
    compare.add_argument("second")
    compare.add_argument("--on", type=Path, metavar="FILE", help="measure both on these rows now")
    compare.set_defaults(run=_compare)

    promote = actions.add_parser("promote", help="use this version from now on")
    promote.add_argument("name", help="NAME@VERSION, or NAME for its latest")
    promote.add_argument("--insist", action="store_true", help="even if it does not measure better")
    promote.set_defaults(run=_promote)

    rollback = actions.add_parser("rollback", help="back to the version that was promoted before")
    rollback.add_argument("name")
    rollback.set_defaults(run=_rollback)

    evaluate = actions.add_parser("evaluate", help="measure on a file of rows with known answers")
    evaluate.add_argument("name", help=named)
    evaluate.add_argument("file", type=Path)
    evaluate.add_argument(
        "--with-model", metavar="MODEL", help="ask this chat model the same, for comparison"
    )
    evaluate.add_argument(
        "--rows", type=int, default=50, help="that the chat model is asked (default: 50)"
    )
    evaluate.set_defaults(run=_evaluate)

    export = actions.add_parser("export", help="one file, to be brought to another machine")
    export.add_argument("name", help=named)
    export.add_argument("file", type=Path, nargs="?", default=Path())
    export.set_defaults(run=_export)

    bring = actions.add_parser("import", help="a file that was exported, as the next version")
    bring.add_argument("file", type=Path)
    bring.add_argument("--name", default="")
    bring.set_defaults(run=_import)

    remove = actions.add_parser("rm", help="delete a specialist, or one version of it")
    remove.add_argument("name", help="NAME, or NAME@VERSION")
    remove.add_argument("--yes", action="store_true", help="also one that is in use")
    remove.set_defaults(run=_remove)


def _list(args: argparse.Namespace) -> int:
    from tools.errors import SpecialistError

    registry = _registry()
    if not registry.names():
        tell(f"none yet; train one with: {advised('train FILE')}")
    for name in registry.names():
        try:
            promoted = registry.promoted(name)
        except SpecialistError as error:
            promoted = None
            warn(str(error))
        for version in registry.versions(name):
            try:
                one = registry.manifest(name, version)
            except SpecialistError as error:
                warn(str(error))
                continue
            mark = "promoted" if version == promoted else ""
            score = f"{one.metric.replace('_', ' ')} {one.score:.3f}"
            say(
                f"{f'{name}@{version}':24}{one.task:12}{one.method:8}{score:20}{mark:10}"
                f"{one.created[:10]}"
            )
    return 0


def _show(args: argparse.Namespace) -> int:
    registry = _registry()
    reference = registry.find(args.name)
    folder = registry.folder(*reference)
    manifest = registry.manifest(*reference)  # says what is wrong with it
    text = (folder / "README.md").read_text("utf-8")
    body = text.split("---\n", 2)[-1] if text.startswith("---\n") else text
    from rich.console import Group
    from rich.markdown import Markdown

    from agent.repl.pictures import InPixels

    card = Markdown(PICTURE.sub("", body).strip())
    plots = (InPixels(folder / name) for name in manifest.files if name.endswith(".png"))
    show(Group(card, *plots))
    say(f"\n{folder}")
    return 0


def _label(args: argparse.Namespace) -> int:
    from agent.settings import home
    from tools.specialists.labelling import label_file
    from tools.specialists.use import Specialists

    quiet()
    with waiting(f"labelling {args.file.name}") as wait:
        say(
            label_file(
                Specialists(home()),
                args.name,
                args.file,
                args.text,
                args.out,
                report=lambda done, of: wait.say(f"{done * 10 // of * 10} %"),
            )
        )
    return 0


def _compare(args: argparse.Namespace) -> int:
    from agent.errors import TinsmithError
    from tools.specialists.plan import NOUNS

    registry = _registry()
    first = registry.manifest(*registry.find(args.first))
    second = registry.manifest(*registry.find(args.second))
    if first.task != second.task:
        raise UsageError(
            f"{args.first} is {NOUNS[first.task]} and {args.second} {NOUNS[second.task]}: nothing "
            "compares"
        )
    if args.on:
        for one in (first, second):
            say(_measured_on(f"{one.name}@{one.version}", args.on)[1])
        return 0
    for one in (first, second):
        say(measures(one))
    better = first.better_than(second)
    if better is None:
        raise TinsmithError(
            "they were measured on different held-out rows, so this does not say which is better; "
            "--on FILE measures both on the same"
        )
    equal = not better and not second.better_than(first)
    ahead = first if better else second
    scores = " and ".join(f"{score:.3f}" for score in first.scores_beside(second) or ())
    said = "they measure the same" if equal else f"{ahead.name}@{ahead.version} measures better"
    say(f"{said}: {scores} on the same rows")
    return 0


def _promote(args: argparse.Namespace) -> int:
    registry = _registry()
    say(registry.promote(*registry.latest(args.name), args.insist))
    return 0


def _rollback(args: argparse.Namespace) -> int:
    say(_registry().rollback(args.name))
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    measured, line = _measured_on(args.name, args.file)
    say(line)
    for label, one in measured.metrics.get("per_label", {}).items():
        if one["rows"]:
            say(
                f"  {label:20} precision {one['precision']:.3f}  recall {one['recall']:.3f}  "
                f"F1 {one['f1']:.3f}  {one['rows']} rows"
            )
    if args.with_model:
        say(_rival(args))
    return 0


def _rival(args: argparse.Namespace) -> str:
    """The chat model on some rows of the file, and the specialist on the same."""
    from agent import app, rival
    from agent.settings import home
    from tools.specialists.use import Specialists, unseen

    registry = _registry()
    one = registry.manifest(*registry.find(args.name))
    if one.task != "classifier" or one.many:
        raise UsageError("a chat model can be asked the same only of a classifier of one label")
    if args.rows < 1:
        raise UsageError(f"--rows {args.rows}: it is at least 1")
    every = unseen(one, args.file).held
    rows = random.Random(0).sample(every, min(args.rows, len(every)))  # a file may be sorted
    settings = app.settings_of({"model": args.with_model})
    with waiting(f"loading {args.with_model}") as wait:
        engine = app.load_engine(settings, wait.tell)
    try:
        with waiting(f"asking {args.with_model}") as wait:
            found = rival.ask(
                engine, one.labels, rows, lambda done, of: wait.say(f"{done * 10 // of * 10} %")
            )
    finally:
        engine.close()
    classifier, _ = Specialists(home()).classifier(args.name)
    best = classifier.logits([row.text for row in rows]).argmax(axis=1)
    right = sum(one.labels[at] in row.labels for at, row in zip(best, rows, strict=True))
    return f"{found}; {args.name} on these rows: {right / len(rows):.3f}"


def _measured_on(name: str, file: Path) -> tuple[Measured, str]:
    from agent.settings import home
    from tools.specialists.use import Specialists

    quiet()
    with waiting(f"measuring {name}"):
        measured, one, rows = Specialists(home()).evaluate(name, file)
    return measured, _line(one, measured, rows)


def _line(one: Manifest, measured: Measured, rows: int) -> str:
    scores = ", ".join(
        f"{key.replace('_', ' ')} {value:.3f}"
        for key, value in measured.metrics.items()
        if isinstance(value, float) and not key.endswith("before")
    )
    return f"{one.name}@{one.version} on {rows} rows: {scores}"


def _export(args: argparse.Namespace) -> int:
    from tools.specialists import archive

    registry = _registry()
    say(str(archive.export(registry, *registry.find(args.name), args.file)))
    return 0


def _import(args: argparse.Namespace) -> int:
    from tools.specialists import archive

    one = archive.bring_in(_registry(), args.file, args.name)
    say(
        f"{one.name}@{one.version} is here; use it with: "
        + advised(f"specialists promote {one.name}@{one.version}")
    )
    return 0


def _remove(args: argparse.Namespace) -> int:
    registry = _registry()
    name, at, _ = args.name.partition("@")
    if not at and not args.yes:
        _ask_to_remove(registry, name)
    size = registry.remove(name, registry.find(args.name)[1] if at else None)
    say(f"removed {args.name}, {size / 1e6:.1f} MB freed")
    return 0


def _ask_to_remove(registry: Registry, name: str) -> None:
    """Raises UsageError where the user does not want it."""
    from tools.errors import SpecialistError

    with contextlib.suppress(SpecialistError):  # what is damaged may go
        promoted = registry.promoted(name)
        if promoted is None:
            return
        what = f"{name}@{promoted} is in use, and all {len(registry.versions(name))} versions go"
        if not agrees(f"{what}. Remove?", False, f"{what}; --yes removes it all the same"):
            raise UsageError(f"{name} is kept")


def _registry() -> Registry:
    from agent.settings import home
    from tools.specialists.registry import Registry

    return Registry(home())
