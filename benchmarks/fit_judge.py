"""Fit the constants of `agent/offering.py`: when a tool fits, and which.

    python -m benchmarks.fit_judge --model qwen2.5-coder-0.5b --out fits-0.5b.jsonl
    python -m benchmarks.fit_judge --model qwen2.5-coder-0.5b --follow-ups --out later-0.5b.jsonl

Reads `benchmarks/fits.jsonl`, requests written for this project with tools that fit them or not,
or `benchmarks/follow_ups.jsonl`, those that come second in a conversation.
Two features a row: the cosine of the request with the nearest tool, and the model's own log-odds.
Logistic regression, cross-validated; a constant for each of several thresholds, named by the share
of the fitting requests that it loses. NAME_WEIGHT is the multiple of the cosine that makes the
right tool likeliest when added to the model's log-probability of each name.
Features are kept in --out row by row, so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.offering import JOINED, LATER, Judge
from agent.prompts import render
from benchmarks import parts
from tools.spec import ToolSpec

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from agent.engines.local import LocalEngine
    from agent.offering import Embedder

ROWS = Path(__file__).with_name("fits.jsonl")
FOLLOW_UPS = Path(__file__).with_name("follow_ups.jsonl")
LOST = (0.01, 0.02, 0.03, 0.05, 0.1)
"""Shares of the fitting requests that a threshold may cost."""
FOLDS = 10
PARAMETERS = {
    "type": "object",
    "properties": {"query": {"type": "string"}},
    "required": ["query"],
}
"""Of a tool that says nothing of them."""


@dataclass(frozen=True)
class Case:
    request: str
    tools: tuple[ToolSpec, ...]
    fits: bool
    tool: str
    """The one that does; "" where none fits."""
    before: str = ""
    """The request before this one; "" when this is the first."""
    called: str = ""
    """The tool that was called for it; "" when it was answered in words."""


@dataclass(frozen=True)
class Features:
    row: int
    model: str
    fits: bool
    cosine: float
    odds: float | None
    """In nats. None: the engine has no opinion."""
    cosines: list[float]
    """Of each tool."""
    opinions: list[float]
    """The model's log-probability of each tool, in nats, where one of several is right."""
    right: int
    """Which it is; -1 where none fits."""


@dataclass(frozen=True)
class Threshold:
    lost: float
    """Share of the fitting requests that are taken for unfitting."""
    refused: float
    """Share of the unfitting requests that are refused, cross-validated."""
    judge: Judge


@dataclass(frozen=True)
class Fit:
    auc: float
    """Cross-validated."""
    thresholds: tuple[Threshold, ...]


def cases(path: Path = ROWS) -> list[Case]:
    lines = map(json.loads, path.read_text("utf-8").splitlines())
    return [
        Case(
            line["request"],
            tuple(
                ToolSpec(t["name"], t["description"], t.get("parameters", PARAMETERS))
                for t in line["tools"]
            ),
            line["fits"],
            line["tool"] or "",
            line.get("before", ""),
            line.get("called") or "",
        )
        for line in lines
    ]


def features(case: Case, row: int, engine: LocalEngine | None, embedder: Embedder) -> Features:
    """As `Offering` computes them."""
    from langchain_core.messages import HumanMessage, SystemMessage

    said = embedder.embed(
        [case.request, *(f"{tool.name}: {tool.description}" for tool in case.tools)]
    )
    cosines = (said[1:] @ said[0]).tolist()
    names = [tool.name for tool in case.tools]
    right = names.index(case.tool) if case.fits else -1
    if engine is None:
        return Features(row, "", case.fits, max(cosines), None, cosines, [], right)
    messages = [SystemMessage(render("system")), *history(case), HumanMessage(case.request)]
    odds = engine.fits(messages, case.tools)
    opinions = engine.opinions(messages, case.tools) if case.fits and len(names) > 1 else []
    return Features(row, engine.name, case.fits, max(cosines), odds, cosines, opinions, right)


def history(case: Case) -> list[BaseMessage]:
    """How the loop would have served the request before."""
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

    if not case.before:
        return []
    asked = HumanMessage(case.before)
    if not case.called:
        words = AIMessage("Here is what I can tell you about that.")
        return [asked, SystemMessage(render("answer")), words]
    call = {"name": case.called, "args": {"query": case.before}, "id": "0"}
    return [
        asked,
        AIMessage("", tool_calls=[call]),
        ToolMessage("done", tool_call_id="0"),
        SystemMessage(render("results", request="", failed=False, cite="")),
        AIMessage("It is done."),
    ]


