"""Colour maps by name, of matplotlib's too, and what is refused."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from fgcompile.drawing.blending import style_of
from fgcompile.drawing.palettes import palette_of
from fgcompile.errors import InputError, MissingPackageError


def test_colours_are_those_of_matplotlib() -> None:
    colormaps = pytest.importorskip("matplotlib", reason="needs the extra plot").colormaps
    edges = np.arange(257) / 256
    strength = np.concatenate([edges, np.nextafter(edges[1:], 0), np.random.default_rng(0).random(10_000)])
    for name in ("inferno", "viridis"):
        assert np.array_equal(palette_of(name).colour(strength), colormaps[name](strength)[..., :3] * 255)
    for given in ("magma", colormaps["magma"]):
        found = palette_of(given).colour(np.array([0.0, 1.0]))
        np.testing.assert_allclose(found, np.array(colormaps["magma"]([0.0, 1.0]))[:, :3] * 255)


def test_a_signed_map_takes_what_diverges_and_keeps_zero_in_the_middle() -> None:
    colormaps = pytest.importorskip("matplotlib", reason="needs the extra plot").colormaps
    found = palette_of("RdBu", signed=True)
    middle, ends = found.colour(np.array([0.0])), found.colour(np.array([-1.0, 1.0]))
    np.testing.assert_allclose(middle / 255, [colormaps["RdBu"](0.5)[:3]], atol=0.01)
    np.testing.assert_allclose(ends / 255, np.array(colormaps["RdBu"]([0.0, 1.0]))[:, :3])
    for name in ("viridis", "magma"):
        with pytest.raises(InputError, match=rf"colour map {name} has no middle: a signed map takes orange-blue"):
            palette_of(name, signed=True)
    with pytest.raises(InputError, match="orange-blue is for signed maps, which this is not: give inferno or viridis"):
        palette_of("orange-blue")


def test_unknown_names_and_colour_maps_that_are_none() -> None:
    pytest.importorskip("matplotlib", reason="needs the extra plot")
    with pytest.raises(InputError, match=r"no colour map 'infrno': give inferno or viridis, .*, as inferno"):
        palette_of("infrno")
    with pytest.raises(InputError, match=r"no colour map 'coolwrm': give orange-blue, .*, as coolwarm"):
        palette_of("coolwrm", signed=True)
    with pytest.raises(InputError, match=r"function gives \(256,\) for 256 numbers: it has to give RGB"):
        palette_of(lambda part: part)


def test_without_matplotlib_its_colour_maps_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match=r"map 'jet' here: give inferno or viridis, .*'fgcompile\[plot\]'"):
        palette_of("jet")
    with pytest.raises(MissingPackageError, match=r"no colour map 'jet' here: give orange-blue, or for"):
        palette_of("jet", signed=True)
    assert palette_of("viridis").colour(np.array([1.0])).shape == (1, 3)


@pytest.mark.parametrize("alpha", [-0.1, 1.5, "half", True, float("nan")])
def test_an_alpha_that_is_none(alpha: float) -> None:
    with pytest.raises(InputError, match=r"alpha is .*: give a number from 0"):
        style_of(False, alpha=alpha)
