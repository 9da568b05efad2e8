"""A function of activations and random weights as a layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Shape


class Weighted(nn.Module):
    """``function(*operands, *weights)`` with normal weights of the given shapes."""

    def __init__(self, function: Callable[..., Tensor], *shapes: Shape) -> None:
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList([nn.Parameter(torch.randn(shape)) for shape in shapes])

    def forward(self, *operands: Tensor) -> Tensor:
        return self.function(*operands, *self.weights)
