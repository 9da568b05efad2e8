"""The picture of photo, map and overlay."""

from __future__ import annotations

import numpy as np
import pytest

from fgcompile.drawing.palettes import LESS, MORE
from fgcompile.drawing.panels import draw_panel
from fgcompile.drawing.scale import scale_of

PHOTO = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
RAMP = np.linspace(3, 9, 224 * 224).reshape(224, 224)


def normalise(values: np.ndarray) -> np.ndarray:
    return scale_of(values).strength(values)


def normalise_signed(values: np.ndarray) -> np.ndarray:
    return scale_of(values, signed=True).strength(values)


def test_three_tiles_above_a_caption() -> None:
    panel = draw_panel(PHOTO, RAMP, "bald eagle", "score 9.15")
    assert panel.mode == "RGB"
    assert panel.width == 3 * 224 + 2 * 4
    assert 224 < panel.height < 224 + 40
    assert np.array_equal(np.asarray(panel)[:224, :224], PHOTO)


def test_map_is_darkest_at_its_minimum_and_brightest_at_its_maximum() -> None:
    tile = np.asarray(draw_panel(PHOTO, RAMP, ""))[:224, 228 : 228 + 224].astype(int).sum(2)
    assert tile[0, 0] == tile.min()
    assert tile[-1, -1] == tile.max()


def test_small_grey_inputs_are_enlarged_by_a_whole_factor() -> None:
    digit = PHOTO[:28, :28, :1]
    panel = draw_panel(digit, RAMP[:28, :28], "7")
    width = (panel.width - 8) // 3
    assert width % 28 == 0
    assert width >= 160
    tile = np.asarray(panel)[:width, :width]
    assert np.array_equal(tile[:: width // 28, :: width // 28, 0], digit[..., 0])


def test_long_titles_stand_in_lines_of_their_own_and_stay_clear_of_the_detail() -> None:
    short = draw_panel(PHOTO, RAMP, "x", "score 1.00")
    long = draw_panel(PHOTO, RAMP, "Haliaeetus leucocephalus " * 20, "score 1.00")
    assert long.width == short.width
    assert short.height < long.height < short.height + 50
    assert np.array_equal(np.asarray(long)[: short.height, 228:], np.asarray(short)[:, 228:])


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_normalise_spans_zero_to_one_at_any_scale(scale: float) -> None:
    strength = normalise(RAMP * scale)
    assert strength.min() == 0
    assert strength.max() == 1


def test_normalise_is_robust_against_one_hot_pixel() -> None:
    spiked = RAMP.copy()
    spiked[5, 5] = 1e6
    assert normalise(spiked)[-2, -2] > 0.9


def test_normalise_constant_and_nearly_empty_maps() -> None:
    assert not normalise(np.full((8, 8), 3.0)).any()
    sparse = np.zeros((224, 224))
    sparse[7, 7] = 2.0
    assert normalise(sparse)[7, 7] == 1


def test_overlay_of_a_dark_photo_is_warm_where_the_map_is_brightest() -> None:
    dark = np.zeros_like(PHOTO)
    red, green, blue = np.asarray(draw_panel(dark, RAMP, "dark"))[222, -2].tolist()
    assert red > green > blue


def test_titles_are_drawn_in_any_script() -> None:
    """A letter that a font lacks is drawn as its box, the same for all of them."""
    titles = [np.asarray(draw_panel(PHOTO, RAMP, letter)) for letter in "aéЖλא\uffff"]
    assert len({title.tobytes() for title in titles}) == len(titles)


def test_a_signed_map_is_dark_where_it_is_zero_and_has_a_hue_for_each_sign() -> None:
    ramp = np.linspace(-2, 1, 224 * 224).reshape(224, 224)
    panel = np.asarray(draw_panel(PHOTO, ramp, "7", "score 1.00", signed=True)).astype(int)
    tile = panel[:224, 228 : 228 + 224]
    np.testing.assert_allclose(tile[0, 0], LESS, atol=1)
    np.testing.assert_allclose(tile[-1, -1], np.array(MORE) / 2, atol=2)  # half of the magnitude of the other end
    zero = np.unravel_index(np.abs(ramp).argmin(), ramp.shape)
    assert tile[zero].max() <= 1
    overlay = panel[:224, 2 * 228 : 2 * 228 + 224]
    assert np.ptp(overlay[zero]) <= 1, "at zero the photo shows, in grey"
    assert overlay[0, 0, 2] > overlay[0, 0, 0]
    assert overlay[-1, -1, 0] > overlay[-1, -1, 2]


@pytest.mark.parametrize("scale", [1e-30, 1.0, -1e30])
def test_signed_scales_keep_zero_and_the_sign(scale: float) -> None:
    values = np.array([[-1.0, 0.0, 0.5, 4.0]]) * scale
    strength = normalise_signed(values)
    assert np.array_equal(np.sign(strength), np.sign(values))
    assert 0.95 < np.abs(strength).max() <= 1
    assert not normalise_signed(np.zeros((2, 2))).any()
