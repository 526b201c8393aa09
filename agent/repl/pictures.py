"""Pictures in the terminal: as pixels where it can, else as coloured blocks, else as a path.

Which it can is told by its environment alone: a terminal that is asked answers through the
keyboard, into the line that is being typed.
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agent.errors import UsageError
from agent.events import ToolFinished
from agent.repl.clean import clean
from agent.repl.screen import Screen

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.segment import Segment
    from rich.style import Style

Way = Literal["kitty", "iterm2", "sixel", "blocks"]

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
_ENDING = r"\.(?:png|jpe?g|gif|webp|bmp)"
NAMED = re.compile(
    rf"""["'`]([^"'`\n]+{_ENDING})["'`]|"""
    rf"""(?<![^\s"'`(<\[])([^\s"'`(<\[]{{1,255}}?{_ENDING})\b""",
    re.IGNORECASE,
)
"""The name of a picture in a text: in quotes, or without spaces."""
MOST_PIXELS = 64_000_000
"""Of a picture that is read: about 200 MB of memory."""
LARGEST = 100_000_000
"""Bytes of its file."""
MOST_ROWS = 30
MOST_MADE = 3
"""Pictures that are shown of one result."""
KEPT = (2000, 2000)
"""Pixels, of which no terminal shows more."""
CELL = (10, 20)
"""Pixels of a character, where the terminal does not say."""
CHUNK = 4096
"""Characters of one piece, in the protocol of kitty."""


@dataclass(frozen=True)
class Picture:
    """What rich can draw, on any console."""

    file: Path
    image: Image
    size: tuple[int, int]
    """Pixels of the file; `image` may have fewer."""
    note: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        if _can_draw(console):
            yield from self._drawn(console, options)
        yield Text(self.about, "dim", overflow="fold")  # whole, so that it can be opened

    @property
    def about(self) -> str:
        return f"{clean(str(self.file))} ({self.size[0]} × {self.size[1]}{self.note})"

    def _drawn(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import ControlType, Segment

        way = way_of(os.environ)
        across, down = cell = _cell()
        room = min(MOST_ROWS, console.height - 3)
        columns, rows = fit(self.image.size, options.max_width, room, cell)
        if way == "blocks":
            yield from _blocks(_scaled(self.image, columns, rows * 2))
            return
        image = _scaled(self.image, columns * across, rows * down)
        drawn = {"kitty": _kitty, "iterm2": _iterm2, "sixel": _sixel}[way](image, columns, rows)
        # The rows are made first, so that nothing scrolls while the picture is drawn. The line that
        # ends it is part of it: prompt_toolkit hands on what is written up to the last one at once.
        up, on = (f"\x1b[{rows - 1}A", f"\x1b[{rows - 1}B") if rows > 1 else ("", "")
        whole = "\n" * (rows - 1) + f"{up}\x1b7{drawn}\x1b8{on}\n"
        yield Segment(whole, control=[(ControlType.CURSOR_FORWARD, 0)])  # not measured, not cut


@dataclass(frozen=True)
class InPixels:
    """A picture where the terminal draws pixels, else nothing: of blocks, nobody could read a
    plot."""

    file: Path

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if draws_pixels(console):
            yield load(self.file)


def load(file: Path) -> Picture:
    """Raises UsageError for what is no picture, is damaged, or is too large."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not file.is_file():  # a pipe would be waited for
        raise UsageError(f"{file} is a folder" if file.is_dir() else f"there is no file {file}")
    try:
        if file.stat().st_size > LARGEST:
            raise UsageError(f"{file} has more than {LARGEST // 1_000_000} MB; it is not shown")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(file, formats=FORMATS)
        with opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            animated = getattr(opened, "is_animated", False)
            size = opened.size
            opened.draft("RGB", KEPT)  # a photograph is read smaller, not made so afterwards
            image = opened if opened.mode in ("L", "RGB", "RGBA") else opened.convert("RGBA")
            image.thumbnail(KEPT)
            image = ImageOps.exif_transpose(image).convert("RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise UsageError(
            f"{file} is too large to be shown: more than {MOST_PIXELS // 1_000_000} million pixels"
        ) from None
    except UnidentifiedImageError:
        raise UsageError(
            f"{file} is no picture that can be shown; these are: {', '.join(FORMATS)}"
        ) from None
    except UsageError:
        raise
    except Exception as error:  # a decoder raises whatever it likes for a damaged file
        raise UsageError(f"{file} cannot be shown: {error or type(error).__name__}") from None
    white = Image.new("RGBA", image.size, "white")  # of what is transparent, as on paper
    image = Image.alpha_composite(white, image).convert("RGB")
    return Picture(file, image, size, ", animated: its first frame" if animated else "")


def show(screen: Screen, file: Path) -> None:
    """Raises UsageError as `load` does."""
    picture = load(file)
    if screen.draws:
        screen.show(picture)
    else:
        screen.plain(picture.about)


def show_made(screen: Screen, event: ToolFinished) -> None:
    """The pictures that a tool has just written. A pipe gets the answer alone."""
    if not (event.ok and screen.draws):
        return
    for file in made(event.result, event.seconds):
        try:
            show(screen, file)
        except UsageError as error:
            screen.notice(str(error))


def made(result: str, seconds: float) -> list[Path]:
    """Pictures that `result`, of a call which took so many seconds, names and that were written
    meanwhile."""
    since = time.time() - seconds - 1  # a file system may count in whole seconds
    found = dict.fromkeys(quoted or bare for quoted, bare in NAMED.findall(result))
    return [Path(name) for name in found if _is_new(Path(name), since)][:MOST_MADE]


def _is_new(file: Path, since: float) -> bool:
    try:
        return file.is_file() and file.stat().st_mtime >= since
    except OSError:  # a name too long for one
        return False


def way_of(environment: Mapping[str, str]) -> Way:
    """How the terminal with this environment draws pictures. What is not known gets blocks."""
    term = environment.get("TERM", "")
    program = environment.get("TERM_PROGRAM", "")
    if environment.get("TMUX") or environment.get("STY") or term.startswith(("tmux", "screen")):
        return "blocks"  # these swallow pictures unless they are told not to
    if term in ("xterm-kitty", "xterm-ghostty") or program == "ghostty":
        return "kitty"
    if program in ("iTerm.app", "WezTerm", "mintty") or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    if term.startswith(("foot", "mlterm", "contour")) or "sixel" in term:
        return "sixel"
    if environment.get("KITTY_WINDOW_ID") and not program:
        return "kitty"
    konsole = environment.get("KONSOLE_VERSION", "")
    return "sixel" if konsole.isdecimal() and int(konsole) >= 220400 and not program else "blocks"


def draws_pixels(console: Console) -> bool:
    return _can_draw(console) and way_of(os.environ) != "blocks"


def fit(
    size: tuple[int, int], most_columns: int, most_rows: int, cell: tuple[int, int]
) -> tuple[int, int]:
    """Columns and rows of a picture of `size` pixels: no larger than it is, in its proportions."""
    wide, high = size[0] / cell[0], size[1] / cell[1]
    scale = min(1.0, max(1, most_columns) / wide, max(1, most_rows) / high)
    return max(1, int(wide * scale)), max(1, round(high * scale))


def _can_draw(console: Console) -> bool:
    return (
        console.is_terminal
        and not console.is_dumb_terminal
        and not console.no_color
        and console.color_system is not None
        and console.encoding.startswith("utf")
    )


def _cell() -> tuple[int, int]:
    """Pixels of a character, as the kernel knows them."""
    try:
        import fcntl
        import struct
        import termios

        told = fcntl.ioctl(sys.__stdout__.fileno(), termios.TIOCGWINSZ, bytes(8))  # type: ignore[union-attr]
    except (ImportError, AttributeError, OSError, ValueError):
        return CELL
    rows, columns, wide, high = struct.unpack("4H", told)
    return (wide // columns, high // rows) if rows and columns and wide and high else CELL


def _scaled(image: Image, width: int, height: int) -> Image:
    from PIL.Image import Resampling

    return image.resize((max(1, width), max(1, height)), Resampling.LANCZOS, reducing_gap=3)


def _png(image: Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _kitty(image: Image, columns: int, rows: int) -> str:
    """https://sw.kovidgoyal.net/kitty/graphics-protocol/ ; q=2: it must not answer."""
    data = base64.b64encode(_png(image)).decode()
    pieces = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
    parts = []
    for number, piece in enumerate(pieces):
        keys = f"a=T,f=100,q=2,C=1,c={columns},r={rows}," if not number else "q=2,"
        parts.append(f"\x1b_G{keys}m={int(number < len(pieces) - 1)};{piece}\x1b\\")
    return "".join(parts)


def _iterm2(image: Image, columns: int, rows: int) -> str:
    """https://iterm2.com/documentation-images.html"""
    png = _png(image)
    keys = f"inline=1;size={len(png)};width={columns};height={rows};preserveAspectRatio=0"
    return f"\x1b]1337;File={keys}:{base64.b64encode(png).decode()}\x07"


def _sixel(image: Image, columns: int, rows: int) -> str:
    """https://vt100.net/docs/vt3xx-gp/chapter14.html"""
    import numpy as np
    from PIL.Image import Quantize

    few = image.quantize(255, Quantize.MEDIANCUT)
    pixels = np.asarray(few)
    palette = few.getpalette() or []
    parts = [f'\x1bP0;1q"1;1;{image.width};{image.height}']
    for colour in np.unique(pixels).tolist():
        red, green, blue = (round(one / 2.55) for one in palette[colour * 3 : colour * 3 + 3])
        parts.append(f"#{colour};2;{red};{green};{blue}")
    for top in range(0, image.height, 6):
        band = pixels[top : top + 6]
        weights = 1 << np.arange(len(band), dtype=np.uint8)[:, None]
        for colour in np.unique(band).tolist():
            sixels = ((band == colour) * weights).sum(0, dtype=np.uint8) + 63
            parts.append(f"#{colour}{_runs(sixels.tobytes().decode('ascii'))}$")
        parts.append("-")
    return "".join(parts) + "\x1b\\"


def _runs(text: str) -> str:
    return re.sub(r"(.)\1{3,}", lambda run: f"!{len(run[0])}{run[1]}", text, flags=re.DOTALL)


def _blocks(image: Image) -> Iterator[Segment]:
    """Two pixels, one above the other, in each character."""
    from rich.segment import Segment

    pixels = image.load()
    assert pixels is not None
    for row in range(0, image.height, 2):
        run, before = 0, None
        for column in range(image.width):
            style = _style(pixels[column, row], pixels[column, row + 1])
            if style is not before and before is not None:
                yield Segment("▀" * run, before)
                run = 0
            run, before = run + 1, style
        yield Segment("▀" * run, before)
        yield Segment.line()


@lru_cache(4096)
def _style(upper: tuple[int, int, int], lower: tuple[int, int, int]) -> Style:
    from rich.color import Color
    from rich.style import Style

    return Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))
