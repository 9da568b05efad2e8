"""Bars: of a table, whose length and colour are the map's value of each number; and those of any chart of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fgcompile.drawing.blending import Style
from fgcompile.drawing.captions import BACKGROUND, INKS, Color, shorten
from fgcompile.drawing.letters import font_of
from fgcompile.drawing.marks import NONE, Marks
from fgcompile.drawing.scale import Scale, number_of, scale_of_bars

_WIDTH = 480
_ROW = 22
_MARGIN = 8
_SIZE = 12
_NAMES = 0.45
"""Of the width, at most."""
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
            Bar(_with_value(self.names[each], float(self.values[each])), 0.0, float(strength[each]),
                number_of(float(saliency[each])), _color(colours[each]))
            for each in self.shown
        ]  # fmt: skip
        left_out = len(self.names) - len(self.shown)
        return draw_bars(bars, f"and {left_out} more, each smaller" if left_out else "")


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


@dataclass(frozen=True)
class Look:
    """How bars are drawn.

    Attributes:
        inks: The colours of names and of labels.
        background: None for a transparent one.
        steps: Whether a thin line leads from each bar's end to the next, where that begins.
        zoom: How many pixels are one, for where a picture is enlarged.
    """

    inks: tuple[Color, Color] = INKS
    background: Color | None = BACKGROUND
    steps: bool = False
    zoom: int = 1

    @property
    def faint(self) -> tuple[int, ...]:
        """The colour of a line that crosses letters."""
        if self.background is None:
            return (*self.inks[1], 90)
        return tuple((2 * below + above) // 3 for above, below in zip(self.inks[1], self.background, strict=True))


def draw_bars(bars: Sequence[Bar], foot: str = "", look: Look = Look()) -> Image.Image:
    """Draws bars one below the other, on one scale, and a line below."""
    width, row, margin = (look.zoom * each for each in (_WIDTH, _ROW, _MARGIN))
    mode, paper = ("RGBA", (0, 0, 0, 0)) if look.background is None else ("RGB", look.background)
    image = Image.new(mode, (width, margin + row * (len(bars) + bool(foot))), paper)
    draw, frame, font = ImageDraw.Draw(image), _Frame.of(bars, look), font_of(look.zoom * _SIZE)
    draw.line([frame.zero, 0, frame.zero, margin + row * len(bars)], fill=look.faint, width=look.zoom)
    for number, bar in enumerate(bars):
        middle = margin + row * number + row // 2
        draw.text((frame.names, middle), _brief(bar.name, look), look.inks[0], font, "rm")
        start, end = frame.zero + frame.across * bar.start, frame.zero + frame.across * bar.end
        low, high, half = min(start, end), max(start, end, min(start, end) + 1), row // 3
        draw.rectangle([low, middle - half, high, middle + half], bar.color)
        at_left = frame.left_labels and bar.end < bar.start
        place, anchor = (low - 4 * look.zoom, "rm") if at_left else (high + 4 * look.zoom, "lm")
        draw.text((place, middle), bar.label, look.inks[1], font, anchor)
        if look.steps and number + 1 < len(bars):
            draw.line([end, middle + half, end, middle + row - half], fill=look.inks[1], width=look.zoom)
    below = shorten(foot, width - 2 * margin, look.zoom * _SIZE)
    draw.text((width - margin, margin + row * len(bars) + row // 2), below, look.inks[1], font, "rm")
    return image


@dataclass(frozen=True)
class _Frame:
    """Where things are, in pixels: the end of names, 0, how long 1 is; and whether labels are at the left of bars."""

    names: float
    zero: float
    across: float
    left_labels: bool

    @classmethod
    def of(cls, bars: Sequence[Bar], look: Look) -> Self:
        font, margin = font_of(look.zoom * _SIZE), look.zoom * _MARGIN
        names = margin + max(font.getlength(_brief(bar.name, look)) for bar in bars)
        labels = margin + max(font.getlength(bar.label) for bar in bars)
        # Bars that fall from 0 have their labels at their left; those of a waterfall all have them at the right.
        left_labels = not look.steps and any(bar.end < bar.start for bar in bars)
        left = names + margin + (labels if left_labels else 0)
        ends = [0.0, *(end for bar in bars for end in (bar.start, bar.end))]
        across = (look.zoom * _WIDTH - left - labels - margin) / ((max(ends) - min(ends)) or 1.0)
        return cls(names, left - across * min(ends), across, left_labels)


def _with_value(name: str, value: float) -> str:
    """A number by name, of which a long name is shortened and not the number."""
    written = f" = {number_of(value)}"
    return shorten(name, _NAMES * _WIDTH - font_of(_SIZE).getlength(written) - 1, _SIZE) + written


def _brief(name: str, look: Look) -> str:
    return shorten(name, _NAMES * look.zoom * _WIDTH, look.zoom * _SIZE)


def _color(rgb: NDArray[np.float64]) -> Color:
    red, green, blue = (round(float(part)) for part in rgb)
    return red, green, blue
