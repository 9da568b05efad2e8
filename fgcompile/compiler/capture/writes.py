"""Writes into a part of a tensor, as choices between what is written and what was there.

    y[mask] = v           →  where(mask, v, y)
    y[:, i, j] = v        →  where([some j writes here], v at the last that does, y)
    y.masked_scatter(mask, v)  →  where(mask, v[how many the mask has chosen before], y)
    y = empty(sizes)      →  zeros(sizes)

Every one is linear in what is written and in what stays. Writes by slices and along a diagonal stay operators of their
own, which have rows in the bias table and lowerings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import SymInt, Tensor

from fgcompile.compiler.ir.sizes import same_size
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any
Indices = Sequence[Tensor | None]


def decompose_copy(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """What an assignment into a slice or a circular padding becomes has no derivative; ``src`` itself has one."""
    return src.to(self.dtype).expand(self.shape)


def decompose_empty(size: Sequence[int], *, memory_format: torch.memory_format | None = None, **options: Any) -> Any:
    """What is in memory that nobody has written could be anything, NaN too, whose product with a zero is not zero."""
    return aten.zeros.default(size, **options)


def decompose_permuted(size: Sequence[int], physical_layout: Sequence[int], **options: Any) -> Any:
    """The same in an order of axes, which values do not have."""
    return aten.zeros.default(size, **options)


def decompose_index_put(self: Tensor, indices: Indices, values: Tensor, accumulate: bool = False) -> Any:
    """Overwriting where a mask says so, or at integers of axes of fixed size, or adding there; anything else stays."""
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    present = [index for index in indices if index is not None]
    if any(index.dtype == torch.bool for index in present):
        alone = len(present) == 1 and not accumulate
        return _put_by_mask(self, axes[0], present[0], values) if alone else NotImplemented
    if axes == list(range(axes[0], axes[-1] + 1)):
        put = _add_at_integers if accumulate else _put_at_integers
        return put(self, axes[0], present, values)
    # Axes that other ones part: what is indexed goes in front, and so do the values' own axes.
    order = [*axes, *(axis for axis in range(self.dim()) if axis not in axes)]
    back = [order.index(axis) for axis in range(self.dim())]
    written = decompose_index_put(self.permute(order).contiguous(), present, values, accumulate)
    return written if written is NotImplemented else written.permute(back)


def decompose_masked_scatter(self: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """The chosen places take the source's values in order, those of whole rows row by row; of one sample alone.

    Of several what one leaves would go to the next. Where the source has fewer than are chosen there is no value, which
    the runtime's gather refuses.
    """
    by_rows = mask.dim() == self.dim() and same_size(mask.shape[-1], 1) and same_size(source.shape[-1], self.shape[-1])
    width = self.shape[-1] if by_rows else 1
    chosen = mask.expand([*self.shape[:-1], 1] if by_rows else self.shape).reshape(-1)
    before = chosen.to(torch.int64).cumsum(0) - 1
    values = source.reshape(-1, width).index_select(0, torch.where(chosen, before, 0))
    return torch.where(mask, values.reshape(self.shape), self)


def _put_by_mask(self: Tensor, first: int, mask: Tensor, values: Tensor) -> Any:
    """``y[:, mask] = v`` of the same value for all that the mask chooses; of one each, their number is of values."""
    behind = self.dim() - first - mask.dim()
    if values.dim() > behind:
        if any(isinstance(size, SymInt) or size != 1 for size in values.shape[: values.dim() - behind]):
            return NotImplemented
        values = values.reshape(values.shape[values.dim() - behind :])
    return torch.where(mask.reshape([*mask.shape, *[1] * behind]), values, self)


def _put_at_integers(self: Tensor, first: int, indices: Sequence[Tensor], values: Tensor) -> Any:
    """``y[:, i, j] = v``, the axes merged into one: each place takes the last value that is written to it."""
    behind = first + len(indices)
    sizes, around = self.shape[first:behind], [self.shape[:first], self.shape[behind:]]
    position = _merged(sizes, indices)
    if position is None:
        return NotImplemented
    shape, total = position.shape, math.prod(sizes)
    order = torch.arange(1, math.prod(shape) + 1, device=self.device).unsqueeze(1)
    writes = position.reshape(-1, 1) == torch.arange(total, device=self.device)
    last = torch.where(writes, order, 0).amax(0)  # 0 where nothing is written
    written = values.expand([*around[0], *shape, *around[1]]).reshape([*around[0], math.prod(shape), *around[1]])
    taken = written.index_select(first, (last - 1).clamp(min=0))
    mask = (last > 0).reshape([total] + [1] * len(around[1]))
    return torch.where(mask, taken, self.reshape([*around[0], total, *around[1]])).reshape(self.shape)


def _add_at_integers(self: Tensor, first: int, indices: Sequence[Tensor], values: Tensor) -> Any:
    """``y[:, i, j] += v`` with every value counted, the axes merged into one; of one axis a lowering has a form."""
    behind = first + len(indices)
    sizes, around = self.shape[first:behind], [self.shape[:first], self.shape[behind:]]
    position = _merged(sizes, indices)
    if position is None:
        return NotImplemented
    whole = [*around[0], *position.shape, *around[1]]
    if values.dim() == len(whole) and all(map(same_size, values.shape, whole)):
        return NotImplemented
    return aten.index_put.default(self, [*[None] * first, *indices], values.expand(whole).clone(), True)


def _merged(sizes: Sequence[int], indices: Indices) -> Tensor | None:
    """Positions in the axes that are indexed, merged into one; None where a size is dynamic."""
    present = [index for index in indices if index is not None]
    if any(isinstance(size, SymInt) for size in [*sizes, *(extent for index in present for extent in index.shape)]):
        return None
    position = torch.zeros([], dtype=torch.int64, device=present[0].device)
    for index, size in zip(present, sizes, strict=True):
        position = position * size + torch.where(index < 0, index + size, index)
    return position


DECOMPOSITIONS: dict[OpOverload, Callable[..., Any]] = {
    aten.copy.default: decompose_copy,
    aten.empty.memory_format: decompose_empty,
    aten.empty_permuted.default: decompose_permuted,
    aten.index_put.default: decompose_index_put,
}

OF_ONE_SAMPLE: dict[OpOverload, Callable[..., Any]] = {aten.masked_scatter.default: decompose_masked_scatter}
"""What can be taken apart in a graph of one sample alone."""
