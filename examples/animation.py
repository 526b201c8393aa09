"""Screens of a terminal, one after the other, as an SVG that moves: CSS, no script.

Each line that was ever seen is drawn once and shown while it was there. Where nothing moves, the
last screen is to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from rich.ansi import AnsiDecoder
from rich.cells import cell_len
from rich.color import blend_rgb
from rich.color_triplet import ColorTriplet
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME as THEME

ACROSS, DOWN = 8.4, 18.0
"""Pixels of a character: 0.6 of the size of the font, as in most fonts of one width."""
SIZE = 14
MARGIN = 14.0
BAR = 34.0
"""Height of what stands above the screen: three dots and a title."""


@dataclass(frozen=True)
class Frame:
    at: float
    """Seconds since the beginning."""
    screen: str
    """Its lines, with colours as escape sequences."""
    cursor: tuple[int, int] | None = None
    """Column and line, where it is to be seen."""


Shown = list[tuple[float, float]]
"""From when to when, in seconds."""


def animate(frames: Sequence[Frame], columns: int, hold: float, title: str) -> str:
    """As high as the screen was ever filled. Deterministic.

    `hold`: seconds that the last screen stays before all begins again.
    """
    end = frames[-1].at + hold
    seen = _seen(frames, end)
    rows = 1 + max((row for row, _ in seen), default=0)
    numbers: dict[str, int] = {}
    """Of each line that was ever seen."""
    uses: list[str] = []
    moves: list[str] = []
    for (row, drawn), shown in seen.items():
        number = numbers.setdefault(drawn, len(numbers))
        use = f'<use href="#l{number}" y="{_short(row * DOWN)}"'
        if shown == [(0.0, end)]:
            uses.append(f"{use}/>")
            continue
        last = shown[-1][1] == end
        uses.append(f'{use} class="{"e" if last else "h"}" style="animation-name:k{len(moves)}"/>')
        moves.append(f"@keyframes k{len(moves)}{{{_keys(shown, end)}}}")
    width, height = columns * ACROSS + 2 * MARGIN, rows * DOWN + BAR + MARGIN
    ground, ink = THEME.background_color.hex, THEME.foreground_color.hex
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_short(width)} '
            f'{_short(height)}" width="{_short(width)}" xml:space="preserve">',
            f"<style>text{{font:{SIZE}px 'Fira Code',Menlo,Consolas,'DejaVu Sans Mono',monospace;"
            f"fill:{ink}}}.b{{font-weight:bold}}.i{{font-style:italic}}.u{{text-decoration:"
            f"underline}}.h{{visibility:hidden}}.h,.e{{animation:{_short(end)}s step-end infinite}}"
            "@media(prefers-reduced-motion:reduce){.h,.e{animation:none}}",
            *moves,
            "</style>",
            f'<rect width="100%" height="100%" rx="8" fill="{ground}"/>',
            *(
                f'<circle cx="{22 + at * 20}" cy="18" r="6" fill="{colour}"/>'
                for at, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
            ),
            f'<text x="50%" y="23" text-anchor="middle">{escape(title)}</text>',
            "<defs>",
            *(f'<g id="l{number}">{drawn}</g>' for drawn, number in numbers.items()),
            "</defs>",
            f'<g transform="translate({_short(MARGIN)} {_short(BAR)})">',
            *uses,
            "</g>",
            "</svg>\n",
        )
    )


def _seen(frames: Sequence[Frame], end: float) -> dict[tuple[int, str], Shown]:
    """What each row showed, and when."""
    seen: dict[tuple[int, str], Shown] = {}
    ends = [frame.at for frame in frames[1:]] + [end]
    for frame, until in zip(frames, ends, strict=True):
        if until <= frame.at:
            continue
        for row, drawn in _rows(frame):
            shown = seen.setdefault((row, drawn), [])
            if shown and shown[-1][1] == frame.at:
                shown[-1] = (shown[-1][0], until)
            else:
                shown.append((frame.at, until))
    return seen


def _rows(frame: Frame) -> Iterator[tuple[int, str]]:
    """The rows of a screen that are not empty, drawn."""
    console = Console(width=1000, color_system="truecolor", legacy_windows=False)
    for row, line in enumerate(AnsiDecoder().decode(frame.screen)):
        parts = []
        column = 0
        for segment in console.render(line, console.options.update(no_wrap=True)):
            text = segment.text.rstrip("\n")
            parts.append(_part(text, segment.style or Style.null(), column))
            column += cell_len(text)
        if drawn := "".join(parts):
            yield row, drawn
    if frame.cursor is not None:
        column, row = frame.cursor
        yield row, _box(column, 1, f'fill="{THEME.foreground_color.hex}" fill-opacity=".6"')


def _part(text: str, style: Style, column: int) -> str:
    ink, ground = _colours(style)
    width = cell_len(text)
    box = _box(column, width, f'fill="{ground.hex}"') if ground != THEME.background_color else ""
    bare = text.strip(" ")
    if not bare:
        return box
    column += cell_len(text[: len(text) - len(text.lstrip(" "))])
    looks = [
        name for name, on in (("b", style.bold), ("i", style.italic), ("u", style.underline)) if on
    ]
    marks = f' class="{" ".join(looks)}"' if looks else ""
    if ink != THEME.foreground_color:
        marks += f' fill="{ink.hex}" style="fill:{ink.hex}"'
    return (
        f'{box}<text x="{_short(column * ACROSS)}" y="{SIZE}" '
        f'textLength="{_short(cell_len(bare) * ACROSS)}"{marks}>{escape(bare)}</text>'
    )


def _box(column: int, width: int, fill: str) -> str:
    across, wide = _short(column * ACROSS), _short(width * ACROSS)
    return f'<rect x="{across}" width="{wide}" height="{_short(DOWN)}" {fill}/>'


def _colours(style: Style) -> tuple[ColorTriplet, ColorTriplet]:
    """Of the letters and of what is behind them."""
    colour, behind = style.color, style.bgcolor
    ink = colour.get_truecolor(THEME) if colour else THEME.foreground_color
    ground = behind.get_truecolor(THEME, foreground=False) if behind else THEME.background_color
    if style.reverse:
        ink, ground = ground, ink
    if style.dim:
        ink = blend_rgb(ink, ground, 0.4)
    return ink, ground


def _keys(shown: Shown, end: float) -> str:
    """Of an animation in steps, in per cent of the whole."""
    points = {0.0: "hidden"}
    for since, until in shown:
        points[since] = "visible"
        if until < end:
            points[until] = "hidden"
    return "".join(
        f"{_short(at / end * 100, 2)}%{{visibility:{what}}}" for at, what in sorted(points.items())
    )


def _short(number: float, places: int = 1) -> str:
    return f"{number:.{places}f}".rstrip("0").rstrip(".")
