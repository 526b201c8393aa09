"""Documents: read, cut, stored in a real Chroma, searched with a real small embedder."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docx
import fpdf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import small
from tests.chroma import Server
from tests.test_cli import ROOT, here, tinsmith
from tools.documents import Documents
from tools.errors import DocumentError, ToolError
from tools.files import Files
from tools.knowledge import formats
from tools.knowledge.library import DEFAULT, Library
from tools.knowledge.passages import SIZE, Block, passages
from tools.knowledge.store import FRESH, Stored
from tools.knowledge.walk import files_of
from tools.running import invoke
from tools.spec import preview, spec

LIMIT = 120.0
"""Seconds until a test that waits for another program fails."""
GUIDE = """# Guide

Intro.

## Backups

Backups are made every night at two.

```
restore --from yesterday
```

## Ports

| service | port |
|---|---|
| web | 8080 |
"""


@pytest.fixture
def home(state: Path) -> Path:
    small.bert(state / "models" / "all-minilm-l6-v2")
    return state


@pytest.fixture
def library(home: Path) -> Iterator[Library]:
    made = Library(home, "", "all-minilm-l6-v2")
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "work"
    place.mkdir()
    (place / "guide.md").write_text(GUIDE)
    (place / "refunds.txt").write_text("Refunds are paid within ten days.\n\nAsk Ada.\n")
    return place


def lines(path: Path) -> list[tuple[str, int, int, tuple[str, ...]]]:
    return [(one.text, one.first, one.last, one.heading) for one in formats.blocks(path)]


# --- Formats ---


def test_markdown_keeps_headings_code_and_tables_with_their_lines(folder: Path) -> None:
    assert lines(folder / "guide.md") == [
        ("Intro.", 3, 3, ("Guide",)),
        ("Backups are made every night at two.", 7, 7, ("Guide", "Backups")),
        ("```\nrestore --from yesterday\n```", 9, 11, ("Guide", "Backups")),
        ("| service | port |\n|---|---|\n| web | 8080 |", 15, 17, ("Guide", "Ports")),
    ]


def test_the_head_of_a_markdown_file_is_no_heading(tmp_path: Path) -> None:
    file = tmp_path / "one.md"
    file.write_text("---\ntitle: x\n---\n\n# Real\n\ntext\n")
    assert lines(file) == [("text", 7, 7, ("Real",))]


def test_a_short_first_paragraph_is_the_title_of_a_text(tmp_path: Path) -> None:
    file = tmp_path / "one.txt"
    file.write_text("On wings\n\nThey lift.\n\nThey\nfall.\n")
    assert lines(file) == [
        ("They lift.", 3, 3, ("On wings",)),
        ("They\nfall.", 5, 6, ("On wings",)),
    ]


def test_html_is_read_without_its_scripts(tmp_path: Path) -> None:
    file = tmp_path / "one.html"
    file.write_text(
        "<html><head><title>t</title></head><body>\n<nav><p>menu</p></nav><h1>Top</h1>\n"
        "<p>First  words</p>\n<ul>\n<li><p>inner</p></li></ul><script>x()</script>\n"
        "<pre>a\n  b</pre></body></html>"
    )
    assert lines(file) == [
        ("First words", 3, 3, ("Top",)),
        ("inner", 5, 5, ("Top",)),
        ("a\n  b", 6, 6, ("Top",)),
    ]


def test_a_pdf_is_read_by_pages(tmp_path: Path) -> None:
    pdf = fpdf.FPDF()
    pdf.set_font("Helvetica")
    for text in ("Backups at two.", "Refunds in ten days."):
        pdf.add_page()
        pdf.cell(text=text)
    pdf.output(str(tmp_path / "one.pdf"))
    assert [(text, first) for text, first, _, _ in lines(tmp_path / "one.pdf")] == [
        ("Backups at two.", 1),
        ("Refunds in ten days.", 2),
    ]


def test_a_word_file_is_read_with_its_headings_and_tables(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("Ports", 1)
    document.add_paragraph("The web is at 8080.")
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "web", "8080"
    document.save(str(tmp_path / "one.docx"))
    assert lines(tmp_path / "one.docx") == [
        ("The web is at 8080.", 2, 2, ("Ports",)),
        ("web | 8080", 3, 3, ("Ports",)),
    ]


def test_rows_of_a_table_are_blocks(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("name,city\nAda,Paris\nBo,\n")
    assert lines(file) == [("name: Ada; city: Paris", 2, 2, ()), ("name: Bo", 3, 3, ())]


def test_functions_of_source_code_are_blocks(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text("import os\n\n\ndef a():\n    x = 1\n\n    return x\n\n\ndef b():\n    pass\n")
    assert [(first, last) for _, first, last, _ in lines(file)] == [(1, 1), (4, 7), (10, 11)]


def test_entries_of_json_on_one_line_are_blocks(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"a": 1, "b": [2]}))
    assert [text for text, _, _, _ in lines(file)] == ["a: 1", "b: [\n 2\n]"]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.pdf", b"%PDF-1.7 nonsense", "a.pdf is a broken PDF"),
        ("a.docx", b"PK nonsense", "a.docx is a broken Word file"),
        ("a.json", b"{", "a.json is not JSON"),
        ("a.md", b"\0\1\2", "a.md is a binary file"),
        ("a.txt", b" \n", "a.txt holds no text"),
        ("a.csv", b"", "a.csv is empty"),
        ("a.xyz", b"text", "no format that can be read"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DocumentError, match=why):
        formats.blocks(tmp_path / name)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.log").open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(DocumentError, match=r"2,147 MB large; up to 50 MB"):
        formats.blocks(tmp_path / "a.log")


# --- Passages ---

blocks = st.lists(
    st.builds(
        lambda text, first, heading: Block(text, first, first + text.count("\n"), heading),
        st.text("ab .\n", min_size=1, max_size=3 * SIZE).filter(str.strip),
        st.integers(1, 50),
        st.sampled_from([("A",), ("A", "B"), ()]),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(blocks)
def test_no_character_is_lost_and_no_passage_is_too_large(some: list[Block]) -> None:
    made = list(passages(some))
    kept = "".join("".join(one.text.split()) for one in made)
    assert kept == "".join("".join(one.text.split()) for one in some)
    assert all(len(one.text) <= SIZE + 20 for one in made)


def test_a_cut_block_has_the_lines_of_its_parts() -> None:
    text = "\n".join(f"line {n} " + "x" * 80 for n in range(1, 41))
    made = list(passages([Block(text, 101, 140)]))
    assert (made[0].first, made[-1].last) == (101, 140)
    for one in made:
        assert one.text.split("\n")[0].startswith(f"line {one.first - 100} ")
    assert all(a.last + 1 == b.first for a, b in itertools.pairwise(made))


def test_what_stands_under_another_heading_is_another_passage() -> None:
    made = list(passages([Block("a", 1, 1, ("X",)), Block("b", 2, 2, ("X",)), Block("c", 3, 3)]))
    assert [(one.text, one.heading) for one in made] == [("a\n\nb", "X"), ("c", "")]


# --- Folders ---


def test_gitignore_is_respected_also_below_and_undone(tmp_path: Path) -> None:
    for name in ("a.md", "b.log", "keep.log", "sub/c.md", "sub/d.md", "out/e.md", ".hid/f.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".gitignore").write_text("*.log\n!keep.log\nout/\n")
    (tmp_path / "sub" / ".gitignore").write_text("/d.md\n")
    found = [one.relative_to(tmp_path).as_posix() for one in files_of(tmp_path, [])]
    assert found == ["a.md", "keep.log", "sub/c.md"]


# --- The library ---


def test_only_what_changed_is_read_again_and_what_vanished_goes(
    library: Library, folder: Path
) -> None:
    first = library.add([folder])
    assert (first.files, first.unchanged, first.removed) == (2, 0, 0)
    again = library.add([folder])
    assert (again.files, again.unchanged) == (0, 2)
    (folder / "guide.md").write_text(GUIDE.replace("at two", "at three"))
    (folder / "refunds.txt").unlink()
    third = library.add([folder])
    assert (third.files, third.unchanged, third.removed) == (1, 0, 1)
    held = library.files(DEFAULT)
    assert [Path(one.name).name for one in held] == ["guide.md"]
    assert held[0].whole
    said = " ".join(one.text for one in library.search("when are backups made?", count=9))
    assert "at three" in said
    assert "at two" not in said


def test_a_bad_file_does_not_cost_the_others(library: Library, folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(b"%PDF nonsense")
    done = library.add([folder])
    assert done.files == 2
    assert [why.partition(" is")[0] for why in done.skipped] == ["bad.pdf"]


def test_a_file_that_changes_while_it_is_read_is_told(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = formats.blocks

    def meanwhile(path: Path) -> list[Block]:
        found = read(path)
        path.write_text("another")
        return found

    monkeypatch.setattr(formats, "blocks", meanwhile)
    done = library.add([folder / "refunds.txt"])
    assert done.skipped == ["refunds.txt changed while it was read; add it again"]


def test_words_and_meaning_find_together(home: Path, minilm: Path, folder: Path) -> None:
    target = home / "models" / "real"
    target.symlink_to(minilm)
    library = Library(home, "", "real")
    library.add([folder])
    [best, *_] = library.search("at what time is everything saved?")
    assert (Path(best.file).name, best.first) == ("guide.md", 7)
    [best, *_] = library.search("Ada")
    assert Path(best.file).name == "refunds.txt"


def test_filters_and_duplicates(library: Library, folder: Path) -> None:
    (folder / "copy.txt").write_text((folder / "refunds.txt").read_text())
    os.utime(folder / "guide.md", (1e9, 1e9))
    library.add([folder])
    texts = [one.text for one in library.search("refunds within ten days", count=9)]
    assert len(texts) == len(set(texts))
    assert {Path(one.file).name for one in library.search("x", file="guide", count=9)} == {
        "guide.md"
    }
    assert {one.kind for one in library.search("port", kind="text", count=9)} == {"text"}
    assert "guide.md" not in {Path(x.file).name for x in library.search("p", since=1.5e9, count=9)}
    with pytest.raises(DocumentError, match="no file of docs has 'gide' in its path"):
        library.search("x", file="gide")


def test_another_embedder_is_told_and_reindex_mends_it(
    library: Library, home: Path, folder: Path
) -> None:
    library.add([folder])
    small.bert(home / "models" / "other", hidden_size=64)
    other = Library(home, "", "other")
    told = "docs was embedded with all-minilm-l6-v2, and the embedder now is other; .* reindex docs"
    with pytest.raises(DocumentError, match=told):
        other.search("backups")
    with pytest.raises(DocumentError, match=told):
        other.add([folder])
    count = other.reindex(DEFAULT)
    assert count == sum(one.passages for one in other.files(DEFAULT))
    assert other.search("backups")
    assert other.collection(DEFAULT).dimension == 64


def test_a_kill_at_the_end_of_reindex_loses_nothing(library: Library, folder: Path) -> None:
    library.add([folder])
    library._store.rename(DEFAULT, DEFAULT + FRESH)  # as if it died before the last step
    assert [one.name for one in library.collections()] == [DEFAULT]
    assert library.search("backups")


def test_what_another_program_adds_is_found(library: Library, home: Path, folder: Path) -> None:
    library.add([folder / "guide.md"])
    library.search("backups")
    code = (
        "import sys; from pathlib import Path; from tools.knowledge.library import Library\n"
        "Library(Path(sys.argv[1]), '', 'all-minilm-l6-v2').add([Path(sys.argv[2])])"
    )
    words = [sys.executable, "-c", code, str(home), str(folder / "refunds.txt")]
    subprocess.run(words, check=True, cwd=ROOT, timeout=LIMIT)
    hits = library.search("Refunds are paid within ten days.", count=9)
    assert "refunds.txt" in {Path(one.file).name for one in hits}
    near = library._store.nearest(DEFAULT, library._vectors.embed(["Refunds"])[0], 9)
    assert set(near) == library._mirror(DEFAULT).ids()


def test_a_kill_while_adding_is_mended_by_adding_again(
    library: Library, home: Path, tmp_path: Path
) -> None:
    place = tmp_path / "many"
    place.mkdir()
    for number in range(60):
        (place / f"{number}.txt").write_text(f"title {number}\n\n" + f"words of {number}. " * 90)
    code = (
        "import sys; from pathlib import Path; from tools.knowledge import library as L\n"
        "L.BATCH = 8\n"
        "L.Library(Path(sys.argv[1]), '', 'all-minilm-l6-v2').add([Path(sys.argv[2])])"
    )
    words = [sys.executable, "-c", code, str(home), str(place)]
    library.add([place / "0.txt"])
    for wanted in (5, 15, 25):
        with subprocess.Popen(words, cwd=ROOT) as process:
            begin = time.monotonic()
            while len(library.files(DEFAULT)) < wanted and process.poll() is None:
                assert time.monotonic() - begin < LIMIT
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
    done = library.add([place])
    assert done.files + done.unchanged == 60
    assert all(one.whole for one in library.files(DEFAULT))
    assert library._store.ids(DEFAULT) == library._mirror(DEFAULT).ids()


def test_the_mirror_is_made_again_from_the_store(
    library: Library, home: Path, folder: Path
) -> None:
    library.add([folder])
    before = library.files(DEFAULT)
    library.close()
    for file in (home / "store" / "words").glob("*"):
        file.unlink()
    assert Library(home, "", "all-minilm-l6-v2").files(DEFAULT) == before


def test_removing(library: Library, folder: Path) -> None:
    library.add([folder])
    assert library.remove(DEFAULT, str(folder / "guide.md")) == 1
    with pytest.raises(DocumentError, match="is not in docs"):
        library.remove(DEFAULT, str(folder / "guide.md"))
    library.drop(DEFAULT)
    assert library.collections() == []
    with pytest.raises(DocumentError, match="no collection 'docs'; there are: none yet"):
        library.search("x")


def test_each_collection_is_searched_alone(library: Library, folder: Path) -> None:
    library.add([folder / "guide.md"], "guides")
    library.add([folder / "refunds.txt"], "money")
    for collection, name in (("guides", "guide.md"), ("money", "refunds.txt")):
        hits = library.search("backups and refunds", collection, count=9)
        assert {(one.collection, Path(one.file).name) for one in hits} == {(collection, name)}
    library.drop("guides")
    assert [one.name for one in library.collections()] == ["money"]
    assert library.search("refunds", "money")


def test_a_collection_with_a_long_name_is_embedded_anew(library: Library, folder: Path) -> None:
    name = "a" * 41
    library.add([folder], name)
    assert library.reindex(name) == 4
    assert library.search("backups", name)


@pytest.mark.parametrize("name", ["x", "Docs", "a b c", "../up", f"docs{FRESH}"])
def test_a_name_that_is_none_is_refused(library: Library, folder: Path, name: str) -> None:
    with pytest.raises(DocumentError, match="no name for a collection"):
        library.add([folder], name)


def test_two_machines_share_a_server_that_may_go_away(
    home: Path, folder: Path, tmp_path: Path, server: Server
) -> None:
    one = Library(home, server.url, "all-minilm-l6-v2")
    one.add([folder / "guide.md"])
    second = tmp_path / "second"
    small.bert(second / "models" / "all-minilm-l6-v2")
    other = Library(second, server.url, "all-minilm-l6-v2")
    assert other.search("backups")
    other.add([folder / "refunds.txt"])
    assert {Path(file.name).name for file in one.files(DEFAULT)} == {"guide.md", "refunds.txt"}
    server.end()
    with pytest.raises(DocumentError, match=f"the Chroma server at {server.url} does not do it"):
        one.search("backups")


def test_an_address_that_is_none_is_told(home: Path) -> None:
    with pytest.raises(DocumentError, match="store_url 'nowhere' is no address"):
        Library(home, "nowhere", "all-minilm-l6-v2").collections()


def test_passages_of_one_vector_each_are_found(library: Library) -> None:
    with library._store.writing():
        library._store.create("grid", "all-minilm-l6-v2", 8)
        facts: dict[str, str | int | float] = {
            "file": "/a", "sha256": "", "kind": "text", "modified": 0.0, "first": 1, "last": 1,
            "heading": "", "of": 8,
        }  # fmt: skip
        some = [Stored(str(n), f"number {n}", facts) for n in range(8)]
        library._store.put("grid", some, np.eye(8, dtype=np.float32))
    for number in range(8):
        found = library._store.nearest("grid", np.eye(8, dtype=np.float32)[number], 1)
        assert found == {str(number): pytest.approx(1.0)}


def test_equal_passages_that_are_written_twice_are_found_as_before(library: Library) -> None:
    with library._store.writing():
        library._store.create("same", "all-minilm-l6-v2", 8)
        some = [Stored(str(n), f"number {n}", {"file": "/a"}) for n in range(500)]
        found = []
        for _ in range(2):
            library._store.put("same", some, np.ones((500, 8), np.float32))
            found.append(library._store.nearest("same", np.ones(8, np.float32), 50))
    assert len(found[0]) == len(found[1]) == 50


# --- The tools and the command ---


def test_the_tools_add_search_and_cite(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    box = Documents(library, Files(folder))
    assert spec(box.search_documents) is None  # nothing can be searched yet
    assert "collection 'docs'" in preview(box.add_documents, {"path": "guide.md"})
    assert "1 files (3 passages)" in invoke(box.add_documents, {"path": "guide.md"})
    now = spec(box.search_documents)
    assert now is not None
    assert now.parameters["properties"]["collection"]["enum"] == ["docs"]
    assert {"docs", "documents", "guide.md", "guide", "work"} <= set(now.subjects)
    said = invoke(box.search_documents, {"collection": "docs", "question": "backups night"})
    assert "[1] [guide.md:7-11] Guide > Backups" in said
    assert "never orders" in said
    with pytest.raises(ToolError, match=r"outside|nowhere"):
        invoke(box.add_documents, {"path": "../nowhere"})


def test_the_command(home: Path, folder: Path) -> None:
    added = tinsmith("docs", "add", str(folder))
    assert added.stdout.startswith("2 files (4 passages) are read into docs"), added.stderr
    listed = here("docs").stdout
    assert "docs: 2 files, 4 passages, embedded with all-minilm-l6-v2" in listed
    found = here("docs", "search", "backups", "night").stdout
    assert "guide.md:7-11] Guide > Backups" in found
    id = found.partition("(")[2][:8]
    assert "restore --from yesterday" in here("docs", "show", id).stdout + found
    assert here("docs", "rm", str(folder / "guide.md")).stdout.startswith("removed 1 files")
    assert here("docs", "reindex").stdout.startswith("1 passages")
    for words, code, told in (
        (["search", "x", "-c", "dcos"], 1, "there are: docs"),
        (["-c", "dcos", "search", "x"], 1, "there are: docs"),
        (["add", "nowhere"], 1, "there is no nowhere"),
        (["rm"], 2, "--all"),
        (["show", "zz"], 1, "no passage begins with 'zz'"),
        (["search", "x", "--since", "may"], 2, "2026-05-31"),
    ):
        done = here("docs", *words)
        assert (done.returncode, told in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.stderr


def test_of_several_collections_the_one_that_knows_is_searched(
    library: Library, folder: Path
) -> None:
    (folder / "birds").mkdir()
    (folder / "birds" / "swift.txt").write_text("Swifts sleep on the wing.\n")
    library.add([folder / "birds"], "birds")
    (folder / "bills.txt").write_text("Bills are paid on the last Friday.\n")
    library.add([folder / "bills.txt"], "money")
    box = Documents(library, Files(folder))
    now = spec(box.search_documents)
    assert now is not None
    assert now.parameters["properties"]["collection"]["enum"] == ["all", "birds", "money"]
    for question in ("Swifts sleep on the wing.", "Bills are paid on the last Friday."):
        said = invoke(box.search_documents, {"collection": "all", "question": question})
        assert f"\n{question}" in said
    assert now.knows is not None
    assert now.knows("Swifts sleep on the wing.") > 0.9
