"""What is shortened keeps what tells it apart: a place, a table's number; and nothing is written over another."""

from __future__ import annotations

import numpy as np
import pytest

from fgcompile.drawing.bars import _with_value
from fgcompile.drawing.blending import style_of
from fgcompile.drawing.captions import font_of, shorten
from fgcompile.drawing.panels import draw_comparison, draw_overlay, draw_photo
from fgcompile.drawing.photo import Photo
from fgcompile.drawing.subjects import Shown


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
