from __future__ import annotations

import dataclasses
import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.utils import extract_model_from_parallel
from hypothesis import given
from hypothesis import strategies as st

from tests import small
from tools.errors import PlanError, SpecialistError
from tools.specialists import (
    bases,
    causal,
    checks,
    classifier,
    embedder,
    masked,
    methods,
    tagger,
    training,
)
from tools.specialists.data import Example
from tools.specialists.jobs import OFFLINE, Job
from tools.specialists.manifest import Manifest
from tools.specialists.plan import Plan
from tools.specialists.recipes import recipe_of
from tools.specialists.registry import Registry
from tools.specialists.training import LengthGrouped
from tools.specialists.use import Specialists

TOPICS = Path(__file__).parent.parent / "examples" / "data" / "topics.csv"
COMBINATIONS = [(method, task) for method, tasks in methods.WORKS.items() for task in tasks]
ROWS = {"embedder": "pairs"}
SEVERAL_TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 2 + 2?"},
    {"role": "assistant", "content": "It is 4."},
    {"role": "user", "content": "And assistant 3 + 3?"},
    {"role": "assistant", "content": "It is 6, naïvely."},
]


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.bert(tmp_path_factory.mktemp("models") / "bert", hidden_size=64)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.llama(tmp_path_factory.mktemp("models") / "llama", hidden=64)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # so small models are quicker with one, on a busy machine above all


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in OFFLINE.items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def plan(bert: Path, llama: Path, tmp_path: Path) -> Callable[..., Plan]:
    def make(task: str, kind: str = "", **changes: Any) -> Plan:
        some = small.rows(kind or ROWS.get(task, task), changes.pop("rows", 120))
        file = small.write(tmp_path / f"{kind or task}.jsonl", some)
        base = llama if task == "causal" else bert
        method = changes.get("method", "full")
        facts: dict[str, Any] = {
            "name": "one",
            "task": task,
            "data": str(file),
            "base": str(base),
            "base_path": str(base),
            "many": kind == "several",
            "epochs": 1,
            "batch": 16,
            "rate": 5e-3 if method == "full" else methods.RATES[method],
            "length": 40,
            "layers": 1 if method == "head" and task in methods.HEADLESS else 0,
        }
        return Plan(**facts | changes)

    return make


@pytest.fixture
def train(state: Path) -> Callable[[Plan], tuple[Job, Manifest]]:
    def run(plan: Plan) -> tuple[Job, Manifest]:
        job = a_job(state / "jobs", plan)
        training.run(job, Registry(state))
        return job, Registry(state).manifest(plan.name, job.version)

    return run


def a_job(place: Path, plan: Plan) -> Job:
    numbers = itertools.count(1)
    folder = next(one for n in numbers if not (one := place / f"{plan.name}-{n}").exists())
    folder.mkdir(parents=True)
    facts = {"plan": plan.as_json(), "state": "waiting", "created": "2026-01-01", "stage": ""}
    (folder / "job.json").write_text(json.dumps(facts))
    return Job(folder)


def examples_of(plan: Plan) -> checks.Examples:
    return checks.load(Path(plan.data), plan.task, plan.columns, plan.many, None)


# methods


def logits(model: Any, task: str) -> Any:
    rows = {"input_ids": torch.tensor([[2, 9, 30, 31, 8, 3]]), "attention_mask": torch.ones(1, 6)}
    if task == "embedder":
        inner = model.sentences.eval()
        return inner({**rows, "attention_mask": torch.ones(1, 6).long()})["sentence_embedding"]
    return model.eval()(**rows).logits.float()


KINDS = {
    "classifier": classifier.KIND,
    "tagger": tagger.KIND,
    "masked": masked.KIND,
    "causal": causal.KIND,
}


