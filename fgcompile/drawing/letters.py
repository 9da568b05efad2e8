"""The font of pictures, and which letters it has: what it lacks, it would draw as one and the same box."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

from PIL import ImageFont

from fgcompile.system.text import visible

_FONT = Path(__file__).with_name("DejaVuSans.ttf")
"""It has the letters of most scripts that class names are written in, but those of East and South Asia; Pillow's own
has few."""

_NO_LETTER = "\uffff"
"""Of which Unicode says that it will never be one, so that no font has it."""

_LACKING = "·"
_UNSEEN = ("Mn", "Me", "Cf")
"""Kinds of characters that stand on others, or join them."""


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """The font of a size in pixels."""
    return ImageFont.truetype(_FONT, size)


@cache
def has_letter(letter: str) -> bool:
    """Whether the font has a letter."""
    return _drawn(letter) != _drawn(_NO_LETTER)


def legible(text: str) -> str:
    """A text as it can be drawn in one line: a dot for each letter that the font lacks, never its box."""
    return "".join(letter if has_letter(letter) else _stand_in(letter) for letter in visible(text))


def named(name: str, otherwise: str) -> str:
    """A name if the font has all of its letters; else what tells as much, as ``class 7``."""
    return name if all(map(has_letter, visible(name))) else otherwise


def _stand_in(letter: str) -> str:
    return "" if unicodedata.category(letter) in _UNSEEN else _LACKING


def _drawn(letter: str) -> tuple[tuple[int, int], bytes]:
    mask = _plain_font().getmask(letter)
    return mask.size, bytes(mask)


@cache
def _plain_font() -> ImageFont.FreeTypeFont:
    """The font without what joins letters, which would draw a circle below an accent that it lacks as well."""
    return ImageFont.truetype(_FONT, 16, layout_engine=ImageFont.Layout.BASIC)
