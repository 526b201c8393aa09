"""Bad files, a full disk, a damaged mirror, a server that goes: told, and nothing else is lost."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import fpdf
import pytest

from tests import small
from tests.chroma import LIMIT, Server
from tests.test_cli import ROOT, tinsmith
from tools.errors import DocumentError
from tools.knowledge import formats, library
from tools.knowledge.library import DEFAULT, Library
from tools.knowledge.walk import files_of

EMBEDDER = "all-minilm-l6-v2"


@pytest.fixture
def home(state: Path) -> Path:
    small.bert(state / "models" / EMBEDDER)
    return state


@pytest.fixture
def opened(home: Path) -> Iterator[Library]:
    made = Library(home, "", EMBEDDER)
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty texts that can be read."""
    place = tmp_path / "work"
    place.mkdir()
    for number in range(20):
        (place / f"{number}.txt").write_text(f"title {number}\n\n" + f"words of {number}. " * 90)
    return place


# --- Files ---


def test_all_that_can_be_read_is_added_beside_what_cannot(opened: Library, folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(b"%PDF nonsense")
    with (folder / "big.log").open("wb") as file:
        file.truncate(2 << 30)
    (folder / "binary.md").write_bytes(b"\0\1")
    done = opened.add([folder])
    assert done.files == 20
    assert [why.partition(" is ")[0] for why in done.skipped] == ["bad.pdf", "big.log", "binary.md"]
    assert "2,147 MB" in done.skipped[1]
    again = opened.add([folder])
    assert (again.files, again.unchanged, len(again.skipped)) == (0, 20, 3)


def test_no_damage_to_a_pdf_raises_anything_else(tmp_path: Path) -> None:
    pdf = fpdf.FPDF()
    pdf.set_font("Helvetica")
    for text in ("Backups at two.", "Refunds in ten days."):
        pdf.add_page()
        pdf.cell(text=text)
    whole = bytes(pdf.output())
    chance = random.Random(0)
    file = tmp_path / "one.pdf"
    for _ in range(60):
        spoilt = bytearray(whole)
        for _ in range(chance.randint(1, 40)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        file.write_bytes(spoilt[: chance.choice([None, len(whole) // 2])])
        try:
            formats.blocks(file)
        except DocumentError as error:
            assert "one.pdf" in str(error)  # noqa: PT017  what is not broken may be read


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_and_a_closed_file_do_not_cost_the_others(
    opened: Library, folder: Path
) -> None:
    (folder / "closed").mkdir(mode=0)
    (folder / "0.txt").chmod(0)
    (folder / ".gitignore").touch(mode=0)
    done = opened.add([folder])
    assert done.files == 19
    assert len(done.skipped) == 3


def test_a_gitignore_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("text")
    (tmp_path / ".gitignore").write_text("!\n*.log\n")
    skipped: list[str] = []
    assert [one.name for one in files_of(tmp_path, skipped)] == ["a.md"]
    assert "Invalid git pattern" in skipped[0]


def test_a_file_that_goes_between_reading_and_writing_is_kept(
    opened: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(now: int, of: int) -> None:
        (folder / "19.txt").unlink(missing_ok=True)

    assert opened.add([folder], report=meanwhile).files == 20
    assert opened.add([folder]).removed == 1


# --- The disk ---


def test_a_full_disk_is_told_and_adding_again_mends_it(
    opened: Library, home: Path, folder: Path
) -> None:
    opened.add([folder / "0.txt"])
    opened.close()
    full = max(one.stat().st_size for one in (home / "store").rglob("*") if one.is_file())
    code = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({full + 40_000}, {full + 40_000}))\n"
        "from agent.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    for number in range(20, 400):
        (folder / f"{number}.txt").write_text(f"title {number}\n\n" + f"words of {number}. " * 60)
    words = [sys.executable, "-c", code, "docs", "add", str(folder)]
    done = subprocess.run(words, cwd=ROOT, timeout=LIMIT, capture_output=True, text=True)
    assert done.returncode == 1, done
    assert "is the disk full?" in done.stderr
    assert "Traceback" not in done.stderr
    again = Library(home, "", EMBEDDER)
    made = again.add([folder])
    assert made.files + made.unchanged == 400
    assert all(one.whole for one in again.files(DEFAULT))
    assert again._store.ids(DEFAULT) == again._mirror(DEFAULT).ids()
    assert again.search("title")


# --- The mirror ---


def junk(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def index(file: Path) -> None:
    """Only what a search by words looks into."""
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE words_data SET block = x'00' WHERE id > 10")


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA user_version = 99")


def test_a_damaged_mirror_is_made_again_without_a_word(
    opened: Library, home: Path, folder: Path
) -> None:
    opened.add([folder])
    before = [one.id for one in opened.search("words of 7", count=9)]
    mirror = home / "store" / "words" / f"{DEFAULT}.db"
    for spoil in (junk, half, index, newer):
        spoil(mirror)
        found = opened.search("words of 7", count=9)
        assert [one.id for one in found] == before, spoil.__name__
    half(mirror)  # and by a program that did not make it
    done = tinsmith("docs", "search", "-n", "9", "words of 7")
    assert [id for id in before if id[:8] in done.stdout] == before, done.stderr
    assert "damaged" not in done.stderr


# --- The server ---


def test_a_server_that_goes_in_the_middle_of_adding_loses_nothing(
    home: Path, folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "BATCH", 8)
    shared = Library(home, server.url, EMBEDDER)

    def meanwhile(done: int, of: int) -> None:
        if done > 8:
            server.end()

    told = f"the Chroma server at {server.url} does not do it"
    with pytest.raises(DocumentError, match=told):
        shared.add([folder], report=meanwhile)
    with pytest.raises(DocumentError, match=told):
        shared.search("words of 7")
    server.start()
    done = shared.add([folder])
    assert done.files + done.unchanged == 20
    assert done.unchanged >= 3
    assert all(one.whole for one in shared.files(DEFAULT))
    assert shared._store.ids(DEFAULT) == shared._mirror(DEFAULT).ids()
    assert shared.search("words of 7")
