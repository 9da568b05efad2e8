"""Steps of every scale are told apart by those who see no red, green or blue, by themselves and over any photo."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.evidence.colour_vision import GREYS, SIGHT, lab, least_difference
from fgcompile.drawing.blending import blend, style_of
from fgcompile.drawing.palettes import DIVERGING, SEQUENTIAL, palette_of
from fgcompile.text.drawn import colours as texts


def test_the_measure_is_the_one_that_is_published() -> None:
    """Sharma's figures of white, and the ΔE of black and white; who sees no red takes red and a dark olive for one."""
    ends = lab(np.array([[255.0, 255.0, 255.0], [0.0, 0.0, 0.0]]), "trichromat")
    np.testing.assert_allclose(ends, [[100, 0, 0], [0, 0, 0]], atol=0.02)
    pair = np.array([[200.0, 0.0, 0.0], [82.0, 72.0, 0.0]])
    assert least_difference(pair, "protanopia") < 12 < 60 < least_difference(pair, "trichromat")


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("name", SEQUENTIAL)
def test_nine_steps_of_a_map_by_itself_grow_in_lightness(name: str, sight: str) -> None:
    colours = palette_of(name).colour(np.linspace(0, 1, 9))
    lightness = lab(colours, sight)[:, 0]
    assert np.diff(lightness).min() > 5
    assert least_difference(colours, sight) > 8


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("grey", GREYS)
def test_five_steps_over_any_brightness_of_a_photo(grey: float, sight: str) -> None:
    colours = blend(np.full((1, 5, 1), grey), np.linspace(0, 1, 5)[np.newaxis], style_of(False))[0]
    assert least_difference(colours, sight) > 6.5


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("grey", GREYS)
def test_the_signs_over_any_brightness_of_a_photo(grey: float, sight: str) -> None:
    colours = blend(np.full((1, 5, 1), grey), np.linspace(-1, 1, 5)[np.newaxis], style_of(True))[0]
    assert least_difference(colours, sight) > 6.5


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("name", DIVERGING)
def test_a_signed_map_by_itself_is_darkest_at_zero_and_has_two_hues(name: str, sight: str) -> None:
    strength = np.linspace(-1, 1, 9)
    colours = palette_of(name, signed=True).colour(strength)
    lightness = lab(colours, sight)[:, 0]
    assert np.diff(lightness[4:]).min() > 5
    assert np.diff(lightness[4::-1]).min() > 5
    assert least_difference(colours, sight) > 8


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("paper", [(255, 255, 255), (246, 247, 249), (17, 20, 26)])
def test_the_signs_behind_the_words_of_a_text(paper: tuple[int, int, int], sight: str) -> None:
    """Seven steps, on the white of pictures and on the light and dark papers of both pages."""
    scores = np.linspace(-1, 1, 7)
    opacity = texts.STRONGEST * np.abs(scores)[:, np.newaxis]
    colours = (1 - opacity) * np.array(paper) + opacity * np.array([texts.colour_of(score) for score in scores])
    assert least_difference(colours, sight) > 11
