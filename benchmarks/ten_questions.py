"""Ten questions about a folder of real documents: are the answers right, and do they say where?

    python -m benchmarks.ten_questions --model qwen2.5-coder-1.5b

The documents are the READMEs of twenty packages that are installed here, as their authors wrote
them. No question speaks of documents: that they are to be searched is part of what is asked. An
answer is right when it holds the words that the file has; its citation is, when the lines that it
names hold them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import parts

PACKAGES = [
    "chromadb", "rich", "ruff", "prompt_toolkit", "hypothesis", "detect_secrets", "safetensors",
    "peft", "accelerate", "datasets", "sentence-transformers", "httpx", "pydantic", "filelock",
    "langchain-core", "jinja2", "pexpect", "psutil", "tokenizers", "typer",
]  # fmt: skip
QUESTIONS = [
    ("On which day of the week are new tagged versions of Chroma released?", "monday"),
    ("What is the default limit for the entropy of base64 strings in detect-secrets?", r"4\.5"),
    ("For baselines older than which version should the detect-secrets baseline be recreated?",
     r"0\.9"),
    ("Which version of Python does HTTPX require?", r"3\.\d+\+"),
    ("Under which license is Typer released?", r"\bMIT\b"),
    ("Which version of git does detect-secrets need at least?", r"1\.8\.5"),
    ("How many trainable parameters does the PEFT quickstart print?", "3,?686,?400"),
    ("On which version of PyTorch is Accelerate tested?", r"1\.10\.0"),
    ("Since which version can Ruff be installed with its standalone installers?", r"0\.5\.0"),
    ("Which is the latest version of psutil that supports Python 2.7?", r"6\.1\.1"),
]  # fmt: skip
AROUND = 40
"""Lines after the first of a passage, which is what a citation names."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    args = parser.parse_args()
    right = cited = 0
    with tempfile.TemporaryDirectory() as folder:
        manual = Path(folder) / "manual"
        manual.mkdir()
        for package in PACKAGES:
            about: Any = importlib.metadata.metadata(package)
            (manual / f"{package}.md").write_text(str(about.get_payload() or about["Description"]))
        home = Path(folder) / "home"
        home.mkdir()
        (home / "models").symlink_to(parts.models())
        _tinsmith(home, "docs", "add", str(manual))
        for number, (question, answer) in enumerate(QUESTIONS, 1):
            told = _tinsmith(
                home, "ask", "--json", "--model", args.model, "--context", "8192", question
            )
            said = json.loads(told)["answer"] or ""
            is_right = re.search(answer, said, re.IGNORECASE) is not None
            is_cited = any(
                re.search(answer, _lines(manual / name, int(line)), re.IGNORECASE)
                for name, line in re.findall(r"([\w-]+\.md):(\d+)", said)
            )
            right, cited = right + is_right, cited + is_cited
            print(f"{'right' if is_right else 'WRONG'}, {'cited' if is_cited else 'NOT CITED'}: "
                  f"{question}\n    {said}")  # fmt: skip
            parts.progress(number, len(QUESTIONS), "questions")
    print(f"| {len(QUESTIONS)} questions | right {right} | with lines that say so {cited} |")


def _lines(file: Path, line: int) -> str:
    """What a citation of `line` points at; nothing where there is no such file."""
    if not file.is_file():
        return ""
    return "\n".join(file.read_text().splitlines()[line - 1 : line + AROUND])


def _tinsmith(home: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "agent", *words],
        env={**os.environ, "TINSMITH_HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout


if __name__ == "__main__":
    main()
