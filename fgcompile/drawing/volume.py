"""Volumes by slices: the same ones, evenly spaced, of the input and of every map of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fgcompile.drawing.blending import Style
from fgcompile.drawing.captions import BACKGROUND, write_label
from fgcompile.drawing.marks import NONE, Marks
from fgcompile.drawing.photo import Photo
from fgcompile.drawing.scale import Scale
from fgcompile.drawing.subjects import Spread

_SLICES = 8
_COLUMNS = 4
_GAP = 2


@dataclass(frozen=True)
class Volume(Spread):
    """A volume, or a film.

    Attributes:
        pixels: uint8 ``(D, H, W, 3)``.
    """

    pixels: NDArray[np.uint8]

    called = "slices"

    def plain(self, marks: Marks = NONE) -> Image.Image | None:
        """The slices by themselves."""
        return _in_rows([(place, Photo(self.pixels[place]).plain()) for place in self._places()])

    def over(self, saliency: NDArray[Any], scale: Scale, style: Style, marks: Marks = NONE) -> Image.Image:
        """The slices under those of the map."""
        return _in_rows(
            [(place, Photo(self.pixels[place]).over(saliency[place], scale, style)) for place in self._places()]
        )

    def _places(self) -> list[int]:
        """In the middle of as many equal parts, from the first slice to the last where all are shown."""
        depth = len(self.pixels)
        count = min(depth, _SLICES)
        return [(2 * number + 1) * depth // (2 * count) for number in range(count)]


def _in_rows(slices: list[tuple[int, Image.Image]]) -> Image.Image:
    width, height = slices[0][1].size
    columns = min(len(slices), _COLUMNS)
    rows = -(-len(slices) // columns)
    whole = Image.new("RGB", (columns * (width + _GAP) - _GAP, rows * (height + _GAP) - _GAP), BACKGROUND)
    for number, (place, tile) in enumerate(slices):
        write_label(tile, (5, 5), f"slice {place}")
        row, column = divmod(number, columns)
        whole.paste(tile, (column * (width + _GAP), row * (height + _GAP)))
    return whole
