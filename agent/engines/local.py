"""What the two local engines share: from messages to token ids and back.

A `TokenModel` (`token_model.py`) knows nothing of chat. `LocalEngine` renders messages with the
model's own chat template, keeps the exact ids of everything read and said, decides between text and
a call, and parses what comes.
"""

from __future__ import annotations

import json
import math
import secrets
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent import answers, grammar
from agent.engines.base import Choice, Sampling
from agent.engines.template import ChatTemplate
from agent.engines.thinking import CLOSE, OPEN
from agent.engines.token_model import Finish, Piece, Pieces, Stopped, TokenModel
from agent.engines.transcript import Draft, Transcript
from agent.errors import EngineError, WindowFull
from agent.events import TextDelta, Usage
from agent.grounding import is_about_more, names_more, request_of, spoken

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

    from tools.spec import ToolSpec

CIRCLES = 2048
ROUNDS = 4
"""Characters, and rounds, that only repeat what stands before them: nobody means that. A model that
takes the likeliest token never leaves such a circle."""
PROBE = 64
"""Characters at the end by which the last round is found."""


class LocalEngine:
    """An `Engine` over a `TokenModel`."""

    def __init__(self, name: str, model: TokenModel) -> None:
        self.name = name
        self.context = model.context
        self._model = model
        self._form = grammar.HERMES
        self._template = ChatTemplate(model.chat_template, self._form, model.bos, model.eos)
        self._transcript = Transcript(model)
        self._openers = sorted({model.encode(text)[0] for text in grammar.OPENERS})
        self._can_think = len(model.encode(OPEN)) == len(model.encode(CLOSE)) == 1
        self._stopped = threading.Event()
        self._asked = False
        """Whether a question about the next reply has been counted."""
        self.calling = 0
        """As in the protocol."""

    @property
    def usage(self) -> Usage:
        return self._model.usage

    @property
    def reading(self) -> tuple[int, int] | None:
        return self._model.reading

    def reply(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[ToolSpec] = (),
        sampling: Sampling = Sampling(),  # noqa: B008  frozen
        choice: Choice = Choice(),  # noqa: B008  frozen
    ) -> Generator[TextDelta, None, AIMessage]:
        from langchain_core.messages import AIMessage

        draft = self._begun(messages, () if choice.listed else tools)
        self._asked = False
        content, begun, cut = "", "", False
        calls: list[dict[str, Any]] = []
        try:
            finish = yield from self._reason(draft, sampling)
            if finish == "stop" and tools and self._wants_call(draft, choice):
                before = draft.text, draft.ids
                calls, finish = self._calls(draft, tools, sampling, choice, messages)
                cut = finish == "length" and not (calls and choice.mode == "call")
                if not calls:
                    begun = draft.text.removeprefix(before[0])
                    draft.text, draft.ids = before
            if finish == "stop" and not calls:
                if choice.schema is not None:
                    rules = grammar.answer(choice.schema, self._model.end_tokens)
                    sampling = replace(sampling, stop=())
                else:
                    if choice.pattern:
                        sampling = replace(sampling, stop=())
                    rules = grammar.text(
                        self._form,
                        self._model.encode,
                        self._model.end_tokens,
                        bool(tools),
                        choice.pattern,
                    )
                content, finish = yield from self._text(draft, rules, sampling)
                if choice.schema is not None:
                    cut = finish == "length"
                    self._refuse_unparsable(content, finish, choice.schema)
        except Stopped:
            finish = "interrupted"
        finally:
            self.calling = 0
        self._transcript.keep(draft.text, draft.ids)
        reasoning = draft.reasoning.strip()
        return AIMessage(
            content=content,
            tool_calls=calls,
            additional_kwargs={"reasoning": reasoning} if reasoning else {},
            response_metadata={
                "finish": finish,
                "cut_call": cut,
                "model_name": self.name,
                **({"begun_call": begun} if begun else {}),
                **({"opinions": draft.opinions} if draft.opinions else {}),
            },
        )

    def warm(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> None:
        self._stopped.clear()
        self._model.usage = Usage()
        rendered = self._template.render(messages, tools)
        ids = self._transcript.encode(rendered)
        if len(ids) >= self.context:
            return
        for _ in self._model.generate(ids, None, Sampling(), 0):
            pass
        self._transcript.keep(rendered, ids)

    def fits(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> float | None:
        """How the reply would begin: as a call, in whatever form the model knows, or as prose.

        It costs no token that the reply does not need, and separates better than asking the model
        (`benchmarks/README.md`). None for a model that thinks first: its replies all begin alike.
        """
        draft = self._begun(messages, tools)
        try:
            if self._thinks(draft):
                return None
            begun = sum(map(math.exp, self._odds(draft.ids, self._openers)))
        except Stopped:
            return None
        share = min(max(begun, 1e-6), 1 - 1e-6)
        return math.log(share / (1 - share))

    def wants_call(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> bool | None:
        """None for a model that thinks first."""
        draft = self._begun(messages, tools)
        try:
            return None if self._thinks(draft) else self._opens_call(draft)
        except Stopped:
            return None

    def _begun(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> Draft:
        """The prompt of a reply, or of a question to the model about one.

        What was asked about a reply beforehand is part of what it cost.
        """
        self._stopped.clear()
        if not self._asked:
            self._model.usage = Usage()
        self._asked = False
        rendered = self._template.render(messages, tools)
        draft = Draft(rendered, self._transcript.encode(rendered))
        self._refuse_overflow(len(draft.ids))
        self._asked = True
        return draft

    def opinions(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec]) -> list[float]:
        """Log-probability of each tool given that one of them is called, in nats."""
        return self._opinions(self._begun(messages, tools).ids, tools)

    def count_tokens(self, messages: Sequence[BaseMessage], tools: Sequence[ToolSpec] = ()) -> int:
        return len(self._transcript.encode(self._template.render(messages, tools)))

    def stop(self) -> None:
        self._stopped.set()
        self._model.interrupt()

    def close(self) -> None:
        self.stop()
        self._model.close()

    def _refuse_overflow(self, tokens: int) -> None:
        if tokens >= self.context:
            raise WindowFull(
                f"{tokens:,} tokens are to be read, and the window holds {self.context:,}; give "
                "less at once (a new conversation, a shorter row), or load the model with a larger "
                "context"
            )

    def _refuse_unparsable(self, text: str, finish: Finish, schema: Mapping[str, Any]) -> None:
        """The grammar promised it; the promise must not rest on one place."""
        try:
            if finish == "stop":
                answers.parsed(text, schema)
        except answers.Unparsable as error:
            raise EngineError(
                f"{self.name} wrote what its grammar forbids: {error}; the grammar was not applied"
            ) from error

    def _reason(self, draft: Draft, sampling: Sampling) -> Generator[TextDelta, None, Finish]:
        """What a reasoning model thinks before it answers, into `draft.reasoning`."""
        if not self._thinks(draft):
            return "stop"
        if not draft.text.rstrip().endswith(OPEN):
            draft.add(OPEN, self._model.encode(OPEN))
        limit = self._room(draft, sampling)
        stream = self._continue(draft.ids, grammar.reasoning(self._model.encode), sampling, limit)
        close = self._model.encode(CLOSE)[0]
        for piece in stream:
            text = piece.text.removesuffix(CLOSE)  # of a control token llama.cpp gives no text
            if close in piece.tokens:
                draft.add(text + CLOSE, piece.tokens)
            elif text:
                draft.add(text, piece.tokens)
            if text:
                draft.reasoning += text
                yield TextDelta(text, "reasoning")
            if close in piece.tokens:
                stream.close()
                self._pass_blank(draft)
                return "stop"
        return stream.finish

    def _thinks(self, draft: Draft) -> bool:
        """Whether the reply begins with a thought: the template opens one, or the model would."""
        if not self._can_think:
            return False
        if draft.text.rstrip().endswith(OPEN):
            return True
        return self._odds(draft.ids, self._model.encode(OPEN))[0] >= math.log(0.5)

    def _pass_blank(self, draft: Draft) -> None:
        """Take the blank lines that the model puts behind its thought.

        They are no part of the answer, and a call begins behind them.
        """
        for blank in ("\n\n", "\n"):
            ids = self._model.encode(blank)
            if len(ids) == 1 and self._odds(draft.ids, ids)[0] > math.log(0.5):
                draft.add(blank, ids)
                return

    def _continue(self, ids: list[int], rules: str, sampling: Sampling, limit: int) -> Pieces:
        """The model's `generate`; a stop that came before it began counts as well."""
        return Pieces(self._stoppable(ids, rules, sampling, limit))

    def _stoppable(
        self, ids: list[int], rules: str, sampling: Sampling, limit: int
    ) -> Generator[Piece, None, Finish]:
        if self._stopped.is_set():
            return "interrupted"
        with closing(Pieces(self._model.generate(ids, rules, sampling, limit))) as stream:
            for piece in stream:
                yield piece
                if self._stopped.is_set():
                    return "interrupted"
        return stream.finish

    def _odds(self, ids: list[int], tokens: Sequence[int]) -> list[float]:
        """The model's `logprobs`. Raises Stopped."""
        if self._stopped.is_set():
            raise Stopped
        return self._model.logprobs(ids, tokens)

    def _wants_call(self, draft: Draft, choice: Choice) -> bool:
        return self._opens_call(draft) if choice.mode == "free" else choice.mode == "call"

    def _opens_call(self, draft: Draft) -> bool:
        token = self._model.encode(self._form.open)[0]
        return self._odds(draft.ids, [token])[0] > math.log(0.5)

    def _text(
        self, draft: Draft, rules: str, sampling: Sampling
    ) -> Generator[TextDelta, None, tuple[str, Finish]]:
        answer = ""
        given = 0
        held = max((len(stop) for stop in sampling.stop), default=1) - 1
        limit = self._room(draft, sampling)
        stream = self._continue(draft.ids, rules, sampling, limit)
        for piece in stream:
            if piece.text:
                draft.add(piece.text, piece.tokens)
            answer += piece.text
            at = min((p for p in map(answer.find, sampling.stop) if p >= 0), default=-1)
            if at >= 0:
                answer, held = answer[:at], 0
                stream.close()
                stream.finish = "stop"
                break
            if _circles(answer):
                stream.close()
                stream.finish = "length"
                break
            if len(answer) - held > given:
                yield TextDelta(answer[given : len(answer) - held])
                given = len(answer) - held
        if given < len(answer):
            yield TextDelta(answer[given:])
        return answer, stream.finish

    def _calls(
        self,
        draft: Draft,
        tools: Sequence[ToolSpec],
        sampling: Sampling,
        choice: Choice,
        messages: Sequence[BaseMessage],
    ) -> tuple[list[dict[str, Any]], Finish]:
        """One call, and more as long as the model goes on.

        A small model that was made to call goes on with every tool there is, and with every turn
        of its arguments. So then only calls of the same tool follow, and each must be about
        something that the conversation names and no earlier one was about.
        """
        said, request = spoken(messages), request_of(messages)
        calls: list[dict[str, Any]] = []
        while True:
            tool, opinions = self._choose(draft, tools, choice.weights)
            opening = f"{self._form.open}{tool.name}{self._form.middle}"
            draft.add(opening, self._model.encode(opening))
            arguments, finish = self._arguments(draft, tool, sampling)
            if arguments is None:
                return calls, finish
            made = [call["args"] for call in calls if call["name"] == tool.name]
            invented = choice.mode == "call" and not is_about_more(arguments, made, said)
            if calls and (arguments in made or invented):
                return calls, "stop"
            calls.append(
                {"name": tool.name, "args": arguments, "id": f"call_{secrets.token_hex(6)}"}
            )
            draft.opinions.append(opinions)
            draft.add(self._form.close, self._model.encode(self._form.close))
            if choice.mode == "call" and not names_more(arguments, request):
                return calls, "stop"
            if not self._goes_on(draft):
                return calls, "stop"
            draft.add(self._form.again, self._model.encode(self._form.again))
            if choice.mode == "call":
                tools = [tool]

    def _choose(
        self, draft: Draft, tools: Sequence[ToolSpec], weights: Mapping[str, float]
    ) -> tuple[ToolSpec, dict[str, float]]:
        """The tool to call, and the log-probability of each without the weights."""
        if len(tools) == 1:
            return tools[0], {tools[0].name: 0.0}
        opinions = self._opinions(draft.ids, tools)
        weighted = [
            opinion + weights.get(tool.name, 0.0)
            for opinion, tool in zip(opinions, tools, strict=True)
        ]
        named = {tool.name: round(one, 3) for tool, one in zip(tools, opinions, strict=True)}
        return tools[weighted.index(max(weighted))], named

    def _opinions(self, prompt: list[int], tools: Sequence[ToolSpec]) -> list[float]:
        names = [f"{self._form.open}{tool.name}{self._form.middle}" for tool in tools]
        return self._scores(prompt, [self._model.encode(name) for name in names])

    def _scores(self, prompt: list[int], paths: list[list[int]]) -> list[float]:
        """Log-probability of each path given that it is one of them, in nats.

        The paths form a tree; the model is asked only where it branches.
        """
        scores = [0.0] * len(paths)
        open_groups = [(0, list(range(len(paths))))]
        while open_groups:
            depth, group = open_groups.pop()
            if len(group) == 1:
                continue
            children: dict[int, list[int]] = {}
            for index in group:
                children.setdefault(paths[index][depth], []).append(index)
            if len(children) > 1:
                odds = self._odds(prompt + paths[group[0]][:depth], list(children))
                total = math.log(sum(map(math.exp, odds)))
                for odd, child in zip(odds, children.values(), strict=True):
                    for index in child:
                        scores[index] += odd - total
            open_groups += [(depth + 1, child) for child in children.values()]
        return scores

    def _arguments(
        self, draft: Draft, tool: ToolSpec, sampling: Sampling
    ) -> tuple[dict[str, Any] | None, Finish]:
        """The arguments of a call of `tool`; None when they were cut off or interrupted, and with
        "stop" when they went round in circles."""
        import jsonschema

        written = ""
        self.calling = 0
        limit = self._room(draft, sampling)
        rules = grammar.arguments(self._form, tool.name, tool.parameters)
        stream = self._continue(draft.ids, rules, sampling, limit)
        for piece in stream:
            if piece.text:
                draft.add(piece.text, piece.tokens)
            written += piece.text
            self.calling += len(piece.tokens)
            if _circles(written):
                stream.close()
                return None, "stop"
        if stream.finish != "stop":
            return None, stream.finish
        # the grammar promised this; the promise must not rest on one place
        try:
            arguments: dict[str, Any] = json.loads(written.removesuffix(self._form.end))
            jsonschema.validate(arguments, tool.parameters)
        except (ValueError, jsonschema.ValidationError) as error:
            raise EngineError(
                f"{self.name} wrote arguments for {tool.name!r} that its grammar forbids "
                f"({written!r}: {error}); the grammar was not applied"
            ) from error
        return arguments, "stop"

    def _goes_on(self, draft: Draft) -> bool:
        opening = self._model.encode(self._form.again + self._form.marker)
        return all(
            self._odds(draft.ids + opening[:at], [token])[0] > math.log(0.5)
            for at, token in enumerate(opening)
        )

    def _room(self, draft: Draft, sampling: Sampling) -> int:
        limit = sampling.max_tokens
        left = self.context - len(draft.ids)
        return left if limit is None else max(0, min(left, limit - draft.written))


def _circles(written: str) -> bool:
    """Whether the end only repeats itself; a weak model then goes on until its tokens are spent."""
    period = len(written) - PROBE - written.rfind(written[-PROBE:], 0, -1)
    length = max(CIRCLES, ROUNDS * period)
    end = written[-length:]
    return len(end) == length and end[period:] == end[:-period]
