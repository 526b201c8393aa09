"""A file becomes blocks with their lines. A well-kept library reads each format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tools.errors import DocumentError, first_line
from tools.knowledge.passages import Block

if TYPE_CHECKING:
    from tools.specialists.data import Record, Table

LARGEST = 50 << 20
"""Bytes of a file that is read; a larger one is a log or a dump."""
SOURCES = """
py pyi js mjs ts tsx jsx java kt scala c h cc cpp hpp cxx cs go rs rb php swift m lua r jl pl sh
bash zsh fish ps1 sql toml yaml yml ini cfg conf cmake gradle proto graphql css scss vue svelte
tf ex exs erl hs ml clj lisp el vim tex bib xml
"""
"""Endings of source code."""
BARE = ("makefile", "dockerfile", "readme", "license", "changelog", "authors", "notice", "todo")
"""Files without an ending that hold text."""


TITLE = 200
"""Characters of a title, at most."""


def kind_of(path: Path) -> str:
    """markdown, html, pdf, word, table, json, code, text; "" for what cannot be read."""
    ending = path.suffix.lower().removeprefix(".")
    if known := KINDS.get(ending):
        return known
    if ending and ending in SOURCES.split():
        return "code"
    return "text" if not ending and path.name.lower() in BARE else ""


def blocks(path: Path) -> list[Block]:
    """Raises DocumentError for what cannot be read, is empty, or is too large."""
    kind = kind_of(path)
    if not kind:
        raise DocumentError(f"{path.name}: no format that can be read; there are: {_listed()}")
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise DocumentError(
                f"{path.name} is {size / 1e6:,.0f} MB large; up to {LARGEST >> 20} MB are read"
            )
        found = [block for block in READERS[kind](path) if block.text.strip()]
    except OSError as error:
        raise DocumentError(f"{path.name} cannot be read: {error.strerror or error}") from error
    if not found:
        raise DocumentError(f"{path.name} holds no text")
    return found


def text_of(path: Path) -> str:
    """Raises DocumentError for a binary file."""
    return text_in(path.read_bytes(), path.name)


def text_in(raw: bytes, name: str) -> str:
    """What the bytes of the file `name` say. Raises DocumentError for a binary file."""
    if b"\0" in raw[:8192] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DocumentError(f"{name} is a binary file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

        best = from_bytes(raw).best()
        text = str(best) if best else raw.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _markdown(path: Path) -> Iterator[Block]:
    """Blocks of CommonMark with tables, under their headings (markdown-it knows the lines)."""
    from markdown_it import MarkdownIt

    text = text_of(path)
    lines = text.split("\n")
    headings: list[tuple[int, str]] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    at = _front_matter(lines)
    depth = 0
    for number, token in enumerate(tokens):
        if token.nesting == 1:
            depth += 1
        elif token.nesting == -1:
            depth -= 1
        outermost = depth == (1 if token.nesting == 1 else 0)
        if not token.map or not outermost or token.nesting == -1 or token.map[0] < at:
            continue
        begin, end = token.map
        if token.type == "heading_open":
            level = int(token.tag[1:])
            headings = [one for one in headings if one[0] < level]
            headings.append((level, tokens[number + 1].content.strip()))
            continue
        while end > begin and not lines[end - 1].strip():
            end -= 1
        yield Block(
            "\n".join(lines[begin:end]), begin + 1, end, tuple(title for _, title in headings)
        )


def _front_matter(lines: list[str]) -> int:
    """The line behind it; it would be taken for a heading."""
    if lines[0].strip() != "---":
        return 0
    return next((at + 1 for at, line in enumerate(lines[1:], 1) if line.strip() == "---"), 0)


def _text(path: Path) -> Iterator[Block]:
    """Paragraphs: lines up to an empty one. A short first one is the title of the rest."""
    found = list(_paragraphs(text_of(path).split("\n")))
    title = " ".join(found[0].text.split()) if len(found) > 1 else ""
    if not title or len(title) > TITLE:
        yield from found
        return
    for block in found[1:]:
        yield Block(block.text, block.first, block.last, (title,))


def _paragraphs(lines: list[str], first: int = 1) -> Iterator[Block]:
    begin = None
    for at, line in enumerate([*lines, ""]):
        if line.strip():
            begin = at if begin is None else begin
        elif begin is not None:
            yield Block("\n".join(lines[begin:at]), first + begin, first + at - 1)
            begin = None


def _code(path: Path) -> Iterator[Block]:
    """What begins at the margin goes together with what is indented under it."""
    lines = text_of(path).split("\n")
    begin = 0
    for at, line in enumerate(lines):
        new = line[:1].strip() and line[0] not in ")}]#*" and at and not lines[at - 1].strip()
        if new:
            yield _block(lines, begin, at)
            begin = at
    yield _block(lines, begin, len(lines))


def _block(lines: list[str], begin: int, end: int) -> Block:
    while end > begin and not lines[end - 1].strip():
        end -= 1
    return Block("\n".join(lines[begin:end]), begin + 1, max(end, begin + 1))


def _html(path: Path) -> Iterator[Block]:
    from bs4 import BeautifulSoup, Tag

    soup = BeautifulSoup(text_of(path), "html.parser")
    for gone in soup(["script", "style", "nav", "noscript", "template", "head"]):
        gone.decompose()
    headings: list[tuple[int, str]] = []
    for one in soup.find_all(["h1", "h2", "h3", "h4", "h5", "h6", *PARAGRAPHS]):
        assert isinstance(one, Tag)
        line = one.sourceline or 1
        code = one.name == "pre"
        said = one.get_text("" if code else " ")
        said = said.strip("\n") if code else " ".join(said.split())
        if re.fullmatch("h[1-6]", one.name):
            level = int(one.name[1])
            headings = [*((n, t) for n, t in headings if n < level), (level, said)]
        elif not one.find_parent(PARAGRAPHS):  # what it stands in has its text already
            yield Block(said, line, line, tuple(title for _, title in headings))
    if not soup.find(PARAGRAPHS):
        yield Block(" ".join(soup.get_text(" ").split()), 1, 1)


PARAGRAPHS = ["p", "li", "pre", "table", "blockquote", "dt", "dd", "figcaption"]


def _pdf(path: Path) -> Iterator[Block]:
    """Its lines are pages."""
    import logging

    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise DocumentError(f"{path.name} is locked with a password")
        for number, page in enumerate(reader.pages, 1):
            for block in _paragraphs(page.extract_text().split("\n")):
                yield Block(block.text, number, number)
    except (DocumentError, OSError):
        raise
    except Exception as error:  # whatever pypdf trips over
        raise DocumentError(f"{path.name} is a broken PDF: {first_line(error)}") from error


def _word(path: Path) -> Iterator[Block]:
    """Its lines are paragraphs."""

    import docx
    from docx.table import Table

    headings: list[tuple[int, str]] = []
    try:
        document = docx.Document(str(path))
        for number, part in enumerate(document.iter_inner_content(), 1):
            under = tuple(title for _, title in headings)
            if isinstance(part, Table):
                rows = [" | ".join(cell.text.strip() for cell in row.cells) for row in part.rows]
                yield Block("\n".join(rows), number, number, under)
                continue
            style = part.style.name if part.style is not None else ""
            if found := re.fullmatch(r"Heading (\d)", style or ""):
                level = int(found[1])
                headings = [*((n, t) for n, t in headings if n < level), (level, part.text)]
            else:
                yield Block(part.text, number, number, under)
    except OSError:
        raise
    except Exception as error:  # whatever python-docx trips over
        raise DocumentError(f"{path.name} is a broken Word file: {first_line(error)}") from error


def _table(path: Path) -> Iterator[Block]:
    """A row is a block: "name: Ada; city: Paris"."""
    from tools.errors import DataError
    from tools.specialists.reading import read

    try:
        table = read(path)
    except DataError as error:
        raise DocumentError(str(error)) from error
    names, rows = _named(table)
    for row in rows:
        said = "; ".join(
            f"{name}: {value}" for key, name in names.items() if (value := row.values.get(key))
        )
        yield Block(said, row.line, row.line)


def _named(table: Table) -> tuple[dict[str, str], list[Record]]:
    """What each column is called, and the rows. A document mostly has a line of names."""
    names = {name: name for name in table.columns}
    if table.columns[:1] != ("1",) or not table.rows:
        return names, table.rows
    first = {key: str(value) for key, value in table.rows[0].values.items()}
    said = [value.strip() for value in first.values()]
    if len(set(said)) == len(said) and all(said) and not any(map(_NUMBER.fullmatch, said)):
        return names | first, table.rows[1:]
    return names, table.rows


_NUMBER = re.compile(r"[-+]?[\d.,]+")


def _json(path: Path) -> Iterator[Block]:
    """Its entries at the top, each with the path to it; as it stands when it has no entries."""
    text = text_of(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path.name} is not JSON: {first_line(error)}") from error
    lines = text.split("\n")
    if len(lines) > 1 or not isinstance(value, dict | list):
        yield Block(text.strip("\n"), 1, len(text.rstrip("\n").split("\n")))
        return
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in entries:
        yield Block(f"{key}: {json.dumps(entry, ensure_ascii=False, indent=1)}", 1, 1)


READERS: Mapping[str, Callable[[Path], Iterator[Block]]] = {
    "markdown": _markdown,
    "text": _text,
    "html": _html,
    "pdf": _pdf,
    "word": _word,
    "table": _table,
    "json": _json,
    "code": _code,
}
KINDS: Mapping[str, str] = {
    "md": "markdown", "markdown": "markdown", "mdx": "markdown", "txt": "text", "text": "text",
    "rst": "text", "adoc": "text", "org": "text", "log": "text", "html": "html", "htm": "html",
    "xhtml": "html", "pdf": "pdf", "docx": "word", "csv": "table", "tsv": "table",
    "parquet": "table", "jsonl": "table", "ndjson": "table", "json": "json", "ipynb": "json",
}  # fmt: skip
"""By the ending."""


def _listed() -> str:
    return ", ".join([*KINDS, "and source code"])
