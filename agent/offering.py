"""Which tools the model is shown, whether any of them fits, and which it leans to.

A small model calls whatever it is offered and takes the wrong one of two similar names; an
embedder is better at both (`benchmarks/README.md`). So the request is compared with every tool,
the comparison is joined with the model's own opinion, and a call is forced or ruled out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Protocol

from agent.engines.base import Choice, Engine
from agent.engines.template import describe
from agent.grounding import request_of
from agent.memory.recall import NEAR
from agent.memory.results import READ
from agent.memory.window import ATTACHED, READ_SKILL, told_before
from agent.prompts import render

if TYPE_CHECKING:
    import numpy as np
    from langchain_core.messages import BaseMessage

    from tools.spec import ToolSpec

READERS = {"read_file", "search_files", "list_files"}
"""Tools that are not wanted for files whose text the user has attached."""
NAMED_ELSEWHERE = {READ, READ_SKILL}
"""Tools that need no room among those that are described: the results that were cut name the one,
the lines of the skills the other."""
OFFERED = 5
"""Tools described in the conversation when there are too many for the stable prefix."""


class Embedder(Protocol):
    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, shape (len(texts), dimension)."""
        ...


@dataclass(frozen=True)
class Judge:
    """When a tool fits: a logistic regression, fitted by `benchmarks/fit_judge.py`."""

    cosine: float
    odds: float
    """Per nat of the model's own log-odds."""
    bias: float
    least: float
    """Log-odds below this count as this; those above 0 as 0, since the eagerness of a small model
    to call says nothing."""

    def score(self, cosine: float, odds: float | None) -> float:
        """Log-odds; above 0 a tool fits."""
        opinion = max(self.least, min(0.0, odds or 0.0))
        return self.cosine * cosine + self.odds * opinion + self.bias


ALONE = Judge(cosine=1.0, odds=0.0, bias=-0.25, least=0.0)
"""For an engine that has no opinion."""
JOINED = Judge(cosine=8.0, odds=1.7, bias=-1.1, least=-2.0)
"""For the first request of a conversation. The slopes are alike for models of different size. The
bias loses 1 fitting request in 12 of the 0.5B on `benchmarks/fits.jsonl`, whose requests are harder
than most, and 1 in 4 of the 1.5B, which is slower to call."""
LATER = Judge(cosine=8.0, odds=0.4, bias=0.3, least=-12.0)
"""For the ones after it: whatever is asked, a model is then less ready to call, by some nats."""
NAME_WEIGHT = 16.0
"""Nats that one unit of cosine is worth when the model chooses a name: where the 0.5B's share of
right names on `benchmarks/fits.jsonl` (82 % alone) levels off at 90 %. More would silence a larger
model, which is right more often."""
NAMED = 0.5
"""Cosine that a request gains on a tool when it names something that this tool knows of: enough to
bring an indifferent one over the threshold against the model's reluctance."""
IS_KNOWN = 0.45
"""Cosine from which a passage is about the request: of 100 questions whose answers stand in 1,400
abstracts 1 in 100 comes less near, of 918 requests of other kinds 1 in 100 nearer
(`benchmarks/known.py`)."""
KNOWN = 0.15
"""What is added then, so that the least of them is over the threshold whatever the model thinks."""
NEXT = 0.38
"""Cosine from which a part of a request, left over after a call, is taken to want another. The
model's own opinion says nothing there: a small one goes on calling, or never does."""
TALK = (
    "hi", "hello, how are you?", "good morning", "thank you, that was helpful", "goodbye, see you",
    "who are you and what can you do?", "tell me a joke", "I feel tired today", "you are wrong",
)  # fmt: skip
"""What wants no tool, unless one is nearer: small models answer a greeting with a call."""
IS_TALK = 0.4
"""Cosine from which a request is like one of them. Terse requests come up to 0.35."""
CLEAR = 0.1
"""Cosine by which a part of a request must prefer one tool to another for the difference to count.
Between near twins it prefers neither."""


@dataclass(frozen=True)
class Verdict:
    """How an offer came about, for whoever looks at the turn afterwards (`agent/trace`)."""

    why: str
    nearness: Mapping[str, float] = field(default_factory=dict)
    """Of the tools that were compared, also those that are not offered: the cosine of each to the
    request or to the part of it that is left, and `NAMED` more for one that it names."""
    odds: float | None = None
    """The model's own log-odds that a tool fits, in nats."""
    score: float | None = None
    """The judge's; above 0 a call is made."""


