"""What is written below and into pictures: captions, labels, and the bar that says what colours stand for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fgcompile.drawing.blending import Style, blend
from fgcompile.drawing.scale import Scale, number_of
from fgcompile.system.text import visible

_FONT = Path(__file__).with_name("DejaVuSans.ttf")
"""It has the letters of most scripts that class names are written in; Pillow's own has few."""

Color = tuple[int, int, int]
BACKGROUND: Color = (17, 20, 26)
INKS: tuple[Color, Color] = ((236, 239, 244), (152, 162, 179))
"""Of the two parts of a caption."""

_EDGE: Color = (10, 14, 20)
_MIDDLE_GREY = 128.0  # the photo over which the colours of a bar are shown
_TAKES, _ADDS = "takes", "adds"


def font_size_of(width: int) -> int:
    """The size of captions below tiles of a width."""
    return max(11, min(15, width // 14))


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
    margin = margin_of(size)
    room = panel.width - 3 * margin
    detail = shorten(detail, room / 2, size)
    title = shorten(title, room - draw.textlength(detail, font), size)
    draw.text((margin, middle), title, inks[0], font, anchor="lm")
    draw.text((panel.width - margin, middle), detail, inks[1], font, anchor="rm")


def write_label(image: Image.Image, place: tuple[int, int], text: str, size: int = 11) -> None:
    """Writes a few words into a picture, their upper left corner at ``place``, legible over anything."""
    ImageDraw.Draw(image).text(
        place, visible(text), INKS[0], font_of(size), anchor="lt", stroke_width=2, stroke_fill=_EDGE
    )


def draw_bar(panel: Image.Image, box: tuple[int, int, int], scale: Scale, style: Style, size: int) -> None:
    """Draws what the colours stand for: the two ends of the scale in numbers, between them its colours over grey.

    Args:
        panel: What is drawn into.
        box: Left, right, and the middle of the line.
        scale: The scale.
        style: Its colours.
        size: Of the font.
    """
    left, right, middle = box
    draw, font = ImageDraw.Draw(panel), font_of(size)
    low, high = number_of(scale.low), number_of(scale.high)
    start = left + round(draw.textlength(low, font)) + size // 2
    end = max(start + 8, right - round(draw.textlength(high, font)) - size // 2)
    draw.text((left, middle), low, INKS[1], font, anchor="lm")
    draw.text((right, middle), high, INKS[1], font, anchor="rm")
    strength = np.linspace(-1 if scale.signed else 0, 1, end - start)[np.newaxis]
    colours = blend(np.full((1, end - start, 1), _MIDDLE_GREY), strength, style)
    height = size - 1
    row = Image.fromarray(np.rint(colours).astype(np.uint8)).resize((end - start, height))
    panel.paste(row, (start, middle - height // 2))
    words = draw.textlength(f"{_TAKES}  {_ADDS}", font_of(size - 3))
    if scale.signed and words + 4 * size < end - start:
        for place, text, anchor in ((start + 3, _TAKES, "lm"), (end - 3, _ADDS, "rm")):
            draw.text((place, middle), text, _EDGE, font_of(size - 3), anchor=anchor)


def margin_of(size: int) -> int:
    """What is left free beside captions."""
    return size // 2 + 2


def shorten(text: str, room: float, size: int) -> str:
    """A text in one line, with an ellipsis where it is wider than there is room."""
    text, font = visible(text), font_of(size)  # Pillow measures no text of two lines
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(f"{text}…") > room:
        text = text[:-1]
    return f"{text}…"


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """The font of captions."""
    return ImageFont.truetype(_FONT, size)
