"""A `TokenModel` without weights, for what a real small model does not do when one wants it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Generator, Sequence

from agent.engines.base import Sampling
from agent.engines.template import CHATML
from agent.engines.token_model import Finish, Piece
from agent.errors import OutOfMemory
from agent.events import Usage
from agent.grammar import HERMES

SPECIAL = ["<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>"]
OPENING = "<|im_start|>assistant\n"
PARTS = re.compile("|".join(map(re.escape, [*SPECIAL, "\n\n"])) + "|.", re.DOTALL)


class Speaker:
    """Says one turn after another, a character a token; the prompt tells how far it has come."""

    def __init__(self, *turns: str, template: str = CHATML, fails_after: int = -1) -> None:
        """`fails_after`: once, the memory is out after so many tokens of a reply.

        Of a grammar it knows only where the arguments of a call end.
        """
        self.context = 4096
        self.reading: tuple[int, int] | None = None
        self.usage = Usage()
        self.chat_template = template
        self.bos, self.eos = "", "<|im_end|>"
        self.prompts: list[str] = []
        """Those it was to continue."""
        self._tokens = list(SPECIAL)
        self.end_tokens = frozenset(self.encode(self.eos))
        self._turns = turns
        self._fails_after = fails_after
        self._interrupted = threading.Event()

    def encode(self, text: str) -> list[int]:
        parts = PARTS.findall(text)
        self._tokens += sorted({*parts} - {*self._tokens})
        return [self._tokens.index(part) for part in parts]

    def generate(
        self, prompt: Sequence[int], grammar: str | None, sampling: Sampling, max_tokens: int
    ) -> Generator[Piece, None, Finish]:
        self._interrupted.clear()
        self.prompts.append("".join(self._tokens[token] for token in prompt))
        self.usage += Usage(prefilled=len(prompt))
        ids = list(prompt)
        said = ""
        for written in range(max_tokens):
            if self._interrupted.is_set():
                return "interrupted"
            if written == self._fails_after:
                self._fails_after = -1
                raise OutOfMemory("the memory is too small")
            token = self._next(ids)
            ids.append(token)
            self.usage += Usage(generated=1)
            if token in self.end_tokens:
                yield Piece([token], "")
                return "stop"
            said += self._tokens[token]
            yield Piece([token], self._tokens[token])
            if grammar and "%json" in grammar and _ends_arguments(said):
                return "stop"
        return "length"

    def logprobs(self, prompt: Sequence[int], tokens: Sequence[int]) -> list[float]:
        said = self._next(prompt)
        return [-0.01 if token == said else -20.0 for token in tokens]

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        self.interrupt()

    def _next(self, ids: Sequence[int]) -> int:
        *before, begun = "".join(self._tokens[token] for token in ids).split(OPENING)
        turn = self._turns[len(before) - 1]
        assert turn.startswith(begun), f"it was to say {turn!r} and had said {begun!r}"
        return self.encode(turn[len(begun) :] + self.eos)[0]


def _ends_arguments(text: str) -> bool:
    if not text.endswith(HERMES.end):
        return False
    try:
        json.loads(text.removesuffix(HERMES.end))
    except ValueError:
        return False
    return True
