"""Photos, and other inputs with height and width: whole, at their own size, with the part that the model saw marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fgcompile.drawing.blending import Style, blend, grey_of
from fgcompile.drawing.captions import BACKGROUND, Color
from fgcompile.drawing.marks import NONE, Marks, draw_marks
from fgcompile.drawing.scale import Scale
from fgcompile.drawing.subjects import Spread

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""

_SMALLEST = 160
_LARGEST = 1024
"""Sides of what is enlarged: the shorter has at least the first, the longer at most the second."""

_ROWS = 256
"""Of a photo that are blended at once: the numbers of a whole one would take 24 times its memory."""

_FRAME: tuple[Color, Color] = ((10, 14, 20), (236, 239, 244))


@dataclass(frozen=True)
class Photo(Spread):
    """A picture.

    Attributes:
        pixels: uint8 ``(H, W, 3)``.
        part: What of it the map lies over, which is marked; None for all of it.
    """

    pixels: NDArray[np.uint8]
    part: Box | None = None

    called = "photo"

    def plain(self, marks: Marks = NONE) -> Image.Image:
        """The photo; a small one is enlarged by a whole factor, pixel by pixel."""
        return self._marked(enlarge(self.pixels, enlargement(self.pixels)), marks)

    def over(self, saliency: NDArray[Any], scale: Scale, style: Style, marks: Marks = NONE) -> Image.Image:
        """The photo in grey under the map, which is enlarged smoothly to the part that it lies over."""
        strength = scale.strength(saliency)
        left, top, right, bottom = self.part or (0, 0, self.pixels.shape[1], self.pixels.shape[0])
        strength = _resize(strength, (right - left, bottom - top))
        laid = np.empty_like(self.pixels)
        for start in range(0, len(laid), _ROWS):
            rows = slice(start, start + _ROWS)
            around = np.zeros(laid[rows].shape[:2])
            inside = slice(max(top, start), min(bottom, start + _ROWS))
            if inside.start < inside.stop:
                here = strength[inside.start - top : inside.stop - top]
                around[inside.start - start : inside.stop - start, left:right] = here
            laid[rows] = np.rint(blend(grey_of(self.pixels[rows]), around, style)).clip(0, 255)
        return self._marked(enlarge(laid, enlargement(laid)), marks)

    def flat(self, saliency: NDArray[Any], scale: Scale, style: Style) -> Image.Image:
        """The map by itself, where it lies over the photo."""
        colours = style.palette.colour(scale.strength(saliency))
        height, width = self.pixels.shape[:2]
        tile = enlarge(colours, 1)
        if self.part is not None or tile.size != (width, height):
            left, top, right, bottom = self.part or (0, 0, width, height)
            lying = tile.resize((right - left, bottom - top), Image.Resampling.BILINEAR)
            tile = Image.new("RGB", (width, height), BACKGROUND)
            tile.paste(lying, (left, top))
        return enlarge(np.asarray(tile), enlargement(self.pixels))

    def _marked(self, tile: Image.Image, marks: Marks) -> Image.Image:
        if self.part is None:
            draw_marks(tile, marks)
            return tile
        factor = tile.width // self.pixels.shape[1]
        left, top, right, bottom = (factor * side for side in self.part)
        seen = tile.crop((left, top, right, bottom))
        draw_marks(seen, marks)
        tile.paste(seen, (left, top))
        _draw_frame(tile, (left, top, right, bottom))
        return tile


def in_colour(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A photo of any channels in three; other than in three colours, it is the mean of its channels."""
    if photo.shape[2] == 3:
        return photo
    return np.repeat(np.rint(photo.mean(2, keepdims=True)).astype(np.uint8), 3, axis=2)


def enlargement(base: NDArray[Any]) -> int:
    """By which whole factor a tile of a photo is enlarged; of one that is a line, not so far that it is a poster."""
    height, width = base.shape[:2]
    return max(1, min(-(-_SMALLEST // int(min(height, width))), _LARGEST // int(max(height, width))))


def enlarge(tile: NDArray[Any], factor: int) -> Image.Image:
    """An array in [0, 255] as an image, each pixel a square."""
    image = Image.fromarray(np.rint(tile).astype(np.uint8))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _resize(strength: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    if strength.shape == (size[1], size[0]):
        return strength
    image = Image.fromarray(strength.astype(np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR), np.float64)


def _draw_frame(tile: Image.Image, part: Box) -> None:
    """A light line with a dark one within, inside of the part."""
    thick = max(1, min(tile.size) // 400)
    draw = ImageDraw.Draw(tile)
    left, top, right, bottom = part
    for step, color in enumerate(reversed(_FRAME)):
        inset = step * thick
        corners = (left + inset, top + inset, right - 1 - inset, bottom - 1 - inset)
        if corners[0] < corners[2] and corners[1] < corners[3]:
            draw.rectangle(corners, outline=color, width=thick)
