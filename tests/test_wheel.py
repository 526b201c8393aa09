"""The wheel as a user gets it: installed in an environment that has never seen the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Sequence
from importlib.metadata import Distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = (
    '{"call": "calculate", "arguments": {"expression": "37 * 91 - 4"}}\n{"say": "It is 3363."}\n'
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT])
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel, which borrows the dependencies of this one."""
    environment = tmp_path_factory.mktemp("wheel") / "env"
    venv.create(environment, symlinks=os.name == "posix")
    place = "Scripts" if os.name == "nt" else "bin"
    python = environment / place / Path(sys.executable).name
    _run([sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python,
          "install", "--quiet", "--no-deps", "--no-index", wheel])  # fmt: skip
    ours = Path(_run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]))
    # a folder named in a .pth file has its own .pth files left alone: the checkout stays hidden
    (ours / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python.parent


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_the_checkout_is_not_to_be_seen(installed: Path, empty: Path) -> None:
    program = (
        "import sys, agent, tools; print(*agent.__path__, *tools.__path__, *sys.path, sep='|')"
    )
    agent, tools, *path = _run([installed / "python", "-c", program], empty).split("|")
    assert Path(agent).is_relative_to(installed.parent)
    assert Path(tools).is_relative_to(installed.parent)
    assert str(ROOT) not in path


def test_the_wheel_holds_the_packages_and_nothing_beside_them(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"agent", "tools"}
    modules = {str(file.relative_to(ROOT)) for top in ("agent", "tools")
               for file in (ROOT / top).rglob("*.py")}  # fmt: skip
    shipped = {name for name in names if name.startswith("agent/data/")}
    assert modules == {name for name in names if name.endswith(".py")} - shipped


@pytest.mark.parametrize("kind", ["prompts", "skills"])
def test_what_is_shipped_is_that_of_the_checkout(installed: Path, empty: Path, kind: str) -> None:
    program = f"from agent.prompts import shipped; print(shipped({kind!r}))"
    place = Path(_run([installed / "python", "-c", program], empty))
    assert place.parts[-3:] == ("agent", "data", kind)
    assert _contents(place) == _contents(ROOT / kind)


def test_the_tour_finds_its_data(installed: Path, empty: Path, tmp_path: Path) -> None:
    program = (
        "from agent.repl.tour_made import lay_out, place, tool_file;"
        "lay_out('bikeshop'); print(place(), tool_file(), sep='|')"
    )
    home = tmp_path / "home"
    told = _run([installed / "python", "-c", program], empty, {"TINSMITH_HOME": str(home)})
    place, tool = map(Path, told.split("|"))
    examples = ROOT / "examples"
    assert tool.is_relative_to(installed.parent)
    assert tool.read_bytes() == (examples / "tour" / "gear.py").read_bytes()
    handbook = (place / "handbook" / "handbook.md").read_bytes()
    assert handbook == (examples / "tour" / "handbook.md").read_bytes()
    rows = (place / "bikeshop.csv").read_text("utf-8").splitlines()
    every = (examples / "data" / "topics.csv").read_text("utf-8").splitlines()
    assert len(rows) == 501
    assert set(rows) < set(every)


def test_every_prompt_is_found(installed: Path, empty: Path) -> None:
    program = "from agent.prompts import render; print(render('system'), render('repeated'))"
    assert "You are Tinsmith" in _run([installed / "python", "-c", program], empty)


def test_a_trace_becomes_a_page(installed: Path, empty: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(SCRIPT)
    _run(
        [installed / "tinsmith", "ask", "--engine", "scripted", "--script", script, "37 * 91"],
        empty,
    )
    _run([installed / "tinsmith", "trace", "--html", "page.html"], empty)
    assert "It is 3363." in (empty / "page.html").read_text("utf-8")


def test_the_version_is_that_of_the_wheel(installed: Path, empty: Path) -> None:
    site = next(installed.parent.rglob("tinsmith-*.dist-info"))
    version = Distribution.at(site).version
    assert _run([installed / "tinsmith", "--version"], empty) == f"tinsmith {version}"


@pytest.mark.parametrize(("command", "names"), [("tools", "calculate"), ("models", "qwen2.5")])
def test_it_lists_what_the_checkout_lists(
    installed: Path, empty: Path, command: str, names: str
) -> None:
    here = {"PYTHONPATH": str(ROOT)}
    wanted = _run([sys.executable, "-m", "agent", command], empty, here)
    assert names in wanted
    assert _run([installed / "tinsmith", command], empty) == wanted


def test_ask_calls_a_tool_and_answers(installed: Path, empty: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(SCRIPT)
    words = ("ask", "--engine", "scripted", "--script", str(script), "What is 37 * 91 - 4?")
    assert _run([installed / "tinsmith", *words], empty) == "It is 3363."


def _contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def _run(
    command: Sequence[str | Path], folder: Path | None = None, more: dict[str, str] | None = None
) -> str:
    """What it prints. An empty stdin, because `ask` reads a pipe to its end."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env={**environment, **(more or {})},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
