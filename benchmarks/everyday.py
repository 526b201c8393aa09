"""Ordinary requests in a folder of small files: called what was wanted, and answered rightly?

    python -m benchmarks.everyday --model qwen2.5-coder-1.5b

The built-in tools, through the loop, with a real session and every call allowed. A turn is right
when each wanted tool was called (none, where none is wanted), the answer holds what it must and the
files do.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import app
from agent.approval import Approval
from agent.engines.base import Engine
from agent.events import Notice, ToolFinished, ToolStarted, TurnEnded
from agent.loop import Agent
from agent.offering import Offering
from agent.settings import Settings
from benchmarks import parts
from tools.specialists.metrics import wilson

HERE = Path(__file__).parent / "everyday.jsonl"


@dataclass(frozen=True)
class Turn:
    called: list[str]
    """Names, in order."""
    log: list[str]
    """Calls with their results, and notices."""
    answer: str
    faults: list[str]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a name or a path")
    parser.add_argument("--file", type=Path, default=HERE, help="the conversations")
    parser.add_argument("--limit", type=int, help="only the first conversations")
    parser.add_argument("--only", action="append", help="the conversation with this id; repeatable")
    parser.add_argument("--show", action="store_true", help="every turn, not the wrong ones alone")
    given = parser.parse_args(arguments)
    talks = [json.loads(line) for line in given.file.read_text("utf-8").splitlines()]
    talks = [talk for talk in talks if not given.only or talk["id"] in given.only][: given.limit]
    engine = parts.engine(given.model)
    offering = Offering(parts.embedder(), Settings().offer_all)
    turns: list[tuple[bool, Turn]] = []
    for done, talk in enumerate(talks, 1):
        for wanted, turn in zip(talk["turns"], converse(engine, offering, talk), strict=True):
            turns.append((bool(wanted["calls"]), turn))
            if turn.faults or given.show:
                print(_told(talk["id"], wanted["say"], turn), flush=True)
        parts.progress(done, len(talks), "conversations")
    print(table(turns))


def converse(engine: Engine, offering: Offering, talk: Mapping[str, Any]) -> Iterator[Turn]:
    """Each turn of `talk`, as it went."""
    with tempfile.TemporaryDirectory() as name, parts.session() as session:
        folder = Path(name)
        for path, content in talk["files"].items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content, encoding="utf-8")
        with contextlib.chdir(folder):
            tools = {tool.name: tool for tool in app.built_in()}
        agent = Agent(engine, tools, session, offering, lambda *asked: Approval(True))
        for wanted in talk["turns"]:
            yield _turn(agent, folder, wanted)


def _turn(agent: Agent, folder: Path, wanted: Mapping[str, Any]) -> Turn:
    called: list[str] = []
    log: list[str] = []
    answer, reason = "", "failed"
    with closing(agent.send(wanted["say"])) as events:
        for event in events:
            if isinstance(event, ToolStarted):
                called.append(event.name)
                log.append(f"{event.name} {json.dumps(event.arguments, ensure_ascii=False)}")
            elif isinstance(event, ToolFinished):
                log.append(f"  {'' if event.ok else 'failed: '}{event.result!r}")
            elif isinstance(event, Notice):
                log.append(f"notice: {event.text}")
            elif isinstance(event, TurnEnded):
                answer, reason = event.answer, event.reason
    faults = [] if reason == "answered" else [f"ended by {reason}"]
    return Turn(called, log, answer, [*faults, *_faults(wanted, called, answer, folder)])


def _faults(
    wanted: Mapping[str, Any], called: Sequence[str], answer: str, folder: Path
) -> Iterator[str]:
    if called and not wanted["calls"]:
        yield f"called {', '.join(called)}"
    for names in wanted["calls"]:
        if not set(names.split("|")) & set(called):
            yield f"did not call {names}"
    for pattern in wanted["answer"]:
        if not re.search(pattern, answer, re.IGNORECASE):
            yield f"the answer lacks {pattern}"
    for path, patterns in wanted.get("writes", {}).items():
        file = folder / path
        text = file.read_text("utf-8", "replace") if file.is_file() else ""
        for pattern in patterns:
            if not re.search(pattern, text, re.IGNORECASE):
                yield f"{path} lacks {pattern}"


def _told(id: str, say: str, turn: Turn) -> str:
    lines = [f"{'WRONG' if turn.faults else 'right'} {id}: {say}"]
    lines += [f"    {line}"[:300] for line in turn.log]
    lines += [f"    answer: {turn.answer!r}"[:600]]
    lines += [f"    ! {fault}" for fault in turn.faults]
    return "\n".join(lines)


def table(turns: Sequence[tuple[bool, Turn]]) -> str:
    """`turns`: whether a tool was wanted, and how it went."""
    lines = ["| turns | how many | right | 95 % |", "| --- | --- | --- | --- |"]
    groups = {
        "that want a tool": [turn for wants, turn in turns if wants],
        "that want none": [turn for wants, turn in turns if not wants],
        "all": [turn for _, turn in turns],
    }
    for name, some in groups.items():
        right = sum(not turn.faults for turn in some)
        low, high = wilson(right / max(1, len(some)), len(some))
        share = f"{right / len(some):.0%}" if some else "-"
        lines.append(f"| {name} | {len(some)} | {share} | {low:.0%} to {high:.0%} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
