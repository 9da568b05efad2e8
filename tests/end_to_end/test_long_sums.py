"""Reductions over thousands of elements, in float32: each element's gradient is as exact as it is small."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.runtime.session import open_session


class Pooled(nn.Module):
    """A smooth layer, one number per channel from a long axis, and a head."""

    def __init__(self, pool: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.features, self.head, self.pool = nn.Conv1d(1, 4, 3, padding=1), nn.Linear(4, 3), pool

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(torch.tanh(self.features(x))))


POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "log-sum-exp": lambda x: x.logsumexp(-1),
    "log-sum-exp over two axes": lambda x: x.unflatten(-1, (50, 60)).logsumexp((-1, 2)),
    "softmax": lambda x: (x.softmax(-1) * x).sum(-1),
    "generalised mean": lambda x: x.clamp(min=1e-6).pow(3).mean(-1).pow(1 / 3),
    "variance": lambda x: x.var(-1),
}


@pytest.mark.parametrize("pool", POOLS)
def test_the_gradient_is_that_of_float64(pool: str) -> None:
    torch.manual_seed(0)
    model, x = Pooled(POOLS[pool]).eval(), torch.randn(2, 1, 3000)
    artifact = fgcompile.compile(model, x, target=1, outputs=("logits", "input_gradient"))
    session = open_session(artifact.content, artifact.metadata, "the artifact")
    measured = torch.as_tensor(session.explain(x.numpy()).input_gradient)

    exact = x.double().requires_grad_()
    (expected,) = torch.autograd.grad(model.double()(exact)[:, 1].sum(), exact)
    assert (measured - expected).abs().max() <= 3e-6 * expected.abs().max()
