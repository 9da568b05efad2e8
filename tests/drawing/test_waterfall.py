"""The waterfall adds up, however deep the module tree."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgcompile.artifact.metadata import SiteSpec
from fgcompile.drawing.waterfall import draw_waterfall, group_by_layer
from fgcompile.errors import InputError


def sites(*names: str) -> list[SiteSpec]:
    terms = [{"name": "bias", "kind": "convolution"}]
    return [SiteSpec(name=n, kind="convolution", shape=["batch"], layout="spatial", terms=terms) for n in names]


def test_shallow_networks_keep_every_layer() -> None:
    bars = group_by_layer(np.array([1.0, 2.0, 4.0]), sites("features.0", "features.1"))
    assert bars == [("input", 1.0), ("features.0", 2.0), ("features.1", 4.0)]


def test_deep_networks_are_grouped_by_block_in_the_order_of_the_graph() -> None:
    names = ["stem", *(f"blocks.{i}.conv{j}" for i in range(10) for j in range(3)), "head"]
    bars = group_by_layer(np.ones(1 + len(names)), sites(*names))
    assert [name for name, _ in bars] == ["input", "stem", *(f"blocks.{i}" for i in range(10)), "head"]
    assert dict(bars)["blocks.7"] == 3


def test_a_site_with_two_terms_counts_both() -> None:
    site = sites("conv")[0]
    site["terms"] = site["terms"] * 2
    assert group_by_layer(np.array([1.0, 2.0, 4.0]), [site]) == [("input", 1.0), ("conv", 6.0)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.floats(-1e3, 1e3)), max_size=80))
def test_bars_add_up_to_the_contributions(layers: list[tuple[str, int, float]]) -> None:
    contributions = np.array([0.25, *(value for _, _, value in layers)])
    bars = group_by_layer(contributions, sites(*(f"{block}.{index}" for block, index, _ in layers)))
    assert math.isclose(sum(value for _, value in bars), contributions.sum(), abs_tol=1e-9)
    assert len(bars) <= 24


def test_on_a_page_its_background_is_transparent() -> None:
    bars = [("input", 1.5), ("conv", -3.0), ("head", 0.0)]
    image = draw_waterfall(bars, -1.5, 1e-7, transparent=True)
    assert image.mode == "RGBA"
    assert image.getpixel((0, 0))[3] == 0  # type: ignore[index]
    assert draw_waterfall(bars, -1.5, 1e-7).mode == "RGB"


def test_contributions_that_overflowed_are_refused() -> None:
    with pytest.raises(InputError, match="contributions are NaN or infinite"):
        draw_waterfall([("input", math.nan), ("conv", 1.0)], 1.0, 0.0)


def test_each_bar_begins_where_the_last_one_ended() -> None:
    """The rows of colour, read off the picture: +2, −3 and +1.5 of a score of 0.5, in pixels of one scale."""
    image = np.asarray(draw_waterfall([("a", 2.0), ("b", -3.0), ("c", 1.5)], 0.5, 0.0)).astype(int)
    spans = []
    for row in range(4):
        line = image[8 + 22 * row + 11 + 6]
        coloured = np.flatnonzero(np.ptp(line, axis=1) > 60)
        spans.append((coloured[0], coloured[-1]))
    (a, a_end), (b, b_end), (c, c_end), (total, total_end) = spans
    unit = (a_end - a) / 2
    assert b_end == pytest.approx(a_end, abs=2)
    assert b_end - b == pytest.approx(3 * unit, abs=3)
    assert c == pytest.approx(b, abs=2)
    assert c_end - c == pytest.approx(1.5 * unit, abs=3)
    assert total == pytest.approx(a, abs=2)
    assert total_end == pytest.approx(c_end, abs=2)
