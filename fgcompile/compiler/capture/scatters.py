"""Scatters along an axis of fixed size, as choices and sums over what goes to each place.

With ``hit[…, i, j] = [index[…, j] == i]`` for the places i of the axis and the values j:

    scatter           where(any_j hit, src at the last j that hits, self)
    scatter_add       self + Σ_j hit src_j
    mean              (self + Σ_j hit src_j) / (1 + Σ_j hit)
    amax, amin        the extreme of self and of every src_j that hits
    prod              self Π_j (src_j where it hits, else 1)

and where ``self`` is not included, the same of what hits alone, ``self`` staying where nothing does. ``index`` may be
smaller than ``self`` along the other axes: what is beyond it stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import SymInt, Tensor

from fgcompile.compiler.capture.attention import LOWEST
from fgcompile.compiler.ir.sizes import same_size
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any
Reduce = Callable[[Tensor, Tensor, Tensor], Tensor]
"""``(self (…, S, 1), hit (…, S, K), src (…, 1, K)) ↦ (…, S)``."""


def decompose_scatter(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Any:
    """Each place takes the last value that is written to it."""
    return _scattered(self, dim, index, src, _overwrite)


def decompose_scatter_number(self: Tensor, dim: int, index: Tensor, value: float) -> Any:
    """The same of one number."""
    src = torch.full([1] * index.dim(), value, dtype=self.dtype, device=self.device).expand(index.shape)
    return _scattered(self, dim, index, src, lambda own, hit, src: torch.where(hit.any(-1), src[..., 0], own[..., 0]))


def decompose_scatter_add(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Any:
    """Where the index has the size of ``self`` along the other axes, a lowering has a form."""
    others = [axis for axis in range(self.dim()) if axis != dim % self.dim()]
    if all(same_size(self.shape[axis], index.shape[axis]) for axis in others) and index.shape == src.shape:
        return NotImplemented
    return _scattered(self, dim, index, src, _REDUCTIONS["sum"][0])


def decompose_scatter_reduce(
    self: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Any:
    """What goes to a place is combined, with what is there or without."""
    return _scattered(self, dim, index, src, _REDUCTIONS[reduce][0 if include_self else 1])


def decompose_index_reduce(
    self: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Any:
    """The same with one index for all that lies along the other axes."""
    behind = [1] * (self.dim() - 1 - dim % self.dim())
    places = index.reshape([-1, *behind]).expand(source.shape)
    return decompose_scatter_reduce(self, dim, places, source, reduce, include_self=include_self)


def _scattered(self: Tensor, dim: int, index: Tensor, src: Tensor, combine: Reduce) -> Any:
    if self.dim() == 0 or isinstance(self.shape[dim], SymInt) or isinstance(index.shape[dim], SymInt):
        return NotImplemented
    dim %= self.dim()
    written = self
    for axis in range(self.dim()):  # what the index does not reach
        extent = index.shape[axis]
        if not same_size(src.shape[axis], extent):
            src = src.narrow(axis, 0, extent)
        if axis != dim and not same_size(written.shape[axis], extent):
            if isinstance(written.shape[axis], SymInt) or isinstance(extent, SymInt):
                return NotImplemented
            written = written.narrow(axis, 0, extent)
    size = self.shape[dim]
    if index.shape[dim] == 0:
        return self.clone()
    places = torch.arange(size, device=self.device).unsqueeze(-1)
    hit = index.movedim(dim, -1).unsqueeze(-2) == places
    result = combine(written.movedim(dim, -1).unsqueeze(-1), hit, src.movedim(dim, -1).unsqueeze(-2)).movedim(-1, dim)
    return _put_back(self, result, dim)


def _put_back(self: Tensor, result: Tensor, dim: int) -> Tensor:
    """``self`` with its first part along each axis replaced."""
    smaller = [axis for axis in range(self.dim()) if not same_size(self.shape[axis], result.shape[axis])]
    for position, axis in enumerate(smaller):
        part = self
        for further in smaller[position + 1 :]:
            part = part.narrow(further, 0, result.shape[further])
        rest = part.narrow(axis, result.shape[axis], self.shape[axis] - result.shape[axis])
        result = torch.cat([result, rest], axis)
    return result


def _overwrite(own: Tensor, hit: Tensor, src: Tensor) -> Tensor:
    count = hit.shape[-1]
    last = torch.where(hit, torch.arange(1, count + 1, device=hit.device), 0).amax(-1)  # 0 where nothing is written
    taken = src.squeeze(-2).gather(-1, (last - 1).clamp(min=0))
    return torch.where(last > 0, taken, own.squeeze(-1))


def _total(hit: Tensor, src: Tensor) -> Tensor:
    return torch.where(hit, src, 0.0).sum(-1)


def _count(hit: Tensor, src: Tensor) -> Tensor:
    return hit.to(src.dtype).sum(-1)


def _mean(own: Tensor, hit: Tensor, src: Tensor) -> Tensor:
    return (own.squeeze(-1) + _total(hit, src)) / (1 + _count(hit, src))


def _without_self(reduce: Callable[[Tensor, Tensor], Tensor]) -> Reduce:
    def combine(own: Tensor, hit: Tensor, src: Tensor) -> Tensor:
        return torch.where(hit.any(-1), reduce(hit, src), own.squeeze(-1))

    return combine


def _largest(hit: Tensor, src: Tensor) -> Tensor:
    return torch.where(hit, src, LOWEST).amax(-1)


def _smallest(hit: Tensor, src: Tensor) -> Tensor:
    return torch.where(hit, src, -LOWEST).amin(-1)


def _product(hit: Tensor, src: Tensor) -> Tensor:
    return torch.where(hit, src, 1.0).prod(-1)


_REDUCTIONS: dict[str, tuple[Reduce, Reduce]] = {
    "sum": (lambda own, hit, src: own.squeeze(-1) + _total(hit, src), _without_self(_total)),
    "mean": (_mean, _without_self(lambda hit, src: _total(hit, src) / _count(hit, src).clamp(min=1))),
    # Ties share the gradient evenly, ``self`` among them, as PyTorch has it.
    "amax": (
        lambda own, hit, src: torch.cat([own, torch.where(hit, src, LOWEST)], -1).amax(-1),
        _without_self(_largest),
    ),
    "amin": (
        lambda own, hit, src: torch.cat([own, torch.where(hit, src, -LOWEST)], -1).amin(-1),
        _without_self(_smallest),
    ),
    "prod": (lambda own, hit, src: own.squeeze(-1) * _product(hit, src), _without_self(_product)),
}
"""By name: what combines with ``self``, and without."""


DECOMPOSITIONS: dict[OpOverload, Callable[..., Any]] = {
    aten.scatter.src: decompose_scatter,
    aten.scatter.value: decompose_scatter_number,
    aten.scatter_add.default: decompose_scatter_add,
    aten.scatter_reduce.two: decompose_scatter_reduce,
    aten.index_reduce.default: decompose_index_reduce,
}