@dataclass(frozen=True)
class SoFar:
    """What a turn has called, and what it has to call."""

    called: Sequence[str] = ()
    """Names, in order."""
    mend: str = ""
    """A tool that refused its call, which is to be made once more."""
    due: str = ""
    """The tool of the next step of the skill that the request is done by."""
    only: Collection[str] = ()
    """All tools that this skill names, if it names some."""


class Offering:
    """Ranks tools by what is asked. Keeps the vectors of the tools it has seen."""

    def __init__(self, embedder: Embedder | None, offer_all: int) -> None:
        """Up to `offer_all` tools are all described in the stable prefix; of more, the likeliest
        are described in the conversation, behind it. Without an embedder all are, always."""
        self._embedder = embedder
        self._offer_all = offer_all
        self.verdict = Verdict("")
        """On the last offer."""
        self._ranked: dict[str, float] = {}
        """Of all tools, where only the likeliest were described."""
        self._vectors: dict[tuple[str, str, tuple[str, ...]], np.ndarray] = {}
        # a request and its parts are compared again at every step of a turn
        self._vector = lru_cache(maxsize=64)(self._embed)

    def stable(self, specs: Sequence[ToolSpec]) -> Sequence[ToolSpec]:
        """The tools that belong into the prefix."""
        counted = [spec for spec in specs if spec.name not in NAMED_ELSEWHERE]
        few = len(counted) <= self._offer_all
        return specs if self._embedder is None or few else ()

    def nearest(
        self, request: str, specs: Sequence[ToolSpec], without: Collection[str] = ()
    ) -> float:
        """How near to `request` the tool is that fits best, those named in `without` left out;
        without an embedder -1. A file that is named brings it no nearer: it says what is to be
        worked on, and not by whom."""
        compared = [spec for spec in specs if spec.name not in NAMED_ELSEWHERE | {*without}]
        if self._embedder is None or not compared:
            return -1.0
        cosines = self._cosines(request, compared)
        return max(*cosines, *(_known(request, spec) for spec in compared))

    def announce(
        self,
        history: Sequence[BaseMessage],
        request: str,
        specs: Sequence[ToolSpec],
        wanted: Collection[str] = (),
    ) -> list[BaseMessage]:
        """What must be said before `request` so that the tools it may need are known. `wanted`:
        names of such that are among them in any case."""
        from langchain_core.messages import SystemMessage

        self._ranked = {}
        if self.stable(specs) or not specs:
            return []
        specs = [spec for spec in specs if spec.name not in NAMED_ELSEWHERE]
        ranked = sorted(
            zip(self._nearness(request, specs), specs, strict=True), key=lambda pair: -pair[0]
        )
        first = [spec for _, spec in ranked if spec.name in wanted]
        others = [spec for _, spec in ranked if spec.name not in wanted]
        best = [*first, *others][: max(OFFERED, len(first))]
        self._ranked = {spec.name: nearness for nearness, spec in ranked[: 2 * OFFERED]}
        if {spec.name for spec in best} <= set(_announced(history)):
            return []
        described = [json.dumps(describe(spec), ensure_ascii=False) for spec in best]
        names = [spec.name for spec in best]
        return [SystemMessage(render("tools", tools=described), additional_kwargs={"offer": names})]

    def offer(
        self,
        engine: Engine,
        messages: Sequence[BaseMessage],
        specs: Sequence[ToolSpec],
        so_far: SoFar = SoFar(),
    ) -> tuple[Sequence[ToolSpec], Choice]:
        """The tools for the next reply, and what the reply may be."""
        mend, due = so_far.mend, so_far.due
        listed = not self.stable(specs)
        if listed:
            names = {*NAMED_ELSEWHERE, *_announced(messages)}
            specs = [spec for spec in specs if spec.name in names]
        if not specs:
            self.verdict = Verdict("there are no tools")
            return (), Choice("text")
        if self._embedder is None:
            self.verdict = Verdict("without the embedder nothing judges")
            return specs, Choice("free", listed=listed)
        request = request_of(messages)
        prefix = () if listed else specs
        files = _attached(messages, request, specs)
        idle = READERS if files else set()
        if mend in [spec.name for spec in specs]:
            others = {spec.name: -math.inf for spec in specs if spec.name != mend}
            self.verdict = Verdict(f"{mend} refused its call and says what was wrong")
            choice = Choice("call", others)
        elif due in [spec.name for spec in specs]:
            others = {spec.name: -math.inf for spec in specs if spec.name != due}
            self.verdict = Verdict(f"{due} is the next step of the skill")
            choice = Choice("call", others)
        elif not so_far.called and messages[-1].type == "human":
            choice = self._judge(engine, messages, specs, prefix, request, files)
        else:
            choice = self._rest(engine, messages, specs, prefix, request, so_far.called, idle)
        free = choice.mode == "call" and not mend and not due
        if so_far.only and free and _likeliest(choice) not in so_far.only:
            self.verdict = replace(self.verdict, why="the skill names no tool that fits")
            choice = Choice("text")
        if choice.mode == "call" and idle and not mend:
            choice = replace(choice, weights={**choice.weights, **dict.fromkeys(idle, -math.inf)})
        return specs, replace(choice, listed=listed)

    def _judge(
        self,
        engine: Engine,
        messages: Sequence[BaseMessage],
        specs: Sequence[ToolSpec],
        prefix: Sequence[ToolSpec],
        request: str,
        files: Sequence[str],
    ) -> Choice:
        """`prefix`: those of `specs` in the stable prefix. `files`: those that are attached."""
        idle = READERS if files else set()
        cosines = self._nearness(_without(request, files), specs)
        nearness = self._ranked | _by_name(specs, cosines)
        if specs[cosines.index(max(cosines))].name in idle:
            parts = self._open_parts(specs, request, (), idle)
            if not parts:
                self.verdict = Verdict("what it asks about is attached", nearness)
                return Choice("text")
            cosines = parts[0][1]
        if self._is_talk(request, max(cosines)):
            self.verdict = Verdict("it is talk", nearness)
            return Choice("text")
        if max(cosines) < _nearest_fact(messages):
            self.verdict = Verdict("a fact that was told is nearer than any tool", nearness)
            return Choice("text")
        odds = engine.fits(messages, prefix)
        opening = sum(message.type == "human" for message in messages) == 1
        judge = ALONE if odds is None else JOINED if opening else LATER
        score = judge.score(max(cosines), odds)
        why = "a tool fits" if score > 0 else "no tool fits"
        self.verdict = Verdict(why, nearness, odds, score)
        if score <= 0:
            return Choice("text")
        parts = self._open_parts(specs, request, (), idle)
        if len({best for best, _ in parts}) > 1:
            first = parts[0][1]
            if len(first) == 1 or sorted(first)[-1] - sorted(first)[-2] > CLEAR:
                cosines = first
        return Choice("call", _weights(specs, cosines))

    def _rest(
        self,
        engine: Engine,
        messages: Sequence[BaseMessage],
        specs: Sequence[ToolSpec],
        prefix: Sequence[ToolSpec],
        request: str,
        called: Sequence[str],
        idle: Collection[str],
    ) -> Choice:
        """After a call: a part of the request that a tool fits and none has served is next."""
        parts = self._open_parts(specs, request, called, idle)
        if not parts:
            wants = engine.wants_call(messages, prefix)
            self.verdict = Verdict("nothing of the request is left for a tool")
            return Choice("text" if wants is False else "free")
        best, cosines = parts[0]
        self.verdict = Verdict("a part of the request is left", _by_name(specs, cosines))
        # small models repeat themselves: what has served is out, unless it is meant again
        served = {name: -math.inf for name in called if name != best}
        return Choice("call", _weights(specs, cosines) | served)

    def _open_parts(
        self,
        specs: Sequence[ToolSpec],
        request: str,
        called: Sequence[str],
        idle: Collection[str],
    ) -> list[tuple[str, list[float]]]:
        """For each part of `request` that wants a tool and that none of `called` has served: the
        tool that fits it best, and the cosine of each.

        A call serves a part that no other tool fits clearly better, else one that no tool fits,
        else the first that is left. One for which a tool of `idle` is as good as any is served.
        """
        names = [spec.name for spec in specs]
        wanted = []
        strangers = 0
        for part in _parts(request):
            cosines = self._cosines(part, specs)
            at_hand = [one for one, name in zip(cosines, names, strict=True) if name in idle]
            if max(at_hand, default=-1.0) >= max(cosines) - CLEAR:
                continue
            if max(cosines) > NEXT:
                wanted.append((names[cosines.index(max(cosines))], cosines))
            else:
                strangers -= 1
        for name in called:
            nearest = (
                at
                for at, (_, cosines) in enumerate(wanted)
                if cosines[names.index(name)] >= max(cosines) - CLEAR
            )
            served = next(nearest, None) if name in names else None
            if served is None:
                strangers += 1
            else:
                del wanted[served]
        return wanted[max(0, strangers) :]

    def _is_talk(self, request: str, nearest: float) -> bool:
        """`nearest`: the cosine of the tool that fits best."""
        return float((self._talk @ self._vector(request)).max()) > max(nearest, IS_TALK)

    @cached_property
    def _talk(self) -> np.ndarray:
        assert self._embedder is not None
        return self._embedder.embed(TALK)

    def _cosines(self, text: str, specs: Sequence[ToolSpec]) -> list[float]:
        assert self._embedder is not None
        new = [spec for spec in specs if _key(spec) not in self._vectors]
        texts = [[f"{spec.name}: {spec.description}", *spec.examples] for spec in new]
        if new:
            vectors = self._embedder.embed([line for lines in texts for line in lines])
            at = 0
            for spec, lines in zip(new, texts, strict=True):
                self._vectors[_key(spec)] = vectors[at : at + len(lines)]
                at += len(lines)
        asked = self._vector(text)
        return [float((self._vectors[_key(spec)] @ asked).max()) for spec in specs]

    def _nearness(self, request: str, specs: Sequence[ToolSpec]) -> list[float]:
        """The cosines, and more for a tool that knows of what the request names or is about."""
        return [
            max(cosine + NAMED * _names_one(request, spec.subjects), _known(request, spec))
            for cosine, spec in zip(self._cosines(request, specs), specs, strict=True)
        ]

    def _embed(self, text: str) -> np.ndarray:
        assert self._embedder is not None
        vector: np.ndarray = self._embedder.embed([text])[0]
        return vector


