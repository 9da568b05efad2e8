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
    enlarge,
    enlargement,
    font_size_of,
    grey_of,
    in_colour,
    lay_over,
    normalise,
    write_caption,
)
from fgcompile.media.signed import LESS, MORE, blend_signed, normalise_signed

_COLUMNS = 4


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


def draw_comparison(photo: NDArray[np.uint8], shown: Sequence[Shown], signed: bool = False) -> Image.Image:
    """Draws a photo and the overlay of each map, each above its caption, four in a row.

    All maps are on one scale, as ``normalise`` or ``normalise_signed`` makes it for all of them together. With exactly
    two, the last tile is the first map minus the second, on a scale of its own that is symmetrical about 0: where
    neither is larger, the photo shows.

    Args:
        photo: uint8 ``(H, W, C)``.
        shown: The maps, ``(H, W)`` each.
        signed: Whether their sign says something.

    Returns:
        An RGB image.
    """
    base = in_colour(photo)
    factor = enlargement(base)
    maps = np.stack([each.saliency for each in shown])
    strengths = normalise_signed(maps) if signed else normalise(maps)
    tiles = [_Tile(enlarge(base, factor), "photo")]
    for each, strength in zip(shown, strengths, strict=True):
        tile = enlarge(lay_over(base, strength, signed), factor)
        draw_marks(tile, each.marks)
        tiles.append(_Tile(tile, each.title, each.detail))
    if len(shown) == 2:
        apart = normalise_signed(np.asarray(shown[0].saliency, np.float64) - shown[1].saliency)
        difference = enlarge(blend_signed(grey_of(base), apart), factor)
        tiles.append(_Tile(difference, f"more {shown[0].title}", f"more {shown[1].title}", (MORE, LESS)))
    return _arrange(tiles)


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
