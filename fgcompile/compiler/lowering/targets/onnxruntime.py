"""Reductions, where a runtime is slow at one form and fast at another.

A sum over an axis with others behind it is a product with a row of ones, which takes ONNX Runtime a tenth of the time:
``docs/decisions/sums-and-extremes.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


def lower_sum(self: Tensor, dim: Sequence[int] | None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Lowers ``sum`` over one axis of a floating-point tensor that is neither the first nor the last."""
    axes = [axis % self.ndim for axis in dim or ()]
    if len(axes) != 1 or not 0 < axes[0] < self.ndim - 1 or dtype is not None or not self.is_floating_point():
        return NotImplemented
    (axis,) = axes
    before, count, after = self.shape[:axis], self.shape[axis], self.shape[axis + 1 :]
    if not isinstance(count, int) or not all(isinstance(size, int) for size in (*before[1:], *after)):
        return NotImplemented
    ones = aten.ones.default([1, 1, count], dtype=self.dtype, device=self.device)
    flat = aten.reshape.default(self, [-1, count, math.prod(after)])
    return aten.reshape.default(aten.matmul.default(ones, flat), [-1, *before[1:], *[1] * keepdim, *after])


LOWERINGS: dict[torch._ops.OpOverload, Callable[..., Any]] = {aten.sum.dim_IntList: lower_sum}
