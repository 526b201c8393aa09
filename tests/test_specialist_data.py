"""Examples: every format is read with true lines, and what is wrong with them is found and said."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickle
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.errors import DataError, PlanError
from tools.specialists import checks, data, reading
from tools.specialists.checks import Examples
from tools.specialists.columns import guess_columns, guess_task
from tools.specialists.rows import UNREADABLE

few = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(characters, max_size=30)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def reviews(count: int = 60) -> list[tuple[str, str]]:
    return [(f"the film number {i} was seen", "good" if i % 2 else "bad") for i in range(count)]


def as_csv(rows: Sequence[Sequence[str]], header: Sequence[str] = ("text", "label")) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows([header, *rows])
    return stream.getvalue()


def as_jsonl(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def load(path: Path, task: str = "", held: Path | None = None, **columns: str) -> Examples:
    return checks.load(path, task, columns, False, held)


def several(path: Path) -> Examples:
    return checks.load(path, "classifier", {}, True, None)


def everything(found: Examples) -> list[data.Example]:
    return found.train + found.held


def said(found: Examples) -> str:
    return "\n".join(found.describe())


def conll(sentences: Sequence[Sequence[tuple[str, str]]]) -> str:
    return "\n".join("".join(f"{word}\t{tag}\n" for word, tag in one) for one in sentences)


def people(count: int = 60) -> list[list[tuple[str, str]]]:
    return [
        [("Ann", "B-person"), (f"Lee{i}", "I-person"), ("went", "O"), ("home", "O")]
        for i in range(count)
    ]


# --- Reading ---


@few
@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=8))
def test_csv_that_was_written_is_read_the_same(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    rows = [("a first text", "x"), *rows]
    path = tmp_path / "any.csv"
    path.write_text(as_csv(rows), "utf-8", newline="")
    table = reading.read(path)
    assert table.columns == ("text", "label")
    assert [tuple(one.values.values()) for one in table.rows] == rows


@few
@given(
    sentences=st.lists(
        st.lists(
            st.tuples(
                st.text(
                    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1
                ).filter(lambda word: word != "-DOCSTART-"),
                st.sampled_from(["O", "B-place", "I-place", "B-person"]),
            ),
            min_size=1,
            max_size=5,
        ),
        min_size=1,
        max_size=5,
    )
)
def test_conll_that_was_written_is_read_the_same(
    tmp_path: Path, sentences: list[list[tuple[str, str]]]
) -> None:
    path = tmp_path / "any.conll"
    path.write_text(conll(sentences), "utf-8", newline="")
    found = [
        list(zip(one.values["words"], one.values["tags"], strict=True))
        for one in reading.read(path).rows
    ]
    assert found == sentences


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_the_delimiter_of_csv_is_found(write: Write, delimiter: str) -> None:
    stream = io.StringIO()
    rows = [["text", "label"], ["a, b; c", "x"], ["d | e, f", "y"], ["g;;h", "x"]]
    csv.writer(stream, delimiter=delimiter).writerows(rows)
    table = reading.read(write("some.csv", stream.getvalue()))
    assert table.columns == ("text", "label")
    assert [list(one.values.values()) for one in table.rows] == rows[1:]


def test_lines_are_true_after_a_newline_in_quotes(write: Write) -> None:
    table = reading.read(write("some.csv", 'text,label\r\n"one\r\ntwo",x\r\n\r\nthree,y\r\n'))
    assert [(one.line, one.where) for one in table.rows] == [(2, "some.csv:2"), (5, "some.csv:5")]
    assert table.rows[0].values["text"] == "one\r\ntwo"


def test_a_quote_that_is_not_closed_in_csv_costs_no_other_line(write: Write) -> None:
    text = 'text,label\n"never closed,x\nsecond,y\n"third, here",x\nfourth,y\n'
    table = reading.read(write("some.csv", text))
    assert [one.values["text"] for one in table.rows] == [
        *('"never closed', "second", "third, here", "fourth")
    ]


def test_quotes_of_tsv_that_do_not_balance_swallow_no_lines(write: Write) -> None:
    lines = [
        '1\t" he said',
        '0\t"yes" and',
        '1\tan end"',
        '0\t"',
        '1\t"opens',
        '0\tcloses"',
        '1\tplain "words" here',
        "0\tso",
    ]
    table = reading.read(write("some.tsv", "\n".join(lines)))
    assert [f"{one.values['1']}\t{one.values['2']}" for one in table.rows] == lines


def test_newlines_in_quotes_of_tsv_are_kept(write: Write) -> None:
    text = 'text\tlabel\tn\n"many\nlines"\tx\t1\ny\t"a ""q"""\t2\nz\tx\t"3\n4"\n'
    table = reading.read(write("some.tsv", text))
    assert [list(one.values.values()) for one in table.rows] == [
        ["many\nlines", "x", "1"],
        ["y", 'a "q"', "2"],
        ["z", "x", "3\n4"],
    ]


