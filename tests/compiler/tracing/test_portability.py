"""Operators that no lowering takes are refused by name, before a back end is asked."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import UnsupportedOpError


class Spectrum(nn.Module):
    """The magnitudes of a signal's frequencies."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x).abs()


class Norms(nn.Module):
    """Norms of points of the complex plane."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.view_as_complex(x).abs()


class Unpooling(nn.Module):
    """Puts maxima back where they were."""

    def forward(self, x: Tensor) -> Tensor:
        return F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)


REFUSED = {
    "frequencies": (Spectrum, (6,), r"aten\._fft_r2c\.default.*complex"),
    "complex numbers": (Norms, (4, 2), r"aten\.view_as_complex\.default.*complex"),
    "unpooling": (Unpooling, (2, 4, 4), r"aten\.index_put\.default.*no lowering"),
}


class Named(nn.Module):
    """Puts a layer between others."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.odd = nn.Sequential(nn.Tanh(), layer)

    def forward(self, x: Tensor) -> Tensor:
        return (self.odd(x * self.scale) * self.scale).flatten(1)


@pytest.mark.parametrize("name", REFUSED)
def test_an_operator_that_is_left_is_named_with_its_layer(name: str) -> None:
    layer, shape, message = REFUSED[name]
    with pytest.raises(UnsupportedOpError, match=message) as caught:
        fuse(Named(layer()).eval(), torch.randn(2, *shape))
    assert "in layer 'odd.1'" in str(caught.value)
    assert "\n" not in str(caught.value)
