"""Order statistics and running maxima along an axis, for which ONNX's exporter has no translation.

- ``median`` and ``kthvalue``: one position of the sorted axis.
- ``cummax`` and ``cummin``: a scan that doubles its reach, ``⌈log₂ n⌉`` steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.lowering.axes import is_dynamic

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


def lower_kthvalue(self: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The ``k``-th smallest value along an axis, and where it is."""
    pair = aten.sort.default(self, dim)
    values, indices = (aten.slice.Tensor(part, dim, k - 1, k) for part in pair)
    if not keepdim:
        values, indices = aten.squeeze.dim(values, dim), aten.squeeze.dim(indices, dim)
    # PyTorch's own are contiguous, and a view may follow.
    return values.contiguous(), indices.contiguous()


def lower_median(self: Tensor, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The lower median along an axis, and where it is."""
    return lower_kthvalue(self, (self.shape[dim] + 1) // 2, dim, keepdim)


def _lower_running(prefers_later: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Any]:
    def lower(self: Tensor, dim: int) -> Any:
        """Lowers ``cummax`` and ``cummin``: of equal values the last one counts, as in PyTorch."""
        dim %= self.dim()
        size = self.shape[dim]
        if is_dynamic(size):
            return NotImplemented
        shape = [size if axis == dim else 1 for axis in range(self.dim())]
        values, indices = self, aten.expand.default(torch.arange(size, device=self.device).reshape(shape), self.shape)
        reach = 1
        while reach < size:
            later = prefers_later(
                aten.slice.Tensor(values, dim, reach, size), aten.slice.Tensor(values, dim, 0, size - reach)
            )
            values, indices = (_joined(part, later, dim, reach) for part in (values, indices))
            reach *= 2
        return values, indices

    return lower


def _joined(part: Tensor, later: Tensor, dim: int, reach: int) -> Tensor:
    """The first ``reach`` positions as they are, each of the others or the one ``reach`` before it."""
    size = part.shape[dim]
    head, tail = aten.slice.Tensor(part, dim, 0, reach), aten.slice.Tensor(part, dim, reach, size)
    return aten.cat.default([head, aten.where.self(later, tail, aten.slice.Tensor(part, dim, 0, size - reach))], dim)


LOWERINGS: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.kthvalue.default: lower_kthvalue,
    aten.median.dim: lower_median,
    aten.cummax.default: _lower_running(aten.ge.Tensor),
    aten.cummin.default: _lower_running(aten.le.Tensor),
}
