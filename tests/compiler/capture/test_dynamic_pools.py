"""Poolings over axes of dynamic size: at each size they are PyTorch's own, in value and gradient."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgcompile.compiler.capture.capture import capture
from tests.support.sweeps import few

POOLS: dict[str, tuple[int, Callable[[Tensor], Tensor]]] = {
    "of a signal": (1, lambda x: F.max_pool1d(x, 2)),
    "of an enlarged signal": (1, lambda x: F.max_pool1d(F.interpolate(x, scale_factor=2), 2, ceil_mode=True)),
    "window of what is left": (2, lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True)),
    "window left out": (2, lambda x: F.max_pool2d(x, (2, 1), (3, 4), ceil_mode=True)),
    "window left out by padding": (2, lambda x: F.max_pool2d(x, 2, 2, 1, ceil_mode=True)),
    "dilated": (2, lambda x: F.max_pool2d(x, 3, 5, 1, 2, ceil_mode=True)),
    "of a volume": (3, lambda x: F.max_pool3d(x, 2, 3, ceil_mode=True)),
    "average": (2, lambda x: F.avg_pool2d(x, 2, 3, ceil_mode=True)),
    "average with padding": (2, lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True)),
    "average without padding": (1, lambda x: F.avg_pool1d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False)),
    "average by a divisor": (2, lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True, divisor_override=5)),
}


class Pooled(nn.Module):
    """A layer, so that there is a gradient, a pooling, and a value of each of its places."""

    def __init__(self, rank: int, pool: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1](1, 2, 1)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        return (self.pool(self.layer(x)).flatten(2) ** 2).mean(2)


@pytest.mark.parametrize("name", few(POOLS, 6))
def test_poolings_of_any_size(name: str) -> None:
    rank, pool = POOLS[name]
    model = Pooled(rank, pool).eval()
    graph = capture(model, torch.randn(2, 1, *(9, 8, 7)[:rank]), dynamic_sizes=True).graph_module
    for size in range(5, 15):
        x = torch.randn(2, 1, *(size, size + 1, size + 3)[:rank], requires_grad=True)
        expected, found = model(x), graph(x)[0]
        torch.testing.assert_close(found, expected)
        (gradient,) = torch.autograd.grad(expected.sum(), x)
        torch.testing.assert_close(torch.autograd.grad(found.sum(), x)[0], gradient)
