"""Gradients of sampling at the places of a grid equal autograd's, for the image and the grid."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import CaptureError, UnsupportedOpError
from tests.compiler.lowering.tracing import assert_lowered
from tests.support.operator_cases import SAMPLINGS, OperatorCase
from tests.support.sweeps import few


@pytest.mark.parametrize("case", few(SAMPLINGS, 4), ids=lambda case: case.name)
def test_lowered_backward_equals_autograd(case: OperatorCase) -> None:
    assert_lowered(case)


@pytest.mark.parametrize(("mode", "padding"), few([("bicubic", "zeros"), ("bilinear", "reflection")], 1))
def test_other_modes_are_named(mode: str, padding: str) -> None:
    class Warp(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.grid = nn.Parameter(torch.rand(1, 3, 4, 2))

        def forward(self, x: Tensor) -> Tensor:
            return F.grid_sample(x, self.grid.expand(x.shape[0], -1, -1, -1), mode, padding, False).flatten(1)

    with pytest.raises(UnsupportedOpError, match=r"grid_sampler_2d_backward.*no lowering"):
        fuse(Warp().eval(), torch.randn(2, 1, 4, 5))


def test_sampling_a_volume_is_named() -> None:
    class Warp(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.grid_sample(x, torch.tanh(x[:, :3].movedim(1, -1)), align_corners=False).flatten(1)

    with pytest.raises(CaptureError, match="samples a volume"):
        fuse(Warp().eval(), torch.randn(2, 3, 2, 4, 5))
