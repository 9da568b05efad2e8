"""Aggregation: the map equals the authors' on ReLU networks, and each shortcut equals the plain formula."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import fgcompile
from fgcompile.compiler.fullgrad.aggregation import _upsampled
from fgcompile.compiler.pipeline import fuse
from fgcompile.demo.eager_fullgrad import fullgrad_reference
from tests.compiler.fullgrad.test_psi import rescaled
from tests.support.networks import build


@pytest.mark.parametrize(
    ("small", "large", "mode"),
    [
        ((4,), (9,), "linear"),
        ((1,), (5,), "linear"),
        ((7, 3), (20, 11), "bilinear"),
        ((1, 1), (4, 6), "bilinear"),
        ((8, 8), (4, 1), "bilinear"),
        ((2, 3, 4), (5, 6, 7), "trilinear"),
    ],
)
def test_upsampling_equals_interpolate_with_aligned_corners(
    small: tuple[int, ...], large: tuple[int, ...], mode: str
) -> None:
    values = torch.randn(2, *small, dtype=torch.float64)
    expected = F.interpolate(values.unsqueeze(1), large, mode=mode, align_corners=True).squeeze(1)
    torch.testing.assert_close(_upsampled(values, large, align_corners=True), expected, rtol=1e-12, atol=1e-12)


def test_upsampling_of_the_grad_cam_preset_is_by_half_pixels() -> None:
    values = torch.randn(2, 3, 4, dtype=torch.float64)
    expected = F.interpolate(values.unsqueeze(1), (8, 9), mode="bilinear", align_corners=False).squeeze(1)
    torch.testing.assert_close(_upsampled(values, (8, 9), align_corners=False), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["residual", "volume"])
def test_the_fused_map_equals_the_authors_algorithm(name: str) -> None:
    model, x = build(name)
    target = torch.tensor([1, 2])
    program = fuse(model, x)
    logits, saliency = program.graph_module(x, target)
    reference = fullgrad_reference(model, x, target)
    torch.testing.assert_close(logits, reference.logits, rtol=1e-12, atol=1e-12)
    assert (saliency - reference.saliency).abs().max() < 1e-9 * reference.saliency.max()


def test_terms_without_the_layout_of_the_input_stay_out_of_the_map() -> None:
    model, x = build("residual")
    before = fuse(model, x).graph_module(x, torch.tensor([1, 1]))[1]
    with torch.no_grad():
        model.head.bias.fill_(100.0)
    after = fuse(model, x).graph_module(x, torch.tensor([1, 1]))[1]
    torch.testing.assert_close(before, after)


def test_implicit_biases_of_activations_enter_the_map() -> None:
    model, x = build("shared layers")
    program = fgcompile.expose_biases(model, x)
    layouts = {site.name: site.layout for site in program.sites}
    assert layouts == {**dict.fromkeys(["conv", "act", "conv:2", "act:2"], "n c h w"), "head": "none"}
    reference = fullgrad_reference(model, x, torch.tensor([0, 0]))
    saliency = fuse(model, x).graph_module(x, torch.tensor([0, 0]))[1]
    terms = fgcompile.full_gradient(model, x, target=0).bias_gradients
    extra = rescaled(terms["act"]).sum(1, True) + rescaled(terms["act:2"]).sum(1, True)
    torch.testing.assert_close(saliency, reference.saliency + extra, rtol=1e-9, atol=1e-9)
