"""`kill -9` at random moments of conversations: what was shown is kept, and the talk goes on.

    python -m benchmarks.kills

Each program that is killed is the whole of `tinsmith chat` in a pipe, with a scripted model whose
answers come word by word and whose calls read and write; only its imports are those of the process
it is forked from, so that a thousand take minutes. Half of them go on with a conversation that was
killed before. After each kill another process looks at what there is and takes the next turn.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.settings import home

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage, ToolCall

TURNS = 6
WORDS = 500
"""Of each answer."""
IN_ONE_HOME = 10
"""Conversations until the state folder is a new one, in which the file is made anew."""
NOTES = "notes/kept.txt"
SHOWN = re.compile(r"^✓ (.*) → (.*?)(?: \(\d+\.\d s\))?$", re.MULTILINE)
"""A call and its result, as they are shown."""
WRONG = (
    "words lost", "results lost", "requests lost", "writes told wrongly", "damaged files",
    "calls without one answer", "sessions that did not open", "next turns that failed",
)  # fmt: skip
"""Of each there should be none."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    chance = random.Random(given.seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        os.chdir(work)
        (work / "notes").mkdir()
        (work / NOTES).touch()
        begin_anew(work)
        import_all()
        chat(0, resume=False, seconds=60.0)  # the first one is slow
        killed = number = 0
        whole = 0.0
        while killed < given.kills:
            if number % IN_ONE_HOME == 0:
                begin_anew(work)
                whole = chat(0, resume=False, seconds=60.0).seconds
                begin_anew(work)
            number += 1
            resume = (home() / "resumable").exists() and chance.random() < 0.5
            shown = chat(number, resume, chance.uniform(0, whole))
            killed += not shown.ended
            counts.update(judged(shown))
            if killed % 50 == 0 and not shown.ended:
                print(f"{killed}/{given.kills} kills", file=sys.stderr, flush=True)
    print("| what | how many |\n| --- | --- |")
    for what in sorted(set(counts) - set(WRONG)):
        print(f"| {what} | {counts[what]:,} |")
    for what in WRONG:
        print(f"| {what} | **{counts[what]}** |")
    return 1 if any(counts[what] for what in WRONG) else 0


def begin_anew(work: Path) -> None:
    """An empty state folder, in which the model may write into `notes`."""
    shutil.rmtree(work / "home", ignore_errors=True)
    (work / "home").mkdir()
    os.environ["TINSMITH_HOME"] = str(work / "home")
    allowed = {str(Path.cwd()): ["append_to_file(notes/*)"]}
    (home() / "approvals.json").write_text(json.dumps(allowed))


def import_all() -> None:
    """What a conversation imports; no thread may be there when this process forks."""
    from agent import app, calls, cli, compaction, loop  # noqa: F401
    from agent.engines import scripted  # noqa: F401
    from agent.prompts import render
    from agent.repl import repl  # noqa: F401

    app.toolbox([], trusted=False)
    render("system")


class Shown:
    """What a killed conversation had shown."""

    def __init__(self, number: int, ended: bool, seconds: float, out: str, err: str) -> None:
        self.number = number
        self.ended = ended
        """By itself, before it was killed."""
        self.seconds = seconds
        self.words = words_of(number, out)
        self.results: list[tuple[str, str]] = re.findall(SHOWN, err)
        """Calls as they are shown, and what they gave."""


def chat(number: int, resume: bool, seconds: float) -> Shown:
    """`tinsmith chat`, killed after so many seconds."""
    script, typed = home() / "script.jsonl", home() / "typed"
    script.write_text("\n".join(map(json.dumps, lines(number))))
    typed.write_text("\n".join(f"request {number}t{turn}" for turn in range(TURNS)) + "\n")
    words = ["chat", "--engine", "scripted", "--script", str(script), *["--resume"] * resume]
    out, err = os.pipe(), os.pipe()
    begun = time.perf_counter()
    child = os.fork()
    if not child:
        sys.stdin = typed.open(encoding="utf-8")
        sys.stdout, sys.stderr = (os.fdopen(pipe[1], "w", encoding="utf-8") for pipe in (out, err))
        leave_with(words)
    os.close(out[1])
    os.close(err[1])
    ended = wait(child, begun + seconds)
    took = time.perf_counter() - begun
    with open(out[0], encoding="utf-8") as told, open(err[0], encoding="utf-8") as aside:
        return Shown(number, ended, took, told.read(), aside.read())


def lines(number: int) -> list[dict[str, object]]:
    """What the model says: in two of three turns a call, which reads or writes, then words."""
    found: list[dict[str, object]] = []
    for turn in range(TURNS):
        mark = f"{number}t{turn}"
        if turn % 3 == 1:
            found.append({"call": "append_to_file", "arguments": {"path": NOTES, "text": mark}})
        elif turn % 3 == 2:
            expression = f"{number} * {turn} + 1"
            found.append({"call": "calculate", "arguments": {"expression": expression}})
        found.append({"say": " ".join(f"{mark}w{word}" for word in range(WORDS))})
    return found


