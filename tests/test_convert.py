from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.convert import convert
from agent.errors import ModelError


def test_the_folder_does_not_claim_to_be_quantised(smollm_folder: Path) -> None:
    config = json.loads((smollm_folder / "config.json").read_text())
    assert "quantization_config" not in config
    assert list(smollm_folder.glob("*.safetensors"))


def test_converting_twice_is_refused(smollm: Path, smollm_folder: Path) -> None:
    with pytest.raises(ModelError, match="there already"):
        convert(smollm, smollm_folder)


def test_an_interrupt_leaves_nothing_half_there(smollm: Path, tmp_path: Path) -> None:
    stages = []

    def say(stage: str) -> None:
        stages.append(stage)
        if stage == "writing":
            assert list((tmp_path / "models").glob("*"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(smollm, tmp_path / "models" / "smollm-hf", say)
    assert stages == ["importing", "reading the vocabulary", "reading the weights", "writing"]
    assert not list((tmp_path / "models").glob("*"))


def test_a_damaged_file_leaves_nothing_half_there(smollm: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(smollm.read_bytes()[: 1 << 20])
    with pytest.raises(ModelError, match=r"broken\.gguf cannot be converted"):
        convert(broken, tmp_path / "models" / "broken-hf")
    assert not list((tmp_path / "models").glob("*"))
