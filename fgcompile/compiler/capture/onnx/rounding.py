"""How far rounding alone moves what a file computes: a comparison can say no more.

A file may subtract numbers that are nearly equal, as a variance ``E[x²] − E[x]²`` of values that hardly differ does,
and whole numbers of 8 bits flip where a value lies half-way. Two right implementations then differ by much more than
they round. How much is measured: the results of each node are moved by their last bit, ``y (1 ± ε)`` at random, several
times; those that are made of n times as many numbers, as sums are, by √n ε, and
those of a sigmoid, which is between bounds, by the last bit of 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from fgcompile.compiler.capture.onnx.graph import Step
from fgcompile.compiler.capture.onnx.model import OnnxModel
from fgcompile.compiler.capture.onnx.values import Value

DRAWS = 3
"""How often the nodes' results are moved."""

SLACK = 4.0
"""By how much more than that two implementations may differ."""

BOUNDED = ("Sigmoid", "Tanh", "Erf", "LinearClassifier")
"""Operators whose result ONNX Runtime rounds as it does 1: a sigmoid of −60 is 1e-8 there, not 1e-26."""


def moved_by_rounding(model: OnnxModel, feeds: Mapping[str, Tensor], name: str) -> float:
    """The most that a tensor of a file moves with the last bits of its nodes, relative to its largest number.

    Args:
        model: As read.
        feeds: Its inputs by name.
        name: The tensor.
    """
    expected = model.tensors(feeds, [name])[name].double()
    size = expected.abs().amax().clamp(min=torch.finfo(torch.float32).tiny)
    moved = (model.tensors(feeds, [name], _Moving(seed))[name].double() for seed in range(DRAWS))
    return max(float((each - expected).abs().amax() / size) for each in moved)


class _Moving:
    """Computes a node and moves the last bits of what it gives."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, step: Step, child: nn.Module, values: list[Value]) -> Sequence[Value]:
        count = max((each.numel() for each in values if isinstance(each, Tensor)), default=1)
        bounded = getattr(child, "operator_name", "") in BOUNDED
        return [self._moved(each, count, bounded) for each in child(*values)]

    def _moved(self, value: Value, count: int, bounded: bool) -> Value:
        # Levels are whole numbers: what moves them was moved before they were rounded.
        if not isinstance(value, Tensor) or not value.is_floating_point() or not value.numel():
            return value
        up = torch.rand(value.shape, generator=self._generator) < 0.5
        by = torch.finfo(value.dtype).eps * max(1.0, count / value.numel()) ** 0.5
        if bounded:
            return value + torch.where(up, by, -by).to(value.dtype)
        return value * torch.where(up, 1 + by, 1 - by).to(value.dtype)
