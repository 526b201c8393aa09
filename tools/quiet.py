"""Before libraries are imported: no telemetry, no network, no warnings of what is no fault."""

from __future__ import annotations

import logging
import os

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # of loading; they would be drawn into the prompt
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",  # some send what is validated; each start looks for them
    "TOKENIZERS_PARALLELISM": "false",
}


def quiet() -> None:
    os.environ.update(QUIET)
    # it warns of each kernel that is not installed, and at every layer
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
