"""What is written below and into pictures: captions, labels, and the bar that says what colours stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fgcompile.drawing.blending import Style, blend
from fgcompile.drawing.scale import Scale, number_of
from fgcompile.system.text import visible

_PLACE = re.compile(r" at (\d+|\([\d, ]+\))$")
"""What of an element's name says where it is."""

_LEAST = 3
"""Letters of a name that stay in front of that, or else it goes."""

_FONT = Path(__file__).with_name("DejaVuSans.ttf")
"""It has the letters of most scripts that class names are written in; Pillow's own has few."""

Color = tuple[int, int, int]
BACKGROUND: Color = (17, 20, 26)
INKS: tuple[Color, Color] = ((236, 239, 244), (152, 162, 179))
"""Of the two parts of a caption."""

_EDGE: Color = (10, 14, 20)
_MIDDLE_GREY = 128.0
SIGNS = ("takes", "adds")
"""What a signed map says on either side of 0."""


@dataclass(frozen=True)
class ColourBar:
    """What says what colours stand for.

    Attributes:
        scale: The numbers at its ends.
        style: The colours.
        over: Whether they are those over a photo, of a middle grey; else the map's by itself.
        words: What the two halves of a signed one say; none where something else says so.
    """

    scale: Scale
    style: Style
    over: bool = True
    words: tuple[str, str] | None = SIGNS

    def colours(self, length: int) -> NDArray[np.uint8]:
        """``(1, length, 3)``, from one end to the other."""
        strength = np.linspace(-1 if self.scale.signed else 0, 1, length)[np.newaxis]
        grey = np.full((1, length, 1), _MIDDLE_GREY)
        rgb = blend(grey, strength, self.style) if self.over else self.style.palette.colour(strength)
        return np.rint(rgb).astype(np.uint8)


def font_size_of(width: int) -> int:
    """The size of captions below tiles of a width."""
    return max(11, min(15, width // 14), min(60, width // 80))


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
    if font.getlength(visible(title)) + font.getlength(visible(detail)) > room:
        detail = detail.removeprefix("score ")  # the number says it too, and leaves the name more room
    detail = shorten(detail, room / 2, size)
    title = shorten(title, room - draw.textlength(detail, font), size)
    draw.text((margin, middle), title, inks[0], font, anchor="lm")
    draw.text((panel.width - margin, middle), detail, inks[1], font, anchor="rm")


def write_label(image: Image.Image, place: tuple[int, int], text: str, size: int = 11) -> None:
    """Writes a few words into a picture, their upper left corner at ``place``, legible over anything."""
    ImageDraw.Draw(image).text(
        place, visible(text), INKS[0], font_of(size), anchor="lt", stroke_width=2, stroke_fill=_EDGE
    )


def draw_bar(panel: Image.Image, box: tuple[int, int, int], bar: ColourBar, size: int) -> None:
    """Draws what colours stand for: the two ends of the scale in numbers, between them its colours.

    Args:
        panel: What is drawn into.
        box: Left, right, and the middle of the line.
        bar: What is drawn.
        size: Of the font.
    """
    left, right, middle = box
    draw, font = ImageDraw.Draw(panel), font_of(size)
    low, high = number_of(bar.scale.low), number_of(bar.scale.high)
    start = left + round(draw.textlength(low, font)) + size // 2
    end = max(start + 8, right - round(draw.textlength(high, font)) - size // 2)
    draw.text((left, middle), low, INKS[1], font, anchor="lm")
    draw.text((end + size // 2, middle), high, INKS[1], font, anchor="lm")
    height = size - 1
    panel.paste(Image.fromarray(bar.colours(end - start)).resize((end - start, height)), (start, middle - height // 2))
    if bar.scale.signed and bar.words is not None:
        small = font_of(size - 4)
        if sum(map(small.getlength, bar.words)) + size < end - start:
            draw.text((start + 3, middle), bar.words[0], _EDGE, small, anchor="lm")
            draw.text((end - 3, middle), bar.words[1], _EDGE, small, anchor="rm")


def margin_of(size: int) -> int:
    """What is left free beside captions."""
    return size // 2 + 2


def shorten(text: str, room: float, size: int) -> str:
    """A text in one line, with an ellipsis where it is wider than there is room."""
    text, font = visible(text), font_of(size)  # Pillow measures no text of two lines
    if font.getlength(text) <= room:
        return text
    place = _PLACE.search(text)  # which tells captions of one class apart
    least = f"{text[:_LEAST]}…{place[0]}" if place is not None else ""
    kept = place[0] if place is not None and font.getlength(least) <= room else ""
    text = text.removesuffix(kept)
    while text and font.getlength(f"{text}…{kept}") > room:
        text = text[:-1]
    return f"{text}…{kept}"


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """The font of captions."""
    return ImageFont.truetype(_FONT, size)
