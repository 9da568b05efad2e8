"""Operators that no lowering takes are refused by name, before a back end is asked."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgcompile.errors import UnsupportedOpError
from fgcompile.pipeline import fuse


class DynamicFilters(nn.Module):
    """Filters that are computed from the input, one group a sample."""

    def forward(self, x: Tensor) -> Tensor:
        batch = x.shape[0]
        filters = x.reshape(-1, 1, 4)[:, :, :2].contiguous()
        return F.conv1d(x.reshape(1, -1, 4), filters, groups=batch * 3).reshape(batch, -1)


def test_a_backward_operator_that_is_left_is_named() -> None:
    with pytest.raises(UnsupportedOpError, match=r"aten\.convolution_backward\.default.*no lowering"):
        fuse(DynamicFilters().eval(), torch.randn(2, 3, 4))
