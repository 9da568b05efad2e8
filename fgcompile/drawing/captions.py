"""What is written below and into pictures: captions, labels, and the bar that says what colours stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fgcompile.drawing.blending import Style, blend
from fgcompile.drawing.letters import font_of, legible
from fgcompile.drawing.scale import Scale, number_of

_PLACE = re.compile(r" at (\d+|\([\d, ]+\))$")
"""What of an element's name says where it is."""

_LEAST = 3
"""Letters of a name that stay in front of that, or else it goes."""

_LINES = 3
"""Of a title, at most."""

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


def font_size_of(width: int, panel: int = 0) -> int:
    """The size of captions below tiles of a width, in a panel of another.

    It is no less than an eightieth of the panel's: the wider one is, the smaller it is shown on a screen.
    """
    return max(11, min(15, width // 14), min(60, max(width, panel) // 80))


def line_of(size: int) -> int:
    """From one line of a caption to the next, in pixels."""
    return round(1.4 * size)


def strip_of(lines: int, size: int) -> int:
    """The height of a caption of so many lines."""
    return 2 * size + (max(1, lines) - 1) * line_of(size)


def lay_out(title: str, detail: str, room: float, size: int, most: int = _LINES) -> list[tuple[str, str]]:
    """The lines of a caption: what stands at the left of each, and at its right.

    Args:
        title: The first part, in as many lines as it needs, and ``most`` at most; shortened where these are too few.
        detail: The second part, at the right of the last line, or of one of its own where that has no room; of a
            caption in one line no more than half of that.
        room: The width.
        size: Of the font.
        most: One, for a caption in one line, or more.
    """
    font, beside = font_of(size), room - margin_of(size)
    lines = [legible(title)] if most == 1 else wrap(title, room, size, most)
    brief = detail.removeprefix("score ")  # the number says it too, and leaves the name more room
    for right in (legible(detail), legible(brief)):
        if font.getlength(lines[-1]) + font.getlength(right) <= beside:
            return [*((line, "") for line in lines[:-1]), (lines[-1], right)]
    if most == 1:
        right = shorten(brief, room / 2, size)
        return [(shorten(title, beside - font.getlength(right), size), right)]
    return [*((line, "") for line in lines), ("", shorten(detail, room, size))]


def wrap(text: str, room: float, size: int, most: int = _LINES) -> list[str]:
    """A text in lines that are no wider than there is room, broken between words, or within one that is wider.

    The last of ``most`` lines is shortened.
    """
    font, rest, lines = font_of(size), legible(text), list[str]()
    while len(lines) < most - 1 and font.getlength(rest) > room:
        count = len(rest)
        while count > 1 and font.getlength(rest[:count]) > room:
            count -= 1
        space = rest.rfind(" ", 0, count + 1)
        lines.append(rest[: space if space > 0 else count])
        rest = rest[len(lines[-1]) :].lstrip()
    return [*lines, shorten(rest, room, size)]


def write_caption(
    panel: Image.Image, top: int, lines: Sequence[tuple[str, str]], size: int, inks: tuple[Color, Color] = INKS
) -> None:
    """Writes the lines of a caption over the whole width.

    Args:
        panel: What is drawn into.
        top: Where the caption begins.
        lines: As ``lay_out`` returns them.
        size: Of the font.
        inks: The colours of their left and right parts.
    """
    draw, font, margin = ImageDraw.Draw(panel), font_of(size), margin_of(size)
    for number, (left, right) in enumerate(lines):
        middle = top + size + number * line_of(size)
        draw.text((margin, middle), left, inks[0], font, anchor="lm")
        draw.text((panel.width - margin, middle), right, inks[1], font, anchor="rm")


def write_label(image: Image.Image, place: tuple[int, int], text: str, size: int = 11) -> None:
    """Writes a few words into a picture, their upper left corner at ``place``, legible over anything."""
    ImageDraw.Draw(image).text(
        place, legible(text), INKS[0], font_of(size), anchor="lt", stroke_width=2, stroke_fill=_EDGE
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
    text, font = legible(text), font_of(size)  # Pillow measures no text of two lines
    if font.getlength(text) <= room:
        return text
    place = _PLACE.search(text)  # which tells captions of one class apart
    least = f"{text[:_LEAST]}…{place[0]}" if place is not None else ""
    kept = place[0] if place is not None and font.getlength(least) <= room else ""
    text = text.removesuffix(kept)
    while text and font.getlength(f"{text}…{kept}") > room:
        text = text[:-1]
    return f"{text}…{kept}"