@pytest.mark.parametrize(("method", "task"), COMBINATIONS)
def test_what_is_saved_is_what_was_trained(
    plan: Callable[..., Plan],
    state: Path,
    tmp_path: Path,
    method: str,
    task: str,
) -> None:
    one = plan(task, method=method)
    examples = examples_of(one)
    torch.manual_seed(0)
    work = recipe_of(one.task).prepare(one, examples)
    before = {key: value.detach().clone() for key, value in work.model.named_parameters()}
    trained = {key for key, value in work.model.named_parameters() if value.requires_grad}
    training.train(a_job(state / "jobs", one), one, work)
    changed = {
        key for key, value in work.model.named_parameters() if not torch.equal(value, before[key])
    }
    assert changed
    assert changed <= trained
    extract_model_from_parallel(work.model, keep_fp32_wrapper=False)  # it was in 16 bits
    torch.manual_seed(1)  # nothing that was new may be made by chance again
    with torch.no_grad():
        expected = logits(work.model, task)
    made = tmp_path / "made"
    base = Path(one.base_path)
    recipe_of(one.task).save(work, made, base)
    loaded: Any
    if task == "embedder":
        loaded = embedder._Together(embedder.load(made), "pairs")
    else:
        with_labels = {"num_labels": len(examples.labels), "ignore_mismatched_sizes": True}
        options = with_labels if task in ("classifier", "tagger") else {}
        loaded = methods.load(KINDS[task], made, base, **options)
        loaded.config.pad_token_id = 0
    with torch.no_grad():
        found = logits(loaded, task)
    near = 0.15 if method == "qlora" else 1e-4  # of 4 bits in training, 32 in use
    assert torch.allclose(found, expected, atol=near)
    if methods.is_adapter(made):
        assert str(base) not in (made / "adapter_config.json").read_text()
        whole = sum(file.stat().st_size for file in base.glob("*.safetensors"))
        rank = sum(file.stat().st_size for file in made.glob("*.safetensors"))
        assert rank < whole * (0.1 if method in ("prefix", "prompt") else 0.6)


@pytest.mark.parametrize("method", ["prefix", "qlora"])
def test_what_does_not_work_is_refused_by_name(plan: Callable[..., Plan], method: str) -> None:
    with pytest.raises(
        PlanError, match=f"'{method}' does not work with a masked language model; these do: full"
    ):
        methods.refuse_mismatch(plan("masked", method=method))


def test_prompts_are_refused_where_the_last_token_decides(
    plan: Callable[..., Plan], llama: Path
) -> None:
    one = plan("classifier", method="prompt", base_path=str(llama))
    with pytest.raises(PlanError, match="take lora"):
        classifier.prepare(one, examples_of(one))


def test_virtual_tokens_leave_room_for_long_texts(plan: Callable[..., Plan], train: Any) -> None:
    one = plan("classifier", method="prompt", length=64)
    rows = [json.loads(line) for line in Path(one.data).read_text().splitlines()]
    small.write(Path(one.data), [row | {"text": row["text"] + " the" * 99} for row in rows])
    train(one)


# recipes


def test_a_classifier_learns_and_explains(
    plan: Callable[..., Plan], train: Any, state: Path
) -> None:
    _, made = train(plan("classifier", rows=160, epochs=4))
    assert made.metrics["accuracy"] > 0.8
    assert made.baselines["majority label"]["accuracy"] < 0.7
    found, one = Specialists(state).classifier("one")
    text = "is my parcel with the driver"
    sure = found.confidences([text, "refund my card"], one.temperature)
    assert sure.sum(axis=1) == pytest.approx(1)
    assert found.labels[sure[0].argmax()] == "delivery"
    words = dict(classifier.explain(found, text, one.temperature))
    assert list(words) == text.split()
    assert max(words["parcel"], words["driver"]) == max(words.values())


def test_several_labels_are_learnt(plan: Callable[..., Plan], train: Any, state: Path) -> None:
    _, made = train(plan("classifier", "several", rows=160, epochs=10))
    assert made.metrics["micro_f1"] > 0.7
    found, _ = Specialists(state).classifier("one")
    fresh = small.rows("several", 40, seed=9)
    sure = found.confidences([row["text"] for row in fresh])
    truth = [[label in row["labels"] for label in found.labels] for row in fresh]
    assert ((sure > 0.5) == truth).mean() > 0.7


