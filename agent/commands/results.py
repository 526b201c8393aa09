"""`tinsmith results`: what came of a run over rows, what changed, a table of it, other checks."""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.commands.output import say, waiting, warn
from agent.cut import cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.tasks.compare import Change, CheckCount, Summary

AT_ONCE = 1000
"""Lines that are printed together."""
WIDE = 60
"""Characters of a value that is shown."""
KINDS = {
    "now_fail": "fails now",
    "only_new_checks": "fails a new check",
    "now_pass": "passes now",
    "differ": "another answer",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("results", help="of a run over rows: summary, diff, csv, check")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    summary = actions.add_parser("summary", help="rows, checks, errors, tokens, calls")
    summary.add_argument("file", type=Path, metavar="FILE")
    summary.set_defaults(run=_summary)
    diff = actions.add_parser("diff", help="what changed, by check and by row")
    diff.add_argument("before", type=Path, metavar="A")
    diff.add_argument("now", type=Path, metavar="B")
    diff.add_argument("--all", action="store_true", help="every row that changed, not the first 10")
    diff.set_defaults(run=_diff)
    table = actions.add_parser("csv", help="the rows with their answers, for a spreadsheet")
    table.add_argument("file", type=Path, metavar="FILE")
    table.set_defaults(run=_csv)
    check = actions.add_parser("check", help="with the checks of a task file, without the model")
    check.add_argument("file", type=Path, metavar="RESULTS")
    check.add_argument("task", type=Path, metavar="TASK")
    check.add_argument("--out", type=Path, required=True, metavar="NEW")
    check.add_argument("--tools", type=Path, action="append", default=[], metavar="PATH",
                       help="a Python file or folder with tools; may be repeated")  # fmt: skip
    check.set_defaults(run=_check)
    for action in (summary, diff):
        action.add_argument("--json", action="store_true", help="print one JSON object")


def _summary(args: argparse.Namespace) -> int:
    from agent.tasks.compare import summed

    found = summed(args.file)
    if args.json:
        say(json.dumps(asdict(found)))
        return 0
    for line in _lines(found):
        say(line)
    return 0


def _csv(args: argparse.Namespace) -> int:
    from agent.tasks.table import csv_lines

    found = csv_lines(args.file)
    while some := list(itertools.islice(found, AT_ONCE)):
        say("\n".join(some))
    return 0


def _check(args: argparse.Namespace) -> int:
    from agent.engines.scripted import ScriptedEngine
    from agent.tasks.envelope import CODES, reason_of
    from agent.tasks.load import named_by
    from agent.tasks.means import Means
    from agent.tasks.read import read
    from agent.tasks.recheck import recheck
    from agent.tasks.results import is_claimed

    task = read(args.task)
    tools, skills = named_by(task, args.tools, warn)
    if is_claimed(args.file):
        warn(f"{args.file} is being written; what it holds by now is checked")
    with waiting("checking"):
        found = recheck(task, Means(ScriptedEngine(), tools, skills), args.file, args.out)
    for line in _lines(found):
        say(line)
    return CODES.get(reason_of(found.reasons), 1)


def _diff(args: argparse.Namespace) -> int:
    import sys

    from agent.tasks.compare import SHOWN, compared
    from agent.tasks.envelope import in_words
    from agent.tasks.task import answers_alike

    found = compared(args.before, args.now, sys.maxsize if args.all else SHOWN)
    if args.json:
        say(json.dumps(asdict(found)))
        return 0
    before, now = found.before, found.now
    for name, one, other in (
        ("task", before.task, now.task),
        ("model", ", ".join(before.models), ", ".join(now.models)),
    ):
        if one != other:
            say(f"{name}: {one} → {other}")
    if before.hash != now.hash:
        alike = answers_alike(before.hash, now.hash)
        what = "only the checks differ" if alike else "more than the checks differs"
        say(f"{what} ({before.hash} → {now.hash})")
    alone = f"not counted: {found.only_before:,} only in A, {found.only_now:,} only in B"
    say(f"rows: {found.both:,} in both; {alone}")
    passed = in_words("done", bool(before.checks or now.checks))
    say(f"{passed}: {_share(before.passed, before.rows)} → {_share(now.passed, now.rows)}")
    for line in _checks(before, now):
        say(line)
    new = f"{found.only_new_checks:,} fail only new checks, " if found.only_new_checks else ""
    say(
        f"{found.now_pass:,} rows pass now, {found.now_fail:,} fail now, {new}{found.differ:,} "
        f"have another answer, {found.same:,} are as they were"
    )
    for kind, label in KINDS.items():
        some = found.examples.get(kind, [])
        for change in some:
            say(_changed(label, change))
        if (left := getattr(found, kind) - len(some)) > 0:
            say(f"  and {left:,} more: {label} (--all shows them)")
    return 0


def _lines(found: Summary) -> Iterator[str]:
    from agent.tasks.envelope import in_words

    yield f"{found.file}: {found.task} ({found.hash}), {', '.join(found.models) or 'no model'}"
    yield f"{in_words('done', bool(found.checks))}: {_share(found.passed, found.rows)}"
    for check in found.checks:
        yield f"  {_clean(check.name)}: {_of(check)}"
    for reason, count in _most(found.reasons):
        if reason != "done":  # the first line has said it
            yield f"{in_words(reason, True)}: {count:,}"
    for error, count in _most(found.errors)[:10]:
        yield f"  {count:,} × {_clean(error)}"
    for name, tool in found.tools.items():
        failed = f", {tool.failed:,} failed" if tool.failed else ""
        yield f"{name}: called {tool.calls:,} times{failed}"
    usage = found.usage
    yield (
        f"tokens: {usage.prefilled:,} read, {usage.cached:,} known before, "
        f"{usage.generated:,} written"
    )
    yield (
        f"seconds: {found.seconds / found.rows:.2f} a row ({found.seconds:,.1f} in all, and less "
        "by the clock where several ran at once)"
    )


def _most(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: -pair[1])


def _checks(before: Summary, now: Summary) -> Iterator[str]:
    """Checks of the same name, one below the other."""
    earlier = _by_name(before)
    for name, check in _by_name(now).items():
        old = earlier.pop(name, None)
        yield f"  {_clean(name)}: {_of(old) if old else 'was not checked'} → {_of(check)}"
    for name, check in earlier.items():
        yield f"  {_clean(name)}: {_of(check)} → is not checked"


def _by_name(found: Summary) -> dict[str, CheckCount]:
    made: dict[str, CheckCount] = {}
    for check in found.checks:
        name, number = check.name, 2
        while name in made:
            name, number = f"{check.name} ({number})", number + 1
        made[name] = check
    return made


def _of(check: CheckCount) -> str:
    return _share(check.passed, check.passed + check.failed)


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}" + (f" ({part / whole:.1%})" if whole else "")


def _changed(label: str, change: Change) -> str:
    before, now = _short(change.before), _short(change.now)
    text = f"  {label}: {change.at}: {now if before == now else f'{before} → {now}'}"
    return text + (f"; {_short(change.why)}" if change.why else "")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return cut(_clean(text), WIDE)


def _clean(text: str) -> str:
    from agent.repl.clean import one_line

    return one_line(text)
