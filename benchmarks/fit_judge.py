"""Fit the constants of `agent/offering.py` that say when a tool fits.

    python -m benchmarks.fit_judge --model qwen2.5-coder-0.5b --out fits-0.5b.jsonl

Reads `benchmarks/fits.jsonl`, requests written for this project with tools that fit them or not.
Two features a row: the cosine of the request with the nearest tool, and the model's own log-odds.
Logistic regression, cross-validated; a constant for each of several thresholds, named by the share
of the fitting requests that it loses.
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

from agent.offering import Judge
from benchmarks import parts
from tools.base import ToolSpec

if TYPE_CHECKING:
    from agent.engines.base import Engine
    from agent.offering import Embedder

ROWS = Path(__file__).with_name("fits.jsonl")
LOST = (0.01, 0.02, 0.03, 0.05, 0.1)
"""Shares of the fitting requests that a threshold may cost."""
FOLDS = 10


@dataclass(frozen=True)
class Case:
    request: str
    tools: tuple[ToolSpec, ...]
    fits: bool


@dataclass(frozen=True)
class Features:
    row: int
    model: str
    fits: bool
    cosine: float
    odds: float | None
    """In nats. None: the engine has no opinion."""


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
            tuple(ToolSpec(t["name"], t["description"], t["parameters"]) for t in line["tools"]),
            line["fits"],
        )
        for line in lines
    ]


def features(case: Case, row: int, engine: Engine | None, embedder: Embedder) -> Features:
    """As `Offering` computes them."""
    from langchain_core.messages import HumanMessage, SystemMessage

    from agent.prompts import render

    said = embedder.embed(
        [case.request, *(f"{tool.name}: {tool.description}" for tool in case.tools)]
    )
    cosine = float((said[1:] @ said[0]).max())
    if engine is None:
        return Features(row, "", case.fits, cosine, None)
    messages = [SystemMessage(render("system")), HumanMessage(case.request)]
    odds = engine.fits(messages, case.tools)
    return Features(row, engine.name, case.fits, cosine, odds)


def fit(rows: Sequence[Features], with_odds: bool) -> Fit:
    """Logistic regression on the cosine, and on the log-odds where asked."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]
    from sklearn.model_selection import StratifiedKFold, cross_val_predict  # type: ignore[import-untyped]

    x = np.array([[row.cosine, row.odds or 0.0] if with_odds else [row.cosine] for row in rows])
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
            Judge(cosine, odds, bias=-float(np.quantile(plain[y], lost))),
        )
        for lost in LOST
    )
    return Fit(float(roc_auc_score(y, scores)), tuple(thresholds))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a name or a path; without it, the cosine alone is fitted")
    parser.add_argument("--limit", type=int, help="only the first N rows (they are shuffled)")
    parser.add_argument("--out", type=Path, help="keep the features here, and go on from there")
    given = parser.parse_args(arguments)
    engine = parts.engine(given.model) if given.model else None
    rows = list(_collect(cases()[: given.limit], engine, given.out))
    print(f"{len(rows)} rows, {sum(row.fits for row in rows)} of them fit")
    _report("ALONE", fit(rows, with_odds=False))
    if engine is not None:
        _report("JOINED", fit(rows, with_odds=True))


def _collect(wanted: Sequence[Case], engine: Engine | None, out: Path | None) -> list[Features]:
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
