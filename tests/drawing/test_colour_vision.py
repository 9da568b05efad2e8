"""Steps of every scale are told apart by those who see no red, no green or no blue, by themselves and over any photo.

Their sight is simulated by the matrices of Machado, Oliveira and Fernandes, *A Physiologically-based Model for
Simulation of Color Vision Deficiency* (IEEE TVCG 15(6), 2009), at severity 1, on linear RGB; differences are CIELAB's
ΔE*ab under D65, of which 2.3 is just noticeable.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from fgcompile.drawing.blending import blend, style_of
from fgcompile.drawing.palettes import DIVERGING, SEQUENTIAL, palette_of

SIGHT = {
    "trichromat": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
GREYS = (0.0, 64.0, 128.0, 192.0, 255.0)


def lab(rgb: np.ndarray, sight: np.ndarray) -> np.ndarray:
    """CIELAB of sRGB in [0, 255], ``(n, 3)``, as it is seen."""
    part = rgb / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    xyz = (linear @ sight.T).clip(0, 1) @ XYZ.T / WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def least_difference(rgb: np.ndarray, sight: str) -> float:
    """The ΔE of the two colours that are the most alike."""
    seen = lab(rgb, SIGHT[sight])
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))


def test_the_measure_is_the_one_that_is_published() -> None:
    """Sharma's figures of white, and the ΔE of black and white; who sees no red takes red and a dark olive for one."""
    ends = lab(np.array([[255.0, 255.0, 255.0], [0.0, 0.0, 0.0]]), SIGHT["trichromat"])
    np.testing.assert_allclose(ends, [[100, 0, 0], [0, 0, 0]], atol=0.02)
    pair = np.array([[200.0, 0.0, 0.0], [82.0, 72.0, 0.0]])
    assert least_difference(pair, "protanopia") < 12 < 60 < least_difference(pair, "trichromat")


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("name", SEQUENTIAL)
def test_nine_steps_of_a_map_by_itself_grow_in_lightness(name: str, sight: str) -> None:
    colours = palette_of(name).colour(np.linspace(0, 1, 9))
    lightness = lab(colours, SIGHT[sight])[:, 0]
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
    lightness = lab(colours, SIGHT[sight])[:, 0]
    assert np.diff(lightness[4:]).min() > 5
    assert np.diff(lightness[4::-1]).min() > 5
    assert least_difference(colours, sight) > 8
