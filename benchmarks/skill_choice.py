"""From which nearness on the embedder may choose a skill: IS_MEANT of `agent/skills/telling.py`.

    python -m benchmarks.skill_choice

`skill_requests.jsonl` holds requests that want one of the shipped skills or one of seven others,
written for this project. The threshold is looked for on every second of them and reported on the
rest. What wants no skill are the requests of `fits.jsonl` and `everyday.jsonl`, and the examples of
the built-in tools; half of them each, too. At last, what is chosen with the tools beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent import app
from agent.offering import Embedder, Offering
from agent.prompts import shipped
from agent.skills.format import Skill
from agent.skills.places import Place, Shelf
from agent.skills.telling import IS_MEANT, Skills, parts_of
from benchmarks import parts
from tools.spec import spec

HERE = Path(__file__).parent
THRESHOLDS = [round(0.3 + 0.025 * step, 3) for step in range(17)]


class Kept:
    """An embedder that embeds no text twice."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._kept: dict[str, np.ndarray] = {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        if new := [text for text in dict.fromkeys(texts) if text not in self._kept]:
            self._kept |= dict(zip(new, self._embedder.embed(new), strict=True))
        return np.array([self._kept[text] for text in texts])


def main() -> None:
    rows = _rows("skill_requests.jsonl")
    shelf = Shelf([Place(shipped("skills"), "shipped")])
    embedder = Kept(parts.embedder())
    skills = Skills(shelf, embedder, parts.CONTEXT)
    few = dict(skills.known())
    many = few | {
        one["skill"]: Skill(one["skill"], one["description"], Path(), "")
        for one in rows
        if "description" in one
    }
    others = {
        "requests of fits.jsonl": [one["request"] for one in _rows("fits.jsonl")],
        "everyday.jsonl": [
            turn["say"] for talk in _rows("everyday.jsonl") for turn in talk["turns"]
        ],
        "examples of tools": [
            text for tool in app.built_in() for text in getattr(tool, "examples", ())
        ],
    }
    requests = [
        *(one["request"] for one in rows),
        *(one for some in others.values() for one in some),
    ]
    embedder.embed([part for request in requests for part in parts_of(request)])  # at once
    for name, known in (("shipped", few), ("shipped and seven others", many)):
        wanted = [one for one in rows if one["skill"] in known]
        print(f"\n{name}: {len(wanted)} requests that want one")
        heads = [f"{part}, {what}" for what in ("tuned", "held out") for part in ("right", "wrong")]
        print("| threshold | " + " | ".join([*heads, *others]) + " |")
        near = [(one["skill"], skills.nearness(one["request"], known)) for one in wanted]
        far = {
            what: [max(skills.nearness(text, known).values()) for text in texts[1::2]]
            for what, texts in others.items()
        }
        for threshold in sorted({*THRESHOLDS, IS_MEANT}):
            cells = []
            for part in (near[::2], near[1::2]):
                chosen = [(skill, _best(one, threshold)) for skill, one in part]
                right = sum(skill == best for skill, best in chosen)
                wrong = sum(best not in ("", skill) for skill, best in chosen)
                cells += [f"{right / len(part):.0%}", f"{wrong / len(part):.0%}"]
            cells += [f"{sum(x > threshold for x in xs) / len(xs):.1%}" for xs in far.values()]
            print(f"| {threshold} | " + " | ".join(cells) + " |")
    _print_chosen(
        skills, Offering(embedder, 10), [one for one in rows if one["skill"] in few], others
    )


def _print_chosen(
    skills: Skills, offering: Offering, wanted: list[dict[str, Any]], others: dict[str, list[str]]
) -> None:
    """As it is used: besides, no built-in tool may be clearly nearer."""
    specs = [one for tool in app.built_in() if (one := spec(tool))]

    def chosen(request: str) -> str:
        skill = skills.chosen(request, lambda own: offering.nearest(request, specs, own))
        return skill.name if skill else ""

    found = [(one["skill"], chosen(one["request"])) for one in wanted]
    right = sum(skill == name for skill, name in found)
    wrong = sum(name not in ("", skill) for skill, name in found)
    print(f"\nas it is used: right for {right} of {len(found)}, wrong for {wrong}")
    for what, texts in others.items():
        print(f"{what}: some skill for {sum(map(bool, map(chosen, texts)))} of {len(texts)}")


def _best(near: dict[str, float], threshold: float) -> str:
    best = max(near, key=lambda name: near[name])
    return best if near[best] > threshold else ""


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
