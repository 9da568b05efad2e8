"""An explained text as a picture: the text in lines, the colours of its tokens behind it, and their scale below."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from PIL import Image, ImageDraw

from fgcompile.drawing.captions import Color, lay_out, margin_of, write_caption
from fgcompile.drawing.letters import font_of, legible, named
from fgcompile.text.drawn.colours import (
    STRONGEST,
    UNKNOWN,
    Scale,
    Stretch,
    colour_of,
    has_unknown,
    scale_of,
    stretches,
)
from fgcompile.text.drawn.page import number_of
from fgcompile.text.explained import ExplainedText

_WIDTH = 900
_MARGIN = 12
_SIZE = 20
_LINE = 38
_CAPTION = 46
_CAPTION_SIZE = 18
_LEGEND = 46
_BAR = 200
_DOTS = 5
"""From one to the next of a dotted line."""

_MOST_LINES = 400
"""Of a longer text the picture ends in “…”; the page has all of it."""

PAPER: Color = (255, 255, 255)
_INKS: tuple[Color, Color] = ((20, 22, 26), (91, 98, 110))


@dataclass(frozen=True)
class _Part:
    """What is drawn at one place of a line."""

    x: float
    line: int
    text: str
    score: float | None
    unknown: bool


def draw_text(explanation: ExplainedText) -> Image.Image:
    """Draws a text on white: what is explained and its score, the segments' lines, the scale.

    Args:
        explanation: The text.

    Returns:
        An RGB image.
    """
    parts = list(_lay_out(explanation))
    lines = min(_MOST_LINES, 1 + max(part.line for part in parts))
    image = Image.new("RGB", (_WIDTH, _CAPTION + lines * _LINE + _LEGEND), PAPER)
    detail = "" if explanation.score is None else f"score {explanation.score:.2f}"
    write_caption(image, _CAPTION // 2 - _CAPTION_SIZE, _caption(explanation, detail), _CAPTION_SIZE, _INKS)
    draw, scale, font = ImageDraw.Draw(image), scale_of(explanation), font_of(_SIZE)
    for part in parts:
        if part.line >= lines:
            break
        middle = _CAPTION + part.line * _LINE + _LINE // 2
        if part.score is not None:
            box = (part.x, middle - 14, part.x + font.getlength(part.text), middle + 14)
            draw.rectangle(box, fill=_mixed(part.score, scale))
        draw.text((part.x, middle), part.text, _INKS[0], font, anchor="lm")
        if part.unknown:
            _draw_dots(draw, part.x, part.x + font.getlength(part.text), middle + 12)
    if lines == _MOST_LINES:
        draw.text((_WIDTH - _MARGIN, _CAPTION + lines * _LINE - _LINE // 2), "…", _INKS[0], font, anchor="rm")
    _draw_legend(image, explanation, scale)
    return image


def _caption(explanation: ExplainedText, detail: str) -> list[tuple[str, str]]:
    name, target = explanation.name, explanation.target
    if target is not None and len(target) == 1:
        name = named(name, f"class {target[0]}")
    return lay_out(name, detail, _WIDTH - 2 * margin_of(_CAPTION_SIZE), _CAPTION_SIZE, most=1)


def _lay_out(explanation: ExplainedText) -> Iterator[_Part]:
    """The text in lines, broken between words, or within one that is longer than a line."""
    line = 0
    for segment in range(len(explanation.texts)):
        x = float(_MARGIN)
        for _, group in groupby(stretches(explanation, segment), lambda part: part.word):
            word = list(group)
            width = sum(font_of(_SIZE).getlength(_plain(part.text)) for part in word)
            if word[0].word is not None and x > _MARGIN and x + width > _WIDTH - _MARGIN:
                x, line = float(_MARGIN), line + 1
            for part in word:
                for text, breaks in _pieces(part):
                    length = font_of(_SIZE).getlength(text)
                    if breaks or (x > _MARGIN and x + length > _WIDTH - _MARGIN):
                        x, line = float(_MARGIN), line + 1
                    if text and not (x == _MARGIN and text.isspace()):
                        yield _Part(x, line, text, part.score if part.tokens else None, part.unknown)
                        x += length
        line += 1


def _pieces(part: Stretch) -> Iterator[tuple[str, bool]]:
    """A stretch in what fits a line, and whether a line ends before each."""
    for number, text in enumerate(part.text.split("\n")):
        rest, first = _plain(text), True
        while rest or first:
            size = len(rest)
            while size > 1 and font_of(_SIZE).getlength(rest[:size]) > _WIDTH - 2 * _MARGIN:
                size = size * 3 // 4
            yield rest[:size], bool(number) and first
            rest, first = rest[size:], False


def _plain(text: str) -> str:
    """A text as the font can draw it: in one line, without what has no width of its own, dots for what it lacks."""
    return legible("".join(character if character.isprintable() else " " for character in text))


def _mixed(score: float, scale: Scale) -> Color:
    opacity = STRONGEST * scale.strength(score)
    red, green, blue = (
        round((1 - opacity) * paper + opacity * ink) for paper, ink in zip(PAPER, colour_of(score), strict=True)
    )
    return red, green, blue


def _draw_legend(image: Image.Image, explanation: ExplainedText, scale: Scale) -> None:
    draw, font = ImageDraw.Draw(image), font_of(13)
    middle = image.height - _LEGEND // 2
    low = -scale.most if explanation.signed else 0.0
    for step in range(_BAR):
        score = low + (scale.most - low) * step / (_BAR - 1)
        draw.rectangle((_MARGIN + step, middle - 11, _MARGIN + step + 1, middle + 11), fill=_mixed(score, scale))
    ends = [(low, "lm", 4), (scale.most, "rm", _BAR - 4)]
    for end, anchor, offset in ends:
        draw.text((_MARGIN + offset, middle), number_of(end, explanation.signed and end != 0), _INKS[0], font, anchor)
    words = (
        "blue takes from the score, orange adds to it" if explanation.signed else "the stronger, the more it matters"
    )
    left = _MARGIN + _BAR + 14
    draw.text((left, middle), words, _INKS[1], font, anchor="lm")
    if has_unknown(explanation):
        left += round(font.getlength(words)) + 28
        draw.text((left, middle), UNKNOWN, _INKS[1], font, anchor="lm")
        _draw_dots(draw, left, left + font.getlength(UNKNOWN), middle + 9)


def _draw_dots(draw: ImageDraw.ImageDraw, left: float, right: float, y: float) -> None:
    """A dotted line under what the vocabulary does not have."""
    for x in range(round(left) + 1, round(right) - 1, _DOTS):
        draw.rectangle((x, y, x + 1, y + 1), fill=_INKS[0])
