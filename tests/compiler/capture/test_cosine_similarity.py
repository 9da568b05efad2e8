"""Where a vector is shorter than the bound ε, the gradient is autograd's, which passes the bound."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

import fgcompile


class Similar(nn.Module):
    """A cosine with a bound of a half."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(4, 4, bias=False), nn.Linear(1, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(cosine_similarity(self.layer(x)[:, None], x[:, None].sin(), -1, 0.5))  # type: ignore[no-any-return]


@pytest.mark.parametrize("length", [0.0, 0.1, 10.0])
def test_the_gradient_is_eager_autograds(length: float) -> None:
    torch.manual_seed(0)
    model, x = Similar().double().eval(), torch.randn(1, 4, dtype=torch.float64) * length
    leaf = x.clone().requires_grad_()
    output = model(leaf)
    output[:, 1].sum().backward()
    terms = fgcompile.full_gradient(model, x, 1)
    torch.testing.assert_close(terms.output, output.detach())
    torch.testing.assert_close(terms.input_gradient, leaf.grad, rtol=1e-12, atol=1e-12)
    assert terms.relative_completeness_error.max() < 1e-12
