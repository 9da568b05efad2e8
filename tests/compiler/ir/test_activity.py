"""What autograd takes for constants is no path of a gradient."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import fgcompile


class Statistics(nn.Module):
    """A normalisation whose mean and deviation are read, as calibrated heads do."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        y, mean, reciprocal = torch.native_layer_norm(x, [6], None, None, 1e-5)
        return self.head(torch.relu(y * reciprocal + mean))


def test_statistics_that_a_model_reads() -> None:
    torch.manual_seed(0)
    model, x = Statistics().eval().double(), torch.randn(2, 6, dtype=torch.float64)
    terms = fgcompile.full_gradient(model, x, target=1, rules="taylor")
    leaf = x.clone().requires_grad_()
    model(leaf)[:, 1].sum().backward()
    torch.testing.assert_close(terms.input_gradient, leaf.grad, rtol=1e-10, atol=1e-12)
    assert terms.relative_completeness_error.max() < 1e-12
    artifact = fgcompile.compile(model.float(), x.float(), outputs=("logits", "residual"), rules="taylor")
    found = fgcompile.load(artifact, threads=1).run({"x": x.float().numpy(), "target": np.array([1, 1])})
    assert abs(found["residual"]).max() < 1e-5
