"""Skills: the format and its mistakes, where they are found, how they reach the model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage

from agent import app
from agent.embedder import SentenceEmbedder
from agent.engines.scripted import Line, ScriptedEngine, call, say
from agent.events import Stage, ToolFinished, TurnEnded
from agent.loop import Agent
from agent.memory import window
from agent.memory.sessions import Session
from agent.memory.window import SKILL, SKILLS
from agent.offering import OFFERED, Offering
from agent.prompts import shipped
from agent.skills.format import Mistake, read
from agent.skills.places import Place, Shelf
from agent.skills.telling import FEW, NEARER_TOOL, Skills, in_full, is_told
from tools.base import tools_of
from tools.calculate import calculate
from tools.files import Files
from tools.spec import spec

ROOT = Path(__file__).parent.parent
HEAD = "---\nname: {name}\ndescription: {about}\n---\n"


def write(
    place: Path, name: str, text: str | None = None, about: str = "Brew a pot of tea."
) -> Path:
    """The folder of a skill."""
    folder = place / name
    folder.mkdir(parents=True, exist_ok=True)
    body = HEAD.format(name=name, about=about) + "Warm the pot first.\n"
    (folder / "SKILL.md").write_text(text or body, encoding="utf-8")
    return folder


def wrong(place: Path, text: str, name: str = "tea") -> list[tuple[int, str]]:
    skill, mistakes = read(write(place, name, text))
    assert skill is None
    return [(one.line, one.text) for one in mistakes]


def test_all_that_a_skill_says_is_read(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "tea",
        "---\nname: tea\ndescription: >\n  Brew\n  tea.\nlicense: MIT\ncompatibility: a kettle\n"
        'metadata:\n  author: Ada\n  version: "1.0"\nallowed-tools: calculate read_file\n---\n\n'
        "Read `references/leaves.md`.\n",
    )
    (folder / "references").mkdir()
    (folder / "references" / "leaves.md").write_text("Green tea wants 80 degrees.")
    skill, mistakes = read(folder)
    assert not mistakes
    assert skill is not None
    assert (skill.name, skill.description, skill.license) == ("tea", "Brew tea.", "MIT")
    assert skill.metadata == {"author": "Ada", "version": "1.0"}
    assert skill.tools == ("calculate", "read_file")
    assert skill.files == ("references/leaves.md",)
    assert skill.body == "Read `references/leaves.md`."


@pytest.mark.parametrize(
    ("head", "line", "said"),
    [
        ("name: tea\ndescripton: x", 3, "no key 'descripton'; did you mean description?"),
        ("name: tea", 1, "no 'description', which every skill has"),
        ("description: x", 1, "no 'name', which every skill has"),
        ("name: Tea\ndescription: x", 2, "'Tea' has capital letters; did you mean tea?"),
        ("name: my_tea\ndescription: x", 2, "letters, digits and - only; did you mean my-tea?"),
        ("name: -tea\ndescription: x", 2, "begins or ends with -; did you mean tea?"),
        ("name: te--a\ndescription: x", 2, "two - in a row; did you mean te-a?"),
        ("name: coffee\ndescription: x", 2, "is not that of its folder, which is 'tea'"),
        ("name: 12\ndescription: x", 2, 'write it in quotes: "12"'),
        ("name: tea\ndescription:", 3, "'description' is empty"),
        ("name: tea\ndescription: [x]", 3, "'description' is to be one text"),
        ("name: tea\ndescription: a: b", 3, "a text with a colon in it stands in quotes"),
        ("name: tea\nname: tea\ndescription: x", 3, "'name' stands here a second time"),
        (f"name: tea\ndescription: {'x' * 1025}", 3, "has 1025 characters; 1024 are the most"),
        (f"name: tea\ndescription: x\ncompatibility: {'x' * 501}", 4, "501 characters; 500 are"),
        ("name: tea\ndescription: x\nlicense:", 4, "'license' is empty; leave it out"),
        ("name: tea\ndescription: x\nmetadata: no", 4, "'metadata' is to be keys with a text each"),
        ("name: tea\ndescription: x\nmetadata:\n  version: 1.0", 5, 'in quotes: "1.0"'),
        ("name: tea\ndescription: x\nallowed-tools: [a, b]", 4, "with a blank between them"),
        ("name: tea\ndescription: x\nmetadata:\n  tinsmith-answer: a(b", 5, "unclosed group"),
        ("- tea", 2, "the front matter is of the form"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, head: str, line: int, said: str) -> None:
    found = wrong(tmp_path, f"---\n{head}\n---\nWarm the pot.\n")
    assert any(at == line and said in text for at, text in found), found


def test_a_name_of_65_letters_is_too_long(tmp_path: Path) -> None:
    name = "t" * 65
    found = wrong(tmp_path, HEAD.format(name=name, about="x") + "Warm it.", name)
    assert found == [(2, "'name' has 65 characters; 64 are the most")]


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    found = wrong(tmp_path, "---\nname: Tea\nlicence: MIT\n---\nSee `references/leafs.md`.\n")
    assert [line for line, _ in found] == [1, 2, 3, 5]


def test_a_file_that_is_named_and_not_there_is_a_mistake(tmp_path: Path) -> None:
    folder = write(
        tmp_path, "tea", HEAD.format(name="tea", about="x") + "See [it](references/leafs.md).\n"
    )
    (folder / "references").mkdir()
    (folder / "references" / "leaves.md").write_text("Green.")
    text = "there is no references/leafs.md; did you mean references/leaves.md?"
    assert read(folder) == (None, [Mistake(folder / "SKILL.md", 5, text)])


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (" ", 1, "its first line is to be ---"),
        ("---\nname: tea\n", 1, "has no end"),
        (HEAD.format(name="tea", about="x"), 4, "nothing stands below the front matter"),
        ("---\nname: tea\ndescription: \t\x01\n---\nx", 2, "no YAML"),
    ],
)
def test_what_is_no_skill_at_all_is_told(tmp_path: Path, text: str, line: int, said: str) -> None:
    found = wrong(tmp_path, text)
    assert found[0][0] == line
    assert said in found[0][1]


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    folder = write(tmp_path, "tea")
    (folder / "SKILL.md").write_bytes(b"---\nname: \xff")
    assert "no UTF-8: byte 10 is 0xff" in read(folder)[1][0].text


def test_a_skill_in_small_letters_is_told_how_it_is_called(tmp_path: Path) -> None:
    folder = write(tmp_path, "tea")
    (folder / "SKILL.md").rename(folder / "skill.md")
    assert "it is to be called SKILL.md" in read(folder)[1][0].text


@given(text=st.text(max_size=300), framed=st.booleans())
def test_no_text_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str,
                                   framed: bool) -> None:  # fmt: skip
    place = tmp_path_factory.mktemp("any")
    text = text.encode("utf-8", "replace").decode()
    folder = write(place, "tea", f"---\n{text}\n---\nx" if framed else text)
    skill, mistakes = read(folder)
    lines = len((folder / "SKILL.md").read_text("utf-8").split("\n"))
    assert (skill is None) == bool(mistakes)
    assert all(1 <= one.line <= lines for one in mistakes)


def test_the_shipped_skills_are_right_and_name_tools_that_there_are() -> None:
    found = Shelf([Place(shipped("skills"), "shipped")]).found()
    assert not found.mistakes
    assert len(found.skills) == 5
    there = {tool.name for tool in app.built_in()}
    assert {name for skill in found.skills.values() for name in skill.tools} <= there


def test_a_later_place_counts_and_it_is_said_what_is_hidden(tmp_path: Path) -> None:
    write(tmp_path / "a", "tea", about="The first.")
    write(tmp_path / "b", "tea", about="The second.")
    write(tmp_path / "b", "broken", "nothing")
    shelf = Shelf([Place(tmp_path / "a", "shipped"), Place(tmp_path / "b", "yours")])
    found = shelf.found()
    assert found.skills["tea"].description == "The second."
    assert found.hidden == {"tea": ("shipped",)}
    assert [one.file.parent.name for one in found.mistakes] == ["broken"]


def test_a_skill_that_comes_or_changes_is_found(tmp_path: Path) -> None:
    shelf = Shelf([Place(tmp_path, "yours")])
    assert not shelf.found().skills
    write(tmp_path, "tea")
    assert list(shelf.found().skills) == ["tea"]
    write(tmp_path, "tea", about="Brew it longer, much longer.")
    assert shelf.found().skills["tea"].description == "Brew it longer, much longer."


def test_a_projects_skills_are_used_once_they_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / ".agents" / "skills", "tea")
    write(tmp_path / "skills", "coffee")
    assert {"tea", "coffee"}.isdisjoint(app.shelf().found().skills)
    assert [*app.untrusted_skills().values()] == [["tea"], ["coffee"]]
    for folder in app.untrusted_skills():
        app.trust(folder)
    assert {"tea", "coffee"} <= app.shelf().found().skills.keys()
    assert not app.untrusted_skills()


def test_tinsmiths_own_skills_are_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert not app.untrusted_skills()


# --- how they reach the model


@pytest.fixture(scope="module")
def embedder(minilm: Path) -> SentenceEmbedder:
    return SentenceEmbedder(minilm)


def built(
    engine: ScriptedEngine, place: Path, embedder: SentenceEmbedder | None, all_offered: int = 99
) -> Agent:
    tools = {one.name: one for one in (calculate, *tools_of(Files(Path.cwd())))}
    skills = Skills(Shelf([Place(place, "yours")]), embedder, 8192)
    session = Session.create(":memory:")
    return Agent(engine, tools, session, Offering(embedder, all_offered), skills=skills)


def told(agent: Agent) -> list[str]:
    """The skills that were told in full."""
    marks = (one.additional_kwargs.get(SKILL) for one in agent.session.messages)
    return [str(name) for name in marks if name]


def test_a_request_near_a_description_brings_the_skill(
    tmp_path: Path, embedder: SentenceEmbedder
) -> None:
    write(tmp_path, "tea", about="Brew a good pot of tea. Use when the user wants tea.")
    agent = built(ScriptedEngine(say("Warm it."), say("Hello.")), tmp_path, embedder)
    events = list(agent.send("please brew a pot of tea"))
    messages = agent.session.messages
    assert told(agent) == ["tea"]
    assert events[0] == Stage("thinking, with the skill tea")
    assert [one.type for one in messages[-3:-1]] != ["ai", "human"]
    assert "Warm the pot first." in str(messages[0].text)


def test_it_comes_once_while_the_model_still_reads_it(
    tmp_path: Path, embedder: SentenceEmbedder
) -> None:
    write(tmp_path, "tea", about="Brew a good pot of tea. Use when the user wants tea.")
    agent = built(ScriptedEngine(*[say("Warm it.")] * 3), tmp_path, embedder)
    list(agent.send("please brew a pot of tea"))
    list(agent.send("brew another pot of tea"))
    assert told(agent) == ["tea"]
    count = len(agent.session.messages)
    agent.session.append(window.mark(window.Cut(count, count, "Tea was made.")))
    list(agent.send("brew a third pot of tea"))
    assert told(agent) == ["tea", "tea"]


def test_what_a_request_begins_with_is_compared_by_itself(
    tmp_path: Path, embedder: SentenceEmbedder
) -> None:
    write(tmp_path, "tea", about="Brew a good pot of tea. Use when the user wants tea.")
    agent = built(ScriptedEngine(say("Warm it.")), tmp_path, embedder)
    facts = "Ada rides to Linz at nine. The train has seven waggons, one of them blue. " * 5
    list(agent.send(f"brew a pot of tea for these people: {facts}"))
    assert told(agent) == ["tea"]


def test_another_request_brings_none(tmp_path: Path, embedder: SentenceEmbedder) -> None:
    write(tmp_path, "tea", about="Brew a good pot of tea. Use when the user wants tea.")
    agent = built(ScriptedEngine(say("Paris.")), tmp_path, embedder)
    events = list(agent.send("what is the capital of France?"))
    assert not told(agent)
    assert not any(isinstance(event, Stage) for event in events)


@pytest.mark.parametrize(
    "request_",
    [
        "list the files in src", "create todo.txt with three items", "learn from a.csv",
        "index everything in manual", "train a classifier on reviews.csv", "what does a.txt say?",
    ],
)  # fmt: skip
def test_what_a_tool_does_alone_brings_no_skill(embedder: SentenceEmbedder, request_: str) -> None:
    skills = Skills(Shelf([Place(shipped("skills"), "shipped")]), embedder, 8192)
    specs = [one for tool in app.built_in() if (one := spec(tool))]
    offering = Offering(embedder, 10)
    assert skills.chosen(request_, lambda own: offering.nearest(request_, specs, own)) is None
    wanted = "an overview of the folder of notes, please"
    near = max(skills.nearness(wanted, skills.known()).values())
    assert skills.chosen(wanted, lambda own: near + NEARER_TOOL - 0.01) is not None
    assert skills.chosen(wanted, lambda own: near + NEARER_TOOL + 0.01) is None


def test_a_skill_that_is_named_is_told_without_an_embedder(tmp_path: Path) -> None:
    write(tmp_path, "green-tea")
    agent = built(ScriptedEngine(say("Warm it.")), tmp_path, None)
    list(agent.send("do it with the skill green-tea"))
    assert told(agent) == ["green-tea"]


def test_few_skills_have_a_line_each_in_the_prefix(tmp_path: Path) -> None:
    write(tmp_path, "tea")
    agent = built(ScriptedEngine(), tmp_path, None)
    assert "- tea: Brew a pot of tea." in str(agent.system.text)


def test_of_many_the_nearest_are_named_behind_the_prefix(
    tmp_path: Path, embedder: SentenceEmbedder
) -> None:
    for number in range(FEW):
        write(tmp_path, f"song-{number}", about=f"Sing song number {number}.")
    write(tmp_path, "paint-a-wall", about="Choose colours and paint for the walls of a house.")
    agent = built(ScriptedEngine(*[say("Blue.")] * 2), tmp_path, embedder)
    list(agent.send("which colour would be nice for my bedroom walls?"))
    named = [one.additional_kwargs[SKILLS] for one in agent.session.messages
             if SKILLS in one.additional_kwargs]  # fmt: skip
    assert "song-1" not in str(agent.system.text)
    assert told(agent) == ["paint-a-wall"] or named[0][0] == "paint-a-wall"
    before = len(agent.session.messages)
    list(agent.send("which colour would be nice for my bedroom walls?"))
    again = agent.session.messages[before:]
    assert not any({SKILL, SKILLS} & one.additional_kwargs.keys() for one in again)


def test_the_tools_that_a_skill_names_are_offered_first(
    tmp_path: Path, embedder: SentenceEmbedder
) -> None:
    head = "---\nname: tea\ndescription: Brew a pot of tea.\nallowed-tools: replace_in_file\n---\n"
    write(tmp_path, "tea", head + "Do it.")
    agent = built(ScriptedEngine(say("Done.")), tmp_path, embedder, all_offered=2)
    list(agent.send("brew a pot of tea"))
    offer = next(one.additional_kwargs["offer"] for one in agent.session.messages
                 if "offer" in one.additional_kwargs)  # fmt: skip
    assert offer[0] == "replace_in_file"
    assert len(offer) == OFFERED


def test_the_model_reads_a_skill_and_a_file_of_it(tmp_path: Path) -> None:
    folder = write(tmp_path, "tea")
    (folder / "references").mkdir()
    (folder / "references" / "leaves.md").write_text("Green tea wants 80 degrees.")
    agent = built(
        ScriptedEngine(
            call("read_skill", name="tea"),
            call("read_skill", name="tea", file="references/leaves.md"),
            say("80."),
        ),
        tmp_path,
        None,
    )
    results = [one.result for one in agent.send("how hot?") if isinstance(one, ToolFinished)]
    assert "Warm the pot first." in results[0]
    assert "references/leaves.md" in results[0]
    assert results[1] == "Green tea wants 80 degrees."
    assert is_told("tea", agent.session.messages)


def test_the_calls_that_a_skill_begins_its_steps_with_are_made_in_their_order(
    tmp_path: Path, embedder: SentenceEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    steps = "1. Call `list_files`.\n2. Call `read_file` for each of them.\n3. Answer."
    write(tmp_path / "s", "tea", HEAD.format(name="tea", about="Brew a pot of tea.") + steps)
    script = [
        call("list_files", folder="."),
        call("read_file", path="one.txt"),
        call("read_file", path="two.txt"),
        call("read_file", path="two.txt"),
        say("Two files."),
    ]
    engine = ScriptedEngine(*script)
    agent = built(engine, tmp_path / "s", embedder)
    events = list(agent.send("brew a pot of tea"))
    results = [one.result for one in events if isinstance(one, ToolFinished)]
    assert results[1:] == ["one.txt", "two.txt"]
    assert isinstance(events[-1], TurnEnded)
    assert events[-1].answer == "Two files."


def test_a_call_for_each_ends_where_the_model_makes_one_up(
    tmp_path: Path, embedder: SentenceEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "May.txt").write_text("sunny")
    (tmp_path / "in" / "June.txt").write_text("wet")
    monkeypatch.chdir(tmp_path)
    steps = "1. Call `list_files`.\n2. Call `read_file` for each of them.\n3. Answer."
    write(tmp_path / "s", "tea", HEAD.format(name="tea", about="Brew a pot of tea.") + steps)
    reads = [call("read_file", path=f"in/{name}.txt") for name in ("may", "June", "july")]
    engine = ScriptedEngine(call("list_files", folder="in"), *reads, say("Two."))
    events = list(built(engine, tmp_path / "s", embedder).send("brew a pot of tea"))
    results = [one.ok for one in events if isinstance(one, ToolFinished)]
    assert len(results) == 3
    assert isinstance(events[-1], TurnEnded)
    assert events[-1].answer == "Two."
    assert engine.seen[-1].choice.mode == "text"


LIST, READ = call("list_files", folder="."), call("read_file", path="may.txt")
LOST = call("read_file", path="lost.txt")
SAID = say("- may")


@pytest.mark.parametrize(
    ("steps", "script", "patterns"),
    [
        ("1. Call `read_file`.", (LOST, SAID), ["", ""]),
        ("1. Call `read_file`.", (READ, SAID), ["", "- .+"]),
        ("1. Call `list_files`.\n2. Call `read_file`.", (LIST, READ, SAID), ["", "", "- .+"]),
        ("1. Call `list_files`.\n2. Call `read_file`.", (LIST, LOST, SAID), ["", "", ""]),
        ("1. If it is in a file, call `read_file`.", (SAID,), ["- .+"]),
        ("1. If it is in a file, call `read_file`.", (LOST, SAID), ["- .+", ""]),
        ("1. Call `brew`.", (SAID,), ["- .+"]),  # there is no such tool
    ],
)
def test_the_answer_is_held_to_the_skills_pattern_where_its_calls_gave_something(
    steps: str,
    script: tuple[Line, ...],
    patterns: list[str],
    tmp_path: Path,
    embedder: SentenceEmbedder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("may.txt").write_text("It rained.")
    about = "Brew a pot of tea.\nmetadata:\n  tinsmith-answer: '- .+'"
    write(tmp_path / "s", "tea", HEAD.format(name="tea", about=about) + steps + "\n")
    engine = ScriptedEngine(*script, say("So."))
    agent = built(engine, tmp_path / "s", embedder)
    list(agent.send("brew a pot of tea"))
    assert [one.choice.pattern for one in engine.seen] == patterns
    list(agent.send("what is the capital of France?"))
    assert engine.seen[-1].choice.pattern == ""


def test_a_tool_that_the_skill_does_not_name_is_not_called_for_it(
    tmp_path: Path, embedder: SentenceEmbedder
) -> None:
    head = "---\nname: tea\ndescription: Brew a pot of tea.\nallowed-tools: read_file\n---\n"
    write(tmp_path, "tea", head + "Do it.")
    agent = built(ScriptedEngine(say("For 15 people.")), tmp_path, embedder)
    events = list(agent.send("brew a pot of tea: how much is 12 + 3?"))
    assert told(agent) == ["tea"]
    assert agent._offering.verdict.why == "the skill names no tool that fits"
    assert not any(isinstance(one, ToolFinished) for one in events)


def test_a_file_of_another_skill_is_refused_with_those_there_are(tmp_path: Path) -> None:
    for name in ("tea", "coffee"):
        folder = write(tmp_path, name)
        (folder / "assets").mkdir()
        (folder / "assets" / f"{name}.txt").write_text(name)
    agent = built(
        ScriptedEngine(call("read_skill", name="tea", file="assets/coffee.txt"), say("No.")),
        tmp_path,
        None,
    )
    (result,) = (one for one in agent.send("read it") if isinstance(one, ToolFinished))
    assert not result.ok
    assert "the skill tea has no file assets/coffee.txt" in result.result


def test_a_link_out_of_the_skill_is_no_file_of_it(tmp_path: Path) -> None:
    folder = write(tmp_path, "tea")
    (folder / "references").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "references" / "secret.txt").symlink_to(tmp_path / "secret.txt")
    skill, _ = read(folder)
    assert skill is not None
    assert skill.files == ()


def test_a_skill_that_the_user_put_there_is_followed_by_no_other(
    tmp_path: Path, embedder: SentenceEmbedder
) -> None:
    write(tmp_path, "tea", about="Brew a good pot of tea. Use when the user wants tea.")
    write(tmp_path, "coffee", about="Grind and brew coffee.")
    agent = built(ScriptedEngine(say("Done.")), tmp_path, embedder)
    assert agent.skills is not None
    given: list[BaseMessage] = [in_full(agent.skills.known()["coffee"])]
    done = list(agent.send("brew a pot of tea", given))
    assert told(agent) == ["coffee"]
    assert isinstance(done[-1], TurnEnded)
    assert isinstance(agent.session.messages[-1], AIMessage)


# --- the command line


def run(home: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TINSMITH_HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-P", "-m", "agent", "skills", *words],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_check_names_every_mistake_and_fails(state: Path, tmp_path: Path) -> None:
    write(tmp_path / "mine", "tea", "---\nname: Tea\nlicence: MIT\n---\nx\n")
    write(tmp_path / "mine", "coffee")
    done = run(state, tmp_path, "check", "mine")
    assert done.returncode == 1
    assert "tea/SKILL.md:3: there is no key 'licence'; did you mean license?" in done.stdout
    assert "ok  coffee: 1 lines, 0 files beside it" in done.stdout
    assert run(state, tmp_path, "check", "mine/coffee/SKILL.md").returncode == 0
    assert run(state, tmp_path, "check", "nowhere").returncode == 2


def test_skills_are_listed_shown_and_trusted(state: Path, tmp_path: Path) -> None:
    write(tmp_path / "skills", "extract-a-table", about="My own way.")
    done = run(state, tmp_path)
    assert "not used: extract-a-table in" in done.stderr
    assert "tinsmith skills trust" in done.stderr
    assert run(state, tmp_path, "trust").returncode == 0
    listed = run(state, tmp_path).stdout
    assert "My own way." in listed
    assert "in place of the one that is shipped" in listed
    assert "Warm the pot first." in run(state, tmp_path, "show", "extract-a-table").stdout
    wrong = run(state, tmp_path, "show", "extract-table")
    assert wrong.returncode == 2
    assert "did you mean extract-a-table" in wrong.stderr
