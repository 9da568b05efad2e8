"""A saliency map beside and over its photo: photo | map | overlay above a caption."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fgcompile.media.marks import NONE, Marks, draw_marks
from fgcompile.media.signed import LEGEND, blend_signed, colour_signed, normalise_signed
from fgcompile.system.text import visible

_COLORS = Path(__file__).with_name("inferno.csv")
_FONT = Path(__file__).with_name("DejaVuSans.ttf")
"""It has the letters of most scripts that class names are written in; Pillow's own has few."""

_PERCENTILE = 99.5
_OPACITY = 0.9
_WARMEST = 0.85  # of the colormap, over a photo: its pale yellow end turns green on dark objects
_DIM = 0.8
_LUMA = np.array([0.299, 0.587, 0.114])
GAP = 4
BACKGROUND = (17, 20, 26)
Color = tuple[int, int, int]
INKS: tuple[Color, Color] = ((236, 239, 244), (152, 162, 179))
"""Of the two parts of a caption."""
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


def draw_panel(
    photo: NDArray[np.uint8],
    saliency: NDArray[Any],
    title: str,
    detail: str = "",
    marks: Marks = NONE,
    signed: bool = False,
) -> Image.Image:
    """Draws photo, map and overlay side by side above one line of caption.

    Args:
        photo: uint8 ``(H, W, C)``; other than in three colours, it is shown as the mean of its channels.
        saliency: ``(H, W)``, any scale.
        title: The caption's first part, e.g. the class name; shortened where it does not fit.
        detail: Its second part, e.g. the score, set at the right.
        marks: What is drawn into photo and overlay.
        signed: Whether the map's sign says something, so that 0 is where nothing is drawn.

    Returns:
        An RGB image of three tiles; tiles of small inputs are enlarged by a whole factor, pixel by pixel.
    """
    base = in_colour(photo)
    strength = normalise_signed(saliency) if signed else normalise(saliency)
    drawn = colour_signed(strength) if signed else colour(strength)
    factor = enlargement(base)
    tiles = [enlarge(tile, factor) for tile in (base, drawn, lay_over(base, strength, signed))]
    for tile in (tiles[0], tiles[2]):
        draw_marks(tile, marks)
    width, height = tiles[0].size
    font_size = font_size_of(width)
    strip = 2 * font_size
    panel = Image.new("RGB", (3 * width + 2 * GAP, height + strip), BACKGROUND)
    for index, tile in enumerate(tiles):
        panel.paste(tile, (index * (width + GAP), 0))
    detail = ", ".join(filter(None, (detail, LEGEND if signed else "")))
    write_caption(panel, height + strip // 2, title, detail, font_size)
    return panel


def in_colour(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A photo of any channels in three; other than in three colours, it is the mean of its channels."""
    if photo.shape[2] == 3:
        return photo
    return np.repeat(np.rint(photo.mean(2, keepdims=True)).astype(np.uint8), 3, axis=2)


def grey_of(base: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A photo's brightness, ``(H, W, 1)`` in [0, 255]."""
    return np.asarray((base @ _LUMA)[..., None])


def enlargement(base: NDArray[np.uint8]) -> int:
    """By which whole factor a tile of a photo is enlarged."""
    return max(1, -(-_SMALLEST // int(min(base.shape[:2]))))


def font_size_of(width: int) -> int:
    """The size of captions below tiles of a width."""
    return max(11, min(15, width // 14))


def lay_over(base: NDArray[np.uint8], strength: NDArray[np.float64], signed: bool) -> NDArray[np.float64]:
    """Lays a map over its photo, as it was scaled: by ``normalise``, or ``normalise_signed``."""
    return blend_signed(grey_of(base), strength) if signed else blend(base, strength)


def blend(base: NDArray[np.uint8], strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lays the coloured map over the photo in grey, so that all colour is the map's."""
    grey = grey_of(base)
    lit = (0.4 * grey + 0.75 * colour(_WARMEST * strength)).clip(
        0, 255
    )  # the photo's texture stays visible in the brightest parts
    opacity = (_OPACITY * strength)[..., None]
    return np.asarray((1 - opacity) * _DIM * grey + opacity * lit)


def enlarge(tile: NDArray[Any], factor: int) -> Image.Image:
    """An array in [0, 255] as an image, each pixel a square."""
    image = Image.fromarray(np.rint(tile).astype(np.uint8))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def write_caption(
    panel: Image.Image, middle: int, title: str, detail: str, size: int, inks: tuple[Color, Color] = INKS
) -> None:
    """Writes a caption below tiles: its first part, and at the right its second; both shortened where they do not fit.

    Args:
        panel: What is drawn into.
        middle: Where the line is.
        title: The first part.
        detail: The second, of which no more than half of the line is.
        size: Of the font.
        inks: The colours of the two.
    """
    draw = ImageDraw.Draw(panel)
    font = font_of(size)
    margin = size // 2 + 2
    room = panel.width - 3 * margin
    detail = _shorten(visible(detail), room / 2, draw, font)  # Pillow measures no text of two lines
    title = _shorten(visible(title), room - draw.textlength(detail, font), draw, font)
    draw.text((margin, middle), title, inks[0], font, anchor="lm")
    draw.text((panel.width - margin, middle), detail, inks[1], font, anchor="rm")


def _shorten(text: str, room: float, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont) -> str:
    if draw.textlength(text, font) <= room:
        return text
    while text and draw.textlength(f"{text}…", font) > room:
        text = text[:-1]
    return f"{text}…"


@cache
def _colors() -> NDArray[np.float64]:
    """The colour map, shape ``(256, 3)``, in [0, 255]."""
    return np.loadtxt(_COLORS, delimiter=",") * 255


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """The font of captions."""
    return ImageFont.truetype(_FONT, size)
