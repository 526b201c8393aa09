from __future__ import annotations

from pathlib import Path

from tools.base import tool
from tools.loader import Toolbox

GOOD = '''
from tools.base import tool

@tool
def greet(who: str) -> str:
    """Greet somebody."""
    return "hello " + who
'''


@tool
def own(a: int) -> int:
    """Ours."""
    return a


def box(*paths: Path) -> Toolbox:
    return Toolbox(lambda: [own], paths)


def test_a_folder_gives_the_tools_of_its_top_level_files_only(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bad.py").write_text("raise SystemExit(3)")
    (tmp_path / "_private.py").write_text("raise SystemExit(3)")
    found = box(tmp_path)
    assert set(found.tools) == {"own", "greet"}
    assert found.problems == []


def test_a_file_with_an_error_is_reported_by_line_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "a_syntax.py").write_text("x = 1\ndef f(:\n")
    (tmp_path / "b_exit.py").write_text("import sys\n\nsys.exit(1)\n")
    (tmp_path / "c_good.py").write_text(GOOD)
    found = box(tmp_path)
    assert "greet" in found.tools
    where = [problem.where.rpartition("/")[2] for problem in found.problems]
    assert where == ["a_syntax.py:2", "b_exit.py:3"]


def test_a_name_that_is_taken_is_refused_with_both_places(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(GOOD.replace("greet", "own"))
    found = box(tmp_path)
    assert found.origin["own"] == "built in"
    assert "from built in" in found.problems[0].message


def test_reload_keeps_the_old_version_of_a_file_that_now_fails(tmp_path: Path) -> None:
    file = tmp_path / "good.py"
    file.write_text(GOOD)
    found = box(tmp_path)
    file.write_text("1 / 0")
    found.reload()
    assert "greet" in found.tools
    assert "ZeroDivisionError" in found.problems[0].message
    assert found.problems[0].message.endswith("; as it was before stays: greet")
    file.write_text(GOOD.replace("greet", "welcome"))
    found.reload()
    assert "welcome" in found.tools
    assert "greet" not in found.tools


def test_a_file_named_like_one_of_ours_shadows_nothing(tmp_path: Path) -> None:
    (tmp_path / "calculate.py").write_text(GOOD)
    assert "greet" in box(tmp_path / "calculate.py").tools
    from tools.calculate import calculate

    assert calculate.name == "calculate"