def test_an_older_version_may_lack_a_label(
    plan: Callable[..., Plan], train: Any, state: Path
) -> None:
    one = plan("classifier", epochs=2)
    rows = [json.loads(line) for line in Path(one.data).read_text().splitlines()]
    small.write(Path(one.data), [row for row in rows if row["label"] != "stock"])
    _, first = train(one)
    Registry(state).promote("one", 1) if Registry(state).promoted("one") is None else None
    small.write(Path(one.data), rows)
    _, second = train(dataclasses.replace(one, epochs=4))
    assert (first.labels, len(second.labels)) == (("delivery", "payment"), 3)
    assert second.baselines["version 1"]["accuracy"] < second.metrics["accuracy"]
    measured, _, count = Specialists(state).evaluate("one@1", Path(one.data))
    assert count == len(rows)
    assert measured.metrics["per_label"]["stock"]["recall"] == 0


def test_a_tagger_finds_entities_and_where_they_are(
    plan: Callable[..., Plan], train: Any, state: Path
) -> None:
    _, made = train(plan("tagger", rows=160, epochs=4))
    assert made.metrics["entity_f1"] > 0.9
    found, _ = Specialists(state).tagger("one")
    text = "is the zzz🙂 not ada flew  to paris"
    [entities] = found.entities([text])
    assert {(one.text, one.kind) for one in entities} >= {("paris", "place")}
    assert all(text[one.start : one.end] == one.text for one in entities)
    assert found.entities(["", "?"])[0] == []


def test_long_sentences_are_cut_and_no_word_is_lost(bert: Path, minilm: Path) -> None:
    from transformers import AutoTokenizer

    for folder in (bert, minilm):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        words = ["ada", "flew", "\u200b", "zzzzzzzzzz" * 9, "[CLS]"] * 20
        made = list(tagger.pieces(tokenizer, words, 16))
        assert sum(len(piece.first) for piece in made) == len(words)
        for piece in made:
            ids = piece.row["input_ids"]
            assert len(ids) <= 16
            assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
        starts = [piece.row["input_ids"][at] for piece in made for at in piece.first]
        assert starts[:2] == tokenizer.convert_tokens_to_ids(["ada", "flew"])
        assert starts[2] == tokenizer.unk_token_id


def test_a_gap_is_filled(plan: Callable[..., Plan], train: Any, state: Path) -> None:
    train(plan("masked", epochs=2))
    Registry(state).promote("one", 1) if Registry(state).promoted("one") is None else None
    filler, _ = Specialists(state).filler("one")
    found = filler.fill("the [MASK] is late")
    assert len(found) == 5
    assert found[0].confidence >= found[-1].confidence > 0
    assert found[0].text == f"the {found[0].word} is late"
    with pytest.raises(SpecialistError, match="there are 0 gaps"):
        filler.fill("no gap")


def test_hidden_tokens_hang_on_seed_and_batch(bert: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(bert)
    rows = classifier.encode(tokenizer, ["the my is of to and in on for not"] * 8, 40)
    one, again = (masked._Masking(tokenizer, 1)(rows) for _ in range(2))
    other = masked._Masking(tokenizer, 2)(rows)
    assert torch.equal(one["input_ids"], again["input_ids"])
    assert not torch.equal(one["input_ids"], other["input_ids"])
    assert (one["labels"][:, [0, -1]] == training.SILENT).all()


@pytest.mark.parametrize("kind", ["pairs", "scores", "classifier"])
def test_an_embedder_loads_in_sentence_transformers(
    plan: Callable[..., Plan], train: Any, state: Path, kind: str
) -> None:
    from sentence_transformers import SentenceTransformer

    _, made = train(plan("embedder", kind, epochs=2))
    assert made.metrics["ndcg@10"] >= made.baselines["base"]["ndcg@10"] - 0.1
    folder = Registry(state).folder("one", 1)
    vectors = SentenceTransformer(str(folder), device="cpu").encode(["the card", "a parcel"])
    assert vectors.shape == (2, 64)


# what the assistant says


def learnt(tokenizer: Any, row: dict[str, Any]) -> list[str]:
    """The runs of tokens that have a label."""
    runs = itertools.groupby(
        zip(row["input_ids"], row["labels"], strict=True), lambda pair: pair[1] != training.SILENT
    )
    return [tokenizer.decode([token for token, _ in some]) for there, some in runs if there]


def test_only_what_the_assistant_says_is_learnt(smollm_folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm_folder)
    row = causal.encode(tokenizer, SEVERAL_TURNS, [], 1024)
    assert learnt(tokenizer, row) == ["It is 4.<|im_end|>", "It is 6, naïvely.<|im_end|>"]
    assert all(
        label in (training.SILENT, token)
        for token, label in zip(row["input_ids"], row["labels"], strict=True)
    )
    assert learnt(tokenizer, causal.encode(tokenizer, SEVERAL_TURNS[1:3], [], 1024)) == [
        "It is 4.<|im_end|>"
    ]
    cut = causal.encode(tokenizer, SEVERAL_TURNS, [], len(row["input_ids"]) - 4)
    assert len(cut["input_ids"]) == len(row["input_ids"]) - 4
    assert learnt(tokenizer, cut)[0] == "It is 4.<|im_end|>"


def test_tool_calls_are_learnt_and_their_results_are_not(qwen_tokenizer: Any) -> None:
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": 3}}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "2 + 3?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "name": "add", "content": "5 from the tool"},
        {"role": "assistant", "content": "5"},
    ]
    row = causal.encode(qwen_tokenizer, messages, [tool], 2048)
    first, second = learnt(qwen_tokenizer, row)
    assert '"name": "add"' in first
    assert first.endswith("<|im_end|>")
    assert second == "5<|im_end|>"
    assert "from the tool" in qwen_tokenizer.decode(row["input_ids"])


