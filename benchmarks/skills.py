"""The shipped skills: does a small model do better with them?

    python -m benchmarks.skills --model qwen2.5-coder-1.5b --model qwen2.5-coder-0.5b

`skills.jsonl` holds requests with small files, written for this project; none names a skill. Each
is asked in a conversation of its own, once as everybody asks (the embedder chooses the skill) and
once without any skills, with the built-in tools and every call allowed. What an answer is checked
for is in the row: patterns that it holds or lacks, the rows of a table, the labels of a CSV.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import app
from agent.approval import Approval
from agent.engines.base import Engine
from agent.events import ToolFinished, TurnEnded
from agent.loop import Agent, Limits
from agent.memory.window import SKILL
from agent.offering import Embedder, Offering
from agent.prompts import shipped
from agent.settings import Settings
from agent.skills.places import Place, Shelf
from agent.skills.telling import Skills
from benchmarks import parts

ROWS = Path(__file__).with_name("skills.jsonl")


@dataclass(frozen=True)
class Done:
    skill: str
    """The one that was told; "" for none."""
    calls: Sequence[str]
    answer: str
    faults: Sequence[str]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", required=True, help="repeatable")
    parser.add_argument("--only", action="append", help="the row with this id, or of this skill")
    parser.add_argument(
        "--show", action="store_true", help="every answer, not the wrong ones alone"
    )
    parser.add_argument("--out", type=Path, help="keep what is done, and go on from there")
    given = parser.parse_args(arguments)
    rows = [json.loads(line) for line in ROWS.read_text("utf-8").splitlines()]
    rows = [one for one in rows if not given.only or {one["id"], one["skill"]} & {*given.only}]
    kept = {(one["model"], one["id"], one["with"]): one for one in parts.lines(given.out)}
    embedder = parts.embedder()
    for model in given.model:
        wanted = [(row, on) for row in rows for on in (True, False)]
        todo = [one for one in wanted if (model, one[0]["id"], one[1]) not in kept]
        with contextlib.ExitStack() as at_end:
            engine = None
            for number, (row, on) in enumerate(todo, 1):
                if engine is None:
                    engine = parts.engine(model)
                    at_end.callback(engine.close)
                done = ask(engine, embedder, row, on)
                one = {
                    "model": model, "id": row["id"], "with": on, "skill": done.skill,
                    "wanted": row["skill"], "right": not done.faults,
                }  # fmt: skip
                kept[model, row["id"], on] = one
                parts.keep(given.out, one)
                if done.faults or given.show:
                    print(_told(row, on, done), flush=True)
                parts.progress(number, len(todo), "requests")
    print(table(list(kept.values()), given.model))


def ask(engine: Engine, embedder: Embedder, row: Mapping[str, Any], on: bool) -> Done:
    """`on`: with the skills."""
    with _folder(row) as folder, parts.session() as session:
        tools = {tool.name: tool for tool in app.built_in()}
        shelf = Shelf([Place(shipped("skills"), "shipped")])
        agent = Agent(
            engine,
            tools,
            session,
            Offering(embedder, Settings().offer_all),
            lambda *asked: Approval(True),
            limits=Limits(seconds=240),
            skills=Skills(shelf, embedder, engine.context) if on else None,
        )
        if row["documents"]:
            app.library().add([folder / "manual"], "docs")
        calls, answer, reason = [], "", "failed"
        with closing(agent.send(row["say"])) as events:
            for event in events:
                if isinstance(event, ToolFinished):
                    calls.append(event.name)
                elif isinstance(event, TurnEnded):
                    answer, reason = event.answer, event.reason
        told = [one.additional_kwargs.get(SKILL, "") for one in session.messages]
        faults = [] if reason == "answered" else [f"ended by {reason}"]
        faults += check(answer, _written(folder, row), row["check"])
        return Done(next(filter(None, told), ""), calls, answer, faults)


@contextlib.contextmanager
def _folder(row: Mapping[str, Any]) -> Iterator[Path]:
    """The working folder, and a state folder that goes with it."""
    models, before = parts.models(), os.environ.get("TINSMITH_HOME")
    with tempfile.TemporaryDirectory() as name:
        home, folder = Path(name) / "home", Path(name) / "work"
        home.mkdir()
        (home / "models").symlink_to(models)
        for path, content in row["files"].items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content, encoding="utf-8")
        folder.mkdir(exist_ok=True)
        os.environ["TINSMITH_HOME"] = str(home)
        try:
            with contextlib.chdir(folder):
                yield folder
        finally:
            if before is None:
                del os.environ["TINSMITH_HOME"]
            else:
                os.environ["TINSMITH_HOME"] = before


def _written(folder: Path, row: Mapping[str, Any]) -> str:
    """What new files hold."""
    new = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return "\n".join(
        file.read_text("utf-8", "replace")
        for file in new
        if file.relative_to(folder).as_posix() not in row["files"]
    )


def check(answer: str, written: str, wanted: Mapping[str, Any]) -> list[str]:
    """What is wrong with `answer`; a table or CSV may be in a file that was `written` instead."""
    faults = [f"lacks {one}" for one in wanted.get("has", ()) if not re.search(one, answer)]
    faults += [f"says {one}" for one in wanted.get("lacks", ()) if re.search(one, answer)]
    if "rows" in wanted:
        faults += _fewest(_table_faults(one, wanted["rows"]) for one in (answer, written))
    if "labels" in wanted:
        faults += _fewest(_label_faults(one, wanted["labels"]) for one in (answer, written))
    return faults


def _fewest(each: Iterable[list[str]]) -> list[str]:
    return min(each, key=lambda faults: len(faults))


def _table_faults(text: str, wanted: Sequence[Sequence[str]]) -> list[str]:
    rows = _cells(text)[1:]  # without the names of the columns
    faults = [] if len(rows) == len(wanted) else [f"{len(rows)} rows, not {len(wanted)}"]
    for row in wanted:
        if not any(_fits(cells, row) for cells in rows):
            faults.append(f"no row {row}")
    return faults


def _fits(cells: Sequence[str], row: Sequence[str]) -> bool:
    return len(cells) == len(row) and all(
        re.search(one, cell) for one, cell in zip(row, cells, strict=True)
    )


def _cells(text: str) -> list[list[str]]:
    """Of a Markdown table, else of CSV."""
    lines = [one.strip() for one in text.splitlines()]
    piped = [one.strip("|").split("|") for one in lines if one.startswith("|")]
    rows = piped or list(csv.reader(one for one in lines if "," in one))
    cells = [[cell.strip() for cell in row] for row in rows]
    return [row for row in cells if not all(re.fullmatch(r":?-+:?", one) for one in row)]


def _label_faults(text: str, wanted: Mapping[str, str]) -> list[str]:
    """Each text is to stand in a CSV of two columns with its label."""
    lines = [one for one in text.splitlines() if "," in one]
    rows = list(csv.reader(lines, skipinitialspace=True))
    got = {row[0].strip().lower(): row[1].strip() for row in rows if len(row) == 2}
    return [
        f"{text!r} is {got.get(text.lower(), 'missing')!r}, not {label!r}"
        for text, label in wanted.items()
        if got.get(text.lower()) != label
    ]


def _told(row: Mapping[str, Any], on: bool, done: Done) -> str:
    how = f"with {done.skill or 'no skill'}" if on else "without"
    lines = [f"{'WRONG' if done.faults else 'right'} {row['id']}, {how}: {', '.join(done.calls)}"]
    lines += [f"    {done.answer!r}"[:900], *(f"    ! {fault}" for fault in done.faults)]
    return "\n".join(lines)


def table(done: Sequence[Mapping[str, Any]], models: Sequence[str]) -> str:
    lines = ["| skill | model | requests | told | right with | right without |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    skills = list(dict.fromkeys(one["wanted"] for one in done))
    for model in models:
        for skill in [*skills, ""]:
            some = [one for one in done if one["model"] == model and skill in ("", one["wanted"])]
            on = [one for one in some if one["with"]]
            off = sum(one["right"] for one in some if not one["with"])
            told = sum(one["skill"] == one["wanted"] for one in on)
            right = sum(one["right"] for one in on)
            lines.append(f"| {skill or 'all'} | {model} | {len(on)} | {told} | {right} | {off} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
