"""Signals over time: each channel's line over the colours of the map, which has one value for each place."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fgcompile.drawing.blending import Style, blend
from fgcompile.drawing.captions import BACKGROUND, INKS, write_label
from fgcompile.drawing.letters import font_of
from fgcompile.drawing.marks import NONE, Marks
from fgcompile.drawing.scale import Scale
from fgcompile.drawing.subjects import Spread

_WIDTH = 640
_ROW = 150
_ROWS = 8
"""Channels with a line of their own; more of them are a row of pixels each, as a spectrogram has them."""

_AXIS = 20
_PAPER = 60.0  # what the map is laid over
_FINE = 2  # lines are drawn so much larger, and made smaller


@dataclass(frozen=True)
class Series(Spread):
    """A signal.

    Attributes:
        values: ``(C, L)``; None of what has no values to draw, such as ids.
        length: L.
    """

    values: NDArray[Any] | None
    length: int

    called = "signal"

    def plain(self, marks: Marks = NONE) -> Image.Image | None:
        """Nothing: the line is seen over the map as well."""
        return None

    def over(self, saliency: NDArray[Any], scale: Scale, style: Style, marks: Marks = NONE) -> Image.Image:
        """The lines, above the places' numbers."""
        columns = _columns(scale.strength(saliency))
        values = self.values
        if values is None or len(values) > _ROWS:
            body = _as_pixels(values, columns, style)
        else:
            body = Image.new("RGB", (_WIDTH, len(values) * max(_ROW // len(values), _ROW // 2)))
            height = body.height // len(values)
            for number, line in enumerate(values):
                body.paste(_draw_line(line, columns, style, height), (0, number * height))
                if len(values) > 1:
                    write_label(body, (5, number * height + 5), f"channel {number}")
        whole = Image.new("RGB", (_WIDTH, body.height + _AXIS), BACKGROUND)
        whole.paste(body)
        _draw_axis(whole, self.length)
        return whole


def _columns(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """A strength for each column of pixels: of the places that fall into one, that of the largest magnitude."""
    length = len(strength)
    starts = (np.arange(_WIDTH) * length) // _WIDTH
    ends = np.maximum(((np.arange(_WIDTH) + 1) * length) // _WIDTH, starts + 1)
    parts = (strength[start:end] for start, end in zip(starts, ends, strict=True))
    return np.array([part[np.abs(part).argmax()] for part in parts])


def _background(columns: NDArray[np.float64], style: Style, height: int) -> Image.Image:
    colours = blend(np.full((1, _WIDTH, 1), _PAPER), columns[np.newaxis], style)
    return Image.fromarray(np.rint(colours).astype(np.uint8)).resize((_WIDTH, height))


def _draw_line(line: NDArray[Any], columns: NDArray[np.float64], style: Style, height: int) -> Image.Image:
    line = np.nan_to_num(np.asarray(line, np.float64))
    low, high = float(line.min()), float(line.max())
    margin = height / 10
    up = (height - 2 * margin) / ((high - low) or 1.0)
    ys = _FINE * (height - margin - up * (line - low) if high > low else np.full(len(line), height / 2))
    xs = _FINE * _WIDTH * (np.arange(len(line)) + 0.5) / len(line)
    size = (_FINE * _WIDTH, _FINE * height)
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    if len(line) > _FINE * _WIDTH:  # of what falls into one column the least and the greatest are drawn
        places = (np.arange(size[0] + 1) * len(line)) // size[0]
        for x, (start, end) in enumerate(pairwise(places)):
            top, bottom = ys[start:end].min(), ys[start:end].max()
            draw.line([x, top, x, bottom + 2], fill=255, width=2)
    elif len(line) == 1:
        draw.ellipse([xs[0] - 5, ys[0] - 5, xs[0] + 5, ys[0] + 5], fill=255)
    else:
        draw.line([(float(x), float(y)) for x, y in zip(xs, ys, strict=True)], fill=255, width=2 * _FINE, joint="curve")
    mask = mask.resize((_WIDTH, height), Image.Resampling.LANCZOS)
    body = _background(columns, style, height)
    body.paste(INKS[0], mask=mask)
    return body


def _as_pixels(values: NDArray[Any] | None, columns: NDArray[np.float64], style: Style) -> Image.Image:
    """The channels as rows of grey, the first at the top, or the colours alone."""
    if values is None:
        return _background(columns, style, _ROW // 2)
    numbers = np.nan_to_num(np.asarray(values, np.float32))
    low, high = float(numbers.min()), float(numbers.max())
    grey = Image.fromarray((numbers - low) * (255 / ((high - low) or 1.0))).resize((_WIDTH, 2 * _ROW))
    colours = blend(np.asarray(grey, np.float64)[..., np.newaxis], np.tile(columns, (2 * _ROW, 1)), style)
    return Image.fromarray(np.rint(colours).clip(0, 255).astype(np.uint8))


def _draw_axis(whole: Image.Image, length: int) -> None:
    draw, font = ImageDraw.Draw(whole), font_of(11)
    middle = whole.height - _AXIS // 2
    for part, anchor in ((0.0, "lm"), (0.25, "mm"), (0.5, "mm"), (0.75, "mm"), (1.0, "rm")):
        place = min(length - 1, int(part * length))
        x = 5 if part == 0 else _WIDTH - 5 if part == 1 else _WIDTH * (place + 0.5) / length
        if length >= 8 or part in (0.0, 1.0):
            draw.text((x, middle), str(place), INKS[1], font, anchor=anchor)
