"""`tinsmith train`: from a file of examples to a measured specialist."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from agent.commands.following import follow
from agent.commands.output import agrees, say, tell, waiting
from agent.errors import UsageError
from tools.quiet import quiet
from tools.specialists.plan import Method, Task

if TYPE_CHECKING:
    from tools.specialists.plan import Plan
    from tools.specialists.proposal import Proposal, Wishes


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("train", help="train a specialist on a file of examples")
    parser.set_defaults(run=_train)
    parser.add_argument(
        "data",
        type=Path,
        help="CSV, TSV, JSON, JSONL, Parquet, CoNLL, a folder of texts per label, or a data "
        "set that was saved by `datasets`",
    )
    parser.add_argument("--name", default="", help="what to call it (default: as the file)")
    parser.add_argument(
        "--task", choices=get_args(Task), help="(default: guessed from the columns)"
    )
    parser.add_argument("--text", metavar="COLUMN", help="the column of texts")
    parser.add_argument("--label", metavar="COLUMN", help="the column that is to be learnt")
    parser.add_argument(
        "--column",
        metavar="ROLE=COLUMN",
        action="append",
        default=[],
        help="another role: first, second, score, words, tags, messages, prompt, answer, tools",
    )
    parser.add_argument("--many", action="store_true", help="a text may have several labels")
    parser.add_argument(
        "--held-out",
        type=Path,
        metavar="FILE",
        help="rows to measure on (default: 15 %% of the data, always the same)",
    )
    parser.add_argument("--base", default="", help="a model, or `promoted` to go on from it")
    parser.add_argument(
        "--method", choices=get_args(Method), default="full", help="(default: full)"
    )
    parser.add_argument("--layers", type=int, default=0, help="with head: so many last layers too")
    parser.add_argument("--epochs", default="auto", help="a number, or auto")
    parser.add_argument("--batch", type=int, default=0, help="rows at once")
    parser.add_argument("--accumulate", type=int, default=1, help="batches for one step")
    parser.add_argument("--rate", type=float, default=0.0, help="peak learning rate")
    parser.add_argument("--length", type=int, default=0, help="tokens at which a text is cut")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1, help="train in parallel")
    parser.add_argument("--ray", action="store_true", help="the processes are a Ray cluster's")
    parser.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    parser.add_argument("--yes", action="store_true", help="begin without asking")
    parser.add_argument("--detach", action="store_true", help="do not wait for the end")


def _train(args: argparse.Namespace) -> int:
    from agent.settings import home

    proposal = planned(args)
    if args.dry_run:
        return 0
    if not agreed(args):
        return 1
    from tools.specialists.jobs import Jobs

    job = Jobs(home()).start(proposal.plan)
    say(f"job       {job.id}")
    return 0 if args.detach else follow(job)


def planned(args: argparse.Namespace) -> Proposal:
    """What would be done, told. Raises PlanError, DataError, UsageError."""
    from agent.settings import home

    quiet()
    wishes = _wishes(args)
    with waiting("reading the examples"):
        from tools.specialists.proposal import propose

        proposal = propose(home(), wishes)
    _refuse_taken(proposal.plan)
    say(proposal.describe())
    if not proposal.fits:
        tell("free some memory, or take a smaller --batch or --length")
    return proposal


def agreed(args: argparse.Namespace) -> bool:
    """Whether the user wants the plan carried out. Raises UsageError where nobody can be asked."""
    nobody = "nobody is here to agree to the plan; --yes begins, --dry-run only shows"
    return args.yes or agrees("Begin?", True, nobody)


def _refuse_taken(plan: Plan) -> None:
    """A chat model of ours is called by its name, which must not be another's."""
    from agent import catalog

    if plan.task == "causal" and (plan.name in catalog.entries() or catalog.is_here(plan.name)):
        raise UsageError(f"{plan.name} is the name of a model to talk with; take another --name")


def _wishes(args: argparse.Namespace) -> Wishes:
    from tools.specialists.proposal import Wishes

    columns = {role: name for role in ("text", "label") if (name := getattr(args, role))}
    for pair in args.column:
        role, equals, name = pair.partition("=")
        if not (role and equals and name):
            raise UsageError(f"--column {pair}: it is ROLE=COLUMN, such as second=answer")
        columns[role] = name
    given: dict[str, Any] = {
        key: getattr(args, key)
        for key in (
            *("data", "name", "task", "many", "held_out", "base", "method", "layers", "batch"),
            *("accumulate", "rate", "length", "seed", "processes", "ray"),
        )
    }
    return Wishes(**given, columns=columns, epochs=_epochs(args.epochs))


def _epochs(text: str) -> int:
    if text == "auto":
        return 0
    if not text.isdecimal() or len(text) > 6 or int(text) < 1:
        raise UsageError(f"--epochs {text}: it is a number of at least 1, or auto")
    return int(text)