def test_a_line_with_too_few_columns_is_a_problem_with_its_number(write: Write) -> None:
    table = reading.read(write("some.csv", "text,label\na,x\nalone\nb,y\n"))
    assert [one.values["text"] for one in table.rows] == ["a", "b"]
    assert table.problems[0].where == "some.csv:3"


def test_a_very_long_field_is_read(write: Write) -> None:
    long = "word " * 60_000
    assert reading.read(write("some.csv", as_csv([(long, "x")]))).rows[0].values["text"] == long


def test_without_a_header_columns_are_numbers_and_the_longer_one_is_the_text(write: Write) -> None:
    path = write("some.tsv", "".join(f"{label}\t{text}\n" for text, label in reviews()))
    found = load(path)
    assert found.task == "classifier"
    assert found.columns == {"text": "2", "label": "1"}
    assert found.rows_read == 60


@pytest.mark.parametrize("header", ["was,rank", "kommentar,bewertung", "Review Text,My Label"])
def test_a_header_of_unknown_names_is_seen(write: Write, header: str) -> None:
    rows = "".join(f"{text},{label}\n" for text, label in reviews())
    assert reading.read(write("some.csv", f"{header}\n{rows}")).columns == tuple(header.split(","))


def test_prose_with_commas_is_one_column(write: Write) -> None:
    lines = [f"Well, number {i}, " + "and, " * (i % 4) + "so it goes." for i in range(40)]
    found = load(write("some.txt", "\n".join(lines)))
    assert found.task == "masked"
    assert sorted(one.text for one in everything(found)) == sorted(lines)


def test_bad_lines_of_jsonl_are_problems(write: Write) -> None:
    text = '{"text": "a"}\n{"text": \n[1]\n\n{"text": "b\\u2028c", "more": 1}\n'
    table = reading.read(write("some.jsonl", text))
    assert [(one.line, one.values["text"]) for one in table.rows] == [(1, "a"), (5, "b\u2028c")]
    assert [one.where for one in table.problems] == ["some.jsonl:2", "some.jsonl:3"]
    assert table.columns == ("text", "more")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('[\n{"text": "a"},\n\n{"text": "b"}]', [2, 4]),
        ('{"version": [1],\n"train": [{"text": "a"},\n{"text": "b"}]}', [2, 3]),
        ('{"x": {"text": "a"},\n"y":\n{"text": "b"}}', [1, 3]),
        ('{"text": ["a", "b"], "n": [1, 2]}', [1, 2]),
        ('{"text": "a"}\n{"text": "b"}', [1, 2]),
    ],
)
def test_json_of_several_shapes_is_read_with_lines(
    write: Write, text: str, lines: list[int]
) -> None:
    table = reading.read(write("some.json", text))
    assert [one.values["text"] for one in table.rows] == ["a", "b"]
    assert [one.line for one in table.rows] == lines


def test_json_without_rows_says_what_it_has(write: Write) -> None:
    with pytest.raises(DataError, match="version"):
        reading.read(write("some.json", '{"version": 1}'))


