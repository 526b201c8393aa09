"""The rows of a data set: read, told apart, chosen, given to a task."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import UsageError
from agent.tasks.columns import Columns
from agent.tasks.read import parse
from agent.tasks.rows import Row, Source, content_of, opened
from agent.tasks.selection import Selection

TASK = parse(
    "inputs:\n"
    "  text: {}\n"
    "  stars: {type: integer, default: 3}\n"
    "  words: {type: list, default: [a]}\n"
    "prompt: '{{ text }} {{ stars }} {{ words }}'\n",
    Path("t.task.yaml"),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.text(max_size=5), VALUES, max_size=4)


def read(file: Path, text: str | bytes) -> list[Row]:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with opened(file) as source:
        rows = list(source.rows())
        assert list(source.rows()) == rows, "a second reading gives the same"
    return rows


def from_bytes(text: bytes, kind: Any = "jsonl") -> list[Row]:
    return list(Source(f"rows.{kind}", kind, io.BytesIO(text)).rows())


def written(objects: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(one) + "\n" for one in objects).encode()


def test_json_lines_have_their_lines_and_a_bad_one_costs_itself_only(tmp_path: Path) -> None:
    text = '\ufeff{"text": "a"}\n\n{"text": \n[1]\n{"x": 1e999}\n{"text": "b"}'
    rows = read(tmp_path / "r.jsonl", text)
    assert [row.where.rpartition(":")[2] for row in rows] == ["1", "3", "4", "5", "6"]
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert [bool(row.wrong) for row in rows] == [False, True, True, True, False]
    assert "no JSON" in rows[1].wrong
    assert "no object" in rows[2].wrong
    assert "too large" in rows[3].wrong
    assert rows[4].values == {"text": "b"}


def test_bytes_that_are_not_utf_8_cost_their_row_only(tmp_path: Path) -> None:
    for name, text in (("r.jsonl", b'{"a": "\xff"}\n{"a": "b"}\n'), ("r.csv", b"a\n\xff\nb\n")):
        rows = read(tmp_path / name, text)
        assert ["UTF-8" in row.wrong for row in rows] == [True, False]


def test_csv_has_the_line_at_which_a_row_begins(tmp_path: Path) -> None:
    rows = read(tmp_path / "r.csv", 'text,n\n"two\nlines",1\n\nx,2\nonly one\nz,3\n')
    assert [(row.where.rpartition(":")[2], row.values) for row in rows] == [
        ("2", {"text": "two\nlines", "n": "1"}),
        ("5", {"text": "x", "n": "2"}),
        ("6", {"text": "only one"}),
        ("7", {"text": "z", "n": "3"}),
    ]
    assert "1 columns where the header has 2" in rows[2].wrong


def test_csv_of_a_spreadsheet_has_semicolons_and_tsv_has_tabs(tmp_path: Path) -> None:
    assert read(tmp_path / "r.csv", "a;b\n1,5;2\n")[0].values == {"a": "1,5", "b": "2"}
    assert read(tmp_path / "r.tsv", "a\tb\n1,5\t2\n")[0].values == {"a": "1,5", "b": "2"}


def test_a_quote_that_is_never_closed_is_told(tmp_path: Path) -> None:
    rows = read(tmp_path / "r.csv", 'a,b\nx,y\n"open,z\n')
    assert [bool(row.wrong) for row in rows] == [False, True]
    assert "never closed" in rows[1].wrong


def test_parquet_becomes_what_json_holds(tmp_path: Path) -> None:
    import datetime
    import decimal

    import pyarrow
    import pyarrow.parquet

    columns = {
        "text": ["a", None],
        "when": [datetime.date(2026, 1, 2), None],
        "price": [decimal.Decimal("1.50"), decimal.Decimal("2.00")],
        "score": [0.5, float("nan")],
        "words": [["x"], []],
        "raw": [b"\xff", b"ok"],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "r.parquet")
    with opened(tmp_path / "r.parquet") as source:
        bad, good = source.rows()
    assert "utf-8" in bad.wrong
    assert good.values == {
        "text": None, "when": None, "price": 2, "score": None, "words": [], "raw": "ok",
    }  # fmt: skip
    assert good.where.endswith(":2")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("r.xlsx", b"PK\x03\x04", "end in"),
        ("r.csv", b"PK\x03\x04", "Excel"),
        ("r.jsonl", b"\xff\xfe{\0", "UTF-16"),
        ("r.parquet", b"{}", "no Parquet"),
        ("r.parquet", b"PAR1 and no more", "cannot be read"),
        ("r.csv", b"", "must name the columns"),
        ("r.csv", b"a,a\n", "two columns are named 'a'"),
        ("none.csv", None, "No such file"),
    ],
)
def test_a_file_that_holds_no_rows_is_a_clear_error(
    tmp_path: Path, name: str, text: bytes | None, says: str
) -> None:
    if text is not None:
        (tmp_path / name).write_bytes(text)
    with pytest.raises(UsageError, match=says), opened(tmp_path / name) as source:
        list(source.rows())


def test_standard_input_is_read_as_often_as_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b'{"text": "a"}\n'))
    monkeypatch.setattr(sys, "stdin", stdin)
    with opened("-") as source:
        assert [row.where for row in [*source.rows(), *source.rows()]] == ["-:1", "-:1"]


def test_a_row_of_a_hundred_megabytes_is_refused_without_being_held(tmp_path: Path) -> None:
    rows = read(tmp_path / "r.jsonl", b'"' + b"x" * 40_000_000 + b'"\n{"text": "a"}\n')
    assert ["longer than" in row.wrong for row in rows] == [True, False]


@given(OBJECTS, st.randoms())
@settings(deadline=None)
def test_the_content_is_the_same_whatever_the_order_of_the_columns(
    values: dict[str, Any], chance: Any
) -> None:
    items = list(values.items())
    chance.shuffle(items)
    assert content_of(dict(items)) == content_of(values)


@given(st.lists(OBJECTS, max_size=12))
@settings(deadline=None)
def test_every_row_has_an_identity_of_its_own_copies_too(objects: list[dict[str, Any]]) -> None:
    rows = from_bytes(written(objects))
    assert not any(row.wrong for row in rows)
    assert len({row.id for row in rows}) == len(objects)
    copies = Counter(row.content for row in rows)
    assert all(row.copy <= copies[row.content] for row in rows)


@given(st.lists(OBJECTS, max_size=12), st.randoms())
@settings(deadline=None)
def test_other_rows_and_another_order_change_no_identity(
    objects: list[dict[str, Any]], chance: Any
) -> None:
    before = {row.id for row in from_bytes(written(objects))}
    moved = [*objects, {"one": "more"}]
    chance.shuffle(moved)
    assert before < {row.id for row in from_bytes(written(moved))}


@given(st.binary(max_size=300), st.sampled_from(["jsonl", "csv", "tsv"]))
@settings(max_examples=300, deadline=None)
def test_no_bytes_break_the_reader(text: bytes, kind: str) -> None:
    try:
        rows = from_bytes(text, kind)
    except UsageError:
        return
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert len({row.id for row in rows}) == len(rows)


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=8))
@settings(deadline=None)
def test_what_csv_holds_comes_back(table: list[list[str]]) -> None:
    table = [[one.replace("\0", "").replace("\r", "") for one in row] for row in table]
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["a", "b"], *table])
    rows = from_bytes(file.getvalue().encode("utf-8", "replace"), "csv")
    wanted = [[one.encode("utf-8", "replace").decode() for one in row] for row in table]
    assert [list(row.values.values()) for row in rows] == wanted


@given(
    st.lists(st.integers(0, 5), max_size=40),
    st.integers(1, 7),
    st.none() | st.integers(1, 30),
    st.none() | st.integers(1, 30),
)
@settings(deadline=None)
def test_the_parts_of_a_selection_make_up_the_whole_each_row_once(
    numbers: list[int], parts: int, limit: int | None, sample: int | None
) -> None:
    rows = from_bytes(written([{"n": one} for one in numbers]))
    whole = chosen(rows, Selection(limit, sample))
    shards = [
        chosen(rows, Selection(limit, sample, shard=(part, parts))) for part in range(1, parts + 1)
    ]
    assert sorted(id for shard in shards for id in shard) == sorted(whole)
    within = rows if limit is None else rows[:limit]
    assert len(whole) == min(len(within), sample or len(within))


def test_another_seed_draws_others_and_the_same_the_same() -> None:
    rows = from_bytes(written([{"n": one} for one in range(100)]))
    first = chosen(rows, Selection(sample=10))
    assert first == chosen(rows, Selection(sample=10))
    assert first != chosen(rows, Selection(sample=10, seed=1))


def test_parts_are_about_equally_large() -> None:
    rows = from_bytes(written([{"n": one} for one in range(4000)]))
    sizes = [len(chosen(rows, Selection(shard=(part, 4)))) for part in (1, 2, 3, 4)]
    assert all(900 < size < 1100 for size in sizes)


def chosen(rows: list[Row], selection: Selection) -> list[str]:
    is_chosen = selection.chooser(rows)
    return [row.id for row in rows if is_chosen(row)]


def test_a_column_is_the_input_of_its_name_and_others_are_left_alone() -> None:
    (row,) = from_bytes(written([{"text": "a", "stars": 5, "label": "x"}]))
    assert Columns(TASK).given(row) == {"text": "a", "stars": 5, "words": ["a"]}
    assert Columns(TASK, {"stars": 1}).given(row)["stars"] == 1
    assert Columns(TASK, named={"text": "label"}).given(row)["text"] == "x"


def test_the_texts_of_csv_become_what_the_inputs_are() -> None:
    rows = from_bytes(b'text,stars,words\n007,4,"[""b""]"\n,,\nx,many,\n', "csv")
    columns = Columns(TASK, are_texts=True)
    assert columns.given(rows[0]) == {"text": "007", "stars": 4, "words": ["b"]}
    assert columns.given(rows[1]) == {"text": "", "stars": 3, "words": ["a"]}
    with pytest.raises(UsageError, match="stars = 'many'"):
        columns.given(rows[2])


def test_a_row_of_another_shape_says_what_it_lacks() -> None:
    other, wrong = from_bytes(written([{"txt": "a"}, {"text": 5}]))
    with pytest.raises(UsageError, match="it has no text"):
        Columns(TASK).given(other)
    with pytest.raises(UsageError, match="text is 5, which is not a text"):
        Columns(TASK).given(wrong)


def test_a_column_that_is_missing_altogether_says_which_is_near_and_how_to_name_it() -> None:
    with pytest.raises(UsageError, match=r"did you mean txt\?.*--column text=COLUMN"):
        Columns(TASK).refuse_missing({"txt", "label"}, "r.csv")
    Columns(TASK, named={"text": "txt"}).refuse_missing({"txt"}, "r.csv")
    Columns(TASK, {"text": "a"}).refuse_missing({"txt"}, "r.csv")
    with pytest.raises(UsageError, match=r"did you mean txt\? r.csv was to have it for text"):
        Columns(TASK, named={"text": "tx"}).refuse_missing({"txt"}, "r.csv")
    with pytest.raises(UsageError, match="no input named 'txet'; did you mean text"):
        Columns(TASK, named={"txet": "txt"}).refuse_missing({"txt"}, "r.csv")
