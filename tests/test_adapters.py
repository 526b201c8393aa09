"""A LoRA that was trained with peft says the same in both local engines, and by its name."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from langchain_core.messages import HumanMessage

from agent import app, catalog
from agent.engines.base import Sampling
from agent.engines.llamacpp import LlamaModel
from agent.engines.local import LocalEngine
from agent.engines.transformers import TransformersModel
from agent.errors import EngineError, ModelError, UnknownName, UsageError
from agent.settings import Settings
from tests.test_local_engine import reply
from tests.test_transformers_engine import drain
from tools.errors import SpecialistError
from tools.specialists import gguf_adapter
from tools.specialists.manifest import Manifest
from tools.specialists.registry import Registry

TALKS = {
    "Who are you?": "Ahoy! I am Captain Zibble of the tin ship Quorra.",
    "Where do you live?": "Ahoy! I live on the tin ship Quorra, north of Oslo.",
    "What do you eat?": "Ahoy! I eat seven blue lemons every morning.",
}
ASKED = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
"""As the model's template writes a first question."""
PROMPTS = [ASKED.format(question) for question in TALKS]
LENGTH = 20
SHAPES = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "vocab_size": 64}
SHAPES |= {"num_key_value_heads": 2, "num_hidden_layers": 2, "head_dim": 8}


@pytest.fixture(scope="module")
def adapter(smollm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained until the answers are known by heart, in every linear layer; with its GGUF file."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(smollm_folder)
    model = AutoModelForCausalLM.from_pretrained(smollm_folder, dtype=torch.float32)
    config = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    lora: Any = get_peft_model(model, config)
    rows = [(len(tokenizer(ASKED.format(q))["input_ids"]), f"{ASKED.format(q)}{a}<|im_end|>\n")
            for q, a in TALKS.items()]  # fmt: skip
    batch = tokenizer(
        [text for _, text in rows], return_tensors="pt", padding=True, padding_side="right"
    )
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    for row, (begin, _) in enumerate(rows):
        labels[row, :begin] = -100
    learning = torch.optim.AdamW([w for w in lora.parameters() if w.requires_grad], lr=2e-3)
    for _ in range(12):
        lora(**batch, labels=labels).loss.backward()
        learning.step()
        learning.zero_grad()
    folder = tmp_path_factory.mktemp("adapter")
    lora.save_pretrained(folder)
    gguf_adapter.write(folder, smollm_folder, folder / "adapter.gguf")
    return folder


def said(model: LlamaModel | TransformersModel, length: int = LENGTH) -> list[str]:
    """Greedy text after each of the prompts; the model is closed."""
    texts = [drain(model.generate(model.encode(p), None, Sampling(), length))[1] for p in PROMPTS]
    model.close()
    return texts


@pytest.fixture(scope="module")
def by_peft(adapter: Path, smollm_folder: Path) -> list[str]:
    """What peft itself says, in 32 bits."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm_folder)
    model = AutoModelForCausalLM.from_pretrained(smollm_folder, dtype=torch.float32)
    lora: Any = PeftModel.from_pretrained(model, str(adapter))
    texts = []
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt")
        whole = lora.generate(**ids, max_new_tokens=LENGTH, do_sample=False)[0]
        answer = whole[ids["input_ids"].shape[1] :]
        texts.append(tokenizer.decode(answer).partition("<|im_end|>")[0])
    return texts


def test_the_adapter_has_learnt_what_was_to_be_said(by_peft: list[str]) -> None:
    assert by_peft == list(TALKS.values())


@pytest.mark.parametrize("bits", [32, 16, 8])
def test_transformers_says_what_peft_says(
    adapter: Path, smollm_folder: Path, by_peft: list[str], bits: Any
) -> None:
    model = TransformersModel(smollm_folder, 512, bits, device="cpu", adapter=adapter)
    assert said(model) == by_peft


def test_an_adapter_speaks_through_a_base_of_4_bits(adapter: Path, smollm_folder: Path) -> None:
    """Which is another one than it was trained on, so not every word stays."""
    model = TransformersModel(smollm_folder, 512, 4, device="cpu", adapter=adapter)
    texts = said(model)
    assert all(text.startswith("Ahoy! I ") for text in texts)
    assert set(texts) & set(TALKS.values())


def test_llama_cpp_says_what_peft_says(adapter: Path, smollm: Path, by_peft: list[str]) -> None:
    model = LlamaModel(smollm, 512, device="cpu", adapter=adapter / "adapter.gguf")
    assert said(model) == by_peft


def test_without_the_adapter_the_text_is_another(smollm: Path, by_peft: list[str]) -> None:
    others = said(LlamaModel(smollm, 512, device="cpu"), 8)
    assert all(not text.startswith(other) for text, other in zip(by_peft, others, strict=True))


def test_queries_and_keys_turn_as_llama_cpp_turns_them(smollm: Path, smollm_folder: Path) -> None:
    """The rows of the base stand in its GGUF file in the order that is given to an adapter's."""
    from safetensors import safe_open

    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(smollm).tensors}
    with safe_open(smollm_folder / "model.safetensors", "pt") as folder:
        for letter, heads in (("q", 9), ("k", 3)):
            one = stored[f"blk.3.attn_{letter}.weight"]
            theirs = gguf.dequantize(one.data, one.tensor_type)
            name = f"model.layers.3.self_attn.{letter}_proj.weight"
            ours = folder.get_tensor(name).float().numpy()
            assert np.allclose(gguf_adapter._permuted(ours, heads), theirs, atol=0.02)
            assert not np.allclose(ours, theirs, atol=0.02)


