"""The page of explained texts, as a parser of HTML reads it, and their pictures."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from fgcompile.text.drawn.colours import LESS, MORE, Scale, colour_of, scale_of, stretches
from fgcompile.text.drawn.page import draw_page
from fgcompile.text.drawn.picture import PAPER, draw_text
from fgcompile.text.explained import ExplainedToken, ExplainedWord
from fgcompile.text.explanation import TextExplanation

HOSTILE = "</p></style><script>alert('&amp;')</script> \"><img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """What a browser would find: elements with their attributes, and the characters of each text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "p":
            self._inside = dict(attrs).get("class") == "text"
            self.texts += [""] * self._inside

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "p"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data


def explained(*texts: str, signed: bool = True, name: str = "dull") -> TextExplanation:
    """A token for each word or sign, two for ``dull``, with scores in order: 0.1, −0.2, 0.3 …."""
    tokens: list[ExplainedToken] = [ExplainedToken("[CLS]", "[CLS]", 2, 0, 0, None, 9.0)]
    words = []
    for segment, text in enumerate(texts):
        for found in re.finditer(r"\w+|[^\w\s]", text):
            start, end = found.span()
            spans = [(start, start + 2), (start + 2, end)] if found[0] == "dull" else [(start, end)]
            places = []
            for first, last in spans:
                score = len(tokens) / 10 * (1 if len(tokens) % 2 or not signed else -1)
                places.append(len(tokens))
                tokens.append(ExplainedToken(text[first:last], text[first:last], 1, first, last, segment, score))
            total = sum(tokens[place].score for place in places)
            words.append(ExplainedWord(found[0], start, end, segment, total, tuple(places)))
    return TextExplanation(texts, tuple(tokens), tuple(words), (0,), name, -1.5, (), signed)


@pytest.mark.parametrize("text", [HOSTILE, "a  b\n\tc", "עברית and 猫", "x\x00y", "\u202eback"])
def test_a_text_is_on_the_page_once_as_it_was_and_is_no_markup(text: str) -> None:
    plain = Reader(draw_page([explained("safe")], "title"))
    page = Reader(draw_page([explained(text, "second", name=text)], text))
    assert page.texts == [text, "second"]
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in plain.elements}
    names = {name for _, attributes in page.elements for name in attributes}
    assert names == {name for _, attributes in plain.elements for name in attributes}
    assert not {"src", "href"} & names
    assert not any(name.startswith("on") for name in names)


def test_nothing_is_loaded_and_nothing_runs() -> None:
    page = draw_page([explained(HOSTILE)], "title")
    ((_, policy),) = [each for each in Reader(page).elements if "http-equiv" in each[1]]
    assert policy["content"] is not None
    assert policy["content"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in style


def test_colours_are_those_of_signs_and_numbers_are_told() -> None:
    page = Reader(draw_page([explained("not dull.")], "title"))
    tokens = [attributes for _, attributes in page.elements if (attributes.get("class") or "").startswith("t ")]
    own = tokens[:4]  # 0.1, -0.2 + 0.3 = a word, -0.4; the special token, of 9, is behind them
    assert [each["class"] for each in own] == ["t more", "t less", "t more", "t less"]
    assert [each["style"] for each in own] == ["--s:0.250", "--s:0.500", "--s:0.750", "--s:1.000"]
    titles = [attributes["title"] for _, attributes in page.elements if "title" in attributes]
    assert titles == ["not: +0.1", "dull: +0.1", "du: −0.2 of dull: +0.1", "ll: +0.3 of dull: +0.1", ".: −0.4"]


def test_what_the_vocabulary_does_not_have_is_marked_in_words_too() -> None:
    known = explained("not dull.")
    strange = replace(known, tokens=tuple(replace(each, unknown=each.text in {"not", "ll"}) for each in known.tokens))
    plain, page = (Reader(draw_page([each], "title")) for each in (known, strange))
    assert not [attributes for _, attributes in plain.elements if "unknown" in (attributes.get("class") or "")]
    marked = [attributes["class"] for _, attributes in page.elements if "unknown" in (attributes.get("class") or "")]
    assert marked == ["t unknown more", "t unknown more", "unknown"]  # the last says in the legend what it means
    titles = [attributes["title"] for _, attributes in page.elements if "title" in attributes]
    note = ", unknown to the vocabulary"
    assert titles == [
        f"not: +0.1{note}",
        "dull: +0.1",
        "du: −0.2 of dull: +0.1",
        f"ll: +0.3 of dull: +0.1{note}",
        ".: −0.4",
    ]
    cells = draw_page([strange], "title").split("<table>")[1]
    assert "<td>unknown to the vocabulary</td>" in cells
    assert "<td>du −0.2  ll +0.3  unknown to the vocabulary</td>" in cells
    before, after = (np.asarray(draw_text(each)).astype(int) for each in (known, strange))
    rows, columns = np.nonzero((before != after).any(2))
    under = rows < before.shape[0] - 46  # of the text, not of the legend below it
    assert len(set(rows[under])) == 2  # a line of dots, two pixels high, and nothing else
    assert (columns[under].min(), (~under).any()) == (13, True)


def test_stretches_of_tokens_that_share_a_character() -> None:
    """Three bytes of one sign are shown as one, with their sum."""
    tokens = tuple(ExplainedToken("🙂", each, 1, 2, 3, 0, 0.5) for each in "abc")
    whole = TextExplanation(
        ("a 🙂!",), tokens, (ExplainedWord("🙂", 2, 3, 0, 1.5, (0, 1, 2)),), (0,), "", 1.0, (), True
    )
    shown = [(each.text, each.tokens, each.word, each.score) for each in stretches(whole, 0)]
    assert shown == [("a ", (), None, 0), ("🙂", (0, 1, 2), 0, 1.5), ("!", (), None, 0)]


def test_the_picture_has_the_colours_of_both_signs_and_grows_with_the_text() -> None:
    image = np.asarray(draw_text(explained("not dull at all")))
    flat = image.reshape(-1, 3).astype(int)
    assert (flat == PAPER).all(1).any()
    assert (flat[:, 0] - flat[:, 2] > 60).any()  # orange
    assert (flat[:, 2] - flat[:, 0] > 60).any()  # blue
    assert not (
        np.asarray(draw_text(explained("not dull", signed=False))).reshape(-1, 3).astype(int) @ [-1, 0, 1] > 60
    ).any()
    long = draw_text(explained("word " * 200 + "\n" + "x" * 500, "second"))
    assert long.height > 300
    assert draw_text(explained("word " * 8_000)).height < 16_000


def test_letters_that_the_font_lacks_are_dots_and_a_class_is_its_number() -> None:
    lacking = draw_text(explained("不 dull 写", name="负面"))
    assert lacking.tobytes() == draw_text(explained("· dull ·", name="class 0")).tobytes()


def test_the_scale_leaves_special_tokens_aside_and_survives_nothing_at_all() -> None:
    assert scale_of(explained("a")).most == pytest.approx(0.1)
    assert Scale(0.0).strength(3.0) == 0
    assert (colour_of(1.0), colour_of(-1.0)) == (MORE, LESS)