def _known(request: str, spec: ToolSpec) -> float:
    """What it is worth that the tool would find something near; -1: it would not."""
    found = spec.knows(request) if spec.knows is not None else -1.0
    return found + KNOWN if found > IS_KNOWN else -1.0


def _nearest_fact(messages: Sequence[BaseMessage]) -> float:
    """How near the facts are that were told just before the request; at most so near that a tool
    which is named is nearer."""
    before = told_before(messages)
    told = (one.additional_kwargs[NEAR] for one in before if NEAR in one.additional_kwargs)
    return min(NAMED, next(told, 0.0))


def _attached(
    messages: Sequence[BaseMessage], request: str, specs: Sequence[ToolSpec]
) -> list[str]:
    """The files that `request` names, when all of them are attached to it, each as a whole."""
    before = told_before(messages)
    marks = [one.additional_kwargs[ATTACHED] for one in before if ATTACHED in one.additional_kwargs]
    files = [str(mark["file"]) for mark in marks]
    others = _without(request, files)
    named = any(_names_one(others, spec.subjects) for spec in specs if spec.name in READERS)
    return [] if named or not all(mark["whole"] for mark in marks) else files


def _without(text: str, names: Sequence[str]) -> str:
    for name in names:
        text = text.replace(name, " ")
    return text


