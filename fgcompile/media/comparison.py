"""Several maps of one photo side by side on one scale, and of two their difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fgcompile.media.marks import NONE, Marks, draw_marks
from fgcompile.media.overlay import (
    BACKGROUND,
    GAP,
    INKS,
    Color,
    blend,
    enlarge,
    enlargement,
    font_size_of,
    grey_of,
    in_colour,
    normalise,
    write_caption,
)

_COLUMNS = 4
_PERCENTILE = 99.5
_MORE = (255, 140, 40)
_LESS = (90, 160, 255)
"""Orange where the first map is larger, blue where the second is; also for those who see no red or green."""


class Shown(NamedTuple):
    """A map with its words."""

    saliency: NDArray[Any]
    title: str
    detail: str = ""
    marks: Marks = NONE


class _Tile(NamedTuple):
    image: Image.Image
    title: str
    detail: str = ""
    inks: tuple[Color, Color] = INKS


def draw_comparison(photo: NDArray[np.uint8], shown: Sequence[Shown]) -> Image.Image:
    """Draws a photo and the overlay of each map, each above its caption, four in a row.

    All maps are on one scale, as ``normalise`` makes it for all of them together. With exactly two, the last tile is
    the first map minus the second, on a scale of its own that is symmetrical about 0: where neither is larger, the
    photo shows.

    Args:
        photo: uint8 ``(H, W, C)``.
        shown: The maps, ``(H, W)`` each.

    Returns:
        An RGB image.
    """
    base = in_colour(photo)
    factor = enlargement(base)
    strengths = normalise(np.stack([each.saliency for each in shown]))
    tiles = [_Tile(enlarge(base, factor), "photo")]
    for each, strength in zip(shown, strengths, strict=True):
        tile = enlarge(blend(base, strength), factor)
        draw_marks(tile, each.marks)
        tiles.append(_Tile(tile, each.title, each.detail))
    if len(shown) == 2:
        difference = enlarge(_difference(base, shown[0].saliency, shown[1].saliency), factor)
        tiles.append(_Tile(difference, f"more {shown[0].title}", f"more {shown[1].title}", (_MORE, _LESS)))
    return _arrange(tiles)


def _difference(base: NDArray[np.uint8], first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """``first − second`` over the photo in grey: its sign is the hue, its magnitude the opacity."""
    difference = np.nan_to_num(np.asarray(first, np.float64) - np.asarray(second, np.float64))
    size = np.abs(difference)
    most = float(np.percentile(size, _PERCENTILE)) or float(size.max()) or 1.0
    opacity = np.clip(size / most, 0, 1)[..., None]
    hue = np.where((difference > 0)[..., None], np.array(_MORE, np.float64), np.array(_LESS, np.float64))
    return np.asarray((1 - opacity) * 0.6 * grey_of(base) + opacity * (0.8 * hue + 0.2 * grey_of(base)))


def _arrange(tiles: Sequence[_Tile]) -> Image.Image:
    width, height = tiles[0].image.size
    size = font_size_of(width)
    strip = 2 * size
    columns = min(len(tiles), _COLUMNS)
    rows = -(-len(tiles) // columns)
    panel = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + strip)), BACKGROUND)
    for number, tile in enumerate(tiles):
        captioned = Image.new("RGB", (width, height + strip), BACKGROUND)
        captioned.paste(tile.image)
        write_caption(captioned, height + strip // 2, tile.title, tile.detail, size, tile.inks)
        row, column = divmod(number, columns)
        panel.paste(captioned, (column * (width + GAP), row * (height + strip)))
    return panel