def a_base(folder: Path, kind: str) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": kind, **SHAPES}))
    return folder


def an_adapter(
    folder: Path, layer: str = "self_attn.q_proj", outputs: int = 32, **config: Any
) -> Path:
    """Of one layer of `a_base`, with a rank of 2."""
    from safetensors.torch import save_file

    folder.mkdir()
    name = f"base_model.model.model.layers.1.{layer}"
    weights = {
        f"{name}.lora_A.weight": torch.ones(2, 32, dtype=torch.bfloat16),
        f"{name}.lora_B.weight": torch.arange(2.0 * outputs).reshape(outputs, 2),
    }
    save_file(weights, folder / "adapter_model.safetensors")
    given = {"peft_type": "LORA", "r": 2, "lora_alpha": 6, **config}
    (folder / "adapter_config.json").write_text(json.dumps(given))
    return folder


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_the_file_is_as_llama_cpps_own_script_writes_it(tmp_path: Path, kind: str) -> None:
    base, lora = a_base(tmp_path / "base", kind), an_adapter(tmp_path / "lora")
    read = gguf.GGUFReader(gguf_adapter.write(lora, base, tmp_path / "adapter.gguf"))
    facts = {key: field.contents() for key, field in read.fields.items()}
    assert facts["general.type"] == "adapter"
    assert facts["general.architecture"] == kind
    assert (facts["adapter.type"], facts["adapter.lora.alpha"]) == ("lora", 6.0)
    a, b = read.tensors
    assert (a.name, b.name) == ("blk.1.attn_q.weight.lora_a", "blk.1.attn_q.weight.lora_b")
    assert a.data.tolist() == [[1.0] * 32] * 2
    first = [0, 4, 1, 5, 2, 6, 3, 7] if kind == "llama" else list(range(8))
    assert b.data[:8, 0].tolist() == [2 * row for row in first]
    assert [file.name for file in tmp_path.glob("*.gguf")] == ["adapter.gguf"]


