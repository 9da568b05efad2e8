"""Tiles and their captions: an overlay, photo, map and overlay, or several maps of one input on one scale.

Of exactly two maps the last tile is the first minus the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fgcompile.drawing.blending import Style, style_of
from fgcompile.drawing.captions import (
    BACKGROUND,
    INKS,
    Color,
    ColourBar,
    draw_bar,
    font_size_of,
    lay_out,
    margin_of,
    strip_of,
    wrap,
    write_caption,
)
from fgcompile.drawing.marks import NONE, Marks
from fgcompile.drawing.palettes import LESS, MORE
from fgcompile.drawing.photo import Photo, in_colour
from fgcompile.drawing.subjects import Shown, Subject

GAP = 4
_COLUMNS = 4
_WIDEST = 1800
"""Of a row of tiles, in pixels: of large ones there are fewer in a row."""

_NARROWEST = 160
"""Of a tile with a caption, in pixels."""

_LONGEST_BAR = 16
"""In sizes of its font."""


@dataclass(frozen=True)
class _Tile:
    """A picture, its caption, and the scale of its colours where that is shown below it."""

    image: Image.Image
    title: str
    detail: str = ""
    inks: tuple[Color, Color] = INKS
    bar: ColourBar | None = None


def draw_overlay(subject: Subject, shown: Shown, signed: bool, style: Style, caption: bool = True) -> Image.Image:
    """Draws an input under its map, at its own size.

    Args:
        subject: The input.
        shown: The map.
        signed: Whether its sign says something.
        style: Colours and opacity.
        caption: Whether title, detail and the colours' scale stand below.
    """
    scale = subject.scale(shown.saliency, signed)
    image = subject.over(shown.saliency, scale, style, shown.marks)
    return _arrange([_Tile(image, shown.title, shown.detail, bar=subject.bar(scale, style))]) if caption else image


def draw_panel(
    photo: NDArray[np.uint8],
    saliency: NDArray[Any],
    title: str,
    detail: str = "",
    marks: Marks = NONE,
    signed: bool = False,
) -> Image.Image:
    """Draws photo, map and overlay side by side above a caption.

    Args:
        photo: uint8 ``(H, W, C)``; other than in three colours, it is shown as the mean of its channels.
        saliency: ``(H, W)``, any scale.
        title: The caption's first part, e.g. the class name; in several lines where it is long.
        detail: Its second part, e.g. the score, set at the right.
        marks: What is drawn into photo and overlay.
        signed: Whether the map's sign says something, so that 0 is where nothing is drawn.

    Returns:
        An RGB image of three tiles; tiles of small inputs are enlarged by a whole factor, pixel by pixel.
    """
    return draw_photo(Photo(in_colour(photo)), Shown(saliency, title, detail, marks), signed, style_of(signed))


def draw_photo(photo: Photo, shown: Shown, signed: bool, style: Style) -> Image.Image:
    """Draws photo, map and overlay side by side, below them title, scale and detail; a whole photo is no larger."""
    scale = photo.scale(shown.saliency, signed)
    tiles = [
        photo.plain(shown.marks),
        photo.flat(shown.saliency, scale, style),
        photo.over(shown.saliency, scale, style, shown.marks),
    ]
    tiles = [_wide_enough(tile) for tile in tiles]
    width, height = tiles[0].size
    size = font_size_of(width, 3 * width)
    margin = margin_of(size)
    # The title below the first tile, the colours below the second, the detail below the third.
    titles, details = (wrap(text, width - 2 * margin, size) for text in (shown.title, shown.detail))
    lines = list(zip_longest(titles, details, fillvalue=""))
    panel = Image.new("RGB", (3 * width + 2 * GAP, height + strip_of(len(lines), size)), BACKGROUND)
    for index, tile in enumerate(tiles):
        panel.paste(tile, (index * (width + GAP), 0))
    write_caption(panel, height, lines, size)
    middle = height + size
    inset = (width - min(width - 2 * margin, _LONGEST_BAR * size)) // 2
    draw_bar(panel, (width + GAP + inset, 2 * width + GAP - inset, middle), ColourBar(scale, style, over=False), size)
    return panel


def draw_comparison(subject: Subject, shown: Sequence[Shown], signed: bool, style: Style) -> Image.Image:
    """Draws an input and the overlay of each map, each above its caption, at most four in a row.

    All maps are on one scale, whose numbers stand below the input, or below the first. With exactly two, the last tile
    is the first map minus the second, on a scale of its own that is symmetrical about 0: where neither is larger, the
    input shows.

    Args:
        subject: The input.
        shown: The maps.
        signed: Whether their sign says something.
        style: Their colours and opacity.

    Returns:
        An RGB image.
    """
    scale = subject.scale(np.stack([each.saliency for each in shown]), signed)
    plain = subject.plain(NONE)
    tiles = [] if plain is None else [_Tile(plain, subject.called, "one scale", bar=subject.bar(scale, style))]
    for each in shown:
        tile = subject.over(each.saliency, scale, style, each.marks)
        tiles.append(_Tile(tile, each.title, each.detail, bar=None if tiles else subject.bar(scale, style)))
    if len(shown) == 2:
        apart = np.asarray(shown[0].saliency, np.float64) - shown[1].saliency
        own, colours = subject.scale(apart, True), style_of(True, alpha=style.alpha)
        difference = subject.over(apart, own, colours, NONE)
        bar = subject.bar(own, colours)
        titles = f"more {shown[0].title}", f"or {shown[1].title}"
        tiles.append(_Tile(difference, *titles, (MORE, LESS), bar and replace(bar, words=None)))
    return _arrange(tiles)


def stack(panels: Sequence[Image.Image]) -> Image.Image:
    """Pictures one below the other."""
    width, height = max(panel.width for panel in panels), sum(panel.height + GAP for panel in panels) - GAP
    whole = Image.new("RGB", (width, height), BACKGROUND)
    top = 0
    for panel in panels:
        whole.paste(panel, (0, top))
        top += panel.height + GAP
    return whole


def _wide_enough(tile: Image.Image) -> Image.Image:
    """A tile with room for a caption below it: one of a photo that is a column stands in the middle."""
    if tile.width >= _NARROWEST:
        return tile
    wide = Image.new("RGB", (_NARROWEST, tile.height), BACKGROUND)
    wide.paste(tile, ((_NARROWEST - tile.width) // 2, 0))
    return wide


def _arrange(tiles: Sequence[_Tile]) -> Image.Image:
    tiles = [replace(tile, image=_wide_enough(tile.image)) for tile in tiles]
    width, height = tiles[0].image.size
    rows = -(-len(tiles) // max(1, min(_COLUMNS, _WIDEST // (width + GAP))))
    columns = -(-len(tiles) // rows)
    size = font_size_of(width, columns * (width + GAP) - GAP)
    captions = [lay_out(tile.title, tile.detail, width - 2 * margin_of(size), size) for tile in tiles]
    strip = strip_of(max(map(len, captions)), size)
    bars = 2 * size if any(tile.bar for tile in tiles) else 0
    panel = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + strip + bars)), BACKGROUND)
    for number, (tile, lines) in enumerate(zip(tiles, captions, strict=True)):
        captioned = Image.new("RGB", (width, height + strip + bars), BACKGROUND)
        captioned.paste(tile.image)
        write_caption(captioned, height, lines, size, tile.inks)
        if tile.bar is not None:
            right = min(width - margin_of(size), margin_of(size) + _LONGEST_BAR * size)
            draw_bar(captioned, (margin_of(size), right, height + strip + size // 2 + 2), tile.bar, size)
        row, column = divmod(number, columns)
        panel.paste(captioned, (column * (width + GAP), row * (height + strip + bars)))
    return panel
