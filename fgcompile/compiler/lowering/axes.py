"""What the lowerings do along one axis: pad, split into residues, interleave, multiply by a constant matrix.

Backward operators of sliding windows are linear maps that act on one spatial axis after the other. Written so, they
need no scatter: a position ``i = s·m + ρ`` of an axis with stride ``s`` belongs to the residue ``ρ``, and reading or
writing every ``s``-th position is splitting into residues or interleaving them.

The axes that a lowering works along are static unless it says otherwise; another, the batch, may be symbolic, and
reshapes give it as ``-1``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import SymInt, Tensor

from fgcompile.compiler.ir.sizes import same_size
from fgcompile.compiler.ir.torch_internals import is_contiguous_or_false

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


def is_dynamic(size: int) -> bool:
    """Whether a size is symbolic: the batch, a product with it, or a size of space."""
    return isinstance(size, SymInt)


def reshape(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """Reshapes ``x``; the size that is symbolic is given as -1, so that the graph need not compute it.

    ``torch.reshape`` would write it out, from the number of elements, where strides allow no view.
    """
    dynamic = [axis for axis, size in enumerate(sizes) if is_dynamic(size)]
    if not is_contiguous_or_false(x):
        x = aten.clone.default(x, memory_format=torch.contiguous_format)
    return aten.view.default(x, [-1 if dynamic == [axis] else size for axis, size in enumerate(sizes)])


def pad_axes(x: Tensor, before: Sequence[int], after: Sequence[int], value: float = 0.0) -> Tensor:
    """Pads the trailing axes of ``x``; a negative amount crops, and crops the padding too where it exceeds ``x``."""
    ends = list(zip(before, after, strict=True))
    for index, (low, high) in enumerate(ends):
        axis = x.dim() - len(ends) + index
        size = x.shape[axis]
        # An axis that is cropped at one end by more than it has, and padded at the other: what is cropped is padding
        # too, so the padding comes first. Everywhere else the crop does, so that less is copied.
        if (low < 0 < high and -low > size) or (high < 0 < low and -high > size):
            behind = [0] * (len(ends) - 1 - index)
            x = pad_axes(x, [max(low, 0), *behind], [max(high, 0), *behind], value)
            ends[index] = (0, 0)
        if low < 0 or high < 0:
            x = aten.slice.Tensor(x, axis, max(-low, 0), x.shape[axis] + min(high, 0))
    amounts = [max(amount, 0) for pair in reversed(ends) for amount in pair]
    return aten.constant_pad_nd.default(x, amounts, value) if any(amounts) else x


def pad_axis(x: Tensor, axis: int, before: int, after: int, value: float = 0.0) -> Tensor:
    """Pads one axis of ``x`` with ``value``; a negative amount crops."""
    behind = [0] * (x.dim() - 1 - axis)
    return pad_axes(x, [before, *behind], [after, *behind], value)


def crop_axis(x: Tensor, axis: int, size: int) -> Tensor:
    """Keeps the first ``size`` positions of one axis; sizes may be symbolic."""
    if same_size(x.shape[axis], size):
        return x
    if is_dynamic(size) or is_dynamic(x.shape[axis]):
        return aten.slice.Tensor(x, axis, 0, size)
    return pad_axis(x, axis, 0, size - x.shape[axis])


def split_residues(x: Tensor, axis: int, stride: int) -> list[Tensor]:
    """Splits one axis into its residues: ``out[ρ][m] = x[stride·m + ρ]``. The size must be a multiple of the stride.

    Along the last axis a transpose to the front reads faster than strided slices, along other axes whole rows are
    sliced: ``docs/decisions/residues.md``.
    """
    if stride == 1:
        return [x]
    if axis != x.dim() - 1:
        return [aten.slice.Tensor(x, axis, residue, x.shape[axis], stride) for residue in range(stride)]
    pairs = reshape(x, [*x.shape[:-1], x.shape[-1] // stride, stride])
    fronted = aten.permute.default(pairs, [x.dim(), *range(x.dim())])
    return [aten.select.int(fronted, 0, residue) for residue in range(stride)]


def interleave(residues: Sequence[Tensor], axis: int) -> Tensor:
    """The inverse of :func:`split_residues`: ``out[s·m + ρ] = residues[ρ][m]`` with ``s = len(residues)``.

    Stacking behind the axis and merging the two is the fastest of three forms: ``docs/decisions/residues.md``.
    """
    if len(residues) == 1:
        return residues[0]
    stacked = torch.stack(list(residues), axis + 1)
    shape = residues[0].shape
    return reshape(stacked, [*shape[:axis], shape[axis] * len(residues), *shape[axis + 1 :]])


def multiply_axis(x: Tensor, axis: int, matrix: Tensor) -> Tensor:
    """Multiplies one axis of ``x`` by a matrix ``(I, O)``: ``out[…, o, …] = Σ_i x[…, i, …] matrix[i, o]``.

    Sizes may be symbolic.
    """
    rows, columns = matrix.shape
    order = [*(a for a in range(x.dim()) if a != axis), axis]
    last = axis == x.dim() - 1
    moved = x if last else aten.permute.default(x, order)
    vectors = math.prod(moved.shape[:-1]) if is_dynamic(rows) else -1
    product = aten.mm.default(reshape(moved, [vectors, rows]), matrix)
    product = reshape(product, [*moved.shape[:-1], columns])
    return product if last else aten.permute.default(product, [order.index(a) for a in range(x.dim())])


def make_one_hot(index: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """The 0/1 matrix ``(len(index), size)`` with ``out[j, i] = (i == index[j])``."""
    positions = torch.arange(size, device=index.device)
    return aten.eq.Tensor(index.unsqueeze(1), positions).to(dtype)


def spread_axis(x: Tensor, axis: int, step: int, before: int, size: int) -> Tensor:
    """The transpose of slicing: ``out[before + step·i] = x[i]`` and zero elsewhere, ``size`` positions in all."""
    spread = x if step == 1 else interleave([x, *([x * 0] * (step - 1))], axis)
    return pad_axis(spread, axis, before, size - before - spread.shape[axis])