@pytest.fixture
def qwen_tokenizer(smollm_folder: Path) -> Any:
    """A tokenizer with a template of calls, as Qwen 2.5 has it."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm_folder)
    tokenizer.chat_template = (
        "{% if tools %}<|im_start|>system\n{% for t in tools %}{{ t | tojson }}\n{% endfor %}"
        "<|im_end|>\n{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
        "{% for c in m.tool_calls or [] %}<tool_call>\n{{ c.function | tojson }}\n</tool_call>"
        "{% endfor %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer


# the order of rows, the loss, the end


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=300),
    st.integers(1, 20),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_every_row_comes_once_an_epoch(
    lengths: list[int], batch: int, seed: int, epoch: int
) -> None:
    sampler = LengthGrouped(lengths, batch, seed)
    sampler.epoch = epoch
    order = list(sampler)
    assert sorted(order) == list(range(len(lengths)))
    again = LengthGrouped(lengths, batch, seed)
    again.epoch = epoch
    assert list(again) == order


def test_batches_are_of_like_length_and_in_another_order_each_epoch() -> None:
    chance = random.Random(0)
    lengths = [chance.randint(5, 250) for _ in range(1600)]
    sampler = LengthGrouped(lengths, 16, 0)
    order = list(sampler)
    batches = [order[at : at + 16] for at in range(0, len(order), 16)]
    padded = sum(16 * max(lengths[at] for at in batch) for batch in batches)
    assert padded < 1.05 * sum(lengths)
    sampler.epoch = 1
    assert list(sampler) != order


def test_accumulated_batches_are_as_one(plan: Callable[..., Plan], train: Any) -> None:
    calm = {"method": "head", "rate": 1e-3, "epochs": 2, "rows": 120}  # dropout is not the same
    for task in ("tagger", "classifier"):
        ends = []
        for batch, accumulate in ((16, 1), (4, 4)):
            job, _ = train(plan(task, batch=batch, accumulate=accumulate, **calm))
            ends.append(job.progress().held["loss"])
        assert ends[0] == pytest.approx(ends[1], abs=0.02)


def test_skewed_labels_are_weighed() -> None:
    def examples(**rows: int) -> checks.Examples:
        train = [Example("", text="x", labels=(a,)) for a, n in rows.items() for _ in range(n)]
        return checks.Examples("classifier", train, [], tuple(sorted(rows)), [], {}, 0, "", "")

    assert classifier._weights(examples(a=10, b=20)) is None
    weights = classifier._weights(examples(a=100, b=4))
    assert weights is not None
    assert weights[1] / weights[0] == pytest.approx(5)
    assert (weights[0] * 100 + weights[1] * 4) / 104 == pytest.approx(1)
    outputs = {"logits": torch.tensor([[2.0, 0.0], [0.0, 1.0]])}
    truth = torch.tensor([0, 1])
    each = torch.nn.functional.cross_entropy(
        outputs["logits"], truth, reduction="none", label_smoothing=classifier.SMOOTHING
    )
    assert classifier._one(weights)(outputs, truth) == pytest.approx(
        float((each * weights).sum() / 2), rel=1e-5
    )


def test_the_loss_of_tokens_is_torchs() -> None:
    chance = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 5, 3, generator=chance)
    truth = torch.tensor([[0, 1, -100, 2, 2], [1, -100, -100, 0, -100]])
    theirs = torch.nn.functional.cross_entropy(scores.flatten(0, 1), truth.flatten())
    assert training.of_tokens({"logits": scores}, truth) == pytest.approx(float(theirs))
    behind = torch.cat([torch.randn(2, 4, 3), scores], dim=1)
    assert training.of_tokens({"logits": behind}, truth) == pytest.approx(float(theirs))
    assert training.of_tokens({"logits": scores}, torch.full((2, 5), -100)) == 0
    shifted = torch.nn.functional.cross_entropy(
        scores[:, :-1].flatten(0, 1), truth[:, 1:].flatten()
    )
    assert training.of_next_tokens({"logits": scores}, truth) == pytest.approx(float(shifted))


def test_the_best_epoch_stays(plan: Callable[..., Plan], train: Any) -> None:
    job, made = train(plan("classifier", rate=2e-2, epochs=8, rows=160, seed=3))
    lines = [line for line in job.metrics() if "held_accuracy" in line]
    best = max(line["held_accuracy"] for line in lines)
    assert made.metrics["accuracy"] == pytest.approx(best, abs=0.04)  # bfloat16 while it trained


def test_a_training_that_comes_apart_says_so(plan: Callable[..., Plan], train: Any) -> None:
    with pytest.raises(SpecialistError, match="has come apart; try half the learning rate"):
        train(plan("causal", rate=1e30, epochs=3))


def test_a_long_epoch_is_saved_within(
    plan: Callable[..., Plan], train: Any, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    monkeypatch.setattr(training, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(training, "GLANCE", 0.0)
    saved = []
    on_save = training._Progress.on_save

    def noted(self: Any, args: Any, now: Any, control: Any, **more: Any) -> None:
        saved.append(now.global_step)
        on_save(self, args, now, control, **more)

    monkeypatch.setattr(training._Progress, "on_save", noted)
    train(plan("classifier", epochs=2, rows=60))
    assert saved == list(range(1, max(saved) + 1))


# with a real model


@pytest.fixture(scope="session")
def real(
    minilm: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Manifest, list[str]]:
    """A folder of a classifier trained on real rows, what is known of it, and other texts."""
    lines = TOPICS.read_text("utf-8").splitlines()
    place = tmp_path_factory.mktemp("real")
    (place / "topics.csv").write_text("\n".join(lines[:301]) + "\n", "utf-8")
    base = minilm if minilm.is_dir() else minilm.parent
    one = Plan("topics", "classifier", str(place / "topics.csv"), base="minilm")
    settings = {"base_path": str(base), "epochs": 2, "batch": 16, "rate": 3e-4, "length": 128}
    one = Plan(**one.as_json() | settings)
    job = a_job(place / "jobs", one)
    training.run(job, Registry(place))
    texts = [line.rpartition(",")[0].strip('"') for line in lines[301:480]]
    chance = random.Random(0)
    odd = [
        "",
        " ",
        "?",
        "🙂 " * 9,
        "x" * 5000,
        "Straße 日本 \u200b",
        *("the " * n for n in (1, 500)),
    ]
    odd += [" ".join(chance.sample(" ".join(texts).split(), 30)) for _ in range(13)]
    return Registry(place).folder("topics", 1), Registry(place).manifest("topics", 1), texts + odd


def test_labels_are_those_of_the_pipeline(real: tuple[Path, Manifest, list[str]]) -> None:
    from transformers import pipeline

    folder, one, texts = real
    theirs = pipeline("text-classification", model=str(folder), device="cpu", dtype="float32")
    expected = theirs(texts, truncation=True, max_length=one.length, batch_size=16)
    mine = classifier.Classifier(folder, folder, one.labels, one.length).confidences(texts)
    assert len(texts) == 200
    assert [one.labels[at] for at in mine.argmax(axis=1)] == [x["label"] for x in expected]
    assert mine.max(axis=1) == pytest.approx([x["score"] for x in expected], abs=0.03)
    assert np.isfinite(mine).all()
    assert bases.facts(folder)["hidden"] == 384
