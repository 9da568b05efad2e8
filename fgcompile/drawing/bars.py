"""Bars: of a table, whose length and colour are the map's value of each number; and those of any chart of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fgcompile.drawing.blending import Style
from fgcompile.drawing.captions import BACKGROUND, INKS, Color, font_of, shorten
from fgcompile.drawing.marks import NONE, Marks
from fgcompile.drawing.scale import Scale, number_of, scale_of_bars

_WIDTH = 480
_ROW = 22
_MARGIN = 8
_SIZE = 12
_MOST = 24
"""Of more features those are drawn that have the largest of the maps' values."""


@dataclass(frozen=True)
class Table:
    """A row of a table.

    Attributes:
        names: Of its numbers.
        values: These; ``(L,)``.
        shown: Which of them are drawn, in this order.
    """

    names: Sequence[str]
    values: NDArray[Any]
    shown: Sequence[int]

    called = "table"

    def plain(self, marks: Marks = NONE) -> Image.Image | None:
        """Nothing: the numbers stand beside the bars."""
        return None

    def scale(self, maps: NDArray[Any], signed: bool) -> Scale:
        """From 0, so that a bar is as long as its value."""
        return scale_of_bars(maps, signed)

    def bar(self, scale: Scale, style: Style) -> None:
        """None: the numbers stand at the bars."""

    def over(self, saliency: NDArray[Any], scale: Scale, style: Style, marks: Marks = NONE) -> Image.Image:
        """A bar for each, its name and value to the left, the map's value to the right."""
        strength = scale.strength(saliency)
        colours = style.palette.over(strength)
        bars = [
            Bar(f"{self.names[each]} = {number_of(float(self.values[each]))}", 0.0, float(strength[each]),
                number_of(float(saliency[each])), _color(colours[each]))
            for each in self.shown
        ]  # fmt: skip
        left_out = len(self.names) - len(self.shown)
        return draw_bars(bars, foot=f"and {left_out} more, each smaller" if left_out else "")


@dataclass(frozen=True)
class Bar:
    """A bar.

    Attributes:
        name: At its left.
        start: Where it begins.
        end: Where it ends.
        label: At its right end.
        color: Its colour.
    """

    name: str
    start: float
    end: float
    label: str
    color: Color


def chosen(maps: NDArray[Any]) -> list[int]:
    """Which numbers of a table are drawn: all, or those with the largest magnitudes in any of the maps, ``(T, L)``."""
    sizes = np.abs(np.nan_to_num(np.asarray(maps, np.float64))).max(0)
    if len(sizes) <= _MOST:
        return list(range(len(sizes)))
    return [int(place) for place in np.argsort(-sizes, kind="stable")[:_MOST]]


def draw_bars(
    bars: Sequence[Bar],
    foot: str = "",
    steps: bool = False,
    inks: tuple[Color, Color] = INKS,
    background: Color | None = BACKGROUND,
) -> Image.Image:
    """Draws bars one below the other, on one scale.

    Args:
        bars: The bars.
        foot: A line below.
        steps: Whether a thin line leads from each one's end to the next, where that begins.
        inks: The colours of names and of labels.
        background: None for a transparent one.
    """
    names = max(font_of(_SIZE).getlength(shorten(bar.name, _WIDTH * 0.45, _SIZE)) for bar in bars)
    labels = max(font_of(_SIZE).getlength(bar.label) for bar in bars)
    low = min(0.0, *(min(bar.start, bar.end) for bar in bars))
    high = max(0.0, *(max(bar.start, bar.end) for bar in bars))
    below = any(min(bar.start, bar.end) < 0 and bar.end < bar.start for bar in bars) and not steps
    left = names + 2 * _MARGIN + (labels + _MARGIN if below else 0)
    across = (_WIDTH - left - labels - 2 * _MARGIN) / ((high - low) or 1.0)
    mode, paper = ("RGBA", (0, 0, 0, 0)) if background is None else ("RGB", background)
    image = Image.new(mode, (_WIDTH, _MARGIN + _ROW * (len(bars) + bool(foot))), paper)
    draw = ImageDraw.Draw(image)
    zero = left - across * low
    draw.line([zero, 0, zero, _MARGIN + _ROW * len(bars)], fill=_faint(inks[1], background))
    for row, bar in enumerate(bars):
        middle = _MARGIN + _ROW * row + _ROW // 2
        ends = sorted((zero + across * bar.start, zero + across * bar.end))
        draw.rectangle([ends[0], middle - 7, max(ends[1], ends[0] + 1), middle + 7], fill=bar.color)
        draw.text((names + _MARGIN, middle), shorten(bar.name, _WIDTH * 0.45, _SIZE), inks[0], font_of(_SIZE), "rm")
        outside = (ends[0] - 4, "rm") if below and bar.end < bar.start else (ends[1] + 4, "lm")
        draw.text((outside[0], middle), bar.label, inks[1], font_of(_SIZE), outside[1])
        if steps and row + 1 < len(bars):
            end = zero + across * bar.end
            draw.line([end, middle + 8, end, middle + _ROW - 8], fill=inks[1])
    if foot:
        middle = _MARGIN + _ROW * len(bars) + _ROW // 2 - 2
        draw.text((_WIDTH - _MARGIN, middle), shorten(foot, _WIDTH - 2 * _MARGIN, _SIZE), inks[1], font_of(_SIZE), "rm")
    return image


def _faint(ink: Color, background: Color | None) -> tuple[int, ...]:
    """The colour of a line that crosses letters."""
    if background is None:
        return (*ink, 90)
    return tuple((2 * below + above) // 3 for above, below in zip(ink, background, strict=True))


def _color(rgb: NDArray[np.float64]) -> Color:
    red, green, blue = (round(float(part)) for part in rgb)
    return red, green, blue
