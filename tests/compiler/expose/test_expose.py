"""Exposure: every bias is an input, and at the defaults the rewritten graph is the model."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from tests.support.networks import NETWORKS, ConvNet, SharedLayers, build, randomised
from tests.support.sweeps import few


@pytest.mark.parametrize("name", few(NETWORKS, 3))
def test_with_its_defaults_the_program_equals_the_model(name: str) -> None:
    model, x = build(name)
    program = fgcompile.expose_biases(model, x)
    with torch.no_grad():
        (output,) = program.graph_module(x, *program.biases.values())
        torch.testing.assert_close(output, model(x), rtol=1e-12, atol=1e-12)


def test_sites_are_named_after_layers_and_list_their_terms() -> None:
    program = fgcompile.expose_biases(ConvNet().eval(), torch.zeros(1, 3, 16, 16))
    described = {site.name: (site.kind, site.shape, site.layout) for site in program.sites}
    assert described == {
        "stem": ("convolution", ("batch", 8, 8, 8), "n c h w"),
        "bn": ("batch_norm", ("batch", 8, 8, 8), "n c h w"),
        "bn2": ("batch_norm", ("batch", 8, 4, 4), "n c h w"),
        "head": ("linear", ("batch", 5), "none"),
    }
    assert list(program.biases) == ["stem.bias", "bn", "bn2", "head.bias"]


def test_the_second_call_of_a_layer_is_a_site_of_its_own() -> None:
    program = fgcompile.expose_biases(SharedLayers().eval(), torch.zeros(1, 3, 8, 8))
    assert [site.name for site in program.sites] == ["conv", "act", "conv:2", "act:2", "head"]


def test_a_bias_input_stands_for_the_parameter() -> None:
    model = randomised(ConvNet()).double()
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    program = fgcompile.expose_biases(model, x)
    shift = torch.randn(8, dtype=torch.float64)
    biases = {**program.biases, "bn": program.biases["bn"] + shift, "stem.bias": program.biases["stem.bias"] * 2}
    with torch.no_grad():
        model.bn.bias += shift
        model.stem.bias *= 2
        torch.testing.assert_close(program.graph_module(x, *biases.values())[0], model(x), rtol=1e-12, atol=1e-12)


def test_an_offset_is_added_to_the_output_of_an_activation() -> None:
    model, x = nn.Sequential(nn.SiLU(), nn.Flatten()).eval(), torch.randn(2, 3, 4)
    program = fgcompile.expose_biases(model, x)
    offset = torch.randn(1, 3, 4)
    assert list(program.biases) == ["0.offset"]
    torch.testing.assert_close(program.graph_module(x, offset)[0], (nn.functional.silu(x) + offset).flatten(1))


def test_constants_computed_in_the_model_become_bias_inputs() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(7, 4))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.table[:5].unsqueeze(0) * 2 - torch.arange(4.0)

    model, x = Positions().eval(), torch.randn(2, 5, 4)
    program = fgcompile.expose_biases(model, x)
    defaults = list(program.biases.values())
    torch.testing.assert_close(defaults[0], model.table.detach()[:5].unsqueeze(0) * 2)
    torch.testing.assert_close(defaults[1], -torch.arange(4.0))


def test_branches_that_lead_nowhere_have_no_site() -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            self.unused(x)
            return self.used(x)

    program = fgcompile.expose_biases(Unused().eval(), torch.randn(2, 3))
    assert [site.name for site in program.sites] == ["used"]
