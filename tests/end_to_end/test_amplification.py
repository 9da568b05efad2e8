"""A model that amplifies rounding errors: its graph is checked by what one of them does to it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.errors import VerificationError


class Amplifier(nn.Module):
    """Each layer makes differences about 30 times as large, in a way that folding BatchNorm rounds differently."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.BatchNorm2d(3)) for _ in range(layers)
        )
        for layer in self.layers:
            nn.init.orthogonal_(layer[0].weight)
            nn.init.constant_(layer[1].weight, 30.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x).sin()
        return x.mean((2, 3))


def test_a_model_that_amplifies_rounding_is_compared_by_what_rounding_does_to_it() -> None:
    torch.manual_seed(0)
    fgcompile.compile(Amplifier(6).eval(), torch.randn(1, 3, 6, 6))


def test_a_model_that_drowns_in_rounding_is_refused() -> None:
    torch.manual_seed(0)
    with pytest.raises(VerificationError, match="rounding error"):
        fgcompile.compile(Amplifier(12).eval(), torch.randn(1, 3, 6, 6))