def leave_with(words: list[str]) -> None:
    """Run the program and end this process, which is a fork, as the program ends."""
    from agent import cli

    code: Any = 1
    try:
        cli.main(words)
    except SystemExit as end:
        code = end.code
    finally:
        os._exit(code if isinstance(code, int) else 1)


def wait(child: int, until: float) -> bool:
    """Kill it at that time; gives whether it had ended by itself."""
    while (left := until - time.perf_counter()) > 0:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(min(left, 0.005))
    os.kill(child, signal.SIGKILL)
    return not os.WIFSIGNALED(os.waitpid(child, 0)[1])


def judged(shown: Shown) -> dict[str, int]:
    """`looked_at` in a fork: a turn leaves threads behind, and this process must not have any."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(write, json.dumps(looked_at(shown)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read, encoding="utf-8") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return dict(json.loads(text)) if text else {"sessions that did not open": 1}


def looked_at(shown: Shown) -> Counter[str]:
    """Compares what was shown with what is kept, and takes the next turn.

    In the session in which something was said last: where the killed one had come to nothing, that
    is one before it.
    """
    from agent.errors import UnknownName
    from agent.memory.database import connect
    from agent.memory.sessions import Session

    counts: Counter[str] = Counter()
    file = home() / "sessions.db"
    try:
        session = Session.open(file)
    except UnknownName:  # nothing was said yet
        counts["killed before anything was said"] += 1
        counts["words lost"] += len(shown.words)
        return counts
    with connect(file) as database:
        counts["damaged files"] += database.execute("PRAGMA integrity_check").fetchone() != ("ok",)
    (home() / "resumable").touch()
    counts[_moment(shown, session.messages)] += 1
    counts.update(_missing(shown, session.messages))
    counts.update(_unanswered(session.messages))
    counts["next turns that failed"] += not _goes_on(session)
    session.close()
    return counts


def _moment(shown: Shown, messages: Sequence[BaseMessage]) -> str:
    """When it was killed, by what opening the session had to mend."""
    if shown.ended:
        return "ended before it was killed"
    last = messages[-1]
    if last.type == "ai" and last.response_metadata.get("finish") == "interrupted":
        return "killed in the middle of an answer"
    if last.type == "tool":
        text = str(last.text)
        return f"killed in a call ({text if 'interrupted' in text else 'its result is kept'})"
    return "killed between messages"


def _missing(shown: Shown, messages: Sequence[BaseMessage]) -> Counter[str]:
    """Of what was shown."""
    from agent.repl.clean import written

    kept = words_of(shown.number, "\n".join(str(x.text) for x in messages if x.type == "ai"))
    counts = Counter({"words shown": len(shown.words), "results shown": len(shown.results)})
    counts["words lost"] = sum(
        at >= len(kept) or kept[at] != word for at, word in enumerate(shown.words)
    )
    results = {id: " ".join(told) for id, told in _answers(messages).items()}
    known = {
        (written(call["name"], call["args"]), results.get(id, "")) for id, call in _calls(messages)
    }
    counts["results lost"] = sum(one not in known for one in shown.results)
    asked = {str(x.text) for x in messages if x.type == "human"}
    turns = {word.partition("w")[0] for word in shown.words}
    counts["requests lost"] = sum(f"request {turn}" not in asked for turn in turns)
    return counts


def _unanswered(messages: Sequence[BaseMessage]) -> Counter[str]:
    """Calls, by what the model is told of them and what has been written."""
    answers = _answers(messages)
    written = Path(NOTES).read_text().splitlines()
    counts: Counter[str] = Counter()
    for id, call in _calls(messages):
        told = answers.get(id, [])
        counts["calls without one answer"] += len(told) != 1
        if call["name"] != "append_to_file":
            continue
        is_there = call["args"]["text"] in written
        claimed = "".join(told).startswith("added")
        denied = "before it ran" in "".join(told)
        counts["writes told wrongly"] += (claimed and not is_there) or (denied and is_there)
    return counts


def _answers(messages: Sequence[BaseMessage]) -> dict[str, list[str]]:
    """What each call was answered, by its id."""
    from langchain_core.messages import ToolMessage

    found: dict[str, list[str]] = {}
    for message in messages:
        if isinstance(message, ToolMessage):
            found.setdefault(message.tool_call_id, []).append(str(message.text))
    return found


def _calls(messages: Sequence[BaseMessage]) -> list[tuple[str, ToolCall]]:
    from langchain_core.messages import AIMessage

    made = (one for x in messages if isinstance(x, AIMessage) for one in x.tool_calls)
    return [(str(one["id"]), one) for one in made]


def _goes_on(session: Any) -> bool:
    from agent.engines.scripted import ScriptedEngine, say
    from agent.events import TurnEnded
    from agent.loop import Agent
    from agent.offering import Offering

    *_, end = Agent(ScriptedEngine(say("next")), {}, session, Offering(None, 8)).send("go on")
    return (
        isinstance(end, TurnEnded) and end.answer == "next" and session.messages[-1].text == "next"
    )


def words_of(number: int, text: str) -> list[str]:
    return re.findall(rf"\b{number}t\d+w\d+\b", text)


if __name__ == "__main__":
    sys.exit(main())
