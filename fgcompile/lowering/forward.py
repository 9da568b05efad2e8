"""Forward operators that ONNX's exporter mistakes or lacks, as ones that it knows.

- ``avg_pool`` with a divisor of its own, which the exporter ignores: the plain average times ``Π k / divisor``.
- ``_adaptive_avg_pool3d``: a pooling where the windows tile, else one averaging matrix per axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.lowering.axes import multiply_axis, per_axis
from fgcompile.lowering.windows import bound_adaptive_windows, make_average_matrix

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


def _lower_divisor(rank: int, average: Callable[..., Tensor]) -> Callable[..., Any]:
    def lower(
        self: Tensor,
        kernel_size: Sequence[int],
        stride: Sequence[int] = (),
        padding: Sequence[int] = (0,),
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        """Lowers ``avg_pool{2,3}d`` with a divisor; windows cut short in ceil mode stay, for the check to refuse."""
        if divisor_override is None or ceil_mode:
            return NotImplemented
        count = math.prod(per_axis(kernel_size, rank))
        plain = average(self, list(kernel_size), list(stride), list(padding), False, True, None)
        return plain * (count / divisor_override)

    return lower


def _lower_adaptive_average(self: Tensor, output_size: Sequence[int]) -> Tensor:
    """Lowers ``_adaptive_avg_pool3d``: ``y = A x`` along each axis."""
    axes = range(self.dim() - 3, self.dim())
    factors = [self.shape[axis] // count for axis, count in zip(axes, output_size, strict=True)]
    if all(self.shape[axis] == count * f for axis, count, f in zip(axes, output_size, factors, strict=True)):
        return aten.avg_pool3d.default(self, factors, factors)
    y = self
    for axis, count in zip(axes, output_size, strict=True):
        size = self.shape[axis]
        start, end = bound_adaptive_windows(torch.arange(count, device=y.device), size, count)
        y = multiply_axis(y, axis, make_average_matrix(start, end, end - start, size, y).t())
    return y


DECOMPOSITIONS: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.avg_pool2d.default: _lower_divisor(2, aten.avg_pool2d.default),
    aten.avg_pool3d.default: _lower_divisor(3, aten.avg_pool3d.default),
    aten._adaptive_avg_pool3d.default: _lower_adaptive_average,
}
