"""The optimisations in their order."""

from __future__ import annotations

import torch
from torch import nn

from fgcompile.compiler import pipeline


def test_inputs_of_one_shape_stay_two() -> None:
    class Difference(nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return a.flatten(1) - 2 * b.flatten(1)

    a, b = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    program = pipeline.fuse(Difference().eval(), (a, b), outputs=("logits", "contributions"))
    logits, contributions = program.graph_module(a.double(), b.double(), torch.tensor([0, 1]))
    torch.testing.assert_close(logits, (a - 2 * b).flatten(1).double())
    torch.testing.assert_close(contributions[:, 0], logits[[0, 1], [0, 1]])
