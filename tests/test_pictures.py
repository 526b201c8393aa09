"""Pictures: what each terminal is sent, and what is refused in one sentence."""

from __future__ import annotations

import base64
import io
import os
import re
import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest
from PIL import Image
from rich.console import Console

from agent.errors import UsageError
from agent.events import ToolFinished
from agent.repl.pictures import draws_pixels, fit, load, made, show, show_made, way_of
from agent.repl.screen import Screen

ROOT = Path(__file__).parent.parent
RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """The left half is red, the right half blue."""
    made = Image.new("RGB", (400, 200), RED)
    made.paste(BLUE, (200, 0, 400, 200))
    made.save(tmp_path / "halves.png")
    return tmp_path / "halves.png"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No terminal that is known."""
    for name in list(os.environ):
        if name.startswith(("TERM", "TMUX", "STY", "KITTY", "KONSOLE", "LC_TERMINAL", "NO_COLOR")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TERM", "xterm-256color")


def drawn(file: Path, width: int = 80, terminal: bool = True) -> str:
    written = io.TextIOWrapper(io.BytesIO(), "utf-8")  # a console asks its file for the encoding
    console = Console(
        file=written, force_terminal=terminal, width=width, height=24,
        color_system="truecolor" if terminal else None,
    )  # fmt: skip
    console.print(load(file))
    written.seek(0)
    return written.read()


def unbroken(text: str) -> str:
    """Without colours and blanks: a line may be broken at any of these."""
    return re.sub(r"\x1b\[[\d;]*m|\s", "", text)


def size_on_screen(text: str) -> tuple[int, int]:
    """Columns and rows of blocks."""
    lines = [line for line in re.sub(r"\x1b\[[\d;]*m", "", text).split("\n") if "▀" in line]
    assert len({len(line) for line in lines}) == 1
    return len(lines[0]), len(lines)


@pytest.mark.parametrize(
    ("way", "environment"),
    [
        ("kitty", {"TERM": "xterm-kitty"}),
        ("kitty", {"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}),
        ("kitty", {"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}),
        ("iterm2", {"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}),
        ("iterm2", {"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}),
        ("iterm2", {"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}),  # over ssh
        ("sixel", {"TERM": "foot"}),
        ("sixel", {"TERM": "xterm-256color", "KONSOLE_VERSION": "230805"}),
        ("blocks", {"TERM": "xterm-256color", "KONSOLE_VERSION": "190000"}),
        ("blocks", {"TERM": "xterm-256color"}),
        ("blocks", {}),
        ("blocks", {"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}),
        ("blocks", {"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}),
        ("blocks", {"TERM": "xterm-256color", "TERM_PROGRAM": "vscode", "KITTY_WINDOW_ID": "1"}),
    ],
)
def test_the_environment_tells_how_pictures_are_drawn(
    way: str, environment: dict[str, str]
) -> None:
    assert way_of(environment) == way


def test_blocks_have_the_colours_and_proportions_of_the_picture(picture: Path) -> None:
    shown = drawn(picture)
    assert size_on_screen(shown) == (40, 10)  # as large as it is, at 10 x 20 pixels a character
    first = shown.split("\n")[0]
    assert "38;2;255;0;0;48;2;255;0;0m" in first
    assert "38;2;0;0;255;48;2;0;0;255m" in first
    assert f"{picture}(400×200)" in unbroken(shown)


@pytest.mark.parametrize("width", [20, 30, 200])
def test_a_picture_fits_the_width(picture: Path, width: int) -> None:
    columns, rows = size_on_screen(drawn(picture, width))
    assert (columns, rows) == (min(width, 40), min(width, 40) // 4 + (width == 30))


def test_kitty_is_sent_a_png_in_pieces_and_must_not_answer(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-kitty")
    noise = Image.frombytes("RGB", (100, 100), os.urandom(30000))
    noise.save(tmp_path / "noise.png")
    shown = drawn(tmp_path / "noise.png")
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", shown)
    assert pieces[0][0] == "a=T,f=100,q=2,C=1,c=10,r=5,m=1"
    assert [keys for keys, _ in pieces[1:]] == ["q=2,m=1"] * (len(pieces) - 2) + ["q=2,m=0"]
    assert all(len(data) <= 4096 for _, data in pieces)
    sent = Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in pieces))))
    assert sent.tobytes() == noise.tobytes()


def test_iterm2_is_sent_a_png_no_larger_than_the_screen(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM_PROGRAM", "iTerm.app")
    shown = drawn(picture, 20)
    found = re.search(
        r"\x1b]1337;File=inline=1;size=(\d+);width=20;height=5;[^:]*:([^\x07]*)", shown
    )
    assert found
    png = base64.b64decode(found[2])
    assert len(png) == int(found[1])
    assert Image.open(io.BytesIO(png)).size == (200, 100)


def test_sixels_are_the_pixels_of_the_picture(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "foot")
    shown = drawn(picture)
    pixels = _of_sixels(shown)
    assert len(pixels) == 400 * 200
    assert {at[0] < 200 for at, colour in pixels.items() if colour == (100, 0, 0)} == {True}
    assert {at[0] < 200 for at, colour in pixels.items() if colour == (0, 0, 100)} == {False}


@pytest.mark.parametrize("term", ["xterm-kitty", "foot"])
def test_the_cursor_ends_below_the_picture(
    picture: Path, monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    monkeypatch.setenv("TERM", term)
    shown = drawn(picture)
    before, _, after = shown.partition("\x1b7")
    assert before == "\n" * 9 + "\x1b[9A"  # 10 rows: there before the picture is
    assert after.partition("\x1b8")[2].startswith("\x1b[9B\n")


def test_a_pipe_gets_the_path_alone(picture: Path) -> None:
    assert drawn(picture, 300, terminal=False) == f"{picture} (400 × 200)\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_without_colours_there_is_the_path_alone(
    picture: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("KITTY_WINDOW_ID", "1")
    monkeypatch.setenv(name, value)
    shown = re.sub(r"\x1b\[[\d;]*m", "", drawn(picture, 300))
    assert shown == f"{picture} (400 × 200)\n"


def test_a_tall_picture_fits_the_screen(tmp_path: Path) -> None:
    Image.new("RGB", (100, 4000)).save(tmp_path / "tall.png")
    assert size_on_screen(drawn(tmp_path / "tall.png")) == (1, 21)


def test_a_single_pixel_is_one_block() -> None:
    assert fit((1, 1), 80, 24, (10, 20)) == (1, 1)


def test_a_photograph_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (300, 100)).save(tmp_path / "turned.jpg", exif=exif)
    assert load(tmp_path / "turned.jpg").image.size == (100, 300)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert load(tmp_path / "clear.png").image.getpixel((0, 0)) == (255, 255, 255)


def test_of_an_animation_the_first_frame_is_shown_and_this_is_said(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in (RED, BLUE)]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    shown = load(tmp_path / "two.gif")
    assert shown.image.getpixel((0, 0)) == RED
    assert "its first frame" in drawn(tmp_path / "two.gif")


def test_a_png_of_ten_thousand_million_pixels_is_refused_unread(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", body)
        + _chunk(b"IEND", b"")
    )
    with pytest.raises(UsageError, match="too large to be shown"):
        load(tmp_path / "bomb.png")


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "webp"])
def test_a_truncated_picture_is_told_in_a_sentence(tmp_path: Path, ending: str) -> None:
    whole = io.BytesIO()
    noise = Image.frombytes("RGB", (200, 200), os.urandom(120_000))
    noise.save(whole, {"jpg": "JPEG"}.get(ending, ending.upper()))
    file = tmp_path / f"cut.{ending}"
    file.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(UsageError, match=r"cut\.\w+ (cannot be shown|is no picture)") as told:
        load(file)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"plain text", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n"],
)
def test_what_is_no_picture_is_told_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "odd.png"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=r"odd\.png (is no picture|cannot be shown)"):
        load(file)


def test_a_missing_file_a_folder_and_a_pipe_are_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UsageError, match="there is no file"):
        load(tmp_path / "none.png")
    with pytest.raises(UsageError, match="is a folder"):
        load(tmp_path)
    with pytest.raises(UsageError, match="there is no file"):
        load(tmp_path / "pipe.png")


def test_pictures_that_a_call_has_written_are_found_in_its_result(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("my plot.PNG")
    os.utime(picture, (0, 0))
    said = "Saved 'my plot.PNG' beside halves.png (see none.png, my plot.PNG)."
    assert made(said, 0.5) == [Path("my plot.PNG")]
    assert made(f"written to ({tmp_path}/my.png)", 0.5) == []
    os.utime(picture)
    assert made(f"It is in {picture}.", 0.5) == [picture]
    assert made("x" * 5000 + ".png", 0.5) == []


def test_a_picture_that_a_tool_made_is_shown_and_a_damaged_one_told(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Screen(draws=False)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no")
    event = ToolFinished("1", "draw", f"wrote {picture} and {bad}", True, 0.1)
    show_made(screen, event)
    assert capsys.readouterr() == ("", "")  # a pipe
    screen = Screen(draws=True)
    show_made(screen, replace(event, ok=False))
    assert capsys.readouterr() == ("", "")
    show_made(screen, event)
    shown = unbroken(capsys.readouterr().out)
    assert f"{picture}(400×200)" in shown
    assert "bad.pngisnopicture" in shown


def test_without_a_terminal_that_draws_image_says_the_path(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(Screen(draws=False), picture)
    assert capsys.readouterr().out == f"{picture} (400 × 200)\n"


def test_only_pixels_are_good_enough_for_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(
        file=io.TextIOWrapper(io.BytesIO(), "utf-8"), force_terminal=True, color_system="truecolor"
    )
    assert not draws_pixels(console)
    monkeypatch.setenv("TERM", "foot")
    assert draws_pixels(console)


def test_in_the_conversation_a_picture_is_drawn_in_one_piece_and_the_terminal_not_asked(
    picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "script.jsonl").touch()
    child = pexpect.spawn(
        sys.executable,
        ["-m", "agent", "chat", "--engine", "scripted", "--script", str(tmp_path / "script.jsonl")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-kitty"},
        timeout=30, encoding="utf-8", dimensions=(24, 80), cwd=tmp_path,
    )  # fmt: skip
    written = child.logfile_read = io.StringIO()
    child.expect("Ctrl-D leaves")
    child.send("/image none.png\r")
    child.expect("there is no file none.png")
    child.send(f"/image {picture.name}\r")
    child.expect(r"(\r+\n){9}\x1b\[9A\x1b7(\x1b_G[^\x1b]*\x1b\\)+\x1b8\x1b\[9B\r+\n")
    child.expect(r"halves.png \(400 × 200\)")
    child.sendcontrol("d")
    child.expect(pexpect.EOF)
    assert not re.search(r"\x1b\[>?c|\x1b\[1[468]t|a=q", written.getvalue())


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def _of_sixels(text: str) -> dict[tuple[int, int], tuple[int, ...]]:
    """The colour of each pixel, in per cent."""
    found = re.search(r"\x1bP[\d;]*q(.*?)\x1b\\", text, re.DOTALL)
    assert found
    colours: dict[str, tuple[int, ...]] = {}
    pixels: dict[tuple[int, int], tuple[int, ...]] = {}
    now, column, top = "", 0, 0
    for token in re.findall(r'"[\d;]+|#\d+(?:;[\d;]+)?|!\d+.|[$-]|.', found[1]):
        if token[0] == "#":
            now, _, rest = token[1:].partition(";")
            if rest:
                colours[now] = tuple(map(int, rest.split(";")[1:]))
        elif token == "$":
            column = 0
        elif token == "-":
            column, top = 0, top + 6
        elif token[0] != '"':
            count = int(token[1:-1]) if token[0] == "!" else 1
            bits = ord(token[-1]) - 63
            for at in range(column, column + count):
                pixels |= {(at, top + bit): colours[now] for bit in range(6) if bits >> bit & 1}
            column += count
    return pixels
