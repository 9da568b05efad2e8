"""Explained texts as objects: what a notebook shows, as a parser of HTML reads it, and the files of ``save``."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgcompile.errors import InputError, MissingPackageError, OutputError
from fgcompile.media.texts import explain_and_draw
from fgcompile.text.explanation import TextExplanation, TextExplanations
from tests.support.texts import open_text
from tests.text.drawn.test_page import HOSTILE, explained


class Reader(HTMLParser):
    """The lines of text, those with a direction, and each part's style and title."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.parts: list[tuple[str, dict[str, str | None]]] = []
        self.tags: set[str] = set()
        self._open: list[dict[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._open.append(dict(attrs))
        self.lines += [""] * ("dir" in self._open[-1])

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if any("dir" in each for each in self._open):
            self.lines[-1] += data
            self.parts.append((data, self._open[-1]))


@pytest.mark.parametrize("text", ["the film was dull", HOSTILE, "  two\n\nlines ", "שלום & <b>", "a\ud800b"])
def test_a_notebook_shows_the_text_as_it_was_and_nothing_of_it_is_markup(text: str) -> None:
    read = Reader(explained(text, "second", name=HOSTILE)._repr_html_())
    assert read.lines == [text.replace("\ud800", "?"), "second"]
    assert read.tags <= {"div", "b", "span"}
    assert all(set(attributes) <= {"style", "title", "dir"} for _, attributes in read.parts)


def test_colours_are_of_the_page_and_let_the_background_through() -> None:
    shown = dict(Reader(explained("a b not dull")._repr_html_()).parts)  # 0.1, −0.2, 0.3 and −0.4 + 0.5
    assert shown["a"] == {"title": "a: +0.1", "style": "background: rgba(240, 120, 10, 0.13)"}  # 0.65 · 0.1 / 0.5
    assert shown["b"]["style"] == "background: rgba(50, 120, 235, 0.26)"
    assert shown["du"]["title"] == "−0.4 of dull: +0.1"
    assert shown["ll"]["style"] == "background: rgba(240, 120, 10, 0.65)"
    assert shown[" "] == {}
    html = explained("a b not dull")._repr_html_()
    assert not re.search(r"[; \"]color:|background: (?!rgba)|url|http", html)  # letters have the notebook's colour


def test_a_long_text_is_short_and_says_how_much_is_left_out() -> None:
    found = explained(" ".join(["film was dull"] * 5000))
    html = found._repr_html_()
    assert len(html) < 60_000
    shown = Reader(html).lines[0].split()
    left = re.search(r"and (\d+) more words: save", html)
    assert left is not None
    assert len(shown) + int(left[1]) == len(found.words) == 15_000
    assert len(explained("x" * 1_000_000)._repr_html_()) < 10_000
    assert "more" not in explained("x y")._repr_html_()


def test_several_texts_are_a_list_of_which_a_notebook_shows_some() -> None:
    several = TextExplanations(explained(f"text{number}") for number in range(6))
    assert Reader(several._repr_html_()).lines == ["text0", "text1", "text2", "text3"]
    assert "and 2 more" in several._repr_html_()
    assert several[4:] == list(several)[4:]
    assert Reader(several[4:]._repr_html_()).lines == ["text4", "text5"]
    assert several[4].texts == ("text4",)
    assert isinstance(open_text("classifier").explain_text(["the film", "a joy"]), TextExplanations)


def test_printed_it_is_a_line() -> None:
    found = explained("a b not dull \n\x1b[31m" + "long " * 500, name="dull\n")
    assert len(repr(found)) < 300
    assert repr(found).isprintable()
    first = explained("a b not")
    assert repr(replace(first, score=None)) == "TextExplanation('a b not', dull, 3 words: not +0.3, b -0.2, a +0.1)"


def test_the_strongest_words_are_those_of_the_largest_magnitudes() -> None:
    found = explained("a b c d not dull")
    scores = np.array([word.score for word in found.words])
    order = np.argsort(-np.abs(scores), kind="stable")
    assert [word.score for word in found.strongest(4)] == scores[order[:4]].tolist()
    assert len(found.strongest(100)) == len(found.words)
    for k in (0, True, 1.5):
        with pytest.raises(InputError, match="give 1 or more"):
            found.strongest(k)  # type: ignore[arg-type]


def test_saved_are_the_files_of_the_command(tmp_path: Path) -> None:
    session, texts = open_text("classifier"), ["It's dull", ("the film", "a joy")]
    records = session.explain_text(texts).save(tmp_path / "new" / "own")
    explain_and_draw(session, texts, tmp_path / "command")
    names = ["explained.html", "explained.json", "text-1.png", "text-2.png"]
    assert sorted(path.name for path in (tmp_path / "new" / "own").iterdir()) == names
    for name in names[2:]:
        assert (tmp_path / "new" / "own" / name).read_bytes() == (tmp_path / "command" / name).read_bytes()
    bodies = [
        (folder / names[0]).read_text().partition("</h1>")[2] for folder in (tmp_path / "new/own", tmp_path / "command")
    ]
    assert bodies[0] == bodies[1] != ""
    assert json.loads((tmp_path / "new" / "own" / names[1]).read_text(encoding="utf-8")) == records
    ours, theirs = (
        {**each[0], "page": "", "picture": ""}
        for each in (records, json.loads((tmp_path / "command" / names[1]).read_text()))
    )
    assert ours == theirs
    with Image.open(records[0]["picture"]) as image:
        assert image.tobytes() == session.explain_text("It's dull").overlay().tobytes()
    (one,) = session.explain_text("It's dull").save(str(tmp_path / "one"))
    assert one["text"] == "It's dull"
    with pytest.raises(InputError, match="no texts"):
        TextExplanations().save(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made a folder"):
        explained("a").save(tmp_path / "file")


def test_plots_are_in_matplotlib_s_axes_and_without_it_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found: TextExplanation = explained("a dull film")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(MissingPackageError, match=r"pip install 'fgcompile\[plot\]'$"):
            found.plot()
    axes = pytest.importorskip("matplotlib.figure", reason="needs the extra plot").Figure().add_subplot()
    assert found.plot(axes) is axes
    np.testing.assert_array_equal(axes.images[0].get_array(), np.asarray(found.overlay()))
