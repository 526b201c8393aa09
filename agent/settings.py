"""Settings: one frozen value, from `config.toml` in the state folder and the command line.

A default lives here and nowhere else.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from agent.errors import SettingsError


def home() -> Path:
    """The state folder: TINSMITH_HOME, else the platform's data folder. Not created here."""
    if given := os.environ.get("TINSMITH_HOME"):
        return Path(given).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("tinsmith", appauthor=False))


@dataclass(frozen=True)
class Settings:
    model: str = ""
    """A name from `tinsmith models`, a hub id or a path. Empty: the one recommended here."""
    engine: Literal["auto", "llamacpp", "transformers", "openai"] = "auto"
    """auto: llamacpp for GGUF files, transformers for folders."""
    bits: Literal[4, 8, 16, 32] = 4
    """Quantise to this many bits when a folder of weights is loaded. GGUF files bring their own."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    url: str = ""
    """Address of a server that speaks the OpenAI chat protocol, for engine = "openai"."""
    context: int = 0
    """Window in tokens. 0: what the model and half of the free memory allow."""
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = -1
    """-1: a new one each time."""
    max_tokens: int = 2048
    """Of one reply."""
    max_steps: int = 12
    """Replies in one turn."""
    max_seconds: float = 600.0
    """Of one turn."""
    tool_timeout: float = 60.0
    """Seconds for a tool that does not say."""
    offer_all: int = 8
    """Up to this many tools, all are offered; with more, the best ones are picked."""
    trust_remote_code: bool = False
    """Let a model's own Python code run while loading. Only for publishers you trust."""
