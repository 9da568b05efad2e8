"""What a notebook shows of an explanation that a cell ends in: pictures of its first samples, and their best classes.

What cannot be drawn, an artifact without maps for one, is None, and the notebook then shows the line of ``repr``.
"""

from __future__ import annotations

import base64
from xml.etree.ElementTree import Element, SubElement, tostring

from PIL.Image import Image

from fgcompile.drawing.files import png_of
from fgcompile.drawing.panels import stack
from fgcompile.errors import InputError
from fgcompile.runtime.depicting import Depicted, Look, best_of, panel, words_of
from fgcompile.system.text import visible

_SAMPLES = 4
_BEST = 3


def as_png(explanation: Depicted) -> bytes | None:
    """The pictures of the first samples, one below the other."""
    pictures = _pictures(explanation)
    return png_of(stack(pictures)) if pictures else None


def as_html(explanation: Depicted) -> str | None:
    """The same, each above its best classes in words."""
    pictures = _pictures(explanation)
    if not pictures:
        return None
    page = Element("div")
    for sample, picture in zip(explanation, pictures, strict=False):
        figure = SubElement(page, "figure", style="margin: 0 0 1em")
        address = f"data:image/png;base64,{base64.b64encode(png_of(picture)).decode()}"
        words = "; ".join(f"{visible(each.name)} {each.detail}".strip() for each in words_of(sample))
        SubElement(figure, "img", src=address, alt=words, style="max-width: 100%")
        file = next(iter(sample.about.files), None)
        name = "" if file is None else f"{visible(file.name)}: "
        SubElement(figure, "figcaption").text = name + (_best(sample) or words)
    left = len(explanation) - len(pictures)
    if left:
        SubElement(page, "p").text = f"and {left} more: explanation[{len(pictures)}:]"
    return tostring(page, encoding="unicode", method="html")


def _best(sample: Depicted) -> str:
    try:
        best = best_of(sample, _BEST)
    except InputError:  # a score, or no logits: what was explained is said all the same
        return ""
    return ", ".join(f"{visible(each.name)} {each.score:.2f}" for each in best).replace(" -", " −")


def _pictures(explanation: Depicted) -> list[Image]:
    try:
        return [panel(explanation[number], Look()) for number in range(min(_SAMPLES, len(explanation)))]
    except InputError:
        return []
