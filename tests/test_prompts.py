"""Prompts: what they are given, files that replace them, mistakes with their lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import Environment, meta

from agent import app, prompts
from agent.errors import PromptError

ROOT = Path(__file__).parent.parent
SHIPPED = sorted(file.stem for file in (ROOT / "prompts").glob("*.j2"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_prompt_has_samples_of_just_what_it_uses(name: str) -> None:
    text = (ROOT / "prompts" / f"{name}.j2").read_text("utf-8")
    used = meta.find_undeclared_variables(Environment().parse(text))
    assert set(prompts.samples(name)) == used
    assert prompts.render(name, **prompts.samples(name))


def replace(place: Path, name: str, text: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"{name}.j2"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_homes_file_replaces_one_that_is_shipped(state: Path) -> None:
    replace(state / "prompts", "facts", "{{ facts | length }} facts")
    assert prompts.render("facts", facts=["a", "b"]) == "2 facts"


def test_the_projects_file_replaces_the_homes_once_it_is_trusted(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    replace(state / "prompts", "answer", "mine")
    replace(tmp_path / ".tinsmith" / "prompts", "answer", "the project's")
    assert prompts.render("answer") == "mine"
    assert prompts.untrusted() == tmp_path / ".tinsmith" / "prompts"
    app.trust(tmp_path / ".tinsmith" / "prompts")
    assert prompts.render("answer") == "the project's"


def test_an_unknown_variable_is_an_error_with_its_line_and_the_nearest(state: Path) -> None:
    text = "{# #}\n{% if false %}\n{{ fact }}\n{% endif %}\n{% for x in facts %}{{ x }}{% endfor %}"
    file = replace(state / "prompts", "facts", text)
    said = f"{file}:3: facts has no variable 'fact'; did you mean facts?"
    assert prompts.mistakes("facts") == [said]
    with pytest.raises(PromptError) as error:
        prompts.render("facts", facts=[])
    assert str(error.value) == said


def test_a_mistake_that_shows_at_render_has_its_line(state: Path) -> None:
    file = replace(state / "prompts", "facts", "\n\n{{ facts.nothing.more }}")
    with pytest.raises(PromptError, match="nothing") as error:
        prompts.render("facts", facts=[])
    assert str(error.value).startswith(f"{file}:3: ")


def test_a_file_that_is_no_template_has_its_line(state: Path) -> None:
    file = replace(state / "prompts", "facts", "x\n{% if %}")
    assert prompts.mistakes("facts")[0].startswith(f"{file}:2: ")


def test_filters_and_tests_that_are_not_there_are_told_wherever_they_stand(state: Path) -> None:
    text = "{{ facts | frist }}\n{% if false %}{{ facts is foo }}{% endif %}"
    file = replace(state / "prompts", "facts", text)
    said = [f"{file}:1: no filter 'frist'; did you mean first?", f"{file}:2: no test 'foo'"]
    assert prompts.mistakes("facts") == said
    with pytest.raises(PromptError, match="frist"):
        prompts.render("facts", facts=[])


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TINSMITH_HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-P", "-m", "agent", "prompts", *words],
        env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_prompts_are_listed_shown_and_rendered(state: Path) -> None:
    assert "facts      shipped  (facts)" in run(state).stdout
    assert "{% for fact in facts %}" in run(state, "show", "facts").stdout
    assert "called Rex" in run(state, "render", "facts").stdout
    mine = run(state, "render", "facts", "--set", 'facts=["I am Ada"]').stdout
    assert "- I am Ada" in mine


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "fact"), "no prompt named 'fact'; did you mean facts"),
        (("render", "facts", "--set", "fact=1"), "facts has no variable 'fact'; it has: facts"),
        (("render", "facts", "--set", "facts=x"), "it is JSON, such as"),
        (("render", "facts", "--set", "facts"), "it is --set KEY=VALUE"),
    ],
)
def test_what_cannot_be_done_is_told(state: Path, words: tuple[str, ...], said: str) -> None:
    done = run(state, *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_check_finds_every_mistake(state: Path) -> None:
    replace(state / "prompts", "facts", "{{ fact }}\n{{ fast }}")
    replace(state / "prompts", "sytem", "x")
    done = run(state, "check")
    assert done.returncode == 1
    assert "facts.j2:1: facts has no variable 'fact'" in done.stdout
    assert "facts.j2:2: facts has no variable 'fast'" in done.stdout
    assert "there is no prompt 'sytem' to replace; did you mean system?" in done.stdout
    assert "ok  system" in done.stdout