def name_weight(rows: Sequence[Features]) -> tuple[float, dict[str, float]]:
    """The likeliest weight of the cosine, and the share of right names by each way to choose."""
    import numpy as np
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    asked = [row for row in rows if row.opinions]

    def loss(weight: float) -> float:
        chances = (
            log_softmax(np.add(row.opinions, np.multiply(row.cosines, weight)))[row.right]
            for row in asked
        )
        return -float(np.mean(list(chances)))

    best = float(minimize_scalar(loss, bounds=(0.0, 200.0), method="bounded").x)

    def share(opinion: float, cosine: float) -> float:
        right = [
            int(np.argmax(np.multiply(row.opinions, opinion) + np.multiply(row.cosines, cosine)))
            == row.right
            for row in asked
        ]
        return float(np.mean(right))

    return best, {"model": share(1, 0), "cosine": share(0, 1), "both": share(1, best)}


def fit(rows: Sequence[Features], least: float) -> Fit:
    """Logistic regression on the cosine and the log-odds between `least` and 0."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]
    from sklearn.model_selection import StratifiedKFold, cross_val_predict  # type: ignore[import-untyped]

    opinions = np.clip([row.odds or 0.0 for row in rows], least, 0.0)
    x = np.array(
        [[row.cosine, odd][: 1 + bool(least)] for row, odd in zip(rows, opinions, strict=True)]
    )
    y = np.array([row.fits for row in rows])
    model = LogisticRegression(C=1e3)  # two features at most: nothing to hold back
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    scores = cross_val_predict(model, x, y, cv=folds, method="decision_function")
    model.fit(x, y)
    cosine, odds = [*map(float, model.coef_[0]), 0.0][:2]
    plain = x @ model.coef_[0]
    thresholds = (
        Threshold(
            lost,
            float((scores[~y] < np.quantile(scores[y], lost)).mean()),
            Judge(cosine, odds, -float(np.quantile(plain[y], lost)), least),
        )
        for lost in LOST
    )
    return Fit(float(roc_auc_score(y, scores)), tuple(thresholds))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a name or a path; without it, the cosine alone is fitted")
    parser.add_argument("--limit", type=int, help="only the first N rows (they are shuffled)")
    parser.add_argument("--out", type=Path, help="keep the features here, and go on from there")
    parser.add_argument("--follow-ups", action="store_true", help="requests that come second")
    given = parser.parse_args(arguments)
    engine = parts.engine(given.model) if given.model else None
    wanted = cases(FOLLOW_UPS if given.follow_ups else ROWS)[: given.limit]
    rows = list(_collect(wanted, engine, given.out))
    print(f"{len(rows)} rows, {sum(row.fits for row in rows)} of them fit")
    _report("ALONE", fit(rows, 0.0))
    if engine is not None:
        if given.follow_ups:
            _report("LATER", fit(rows, LATER.least))
        else:
            _report("JOINED", fit(rows, JOINED.least))
        weight, shares = name_weight(rows)
        told = ", ".join(f"{who} {share:.1%}" for who, share in shares.items())
        print(f"NAME_WEIGHT = {weight:.1f}  # right tool: {told}")


def _collect(
    wanted: Sequence[Case], engine: LocalEngine | None, out: Path | None
) -> list[Features]:
    name = engine.name if engine else ""
    found = {}
    for line in parts.lines(out):
        if line["model"] != name:
            sys.exit(f"{out} holds features of {line['model']!r}, not {name!r}; name another --out")
        found[line["row"]] = Features(**line)
    embedder = parts.embedder()
    for row, case in enumerate(wanted):
        if row in found:
            continue
        found[row] = features(case, row, engine, embedder)
        parts.keep(out, asdict(found[row]))
        parts.progress(row + 1, len(wanted), "rows")
    return [found[row] for row in range(len(wanted))]


def _report(name: str, found: Fit) -> None:
    print(f"AUC {found.auc:.3f}")
    for one in found.thresholds:
        judge = one.judge
        print(
            f"{name} = Judge(cosine={judge.cosine:.2f}, odds={judge.odds:.3f},"
            f" bias={judge.bias:.2f})  # loses {one.lost:.0%}, refuses {one.refused:.0%}"
        )


if __name__ == "__main__":
    main()
