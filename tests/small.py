"""Small models and data for tests of training, made here so that they take no time."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

WORDS = {
    "stock": "shelf size colour brand left more carry model",
    "payment": "card debited invoice refund twice money bank paid",
    "delivery": "parcel late courier driver door tracking box shipped",
}
PLAIN = [
    "the",
    "my",
    "is",
    "a",
    "of",
    "to",
    "and",
    "in",
    "on",
    "for",
    "not",
    "yet",
    "was",
    "it",
    "please",
    "when",
    "how",
    "does",
    "you",
    "i",
]
PEOPLE = ["ada", "grace", "alan", "edsger", "barbara"]
PLACES = ["paris", "rome", "london", "oslo", "cairo"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def vocabulary() -> list[str]:
    words = {*PLAIN, *PEOPLE, *PLACES, *" ".join(WORDS.values()).split(), "flew", "met", "##s", "?"}
    return [*SPECIAL, *sorted(words), *"abcdefghijklmnopqrstuvwxyz", *(f"##{x}" for x in "aeiou")]


def bert(folder: Path, seed: int = 0, **options: Any) -> Path:
    """A base with a masked head, as the real ones have it."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizer

    torch.manual_seed(seed)
    words = list(dict.fromkeys(vocabulary()))
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2} | options
    config = BertConfig(
        vocab_size=len(words), intermediate_size=64, max_position_embeddings=64, **sizes
    )
    BertForMaskedLM(config).save_pretrained(folder)
    made = BertTokenizer(vocab={word: at for at, word in enumerate(words)}, model_max_length=64)
    made.save_pretrained(folder)
    return folder


def cross_encoder(folder: Path, sign: float = 1.0, labels: int = 1) -> Path:
    """Its scores mean nothing; with the opposite sign they are the opposite."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    bert(folder)
    config = BertConfig.from_pretrained(folder, num_labels=labels, initializer_range=1.0)
    torch.manual_seed(0)
    made = BertForSequenceClassification(config)
    with torch.no_grad():
        made.classifier.weight *= sign
        made.classifier.bias *= sign
    made.save_pretrained(folder)
    return folder


def llama(folder: Path, seed: int = 0, hidden: int = 32) -> Path:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    marks = ["<unk>", "<|im_start|>", "<|im_end|>"]
    words = [*marks, "user", "assistant", "system", *vocabulary()]
    numbers = {word: at for at, word in enumerate(dict.fromkeys(words))}
    inner = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        eos_token="<|im_end|>",
        pad_token="<unk>",
        additional_special_tokens=marks[1:],
        chat_template=TEMPLATE,
    )
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(numbers),
        hidden_size=hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=64,
        max_position_embeddings=128,
        pad_token_id=0,
        eos_token_id=2,
        bos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def text(chance: random.Random, label: str) -> str:
    words = chance.choices(PLAIN, k=chance.randint(2, 12))
    for word in chance.choices(WORDS[label].split(), k=2):
        words.insert(chance.randint(0, len(words)), word)
    return " ".join(words)


def rows(task: str, count: int = 160, seed: int = 0) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    return [_row(task, chance) for _ in range(count)]


def _row(task: str, chance: random.Random) -> dict[str, Any]:
    labels = list(WORDS)
    label = chance.choice(labels)
    if task == "classifier":
        return {"text": text(chance, label), "label": label}
    if task == "several":
        both = sorted(chance.sample(labels, chance.randint(1, 2)))
        return {"text": " ".join(text(chance, one) for one in both), "labels": both}
    if task == "masked":
        return {"text": text(chance, label)}
    if task == "tagger":
        words, tags = chance.choices(PLAIN, k=chance.randint(1, 5)), []
        tags = ["O"] * len(words)
        words += [chance.choice(PEOPLE), "flew", "to", chance.choice(PLACES)]
        return {"words": words, "tags": [*tags, "B-person", "O", "O", "B-place"]}
    if task == "pairs":
        return {"first": text(chance, label), "second": text(chance, label)}
    if task == "scores":
        other = chance.choice(labels)
        score = 1.0 if other == label else 0.0
        return {"first": text(chance, label), "second": text(chance, other), "score": score}
    said = [("user", text(chance, label)), ("assistant", f"the {WORDS[label].split()[0]} is late")]
    return {"messages": [{"role": role, "content": content} for role, content in said * 2]}


def write(file: Path, some: list[dict[str, Any]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in some), "utf-8")
    return file
