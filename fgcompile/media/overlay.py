"""A saliency map beside and over its photo: photo | map | overlay above a caption."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fgcompile.system.text import visible

_COLORS = Path(__file__).with_name("inferno.csv")
_FONT = Path(__file__).with_name("DejaVuSans.ttf")
"""It has the letters of most scripts that class names are written in; Pillow's own has few."""

_PERCENTILE = 99.5
_OPACITY = 0.9
_WARMEST = 0.85  # of the colormap, over a photo: its pale yellow end turns green on dark objects
_DIM = 0.8
_LUMA = np.array([0.299, 0.587, 0.114])
_GAP = 4
_BACKGROUND = (17, 20, 26)
_INK = (236, 239, 244)
_MUTED = (152, 162, 179)
_SMALLEST = 160


def normalise(saliency: NDArray[Any]) -> NDArray[np.float64]:
    """Scales a map to [0, 1]: its minimum to 0, its 99.5th percentile to 1, so that one hot pixel dims nothing else."""
    values = np.asarray(saliency, dtype=np.float64)
    low = float(values.min())
    high = float(np.percentile(values, _PERCENTILE))
    if high <= low:  # a map with fewer than 0.5 % of its pixels alight, or a constant one
        high = float(values.max())
    if high <= low:
        return np.zeros_like(values)
    return np.clip((values - low) / (high - low), 0, 1)


def colour(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours a map in [0, 1], shape ``(H, W)``, as RGB in [0, 255], shape ``(H, W, 3)``."""
    colors = _colors()
    steps = (np.nan_to_num(strength) * len(colors)).astype(np.intp)
    return np.asarray(colors[steps.clip(max=len(colors) - 1)])


def draw_panel(photo: NDArray[np.uint8], saliency: NDArray[Any], title: str, detail: str = "") -> Image.Image:
    """Draws photo, map and overlay side by side above one line of caption.

    Args:
        photo: uint8 ``(H, W, C)``; other than in three colours, it is shown as the mean of its channels.
        saliency: ``(H, W)``, any scale.
        title: The caption's first part, e.g. the class name; shortened where it does not fit.
        detail: Its second part, e.g. the score, set at the right.

    Returns:
        An RGB image of three tiles; tiles of small inputs are enlarged by a whole factor, pixel by pixel.
    """
    base = photo if photo.shape[2] == 3 else _as_grey(photo)
    strength = normalise(saliency)
    heat = colour(strength)
    blend = _blend(base, strength)
    title, detail = visible(title), visible(detail)  # Pillow measures no text of two lines
    factor = max(1, -(-_SMALLEST // min(base.shape[:2])))
    tiles = [_enlarge(tile, factor) for tile in (base, heat, blend)]
    width, height = tiles[0].size
    font_size = max(11, min(15, width // 14))
    strip = 2 * font_size
    panel = Image.new("RGB", (3 * width + 2 * _GAP, height + strip), _BACKGROUND)
    for index, tile in enumerate(tiles):
        panel.paste(tile, (index * (width + _GAP), 0))
    _write_caption(panel, height + strip // 2, title, detail, font_size)
    return panel


def _as_grey(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(np.rint(photo.mean(2, keepdims=True)).astype(np.uint8), 3, axis=2)


def _blend(base: NDArray[np.uint8], strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lays the coloured map over the photo in grey, so that all colour is the map's."""
    grey = (base @ _LUMA)[..., None]
    lit = (0.4 * grey + 0.75 * colour(_WARMEST * strength)).clip(
        0, 255
    )  # the photo's texture stays visible in the brightest parts
    opacity = (_OPACITY * strength)[..., None]
    return np.asarray((1 - opacity) * _DIM * grey + opacity * lit)


def _enlarge(tile: NDArray[Any], factor: int) -> Image.Image:
    image = Image.fromarray(np.rint(tile).astype(np.uint8))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _write_caption(panel: Image.Image, middle: int, title: str, detail: str, size: int) -> None:
    draw = ImageDraw.Draw(panel)
    font = _font(size)
    margin = size // 2 + 2
    room = panel.width - 3 * margin - draw.textlength(detail, font)
    if draw.textlength(title, font) > room:
        while title and draw.textlength(f"{title}…", font) > room:
            title = title[:-1]
        title = f"{title}…"
    draw.text((margin, middle), title, _INK, font, anchor="lm")
    draw.text((panel.width - margin, middle), detail, _MUTED, font, anchor="rm")


@cache
def _colors() -> NDArray[np.float64]:
    """The colour map, shape ``(256, 3)``, in [0, 255]."""
    return np.loadtxt(_COLORS, delimiter=",") * 255


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONT, size)
