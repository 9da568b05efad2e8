"""The colour scales of the libraries that are compared are sampled where they say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.evidence.colour_vision import GREYS, SIGHT


def test_each_scale_has_five_steps_over_each_grey() -> None:
    for module, package in (("captum", "captum"), ("pytorch_grad_cam", "grad-cam")):
        pytest.importorskip(module, reason=f"needs {package}: pip install {package}")
    from benchmarks.evidence import side_by_side

    scales = side_by_side._scales()
    for colours in scales.values():
        assert [each.shape for each in colours] == [(5, 3)] * len(GREYS)
    signed = scales["captum, signed `blended_heat_map`"][2]
    assert signed[0, 0] > signed[0, 1] + 50, "captum's least is red"
    assert signed[-1, 1] > signed[-1, 0] + 50, "its greatest green"
    assert np.ptp(signed[2]) < 3, "and nothing has no hue"
    jet = scales["pytorch-grad-cam, `show_cam_on_image`"][2]
    assert jet[0].argmax() == 2
    assert jet[-1].argmax() == 0
    for sight in SIGHT:
        assert side_by_side._worst(scales["fgcompile, signed"], sight) > 6.5
