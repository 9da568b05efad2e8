"""The paper's weak dependence (arXiv:1905.00780, section 3): in a piecewise-linear network the full-gradient belongs to
the linear region that the input lies in, and tells regions apart that have one input-gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import fgcompile


def full_gradient(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """``∂f/∂x`` and all bias-gradients side by side, each ``(N, …)``."""
    terms = fgcompile.full_gradient(model, x, target=0)
    assert isinstance(terms.input_gradient, Tensor)
    biases = [value.flatten(1) for value in terms.bias_gradients.values()]
    return terms.input_gradient, torch.cat(biases, 1)


def pattern(model: nn.Sequential, x: Tensor) -> Tensor:
    """Which ReLUs are on: the linear region."""
    signs = []
    for layer in model:
        if isinstance(layer, nn.ReLU):
            signs.append((x > 0).flatten(1))
        x = layer(x)
    return torch.cat(signs, 1)


def test_it_is_constant_inside_a_linear_region() -> None:
    torch.manual_seed(0)
    layers = (nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
    model = nn.Sequential(*layers).double().eval()
    x = torch.randn(20, 6, dtype=torch.float64)
    near = x + 1e-3 * torch.randn_like(x)
    same = (pattern(model, x) == pattern(model, near)).all(1)
    assert same.sum() > 10
    for value, other in zip(full_gradient(model, x[same]), full_gradient(model, near[same]), strict=True):
        torch.testing.assert_close(value, other, rtol=0, atol=1e-14)
    # The score and gradient × input are not: no map of one number a feature can be complete and constant at once.
    assert (model(x[same])[:, 0] - model(near[same])[:, 0]).abs().min() > 1e-10


def test_it_tells_regions_apart_that_share_an_input_gradient() -> None:
    """``f(x) = relu(x) − relu(x − 1)`` is 0 left of 0 and 1 right of 1, and flat on both sides."""
    first, last = nn.Linear(1, 2), nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        first.weight.fill_(1)
        first.bias.copy_(torch.tensor([0.0, -1.0]))
        last.weight.copy_(torch.tensor([[1.0, -1.0]]))
    model = nn.Sequential(first, nn.ReLU(), last).double().eval()
    x = torch.tensor([[-1.0], [2.0], [3.0]], dtype=torch.float64)
    gradients, biases = full_gradient(model, x)
    assert gradients.tolist() == [[0], [0], [0]]
    assert biases.tolist() == [[0, 0], [0, 1], [0, 1]]
