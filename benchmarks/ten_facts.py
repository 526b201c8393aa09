"""Ten facts told early, then 200 turns in a window of 8k: how many are answered right at the end?

    python -m benchmarks.ten_facts --model qwen2.5-coder-1.5b

Once with facts that last (the model itself calls `remember`, and each turn is told what matters),
once without: there only the window is left, with its summaries and the user's own words. The turns
between are given, not written by the model: so it is only asked to sum up where the window gets
full, and both rounds have the same talk. Prints what compacting cost, too: the tokens processed for
each, beside the tokens of the window that it cleared.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent import catalog
from agent.engines.base import Choice, Sampling
from agent.engines.local import LocalEngine
from agent.events import Notice, TurnEnded, Usage
from agent.grounding import request_of
from agent.loop import Agent
from agent.offering import Offering
from agent.settings import Settings
from benchmarks import parts
from tools.base import tools_of
from tools.calculate import calculate
from tools.knowledge.facts import Facts
from tools.memory import Memory

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

    from agent.engines.token_model import TokenModel
    from agent.events import TextDelta
    from agent.offering import Embedder
    from tools.spec import ToolSpec

NEVER = -20.0
"""Log-odds that a tool fits what is given."""
FACTS = [
    ("Remember that my sister is called Ottilie.", "What is my sister called?", "ottilie"),
    ("Please remember: I live in Graz.", "In which city do I live?", "graz"),
    ("Keep in mind that the deadline of my project is 12 March.",
     "When is the deadline of my project?", "12"),
    ("Remember that our server listens on port 8417.", "On which port does our server listen?",
     "8417"),
    ("Don't forget that I am allergic to walnuts.", "What am I allergic to?", "walnut"),
    ("Remember that my boss is Ms Alvarez.", "Who is my boss?", "alvarez"),
    ("Please remember: my bicycle is a blue Peugeot.", "What bicycle do I have?", "peugeot"),
    ("Keep in mind that our team meets on Tuesdays.", "On which day does our team meet?",
     "tuesday"),
    ("Remember that my favourite composer is Janacek.", "Who is my favourite composer?",
     "janacek"),
    ("Remember that the invoice number is 70215.", "What is the invoice number?", "70215"),
]  # fmt: skip
TURNS = 200
TOPICS = (
    "bees", "bridges", "glaciers", "violins", "paper", "salt", "clocks", "maps", "bread", "owls",
    "rivers", "glass", "chess", "silk", "volcanoes", "lighthouses", "ink", "trains", "moss",
    "kites",
)  # fmt: skip
TALK = (
    "{0} have been with people for a long time. They are made or found in many places, and what is "
    "known of {0} has grown with each generation. Whoever looks closely at {0} sees how much there "
    "is to learn: where they come from, what they need, and what becomes of them in the end. That "
    "was remark number {1} of this talk."
)


class Given(LocalEngine):
    """Answers what is in `given` with the text there, and all else itself."""

    def __init__(self, name: str, model: TokenModel) -> None:
        super().__init__(name, model)
        self.given: dict[str, str] = {}

    def fits(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> float | None:
        return NEVER if request_of(messages) in self.given else super().fits(messages, tools)

    def reply(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[ToolSpec] = (),
        sampling: Sampling = Sampling(),  # noqa: B008  frozen
        choice: Choice = Choice(),  # noqa: B008  frozen
    ) -> Generator[TextDelta, None, AIMessage]:
        from langchain_core.messages import AIMessage

        if text := self.given.get(request_of(messages)):
            return AIMessage(text, response_metadata={"finish": "stop", "cut_call": False})
        return (yield from super().reply(messages, tools, sampling, choice))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="qwen2.5-coder-1.5b")
    parser.add_argument("--turns", type=int, default=TURNS)
    args = parser.parse_args()
    embedder = parts.embedder()
    model = parts.token_model(args.model)
    try:
        for lasting in (True, False):
            right, costs = conversation(Given(args.model, model), embedder, args.turns, lasting)
            kind = "with facts that last" if lasting else "without"
            print(f"{args.model}, {args.turns} turns, {kind}: {right} of {len(FACTS)} right")
            for before, after, spent in costs:
                print(
                    f"  compacted from {before} to {after} tokens: {spent.prefilled:,} processed, "
                    f"{spent.cached:,} from the cache, {spent.generated:,} written"
                )
    finally:
        model.close()


def conversation(
    engine: Given, embedder: Embedder, turns: int, lasting: bool
) -> tuple[int, list[tuple[str, str, Usage]]]:
    """How many are answered right, and each compaction: tokens before and after, and its cost."""
    costs: list[tuple[str, str, Usage]] = []
    with tempfile.TemporaryDirectory() as home, parts.session() as session:
        facts = Facts(Path(home), catalog.EMBEDDER, embedder.embed) if lasting else None
        tools = [calculate, *(tools_of(Memory(facts)) if facts else [])]
        agent = Agent(
            engine, {tool.name: tool for tool in tools}, session,
            Offering(embedder, Settings.offer_all), sampling=Sampling(max_tokens=200), facts=facts,
        )  # fmt: skip

        def said(text: str) -> str:
            for event in agent.send(text):
                if isinstance(event, Notice) and (sizes := _SIZES.search(event.text)):
                    costs.append((sizes[1], sizes[2], engine.usage))
            assert isinstance(event, TurnEnded)
            return event.answer

        for fact, _, _ in FACTS:
            said(fact)
            parts.progress(10, 10, fact)
        for turn in range(turns - 2 * len(FACTS)):
            topic = TOPICS[turn % len(TOPICS)]
            request = f"Let us talk about {topic}, part {turn}. What comes to your mind?"
            engine.given[request] = TALK.format(topic.capitalize(), turn)
            said(request)
            parts.progress(turn, turns, "turns")
        right = 0
        for _, question, expected in FACTS:
            answer = said(question)
            right += expected in answer.casefold()
            parts.progress(10, 10, f"{question} {answer}")
    return right, costs


_SIZES = re.compile(r"summarised \(([\d,]+) tokens, now ([\d,]+)\)")


if __name__ == "__main__":
    main()
