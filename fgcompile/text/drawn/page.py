"""Explained texts as one page for a browser: no script, nothing from elsewhere, and every text in it is escaped.

It is built as a tree, which knows text from markup, and its policy lets no browser load or run anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from fgcompile.artifact.elements import written
from fgcompile.system.text import visible
from fgcompile.text.drawn.colours import UNKNOWN, Scale, Stretch, has_unknown, scale_of, stretches
from fgcompile.text.explained import ExplainedText

_STYLE = Path(__file__).with_name("page.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_BEST = 3


def draw_page(explanations: Sequence[ExplainedText], title: str) -> str:
    """The page of some texts.

    Args:
        explanations: The texts, in order.
        title: What stands above them, as the artifact's name.

    Returns:
        HTML. A text's characters are all in it, in order and once, so that it can be copied. A word's title is its sum,
        a token's its own number.
    """
    page = Element("html", lang="en")
    head = SubElement(page, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    SubElement(head, "title").text = visible(title)
    SubElement(head, "style").text = _STYLE.read_text(encoding="utf-8")
    body = SubElement(page, "body")
    SubElement(body, "h1").text = visible(title)
    for number, explanation in enumerate(explanations, start=1):
        _add_text(SubElement(body, "section", id=f"text-{number}"), explanation)
    return "<!DOCTYPE html>\n" + tostring(page, encoding="unicode", method="html") + "\n"


def number_of(score: float, signed: bool) -> str:
    """A score as it is read: with its sign, if it has one."""
    return (f"{score:+.3g}" if signed else f"{score:.3g}").replace("-", "−")


def _add_text(section: Element, explanation: ExplainedText) -> None:
    scale = scale_of(explanation)
    heading = SubElement(section, "h2")
    heading.text = visible(explanation.name)
    if explanation.score is not None:
        SubElement(heading, "span", {"class": "score"}).text = f"score {written(explanation.score)}"
    for segment in range(len(explanation.texts)):
        # A text may be of a script that is written from the right: each by itself, whatever the page is.
        paragraph = SubElement(section, "p", {"class": "text", "dir": "auto"})
        for word, parts in groupby(stretches(explanation, segment), lambda part: part.word):
            _add_word(paragraph, explanation, word, list(parts), scale)
    _add_specials(section, explanation, scale)
    _add_legend(section, explanation, scale)
    _add_table(section, explanation)


def _add_word(
    parent: Element, explanation: ExplainedText, word: int | None, parts: Sequence[Stretch], scale: Scale
) -> None:
    if word is None:
        gap = SubElement(parent, "span")
        gap.text = "".join(part.text for part in parts)
        return
    whole = explanation.words[word]
    several = len(whole.tokens) > 1
    holder = _coloured(parent, "w several" if several else "w", whole.score, scale)
    title = f"{visible(whole.text)}: {number_of(whole.score, explanation.signed)}"
    holder.set("title", f"{title}, {UNKNOWN}" if any(part.unknown for part in parts) and not several else title)
    for part in parts:
        token = _coloured(holder, "t unknown" if part.unknown else "t", part.score, scale)
        token.text = part.text
        if several:
            names = " ".join(explanation.tokens[place].piece for place in part.tokens)
            score = number_of(part.score, explanation.signed)
            token.set("title", f"{visible(names)}: {score} of {title}{f', {UNKNOWN}' if part.unknown else ''}")


def _coloured(parent: Element, kind: str, score: float, scale: Scale) -> Element:
    sign = "more" if score >= 0 else "less"
    return SubElement(parent, "span", {"class": f"{kind} {sign}", "style": f"--s:{scale.strength(score):.3f}"})


def _add_specials(section: Element, explanation: ExplainedText, scale: Scale) -> None:
    """The tokens that the tokenizer added, which are no part of the text."""
    added = [token for token in explanation.tokens if token.special]
    if not added:
        return
    line = SubElement(section, "p", {"class": "added"})
    line.text = "added by the tokenizer: "
    for token in added:
        shown = _coloured(line, "t", token.score, scale)
        shown.text = f"{visible(token.text)} {number_of(token.score, explanation.signed)}"
        shown.tail = " "


def _add_legend(section: Element, explanation: ExplainedText, scale: Scale) -> None:
    legend = SubElement(section, "p", {"class": "legend"})
    ends = (-scale.most, 0.0, scale.most) if explanation.signed else (0.0, scale.most)
    bar = SubElement(legend, "span", {"class": "bar signed" if explanation.signed else "bar"})
    for end in ends:
        SubElement(bar, "span").text = number_of(end, explanation.signed and end != 0)
    words = (
        "blue takes from the score, orange adds to it" if explanation.signed else "the stronger, the more it matters"
    )
    total = f"; all tokens together: {number_of(explanation.total, True)}" if explanation.signed else ""
    SubElement(legend, "span").text = f"{words}{total}"
    if has_unknown(explanation):
        SubElement(legend, "span", {"class": "unknown"}).text = UNKNOWN


def _add_table(section: Element, explanation: ExplainedText) -> None:
    details = SubElement(section, "details")
    SubElement(details, "summary").text = "words in numbers"
    if explanation.top:
        best = (f"{visible(each.name)} {each.score:.2f}" for each in explanation.top[:_BEST])
        SubElement(details, "p").text = f"best: {', '.join(best)}".replace(" -", " −")
    table = SubElement(details, "table")
    row = SubElement(table, "tr")
    for name in ("word", "sum", "tokens"):
        SubElement(row, "th").text = name
    for word in explanation.words:
        row = SubElement(table, "tr")
        SubElement(row, "td").text = visible(word.text)
        SubElement(row, "td", {"class": "number"}).text = number_of(word.score, explanation.signed)
        tokens = (explanation.tokens[place] for place in word.tokens)
        parts = (f"{visible(token.piece)} {number_of(token.score, explanation.signed)}" for token in tokens)
        strange = any(explanation.tokens[place].unknown for place in word.tokens)
        shown = list(parts) if len(word.tokens) > 1 else []
        SubElement(row, "td").text = "  ".join([*shown, *([UNKNOWN] if strange else [])])