def _key(spec: ToolSpec) -> tuple[str, str, tuple[str, ...]]:
    return spec.name, spec.description, spec.examples


def _names_one(text: str, subjects: Sequence[str]) -> bool:
    """Whether one of `subjects` stands in `text` as whole words."""
    folded = text.casefold()
    there = (subject.casefold() for subject in subjects if subject.casefold() in folded)
    return any(re.search(rf"(?<![\w./-]){re.escape(one)}(?!\w|[-.]\w)", folded) for one in there)


def _by_name(specs: Sequence[ToolSpec], cosines: Sequence[float]) -> dict[str, float]:
    return {spec.name: cosine for spec, cosine in zip(specs, cosines, strict=True)}


def _weights(specs: Sequence[ToolSpec], cosines: Sequence[float]) -> dict[str, float]:
    return {name: NAME_WEIGHT * cosine for name, cosine in _by_name(specs, cosines).items()}


def _likeliest(choice: Choice) -> str:
    """The tool that the weights of a call lean to."""
    return max(choice.weights, key=lambda name: choice.weights[name], default="")


def _announced(messages: Sequence[BaseMessage]) -> list[str]:
    """The names in the latest offer."""
    for message in reversed(messages):
        if names := message.additional_kwargs.get("offer"):
            return list(names)
    return []


def _parts(request: str) -> list[str]:
    """The sentences and clauses of a request that may each want a call of its own."""
    return [part for part in _BOUNDARY.split(request) if len(part.split()) > 1]


_BOUNDARY = re.compile(r"(?<=[.?!;])\s+|\n+|,?\s+(?:and then|and|then|also|plus)\s+", re.IGNORECASE)