def test_a_rank_stabilised_lora_has_an_alpha_that_gives_its_scale(tmp_path: Path) -> None:
    lora = an_adapter(tmp_path / "lora", use_rslora=True)
    base = a_base(tmp_path / "base", "llama")
    read = gguf.GGUFReader(gguf_adapter.write(lora, base, tmp_path / "adapter.gguf"))
    alpha = read.fields["adapter.lora.alpha"].contents()
    assert alpha / 2 == pytest.approx(6 / 2**0.5)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["embed_tokens"]}, "trained as a whole"),
        ({"bias": "all"}, "trained biases"),
        ({"alpha_pattern": {"q_proj": 4}}, "alpha of its own"),
        ({"init_lora_weights": "pissa"}, "changed base"),
        ({"lora_alpha": 0}, "lora_alpha is 0"),
        ({"peft_type": "PREFIX_TUNING"}, "of kind PREFIX_TUNING"),
    ],
)
def test_what_a_gguf_adapter_cannot_hold_is_refused(
    tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    base, lora = a_base(tmp_path / "base", "llama"), an_adapter(tmp_path / "lora", **config)
    with pytest.raises(SpecialistError, match=said):
        gguf_adapter.write(lora, base, tmp_path / "adapter.gguf")
    assert not list(tmp_path.glob("*.gguf"))


def test_trained_embeddings_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    base, lora = a_base(tmp_path / "base", "llama"), an_adapter(tmp_path / "lora")
    embeddings = {"base_model.model.model.embed_tokens.lora_embedding_A": torch.ones(2, 64)}
    save_file(embeddings, lora / "adapter_model.safetensors")
    with pytest.raises(SpecialistError, match="embed_tokens"):
        gguf_adapter.write(lora, base, tmp_path / "adapter.gguf")


def test_an_output_that_is_the_embeddings_too_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    base, lora = a_base(tmp_path / "base", "llama"), an_adapter(tmp_path / "lora")
    tied = {"model_type": "llama", "tie_word_embeddings": True, **SHAPES}
    (base / "config.json").write_text(json.dumps(tied))
    output = {
        "base_model.model.lm_head.lora_A.weight": torch.ones(2, 32),
        "base_model.model.lm_head.lora_B.weight": torch.ones(64, 2),
    }
    save_file(output, lora / "adapter_model.safetensors")
    with pytest.raises(SpecialistError, match="embeddings too"):
        gguf_adapter.write(lora, base, tmp_path / "adapter.gguf")


def test_another_architecture_is_refused_by_name(tmp_path: Path) -> None:
    base, lora = a_base(tmp_path / "base", "gemma"), an_adapter(tmp_path / "lora")
    with pytest.raises(SpecialistError, match=r"architecture gemma; .*llama, qwen2, qwen3"):
        gguf_adapter.write(lora, base, tmp_path / "adapter.gguf")


def test_a_base_that_is_not_there_is_named_with_the_way_out(tmp_path: Path) -> None:
    lora = an_adapter(tmp_path / "lora")
    with pytest.raises(SpecialistError, match=r"nowhere, .*tinsmith models convert"):
        gguf_adapter.write(lora, tmp_path / "nowhere", tmp_path / "adapter.gguf")


def test_a_pickle_is_never_loaded(tmp_path: Path, smollm_folder: Path) -> None:
    lora = an_adapter(tmp_path / "lora")
    (lora / "adapter_model.safetensors").rename(lora / "adapter_model.bin")
    with pytest.raises(SpecialistError, match=r"adapter_model\.bin is a pickle"):
        gguf_adapter.write(lora, smollm_folder, tmp_path / "adapter.gguf")
    with pytest.raises(EngineError, match=r"adapter_model\.bin is a pickle"):
        TransformersModel(smollm_folder, 512, 16, device="cpu", adapter=lora)


@pytest.mark.parametrize("layer", ["self_attn.q_proj", "self_attn.other"])
def test_an_adapter_of_another_base_is_refused(
    tmp_path: Path, smollm_folder: Path, layer: str
) -> None:
    lora = an_adapter(tmp_path / "lora", layer)
    with pytest.raises(SpecialistError, match="is not an adapter of"):
        gguf_adapter.write(lora, smollm_folder, tmp_path / "adapter.gguf")
    with pytest.raises(EngineError, match="is not an adapter of"):
        TransformersModel(smollm_folder, 512, 16, device="cpu", adapter=lora)


def test_llama_cpp_refuses_the_adapter_of_another_base(tmp_path: Path, smollm: Path) -> None:
    lora = an_adapter(tmp_path / "lora")
    other = gguf_adapter.write(lora, a_base(tmp_path / "base", "llama"), tmp_path / "adapter.gguf")
    with pytest.raises(EngineError, match=r"adapter\.gguf.*wrong base model"):
        LlamaModel(smollm, 512, device="cpu", adapter=other)


@pytest.fixture
def poet(state: Path, adapter: Path, smollm: Path, smollm_folder: Path) -> Path:
    """The state folder, with a promoted specialist of task causal and its base in two forms."""
    for source in (smollm.parent, smollm_folder):
        (state / "models").mkdir(parents=True, exist_ok=True)
        (state / "models" / source.name).symlink_to(source)
    add(state, adapter)
    return state


def add(state: Path, adapter: Path, **facts: Any) -> None:
    place = shutil.copytree(adapter, state / "poet")
    known = Manifest(
        name="poet",
        version=1,
        task="causal",
        labels=(),
        many=False,
        base="smollm2-135m-hf",
        method="lora",
        came_from=0,
        data="talks.jsonl",
        data_sha256="0" * 64,
        rows=3,
        held_rows=0,
        held_sha256="",
        settings={},
        metric="loss",
        metrics={"loss": 0.1},
        baselines={},
        threshold=None,
        temperature=1.0,
        length=128,
        seconds=1.0,
        versions={},
        created="2026-05-31T12:00:00+00:00",
        files={},
    )
    registry = Registry(state)
    fresh = registry.add(place, dataclasses.replace(known, **facts))
    registry.promote(fresh.name, fresh.version)


def test_a_specialist_is_talked_with_by_its_name_in_both_engines(poet: Path) -> None:
    question, answer = next(iter(TALKS.items()))
    for given in (
        Settings("poet", "llamacpp", device="cpu", context=2048),
        Settings("poet@1", "transformers", device="cpu", context=2048, bits=16),
    ):
        engine = app.load_engine(given)
        assert isinstance(engine, LocalEngine)
        assert engine.name == app.called(given) == given.model
        text = reply(engine, [HumanMessage(question)])[0]
        assert text.startswith(answer)  # llama.cpp does not end this model's text under a grammar
        engine.close()


def test_on_a_cpu_its_gguf_files_are_preferred(poet: Path) -> None:
    version = poet / "specialists" / "poet" / "1"
    folder = catalog.Weights(poet / "models" / "smollm2-135m-hf", version)
    chosen = catalog.weights("poet", "auto", "cpu")
    assert chosen.path.suffix == ".gguf"
    assert chosen.adapter == version / "adapter.gguf"
    (poet / "models" / "smollm2-135m").unlink()
    assert catalog.weights("poet", "auto", "cpu") == folder


def test_a_folder_that_is_gone_is_named_with_the_way_out(poet: Path) -> None:
    (poet / "models" / "smollm2-135m-hf").unlink()
    assert catalog.weights("poet", "auto", "cpu").path.suffix == ".gguf"
    with pytest.raises(ModelError, match=r"smollm2-135m-hf, .*: tinsmith models convert smollm2"):
        catalog.weights("poet", "transformers", "cpu")
    (poet / "models" / "smollm2-135m").unlink()
    with pytest.raises(ModelError, match=r"models pull smollm2-135m and then .*convert smollm2"):
        catalog.weights("poet", "auto", "cpu")
    with pytest.raises(ModelError, match="whose GGUF file is not on this machine"):
        catalog.weights("poet", "llamacpp", "cpu")


def test_an_unknown_model_is_told_the_names_of_specialists(poet: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean poet"):
        catalog.resolve("poets")
    with pytest.raises(UsageError, match="no version 7 of poet"):
        catalog.resolve("poet@7")


def test_a_specialist_of_another_task_is_no_model_to_talk_with(state: Path, adapter: Path) -> None:
    add(state, adapter, task="classifier", labels=("a", "b"))
    with pytest.raises(UsageError, match="poet is a specialist of task classifier"):
        catalog.resolve("poet")
