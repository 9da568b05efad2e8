"""An identity matrix is one of any size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import fgcompile


class Turned(nn.Module):
    """A layer, and a product with ones on the diagonal."""

    def __init__(self, columns: int | None) -> None:
        super().__init__()
        self.layer, self.columns = nn.Linear(4, 300), columns

    def forward(self, x: Tensor) -> Tensor:
        identity = torch.eye(300) if self.columns is None else torch.eye(300, self.columns)
        return self.layer(x) @ identity


@pytest.mark.parametrize("columns", [None, 257])
def test_large_identities_are_captured(columns: int | None) -> None:
    model, x = Turned(columns).eval(), torch.randn(2, 4)
    program = fgcompile.expose_biases(model, x)
    (y,) = program.graph_module(x, *program.biases.values())
    torch.testing.assert_close(y, model(x))
