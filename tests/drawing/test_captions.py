"""What is shortened keeps what tells it apart, a place, a number; nothing is written over another, or in boxes."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageDraw

from fgcompile.drawing import letters
from fgcompile.drawing.bars import Bar, _with_value, draw_bars
from fgcompile.drawing.blending import style_of
from fgcompile.drawing.captions import lay_out, shorten, wrap
from fgcompile.drawing.letters import font_of, has_letter, legible, named
from fgcompile.drawing.panels import draw_comparison, draw_overlay, draw_photo
from fgcompile.drawing.photo import Photo
from fgcompile.drawing.subjects import Shown

FINDING = "background tissue, connective and adipose, without any finding"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All texts that are drawn, in their order."""
    texts: list[str] = []
    draw = ImageDraw.ImageDraw.text

    def remember(self: ImageDraw.ImageDraw, place: object, text: str, *args: object, **options: object) -> None:
        texts.append(text)
        draw(self, place, text, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", remember)
    return texts


@pytest.mark.parametrize(
    ("name", "ends"),
    [("background of it all at (10, 12)", "… at (10, 12)"), ("background of it all at 7", "… at 7"), ("a" * 40, "a…")],
)
def test_of_a_name_with_a_place_the_name_is_shortened(name: str, ends: str) -> None:
    short = shorten(name, 120, 11)
    assert short.endswith(ends)
    assert short[:3] == name[:3]
    assert font_of(11).getlength(short) <= 120


def test_a_place_alone_is_no_caption() -> None:
    assert shorten("background at (10, 12)", 60, 11).startswith("bac")


def test_of_a_table_the_name_is_shortened_and_not_the_number() -> None:
    written = _with_value("od280/od315_of_diluted_wines_and_others", 3.92)
    assert written.startswith("od280/")
    assert written.endswith("… = 3.92")
    assert _with_value("hue", 1.0).startswith("hue = ")


def test_a_column_of_a_photo_has_room_for_its_caption() -> None:
    """Below each tile is as much background, to write on, as below a square photo's."""
    photo = Photo(np.full((1200, 40, 3), 200, np.uint8))
    shown = Shown(np.random.default_rng(0).random((12, 4)), "tench", "score 16.48")
    style = style_of(False)
    assert draw_photo(photo, shown, False, style).width == 3 * 160 + 8
    assert draw_overlay(photo, shown, False, style).width == 160
    assert draw_overlay(photo, shown, False, style, caption=False).size == (40, 1200)
    row = np.asarray(draw_comparison(photo, [shown, shown], False, style).convert("L"))[600]
    assert (row[60:100] > 100).all()  # in the middle of its tile
    assert len(row) == 4 * 164 - 4


@pytest.mark.parametrize("width", [224, 512, 1024])
def test_captions_of_wide_panels_are_as_large_as_those_of_narrow_ones_on_a_screen(width: int) -> None:
    """Of a panel as wide as a screen's 1,000 pixels, letters are seven or more high."""
    photo = Photo(np.zeros((width // 2, width, 3), np.uint8))
    shown = Shown(np.eye(8), "HEH", "")
    for panel in (
        draw_photo(photo, shown, False, style_of(False)),
        draw_comparison(photo, [shown] * 3, False, style_of(False)),
    ):
        caption = np.asarray(panel.convert("L"))[width // 2 :, : width // 3]
        strip = caption[: np.flatnonzero((caption > 100).any(1))[0] + 50]
        rows = np.flatnonzero((strip > 128).any(1))
        first = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)[0]
        assert 1000 * len(first) / panel.width >= 7


@pytest.mark.parametrize("room", [160, 250, 400])
def test_a_long_name_stands_in_several_lines(room: int) -> None:
    lines = wrap(FINDING, room, 15)
    assert 2 <= len(lines) <= 3
    assert max(map(font_of(15).getlength, lines)) <= room
    assert " ".join(lines) == FINDING or (len(lines) == 3 and lines[-1].endswith("…"))
    for most in (1, 3):
        for left, right in lay_out(FINDING, "score −0.42", room, 15, most):
            assert font_of(15).getlength(left) + font_of(15).getlength(right) <= room


def test_a_word_without_spaces_is_broken_where_there_is_no_more_room() -> None:
    lines = wrap("Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz", 200, 15)
    assert (len(lines), "".join(lines)) == (3, "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz")


def test_a_detail_has_a_line_of_its_own_where_the_last_has_no_room() -> None:
    assert lay_out("bald eagle", "score 9.15", 200, 15) == [("bald eagle", "score 9.15")]
    assert lay_out("bald eagle", "score 9.15", 130, 15) == [("bald eagle", "9.15")]
    assert lay_out("bald eagle", "score 9.15", 100, 15) == [("bald eagle", ""), ("", "score 9.15")]


def test_the_font_has_the_letters_of_its_table() -> None:
    """The table that maps letters to glyphs, as fontTools reads it, is the oracle."""
    tables = pytest.importorskip("fontTools.ttLib", reason="needs fontTools, which matplotlib brings")
    file = Path(letters.__file__).with_name("DejaVuSans.ttf")
    known = set(tables.TTFont(file).getBestCmap())
    sample = [
        *range(0x20, 0x7F),
        *range(0xA0, 0x600, 7),
        *range(0x900, 0x3100, 97),
        *range(0x4E00, 0x9FFF, 997),
        0x1F600,
    ]
    skipped = {code for code in sample if unicodedata.category(chr(code)) in ("Cn", "Cf", "Mn", "Me", "Cc")}
    for code in set(sample) - skipped:
        assert has_letter(chr(code)) == (code in known), hex(code)


@pytest.mark.parametrize("name", ["肿瘤", "tumour (肿瘤)", "हिन्दी", "🐈"])
def test_letters_that_the_font_lacks_are_never_boxes(name: str, written: list[str]) -> None:
    assert named(name, "class 7") == "class 7"
    assert named("орёл", "class 7") == "орёл"
    photo, style = Photo(np.zeros((300, 300, 3), np.uint8)), style_of(False)
    for each in (Shown(np.eye(8), name, name), Shown(np.eye(8), f"{name} at (3, 4)", "score 1")):
        draw_photo(photo, each, False, style)
        draw_comparison(photo, [each, each], False, style)
    draw_bars([Bar(name, 0, 1, "1", (9, 9, 9))], name)
    box = font_of(24).getmask("\uffff")
    for letter in set("".join(written)):
        mask = font_of(24).getmask(letter)
        assert (mask.size, bytes(mask)) != (box.size, bytes(box)), letter
    assert any("·" in text for text in written)
    assert legible("tumour (肿瘤)") == "tumour (··)"
