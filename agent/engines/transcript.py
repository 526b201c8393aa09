"""The exact token ids of a conversation, and of the reply that is being written."""

from __future__ import annotations

from agent.engines.token_model import TokenModel


class Draft:
    """The prompt and what has been added to it, as text and as ids."""

    def __init__(self, text: str, ids: list[int]) -> None:
        self.text = text
        self.ids = ids
        self.reasoning = ""
        self.opinions: list[dict[str, float]] = []
        """For each call, what else it might have been."""
        self._prompt = len(ids)

    @property
    def written(self) -> int:
        return len(self.ids) - self._prompt

    def add(self, text: str, ids: list[int]) -> None:
        self.text += text
        self.ids = self.ids + ids


class Transcript:
    """The exact ids of text that was read or said, since encoding it anew may give others."""

    def __init__(self, model: TokenModel) -> None:
        self._model = model
        self._text = ""
        self._ids: list[int] = []
        self._marks: list[tuple[int, int]] = [(0, 0)]

    def encode(self, text: str) -> list[int]:
        characters, tokens = self._common(text)
        return self._ids[:tokens] + self._model.encode(text[characters:])

    def keep(self, text: str, ids: list[int]) -> None:
        common = self._common(text)
        self._marks = [mark for mark in self._marks if mark <= common]
        self._marks.append((len(text), len(ids)))
        self._text, self._ids = text, ids

    def _common(self, text: str) -> tuple[int, int]:
        return max(mark for mark in self._marks if text.startswith(self._text[: mark[0]]))
