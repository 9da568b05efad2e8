"""Explained texts as a notebook shows them: in the colours of the page, on whatever background the notebook has.

Every style stands in its element, since notebooks that are not trusted leave style sheets out, and letters keep the
notebook's own colour: orange and blue let the background through. A long text is cut, which ``save`` is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, tostring

from fgcompile.artifact.elements import written
from fgcompile.system.text import visible
from fgcompile.text.drawn.colours import (
    LESS,
    MORE,
    STRONGEST,
    UNKNOWN,
    Color,
    Scale,
    Stretch,
    colour_of,
    has_unknown,
    scale_of,
    stretches,
)
from fgcompile.text.drawn.page import number_of
from fgcompile.text.explained import ExplainedText

_TEXTS = 4
_TOKENS, _CHARACTERS = 300, 3000
"""Of a text that are shown."""

_WORDS, _BEST = 5, 3
_TEXT = "white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.9; font-size: 1.1em; margin: .2em 0"
_SMALL = "opacity: .8; font-size: .9em"
_DOTS = "text-decoration: underline dotted .12em; text-underline-offset: .2em"


def as_html(explanations: Sequence[ExplainedText]) -> str:
    """The first texts, each below what was explained and above its strongest words; nothing is loaded, nothing runs."""
    page = Element("div")
    for explanation in explanations[:_TEXTS]:
        _add_text(SubElement(page, "div", style="max-width: 60em; margin: 0 0 1em"), explanation)
    if len(explanations) > _TEXTS:
        more = f"and {len(explanations) - _TEXTS} more: [{_TEXTS}:], or save(folder) for all"
        SubElement(page, "div").text = more
    # A lone half of a character, which a broken file may have, cannot be sent to a browser.
    return tostring(page, encoding="unicode", method="html").encode("utf-8", "replace").decode()


def _add_text(parent: Element, explanation: ExplainedText) -> None:
    heading, scale = SubElement(parent, "div"), scale_of(explanation)
    SubElement(heading, "b").text = visible(explanation.name)
    if explanation.score is not None:
        SubElement(heading, "span").text = f" score {written(explanation.score)}"
    others = [each for each in explanation.top[:_BEST] if each.name != explanation.name]
    if others:
        best = ", ".join(f"{visible(each.name)} {written(each.score)}" for each in others)
        SubElement(heading, "span", style=_SMALL).text = f" ({best})"
    if left := _add_lines(parent, explanation, scale):
        more = f"… and {left} more word{'s' * (left > 1)}: save(folder) writes all of the text"
        SubElement(parent, "div", style=_SMALL).text = more
    _add_words(SubElement(parent, "div", style=_SMALL), explanation, scale)


def _add_lines(parent: Element, explanation: ExplainedText, scale: Scale) -> int:
    """The text as far as it is shown; how many words are left out."""
    tokens, characters, left = _TOKENS, _CHARACTERS, 0
    for segment in range(len(explanation.texts)):
        line = SubElement(parent, "div", dir="auto", style=_TEXT)
        for word, group in groupby(stretches(explanation, segment), lambda part: part.word):
            if tokens <= 0 or characters <= 0:
                left += word is not None
                continue
            parts = list(group)
            tokens, characters = tokens - sum(len(part.tokens) for part in parts), characters - sum(map(_length, parts))
            _add_word(line, explanation, word, parts, scale)
    return left


def _length(part: Stretch) -> int:
    return len(part.text)


def _add_word(
    parent: Element, explanation: ExplainedText, word: int | None, parts: Sequence[Stretch], scale: Scale
) -> None:
    for part in parts:
        shown = SubElement(parent, "span")
        shown.text = part.text if len(part.text) <= _CHARACTERS else f"{part.text[:_CHARACTERS]}…"
        if word is None:
            continue
        whole = explanation.words[word]
        title = f"{visible(whole.text[:_CHARACTERS])}: {number_of(whole.score, explanation.signed)}"
        if len(whole.tokens) > 1:
            title = f"{number_of(part.score, explanation.signed)} of {title}"
        shown.set("title", f"{title}, {UNKNOWN}" if part.unknown else title)
        _colour(shown, colour_of(part.score), scale.strength(part.score), _DOTS if part.unknown else "")


def _colour(shown: Element, colour: Color, strength: float, more: str = "") -> None:
    opacity = round(STRONGEST * strength, 2)
    background = f"background: rgba({', '.join(map(str, colour))}, {opacity})" if opacity else ""
    if style := "; ".join(filter(None, (background, more))):
        shown.set("style", style)


def _add_words(line: Element, explanation: ExplainedText, scale: Scale) -> None:
    """The strongest words in numbers, what the tokenizer added, and what the colours mean."""
    signed = explanation.signed
    words = [f"{visible(word.text[:40])} {number_of(word.score, signed)}" for word in explanation.strongest(_WORDS)]
    line.text = f"strongest: {', '.join(words) or 'no word'}; "
    added = [f"{visible(token.text)} {number_of(token.score, signed)}" for token in explanation.tokens if token.special]
    if added:
        line.text += f"added by the tokenizer: {', '.join(added)}; "
    for colour, meaning in [(MORE, "adds"), (LESS, "takes")] if signed else [(MORE, "matters")]:
        sample = SubElement(line, "span")
        sample.text, sample.tail = meaning, " "
        _colour(sample, colour, 1.0)
    line[-1].tail = f", the strongest colour at {number_of(scale.most, False)}"
    if has_unknown(explanation):
        line[-1].tail = f"{line[-1].tail}; "
        SubElement(line, "span", style=_DOTS).text = UNKNOWN
