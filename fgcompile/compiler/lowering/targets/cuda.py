"""Forms for NVIDIA's graphics cards, in place of those that are fastest on a CPU.

- **Strided convolution, backward**: the transposed convolution; cuDNN is slow at the small, uneven kernels of phases.
- **Extremes over the last axes, in ONNX Runtime**: max pooling, in two steps where rows are long; as reductions they go
  to cuDNN, which reads a row by few threads.

Measured on an H200: ``docs/decisions/cuda.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.annotations import chosen
from fgcompile.compiler.lowering.convolution import choose_form, make_lowering

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

_LONG = 1024
"""Elements of a row from which on it is pooled in two steps, so that there are enough windows to fill a card."""


def lower_maximum(self: Tensor, dim: Sequence[int] = (), keepdim: bool = False) -> Any:
    """Lowers ``amax`` over the last axes, ``max_i x[i] = max_j max_k x[j·w + k]`` with ``w`` near ``√n``."""
    # Only the last axes, whole, with the batch in front: a row is then contiguous, and the one size that may be
    # symbolic is the -1 of the reshape.
    axes = sorted(axis % self.ndim for axis in dim)
    first = self.ndim - len(axes)
    before, reduced = self.shape[:first], self.shape[first:]
    if not axes or not before or axes != list(range(first, self.ndim)) or not self.is_floating_point():
        return NotImplemented
    if not all(isinstance(size, int) for size in (*before[1:], *reduced)):
        return NotImplemented
    length = math.prod(reduced)
    with chosen("extreme", "max pooling", "cuDNN's reductions read a row by few threads"):
        height = _divisor(length) if length >= _LONG else 1
        rows = aten.reshape.default(self, [-1, math.prod(before[1:]), height, length // height])
        for kernel in ([1, length // height], [height, 1]):
            if max(kernel) > 1:
                rows = aten.max_pool2d_with_indices.default(rows, kernel)[0]
        return aten.reshape.default(rows, [-1, *before[1:], *[1] * (len(axes) * keepdim)])


def lower_minimum(self: Tensor, dim: Sequence[int] = (), keepdim: bool = False) -> Any:
    """Lowers ``amin``: ``min x = −max(−x)``."""
    result = lower_maximum(aten.neg.default(self), dim, keepdim)
    return result if result is NotImplemented else aten.neg.default(result)


def _divisor(length: int) -> int:
    """The divisor that is nearest to the root, from below."""
    return max(divisor for divisor in range(1, math.isqrt(length) + 1) if length % divisor == 0)


CONVOLUTIONS: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.convolution_backward.default: make_lowering(
        partial(choose_form, against_phases="cuDNN is slow at the kernels of phases")
    ),
}

EXTREMES: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.amax.default: lower_maximum,
    aten.amin.default: lower_minimum,
}
