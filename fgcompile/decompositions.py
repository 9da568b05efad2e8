"""Operators that capture takes apart in its own way: PyTorch's keeps them, or what it makes of them has no gradient.

Each becomes operators that the bias table and the lowerings know. The axes that they work along are static.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import SymInt, Tensor

from fgcompile import attention

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


def decompose_distances(x1: Tensor, x2: Tensor, p: float, compute_mode: int | None) -> Tensor:
    """``out[…, i, j] = ‖x1[…, i, :] − x2[…, j, :]‖_p``: PyTorch's own has no second derivative."""
    return torch.linalg.vector_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


def decompose_product(self: Tensor, dim: int, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Any:
    """``Π x`` along an axis, by halves: the gradient of PyTorch's own depends on which factors are zero."""
    if isinstance(self.shape[dim], SymInt):
        return NotImplemented
    x = self if dtype is None else self.to(dtype)
    while (size := x.shape[dim]) > 1:
        half = size // 2
        halves = x.narrow(dim, 0, half) * x.narrow(dim, half, half)
        x = halves if size % 2 == 0 else torch.cat([halves, x.narrow(dim, 2 * half, 1)], dim)
    return x if keepdim else x.squeeze(dim)


def _decompose_scan(combine: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Any]:
    def decompose(self: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Any:
        """A scan that doubles its reach in ``⌈log₂ n⌉`` steps; the gradient of PyTorch's own depends on values."""
        size = self.shape[dim]
        if isinstance(size, SymInt):
            return NotImplemented
        x = self if dtype is None else self.to(dtype)
        reach = 1
        while reach < size:
            combined = combine(x.narrow(dim, reach, size - reach), x.narrow(dim, 0, size - reach))
            x = torch.cat([x.narrow(dim, 0, reach), combined], dim)
            reach *= 2
        return x

    return decompose


def _log_add_exp(a: Tensor, b: Tensor) -> Tensor:
    """``log(eᵃ + eᵇ)``."""
    return torch.logsumexp(torch.stack([a, b]), 0)


def decompose_copy(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """What an assignment into a slice or a circular padding becomes has no derivative; ``src`` itself has one."""
    return src.to(self.dtype).expand(self.shape)


def decompose_empty(size: Sequence[int], *, memory_format: torch.memory_format | None = None, **options: Any) -> Any:
    """What is in memory that nobody has written could be anything, NaN too, whose product with a zero is not zero."""
    return aten.zeros.default(size, **options)


DECOMPOSITIONS: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    **attention.DECOMPOSITIONS,
    aten.copy.default: decompose_copy,
    aten.empty.memory_format: decompose_empty,
    aten._cdist_forward.default: decompose_distances,
    # They differ from maximum and minimum for NaN alone.
    aten.fmax.default: aten.maximum.default,
    aten.fmin.default: aten.minimum.default,
    aten.prod.dim_int: decompose_product,
    aten.cumprod.default: _decompose_scan(torch.mul),
    aten.logcumsumexp.default: _decompose_scan(_log_add_exp),
}
