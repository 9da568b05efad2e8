"""Operators that no lowering takes are refused by name, before a back end is asked."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import UnsupportedOpError


class Unpooling(nn.Module):
    """Puts maxima back where they were."""

    def forward(self, x: Tensor) -> Tensor:
        return F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)


@torch.library.custom_op("fgcompile_tests::thrice", mutates_args=())
def thrice(x: Tensor) -> Tensor:
    """An operator of the user's, with a gradient."""
    return x * 3


@thrice.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


def _thrice_backward(ctx: object, g: Tensor) -> Tensor:
    return g * 3


thrice.register_autograd(_thrice_backward)


class OfALibrary(nn.Module):
    """Calls an operator that is none of PyTorch's."""

    def forward(self, x: Tensor) -> Tensor:
        return thrice(x)


REFUSED = {
    "an operator of a library": (OfALibrary, (6,), r"fgcompile_tests\.thrice\.default.*none of PyTorch's"),
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
