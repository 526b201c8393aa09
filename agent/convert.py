"""From a GGUF file to a Hugging Face folder, which can be loaded in 4 or 8 bits and fine-tuned."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

from agent.errors import ModelError
from tools.errors import first_line
from tools.storage import sync_folder

Say = Callable[[str], None]


def convert(source: Path, target: Path, say: Say = lambda stage: None) -> Path:
    """Write `source` as a folder of safetensors, 16 bits, with its tokenizer. Gives `target`.

    The folder appears when it is whole. `say` hears what is being done. Raises ModelError.
    """
    say("importing")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    if target.exists():
        raise ModelError(f"{target} is there already; delete it to convert again")
    logging.set_verbosity_error()
    _refuse_full_disk(source, target)
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        say("reading the vocabulary")
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        say("reading the weights")
        model = AutoModelForCausalLM.from_pretrained(
            source.parent, gguf_file=source.name, dtype=torch.bfloat16
        )
        model.hf_quantizer = None  # else the folder would claim to be quantised still
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        unfinished.mkdir(parents=True)
        say("writing")
        model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        sync_folder(unfinished)
        os.replace(unfinished, target)
    except (OSError, ValueError, RuntimeError, LookupError, ImportError, struct.error) as error:
        raise ModelError(f"{source.name} cannot be converted: {first_line(error)}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _refuse_full_disk(source: Path, target: Path) -> None:
    need = 4 * source.stat().st_size  # 4 bits become 16
    place = next(folder for folder in target.parents if folder.exists())
    free = shutil.disk_usage(place).free
    if free < need:
        raise ModelError(
            f"converting {source.name} needs {need / 1e9:.1f} GB on the disk and {place} has "
            f"{free / 1e9:.1f} GB; make room or set TINSMITH_HOME to another disk"
        )
