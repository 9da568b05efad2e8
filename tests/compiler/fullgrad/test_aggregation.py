"""Aggregation: the map equals the authors' on ReLU networks, and each shortcut equals the plain formula."""

from __future__ import annotations

import pytest
import torch

import fgcompile
from fgcompile.compiler.pipeline import fuse
from fgcompile.demo.eager_fullgrad import fullgrad_reference
from tests.compiler.fullgrad.test_psi import rescaled
from tests.support.networks import build


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
