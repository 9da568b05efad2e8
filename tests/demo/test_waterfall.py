"""The waterfall adds up, however deep the module tree."""

from __future__ import annotations

import io
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fgcompile.artifact.metadata import SiteSpec
from fgcompile.demo.waterfall import draw_waterfall, group_by_layer


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


def test_drawing_is_a_transparent_png() -> None:
    content = draw_waterfall([("input", 1.5), ("conv", -3.0), ("head", 0.0)], -1.5, 1e-7)
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "PNG"
        assert image.mode == "RGBA"
        assert image.getpixel((0, 0))[3] == 0
        assert image.width > 600
