"""Options that commands share. A default lives in `Settings`; None means not given."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--temperature", type=float, metavar="T")
    parser.add_argument("--seed", type=int, metavar="N")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which model and which tools; not how it draws."""
    parser.add_argument("--model", metavar="NAME", help="a name from `tinsmith models`, or a path")
    engines = ["auto", "llamacpp", "transformers", "openai", "scripted"]
    parser.add_argument("--engine", choices=engines)
    parser.add_argument("--url", help="of an OpenAI server, such as http://HOST:8000/v1")
    parser.add_argument("--script", metavar="FILE", help="replies for --engine scripted")
    parser.add_argument("--device", choices=["auto", "cpu"])
    parser.add_argument("--bits", type=int, choices=[4, 8, 16, 32],
                        help="load the weights with so many bits (transformers)")  # fmt: skip
    parser.add_argument("--context", type=int, metavar="TOKENS", help="size of the window")
    parser.add_argument("--tools", type=Path, action="append", default=[], metavar="PATH",
                        help="a Python file or folder with tools; may be repeated")  # fmt: skip


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Of a task."""
    parser.add_argument("pairs", nargs="*", default=[], metavar="KEY=VALUE",
                        help="an input of the task")  # fmt: skip
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="the same; may be repeated")  # fmt: skip