def test_parquet_is_read_by_rows(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "some.parquet"
    rows = [{"text": text, "label": float(label == "good")} for text, label in reviews()]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    assert reading.read(path).rows[2].where == "some.parquet:3"
    assert load(path).labels == ("0", "1")


def test_parquet_that_is_none_is_an_error_of_one_line(write: Write) -> None:
    with pytest.raises(DataError) as error:
        reading.read(write("some.parquet", b"PAR1 and nothing else"))
    assert "\n" not in str(error.value)


def test_conll_has_the_tag_last_and_skips_the_beginning_of_documents(write: Write) -> None:
    text = "-DOCSTART- -X- -X- O\n\nAnn NNP B-NP B-per\nran VBD  O\n\t\nBen\tB-per\n"
    rows = reading.read(write("some.conll", text)).rows
    assert [one.values["tags"] for one in rows] == [["B-per", "O"], ["B-per"]]
    assert [one.line for one in rows] == [3, 6]


def test_a_word_of_conll_may_hold_odd_white_space(write: Write) -> None:
    rows = reading.read(write("some.conll", "a\u00a0b O\nc\u2028d\tB-x\ne f\tO\n")).rows
    assert rows[0].values["words"] == ["a\u00a0b", "c\u2028d", "e f"]


def test_a_word_without_a_tag_costs_its_sentence(write: Write) -> None:
    table = reading.read(write("some.conll", "a\tO\nb\nc\tO\n\nd\tO\n"))
    assert [one.values["words"] for one in table.rows] == [["d"]]
    assert table.problems[0].where == "some.conll:2"


def test_a_folder_has_a_sub_folder_for_each_label(tmp_path: Path) -> None:
    for i, (text, label) in enumerate(reviews()):
        file = tmp_path / "some" / label / f"{i}.{'md' if i % 3 else 'txt'}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "some" / "good" / "odd.txt").write_bytes(b"a\0b")
    found = load(tmp_path / "some")
    assert found.labels == ("bad", "good")
    assert found.rows_read == 61
    assert "good/odd.txt" in said(found)
    assert found.train[0].where.startswith("bad/")


def test_a_folder_without_texts_says_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("x")
    with pytest.raises(DataError, match=r"train\.csv"):
        reading.read(tmp_path)


def test_a_folder_of_datasets_gives_its_split_train_with_the_names_of_labels(
    tmp_path: Path,
) -> None:
    datasets = pytest.importorskip("datasets")
    names = datasets.ClassLabel(names=["bad", "good"])
    features = datasets.Features({"text": datasets.Value("string"), "label": names})
    columns = {"text": [x for x, _ in reviews()], "label": [int(x == "good") for _, x in reviews()]}
    train = datasets.Dataset.from_dict(columns, features=features)
    datasets.DatasetDict({"test": train.select([0]), "train": train}).save_to_disk(
        str(tmp_path / "saved")
    )
    train.to_parquet(str(tmp_path / "same.parquet"))
    for name in ("saved", "same.parquet"):
        found = load(tmp_path / name)
        assert (found.rows_read, found.labels) == (60, ("bad", "good"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_with_a_byte_order_mark_is_read(write: Write, encoding: str) -> None:
    table = reading.read(write("some.csv", "text,label\nKäse 😀,ja\n".encode(encoding)))
    assert (table.columns, table.problems) == (("text", "label"), [])
    assert table.rows[0].values["text"] == "Käse 😀"


def test_another_encoding_is_guessed_and_said(write: Write) -> None:
    text = "".join(f"Der Käse schmeckt mir für {i} Euro außerordentlich gut,ja\n" for i in range(9))
    table = reading.read(write("some.csv", f"text,label\n{text}".encode("cp1252")))
    assert table.rows[0].values["text"].startswith("Der Käse schmeckt mir für 0 Euro außer")
    assert (table.problems[0].where, len(table.rows)) == ("some.csv", 9)
    assert "not UTF-8" in table.problems[0].what


def test_a_few_bytes_that_do_not_decode_cost_their_row(write: Write) -> None:
    text = "text,label\nKäse für alle,ja\n".encode() + b"a \xff b,nein\nc,ja\n"
    table = reading.read(write("some.csv", text))
    assert [one.line for one in table.rows] == [2, 4]
    assert [one.where for one in table.problems] == ["some.csv:3"]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("some.csv", b"a,b\n\0\0,c\n", "binary"),
        ("some.csv", b"PK\x03\x04 and so on", "Excel"),
        ("some.jsonl", b"\x1f\x8b and so on", "gzip"),
        ("some.csv", b"", "empty"),
        ("some.csv", b"\n \n", "empty"),
        ("some.csv", b"text,label\n", "no rows"),
        ("some.jsonl", b"[1]\n{\n", r"no rows.*some\.jsonl:1: not a JSON object"),
        ("some.json", b"[1,", "some.json:1"),
        ("some.json", b"[" * 100_000, "not JSON"),
        ("some.xlsx", b"x", r"some\.xlsx: not a format.*\.parquet"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error(
    write: Write, name: str, content: bytes, what: str
) -> None:
    with pytest.raises(DataError, match=what):
        reading.read(write(name, content))


def test_a_missing_file_names_the_nearest(write: Write) -> None:
    path = write("reviews.csv", "x")
    with pytest.raises(DataError, match=r"did you mean 'reviews\.csv'"):
        reading.read(path.with_name("review.csv"))


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("it was unpickled",))


@pytest.mark.parametrize("name", ["some.csv", "some.parquet", "some.pkl", "some.json"])
def test_nothing_is_unpickled(write: Write, name: str) -> None:
    with pytest.raises(DataError):
        reading.read(write(name, pickle.dumps(Trap())))


# --- Tasks and columns ---


@pytest.mark.parametrize(
    ("columns", "task", "roles"),
    [
        (["id", "review", "stars"], "classifier", {"text": "review", "label": "stars"}),
        (["Category", "title", "content"], "classifier", {"text": "content", "label": "Category"}),
        (["query", "positive"], "embedder", {"first": "query", "second": "positive"}),
        (["question", "answer"], "embedder", {"first": "question", "second": "answer"}),
        (["prompt", "answer"], "causal", {"prompt": "prompt", "answer": "answer"}),
        (["instruction", "output"], "causal", {"prompt": "instruction", "answer": "output"}),
        (["id", "text"], "masked", {"text": "text"}),
        (["tokens", "ner_tags"], "tagger", {"words": "tokens", "tags": "ner_tags"}),
        (["messages", "tools"], "causal", {"messages": "messages", "tools": "tools"}),
    ],
)
def test_a_task_and_its_columns_are_known_by_names(
    write: Write, columns: list[str], task: str, roles: dict[str, str]
) -> None:
    path = write("some.jsonl", as_jsonl([dict.fromkeys(columns, f"v{i % 3}") for i in range(9)]))
    table = reading.read(path)
    assert guess_task(table, {}) == task
    assert guess_columns(table, guess_task(table, {}), {}, False) == roles


def test_pairs_may_have_a_score(write: Write) -> None:
    rows = [{"sentence1": f"a {i}", "sentence2": f"b {i}", "score": 0.5} for i in range(60)]
    found = load(write("some.jsonl", as_jsonl(rows)))
    assert found.columns == {"first": "sentence1", "second": "sentence2", "score": "score"}
    assert found.train[0].score == 0.5
    assert found.labels == ()


def test_unknown_names_are_judged_by_content_and_an_id_is_never_taken(write: Write) -> None:
    rows = [
        {"item_id": f"a long identifier of row {i}", "no": i, "was": text, "wie": label}
        for i, (text, label) in enumerate(reviews())
    ]
    found = load(write("some.jsonl", as_jsonl(rows)))
    assert found.columns == {"text": "was", "label": "wie"}


def test_a_file_sorted_by_label_is_judged_by_all_of_it(write: Write) -> None:
    rows = [(f"text number {i} is here", "first" if i < 2500 else "second") for i in range(5000)]
    found = load(write("some.csv", as_csv(rows, ("was", "wie"))))
    assert found.columns == {"text": "was", "label": "wie"}


def test_given_columns_win(write: Write) -> None:
    rows = [(text, text[::-1], label, str(i % 3)) for i, (text, label) in enumerate(reviews())]
    path = write("some.csv", as_csv(rows, ("text", "other", "label", "stars")))
    found = load(path, text="other", label="stars")
    assert found.columns == {"text": "other", "label": "stars"}
    assert found.labels == ("0", "1", "2")


def test_a_column_that_is_not_there_names_the_nearest_and_all(write: Write) -> None:
    path = write("some.csv", as_csv(reviews(), ("review", "stars")))
    with pytest.raises(PlanError, match=r"'review'.*review, stars"):
        load(path, text="reveiw")


def test_a_role_that_is_not_there_names_the_nearest(write: Write) -> None:
    with pytest.raises(PlanError, match="did you mean 'label'"):
        load(write("some.csv", as_csv(reviews())), "classifier", lable="label")


def test_one_column_cannot_have_two_roles(write: Write) -> None:
    with pytest.raises(PlanError, match="two roles"):
        load(write("some.csv", as_csv(reviews())), text="text", label="text")


def test_a_column_without_a_role_that_is_needed_is_asked_for(write: Write) -> None:
    rows = [{"was": f"text {i}"} for i in range(60)]
    with pytest.raises(PlanError, match=r"'label'.*was"):
        load(write("some.jsonl", as_jsonl(rows)), "classifier")


def test_measurements_are_no_labels(write: Write) -> None:
    rows = [(f"text number {i}", f"{i * 1.37:.2f}") for i in range(400)]
    with pytest.raises(PlanError, match="no column of labels"):
        load(write("some.csv", as_csv(rows)), "classifier")


def test_an_unknown_task_is_an_error(write: Write) -> None:
    with pytest.raises(PlanError, match="classifer"):
        load(write("some.csv", as_csv(reviews())), "classifer")


# --- Checks ---


def test_bad_rows_are_reported_by_kind_with_lines_and_are_not_fatal(write: Write) -> None:
    rows = [*reviews(300), *((" ", "good") for _ in range(100)), ("a text", "")]
    found = load(write("some.csv", as_csv(rows)))
    assert len(everything(found)) == 300
    assert "100 rows of some.csv: empty text (lines 302, 303, 304," in said(found)
    assert "some.csv:402: no label" in said(found)


def test_a_repeated_text_is_kept_once(write: Write) -> None:
    rows = [*reviews(), ("  THE film\tnumber 1 was seen ", "good")]
    found = load(write("some.csv", as_csv(rows)))
    assert len(everything(found)) == 60
    assert "some.csv:62" in said(found)


def test_a_text_with_two_labels_is_dropped_everywhere(write: Write) -> None:
    rows = [*reviews(), ("The film number 1 was seen", "bad"), (reviews()[1][0], "good")]
    found = load(write("some.csv", as_csv(rows)))
    assert reviews()[1][0] not in {one.text for one in everything(found)}
    assert "another label, tags or score, dropped (lines 3, 62, 63)" in said(found)


def test_with_several_labels_those_of_one_text_are_joined(write: Write) -> None:
    rows = [*reviews(), (reviews()[1][0], "long")]
    found = several(write("some.csv", as_csv(rows)))
    labels = {one.text: one.labels for one in everything(found)}
    assert labels[reviews()[1][0]] == ("good", "long")


@pytest.mark.parametrize(
    "cell", ['["fun, long", "good"]', "fun, long|good", "fun, long; good", ["fun, long", "good"]]
)
def test_several_labels_are_a_list_or_separated(write: Write, cell: Any) -> None:
    rows = [{"text": text, "labels": cell} for text, _ in reviews()]
    assert several(write("some.jsonl", as_jsonl(rows))).labels == ("fun, long", "good")


def test_several_labels_may_be_separated_by_commas(write: Write) -> None:
    rows = [(text, f"{label}, fun") for text, label in reviews()]
    assert several(write("some.csv", as_csv(rows))).labels == ("bad", "fun", "good")


def test_labels_are_strings(write: Write) -> None:
    labels = [1, 1.0, "1", True, 2.5, " b "]
    rows = [{"text": f"text {i}", "label": labels[i % 6]} for i in range(120)]
    found = load(write("some.jsonl", as_jsonl(rows)))
    assert found.labels == ("1", "2.5", "b", "true")


def test_rare_labels_are_reported_and_kept(write: Write) -> None:
    rows = [*reviews(), *((f"rare {i}", "rare") for i in range(7))]
    found = load(write("some.csv", as_csv(rows)))
    few_rows = sum(one.labels == ("rare",) for one in found.train)
    assert few_rows < 8
    assert f"labels with fewer than 8 training rows: rare ({few_rows})" in said(found)


def test_labels_of_only_one_part_are_reported(write: Write) -> None:
    train = write("train.csv", as_csv([*reviews(), *((f"x {i}", "never held") for i in range(9))]))
    held = write("held.csv", as_csv([("one", "good"), ("two", "never learned"), ("three", "bad")]))
    found = load(train, held=held)
    assert {one.text for one in found.held} == {"one", "three"}
    assert "labels without a held-out row, so not measured: never held" in said(found)
    assert "labels without a training row: never learned" in said(found)
    assert "held.csv:3" in said(found)
    assert "never learned" not in found.labels


def test_held_out_rows_are_taken_out_of_training(write: Write) -> None:
    train = write("train.csv", as_csv(reviews()))
    held = write("held.jsonl", as_jsonl([{"text": "The film  number 3 was seen", "label": "good"}]))
    found = load(train, held=held)
    assert len(found.train) == 59
    assert [one.where for one in found.held] == ["held.jsonl:1"]
    assert "train.csv:5: a text that is held out too" in said(found)


def test_a_pair_that_is_held_out_is_not_trained_on_the_other_way_round(write: Write) -> None:
    pairs = [(f"how is number {n} done", f"number {n} is done like this") for n in range(80)]
    rows = as_csv([*pairs, *((b, a) for a, b in pairs)], ("question1", "question2"))
    found = load(write("pairs.csv", rows))
    held = {frozenset((one.text, one.second)) for one in found.held}
    assert held
    assert not held & {frozenset((one.text, one.second)) for one in found.train}
    assert "held out too, taken out of training" in said(found)


def test_a_given_column_says_what_is_to_be_learnt(write: Write) -> None:
    rows = [(f"text of number {n} is this", f"another text {n % 2}") for n in range(60)]
    file = write("some.csv", as_csv(rows, ("body", "reply")))
    assert load(file, text="body", label="reply").task == "classifier"
    assert load(file, prompt="body", answer="reply").task == "causal"
    with pytest.raises(PlanError, match=r"no column in some\.csv named 'topic'"):
        load(file, label="topic")


def test_columns_of_a_held_out_file_with_other_names_go_by_position(write: Write) -> None:
    train = write("train.csv", as_csv(reviews(), ("review", "stars")))
    held = write("held.csv", as_csv([("one", "good"), ("two", "bad")], ("text", "label")))
    assert [one.text for one in load(train, held=held).held] == ["one", "two"]


def test_broken_tags_are_repaired_and_reported_with_their_line(write: Write) -> None:
    sentences = [*people(), [("so", "O"), ("Bob", "I-person"), ("Lee", "I-person")]]
    found = load(write("some.conll", conll(sentences)))
    assert found.labels == ("B-person", "I-person", "O")
    last = next(one for one in everything(found) if "Bob" in one.words)
    assert last.tags == ("O", "B-person", "I-person")
    assert "some.conll:302: an I- tag without a B- before it" in said(found)


@pytest.mark.parametrize(
    ("given_tags", "bio"),
    [
        ("B-a E-a O S-a O", "B-a I-a O B-a O"),
        ("B-a L-a O U-b O", "B-a I-a O B-b O"),
        ("I-a I-a O I-a B-a", "B-a I-a O B-a B-a"),
    ],
)
def test_other_schemes_become_bio_without_a_report(write: Write, given_tags: str, bio: str) -> None:
    rows = [{"words": f"v w x y {i}", "tags": given_tags.split()} for i in range(60)]
    found = load(write("some.jsonl", as_jsonl(rows)), "tagger")
    assert " ".join(found.train[0].tags) == bio
    assert found.problems == [] or {one.where for one in found.problems} == {""}


def test_an_unknown_scheme_of_tags_is_an_error(write: Write) -> None:
    rows = [{"words": ["a", "b"], "tags": [3, 4]} for _ in range(60)]
    with pytest.raises(DataError, match="'3', '4'"):
        load(write("some.jsonl", as_jsonl(rows)))


def test_tags_that_are_not_as_many_as_words_cost_the_row(write: Write) -> None:
    rows = [{"words": ["Ann", f"x{i}"], "tags": ["B-a", "O"]} for i in range(60)]
    rows.append({"words": ["Ann"], "tags": ["B-a", "O"]})
    found = load(write("some.jsonl", as_jsonl(rows)))
    assert "some.jsonl:61: not as many words as tags: 1 and 2" in said(found)


def test_conversations_are_checked(write: Write) -> None:
    good: list[dict[str, Any]] = [
        {
            "messages": [
                {"role": "user", "content": f"{i}?"},
                {"role": "assistant", "content": "!"},
            ],
            "tools": json.dumps([{"name": "add"}]),
        }
        for i in range(60)
    ]
    bad: list[dict[str, Any]] = [
        {"messages": [{"role": "user", "content": "x"}]},
        {"messages": [{"role": "boss", "content": "x"}]},
        {"messages": "not JSON"},
        {"messages": [{"role": "assistant", "content": None}]},
    ]
    found = load(write("some.jsonl", as_jsonl(good + bad)))
    assert len(everything(found)) == 60
    assert [one.where for one in found.problems] == [f"some.jsonl:{i}" for i in range(61, 65)]
    assert found.train[0].tools == ({"name": "add"},)


def test_prompts_with_answers_are_conversations(write: Write) -> None:
    rows = [(f"what is {i}", f"it is {i}") for i in range(60)]
    one = load(write("some.csv", as_csv(rows, ("prompt", "answer")))).train[0]
    assert [x["role"] for x in one.messages] == ["user", "assistant"]
    assert one.messages[0]["content"].startswith("what is")


def test_a_score_outside_of_0_to_1_is_a_problem(write: Write) -> None:
    rows = [{"first": f"a {i}", "second": "b", "score": 4.5 if i < 5 else 1} for i in range(60)]
    assert "5 rows of some.jsonl: a score that is not from 0 to 1" in said(
        load(write("some.jsonl", as_jsonl(rows)))
    )


def test_half_a_surrogate_pair_costs_its_row(write: Write) -> None:
    rows = [{"text": text, "label": label} for text, label in reviews()]
    found = load(write("some.jsonl", as_jsonl([*rows, {"text": "\ud83d", "label": "good"}])))
    assert f"some.jsonl:61: {UNREADABLE}" in said(found)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (reviews(15), "20 rows are needed"),
        ([(text, "same") for text, _ in reviews()], "no label but 'same'"),
        ([*reviews(), *(("", "bad") for _ in range(70))], "70 of the 130 rows.*empty text"),
        ([("", "") for _ in range(60)], "60 of the 60 rows"),
    ],
)
def test_a_hopeless_file_says_why(write: Write, rows: list[tuple[str, str]], why: str) -> None:
    with pytest.raises(DataError, match=why):
        load(write("some.csv", as_csv(rows)), "classifier", text="text", label="label")


def test_without_a_row_that_is_held_out_there_is_an_error(write: Write) -> None:
    held = write("held.csv", as_csv([("one", "other"), ("two", "others")]))
    with pytest.raises(DataError, match="no row is left to be held out"):
        load(write("train.csv", as_csv(reviews())), held=held)


def test_the_hash_is_that_of_the_file(write: Write) -> None:
    path = write("some.csv", as_csv(reviews()))
    held = write("held.csv", as_csv([("one", "good"), ("two", "bad")]))
    alone = load(path).sha256
    assert alone == hashlib.sha256(path.read_bytes()).hexdigest()
    assert load(path, held=held).sha256 != alone


# --- The held-out part ---


def test_about_the_wanted_share_is_held_out(write: Write) -> None:
    found = load(write("some.csv", as_csv(reviews(2000))))
    assert 240 < len(found.held) < 360


@few
@given(
    order=st.randoms(use_true_random=False),
    more=st.lists(st.text(st.characters(categories=["L"]), min_size=3), max_size=20, unique=True),
)
def test_the_split_stays_when_rows_are_added_and_moved(
    tmp_path: Path, order: random.Random, more: list[str]
) -> None:
    path = tmp_path / "some.csv"
    path.write_text(as_csv(reviews()), "utf-8", newline="")
    before = {one.text for one in load(path).held}
    rows = [*reviews(), *((text, "good") for text in more)]
    order.shuffle(rows)
    path.write_text(as_csv(rows), "utf-8", newline="")
    after = load(path, "classifier", text="text", label="label")
    assert before <= {one.text for one in after.held}
    assert not before & {one.text for one in after.train}


def test_one_query_never_stands_on_both_sides(write: Write) -> None:
    rows = [(f"query {i // 3}", f"answer {i}") for i in range(300)]
    found = load(write("some.csv", as_csv(rows, ("query", "positive"))))
    assert {one.text for one in found.train}.isdisjoint(one.text for one in found.held)
    assert len(everything(found)) == 300


def test_one_first_question_never_stands_on_both_sides(write: Write) -> None:
    rows = [(f"query {i // 3}", f"answer {i}") for i in range(300)]
    found = load(write("some.csv", as_csv(rows, ("prompt", "answer"))))
    asked = [{x.messages[0]["content"] for x in part} for part in (found.train, found.held)]
    assert asked[0].isdisjoint(asked[1])
    assert len(everything(found)) == 300


def test_a_hundred_thousand_rows_take_seconds(write: Write) -> None:
    path = write("some.csv", as_csv(reviews(100_000)))
    start = time.process_time()
    found = load(path)
    assert len(everything(found)) == 100_000
    assert time.process_time() - start < 15
