"""Backward of slicing, selecting and gathering, without scatter.

What was read by a slice goes back by padding with zeros. What was read at given indices goes back by a product with the
0/1 matrix ``[index_j == i]``, a constant where the indices are.

Along an axis of symbolic size nothing is padded by numbers: each place takes what was read there, by its index, or
zero. The batch, which is in front, is not sliced: a lowering that would have to returns ``NotImplemented``, and so do
others that work along such an axis; the operator stays for a check to name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.gathering import is_large
from fgcompile.compiler.ir.sizes import same_size
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.lowering.axes import is_dynamic, make_one_hot, multiply_axis, reshape, spread_axis
from fgcompile.compiler.lowering.creation import is_zeros
from fgcompile.compiler.lowering.windows import Windows

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any
Sizes = Sequence[int]


def lower_slice_backward(grad_output: Tensor, input_sizes: Sizes, dim: int, start: int, end: int, step: int) -> Any:
    """Spreads ``g`` by ``step`` and pads it to the size that was sliced."""
    dim %= len(input_sizes)
    size = input_sizes[dim]
    if start == 0 and step == 1 and end == torch.iinfo(torch.int64).max:
        return grad_output
    if is_dynamic(size) and dim == 0:
        return NotImplemented  # in front is the batch
    if is_dynamic(size):
        spread, inside = _spread_dynamic(grad_output, dim, step, _first(start, size), size)
        return aten.where.self(inside, spread, torch.zeros([], dtype=spread.dtype, device=spread.device))
    return spread_axis(grad_output, dim, step, _bound(start, size), size)


def lower_select_backward(grad_output: Tensor, input_sizes: Sizes, dim: int, index: int) -> Any:
    """``g`` at ``index`` and zero elsewhere."""
    dim %= len(input_sizes)
    size = input_sizes[dim]
    if is_dynamic(size) and dim == 0:
        return NotImplemented
    if is_dynamic(size):
        behind = [1] * (len(input_sizes) - 1 - dim)
        here = (torch.arange(size, device=grad_output.device) == _first(index, size)).reshape([-1, *behind])
        zero = torch.zeros([], dtype=grad_output.dtype, device=grad_output.device)
        return aten.where.self(here, aten.unsqueeze.default(grad_output, dim), zero)
    return spread_axis(aten.unsqueeze.default(grad_output, dim), dim, 1, index % input_sizes[dim], input_sizes[dim])


def lower_slice_scatter(
    self: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Any:
    """``self`` with a range along one axis replaced: what is before it, ``src``, what is after it.

    With a step, ``src`` spread to its places and chosen there.
    """
    dim %= self.dim()
    # int64's largest is PyTorch's "to the end": of a whole axis ``src`` is all there is.
    size = self.shape[dim]
    first, last = start or 0, None if end == torch.iinfo(torch.int64).max else end
    whole = first == 0 and last is None
    if whole and step == 1:
        return _copy(src)
    if is_dynamic(size):
        spread, inside = _spread_dynamic(src, dim, step, _first(first, size), size)
        return aten.where.self(inside, spread, self)
    first, count = _bound(first, size), src.shape[dim]
    if count == 0:
        return _copy(self)
    if step != 1:
        places = torch.arange(size, device=self.device) - first
        inside = aten.logical_and.default(places >= 0, aten.remainder.Scalar(places, step) == 0)
        inside = aten.logical_and.default(inside, places < step * count)
        mask = inside.reshape([size] + [1] * (self.dim() - 1 - dim))
        return aten.where.self(mask, spread_axis(src, dim, step, first, size), self)
    parts = [aten.slice.Tensor(self, dim, 0, first), src, aten.slice.Tensor(self, dim, first + count, size)]
    present = [part for part in parts if part.shape[dim] != 0]
    return _copy(present[0]) if len(present) == 1 else aten.cat.default(present, dim)


def _first(start: int, size: int) -> int:
    """Where a slice of an axis of symbolic size begins, counted from the front."""
    return start if start >= 0 else torch.sym_max(size + start, 0)  # type: ignore[no-untyped-call]


def _spread_dynamic(x: Tensor, dim: int, step: int, first: int, size: int) -> tuple[Tensor, Tensor]:
    """``x`` at places ``first + step · j`` of an axis of symbolic size, anything between them, and where these are."""
    places = torch.arange(size, device=x.device) - first
    index = aten.div.Tensor_mode(places, step, rounding_mode="floor") if step != 1 else places
    inside = aten.logical_and.default(index >= 0, index < x.shape[dim])
    if step != 1:
        inside = aten.logical_and.default(inside, aten.remainder.Scalar(places, step) == 0)
    index = aten.minimum.default(index.clamp(min=0), torch.full([], x.shape[dim] - 1, device=x.device))
    return aten.index_select.default(x, dim, index), inside.reshape([-1] + [1] * (x.dim() - 1 - dim))


def _copy(x: Tensor) -> Tensor:
    """What is returned as it was given, autograd would take for the operand: a constant would carry a gradient."""
    return aten.clone.default(x)


def _bound(position: int, size: int) -> int:
    """A slice's end, counted from the front and within the axis."""
    return min(max(position + size, 0) if position < 0 else position, size)


def lower_diagonal_backward(grad_output: Tensor, input_sizes: Sizes, offset: int, dim1: int, dim2: int) -> Any:
    """``out[…, i, j] = g[…, min(i, j)] · [j − i == offset]``."""
    dim1, dim2 = dim1 % len(input_sizes), dim2 % len(input_sizes)
    rows, columns = input_sizes[dim1], input_sizes[dim2]
    if is_dynamic(rows) or is_dynamic(columns):
        # A square matrix of samples by samples has its diagonal whole; of another the length would be a minimum.
        if offset != 0 or not same_size(rows, columns):
            return NotImplemented
        by_row = grad_output
    else:
        by_row = spread_axis(grad_output, grad_output.dim() - 1, 1, max(-offset, 0), rows)
    row = torch.arange(rows, device=grad_output.device)
    mask = make_one_hot(row + offset, columns, grad_output.dtype)
    placed = aten.unsqueeze.default(by_row, -1) * mask
    return torch.movedim(placed, (-2, -1), (dim1, dim2))


def lower_diagonal_scatter(self: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """``self`` with a diagonal replaced: ``src`` at its places and chosen there."""
    placed = lower_diagonal_backward(src, self.shape, offset, dim1, dim2)
    if placed is NotImplemented:
        return NotImplemented
    row, column = (
        torch.arange(self.shape[dim], device=self.device).reshape([-1] + [1] * (self.dim() - 1 - dim % self.dim()))
        for dim in (dim1, dim2)
    )
    return aten.where.self(aten.eq.Tensor(row + offset, column), placed, self)


def lower_unfold_backward(grad_in: Tensor, input_sizes: Sizes, dim: int, size: int, step: int) -> Any:
    """Adds the windows of ``Tensor.unfold``, whose elements lie along the last axis, where they were read."""
    dim %= len(input_sizes)
    if is_dynamic(input_sizes[dim]):
        return NotImplemented
    windows = Windows(input_sizes[dim], grad_in.shape[dim], size, step, 0, 1)
    return windows.scatter([aten.select.int(grad_in, -1, tap) for tap in range(size)], dim)


def lower_col2im(
    self: Tensor, output_size: Sizes, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes
) -> Any:
    """Adds the patches of ``im2col`` along W and then along H; ``self`` is ``(N, C·kH·kW, O_H·O_W)``."""
    if self.dim() != 3:
        return NotImplemented
    count = [
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, k, d, p, s in zip(output_size, kernel_size, dilation, padding, stride, strict=True)
    ]
    down, across = (
        Windows(*setting) for setting in zip(output_size, count, kernel_size, stride, padding, dilation, strict=True)
    )
    channels = self.shape[1] // (kernel_size[0] * kernel_size[1])
    taps = reshape(self, [self.shape[0], channels, *kernel_size, *count])
    rows = []
    for i in range(down.kernel):
        row = aten.select.int(taps, 2, i)
        rows.append(across.scatter([aten.select.int(row, 2, j) for j in range(across.kernel)], 3))
    return down.scatter(rows, 2).contiguous()  # as PyTorch's own, which a view may follow


def lower_im2col(self: Tensor, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> Any:
    """The patches ``(N, C·kH·kW, O_H·O_W)``: a convolution of each channel with one unit kernel per tap."""
    if self.dim() != 4:
        return NotImplemented
    channels, taps = self.shape[1], kernel_size[0] * kernel_size[1]
    unit = torch.eye(taps, dtype=self.dtype, device=self.device).reshape(taps, 1, *kernel_size)
    weight = aten.repeat.default(unit, [channels, 1, 1, 1])
    patches = aten.convolution.default(self, weight, None, stride, padding, dilation, False, [0, 0], channels)
    return reshape(patches, [self.shape[0], channels * taps, patches.shape[2] * patches.shape[3]])


def _add(base: Tensor, update: Tensor) -> Tensor:
    return update if is_zeros(base) else base + update


def _place(values: Tensor, axis: int, index: Tensor, size: int) -> Tensor:
    """Adds ``values`` at ``index`` ``(count,)`` of an axis of ``size`` elements: a product with its 0/1 matrix.

    Of a long axis it stays one operator, which becomes gathers once the index is folded (``gather_constant_places``).
    """
    if is_dynamic(index.shape[0]) or is_dynamic(size) or not is_large(index.shape[0], size):
        return multiply_axis(values, axis, make_one_hot(index, size, values.dtype))
    base = aten.new_zeros.default(values, [*values.shape[:axis], size, *values.shape[axis + 1 :]])
    return aten.index_add.default(base, axis, index, values)


def lower_index_add(self: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Any:
    """``self + α · source`` times the 0/1 matrix of ``index`` along ``dim``."""
    dim %= self.dim()
    if dim == 0 and is_dynamic(self.shape[dim]):
        return NotImplemented
    known = not is_dynamic(self.shape[dim]) and not is_dynamic(source.shape[dim])
    if known and alpha == 1 and is_zeros(self) and is_large(source.shape[dim], self.shape[dim]):
        return NotImplemented  # as it has to be for the pass
    placed = _place(source, dim, index.reshape([-1]), self.shape[dim])
    return _add(self, placed if alpha == 1 else placed * alpha)


def lower_index_put(self: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Any:
    """Adds ``values`` at integer indices of adjacent axes other than the batch, all merged into one axis.

    Only with ``accumulate``, which is how autograd calls it.
    """
    # Refused, so that the check of portability names the operator: overwriting (of equal indices the last would win,
    # which a sum cannot say), masks, and axes that other ones part, whose results go in front.
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    present = [index for index in indices if index is not None]
    adjacent = axes == list(range(axes[0], axes[-1] + 1))
    if not accumulate or not adjacent or any(index.dtype == torch.bool for index in present):
        return NotImplemented
    sizes = [self.shape[axis] for axis in axes]
    dynamic = any(is_dynamic(size) for size in [*sizes, *(extent for index in present for extent in index.shape)])
    if dynamic and (len(present) > 1 or present[0].dim() != 1):
        return NotImplemented
    # Several indexed axes are one: row-major, negative indices counted from the end. The 0/1 matrix then has one row
    # for each value and one column for each place, and the product adds up what meets in a place.
    position: Tensor | None = None
    for index, size in zip(present, sizes, strict=True):
        wrapped = _wrapped(index, size)
        position = wrapped if position is None else position * size + wrapped
    assert position is not None
    total = 1
    for size in sizes:
        total *= size
    before, after = self.shape[: axes[0]], self.shape[axes[-1] + 1 :]
    # Values may broadcast against the index, which autograd's never do: anything else keeps the operator.
    if values.dim() != len(before) + position.dim() + len(after):
        return NotImplemented
    position = position.reshape([-1])
    merged = reshape(values, [*before, position.shape[0], *after])
    placed = _place(merged, axes[0], position, total)
    return _add(self, reshape(placed, self.shape))


def _wrapped(index: Tensor, size: int) -> Tensor:
    """An index as counted from the front; ONNX's exporter divides by numbers alone, not by symbolic sizes."""
    if is_dynamic(size):
        return aten.where.self(index < 0, index + size, index)
    return aten.remainder.Scalar(index, size)


def _one_hot_products(self: Tensor, dim: int, index: Tensor, src: Tensor) -> tuple[Tensor, Tensor]:
    """``Σ_j [index_j == i] src_j`` and ``Σ_j [index_j == i]`` along ``dim``."""
    size, count = self.shape[dim], index.shape[dim]
    positions = torch.arange(size, device=self.device).reshape([-1] + [1] * (self.dim() - 1 - dim))
    if not is_dynamic(count) and count == 1:
        mask = aten.eq.Tensor(index, positions).to(src.dtype)
        return src * mask, mask
    index, src = (aten.unsqueeze.default(aten.transpose.int(value, dim, -1), -1) for value in (index, src))
    mask = aten.eq.Tensor(index, torch.arange(size, device=self.device)).to(src.dtype)
    products = aten.sum.dim_IntList(src * mask, [-2])
    hits = aten.sum.dim_IntList(mask, [-2])
    # PyTorch's own scatter is contiguous, and a view may follow.
    return aten.transpose.int(products, dim, -1).contiguous(), aten.transpose.int(hits, dim, -1)


def _indexes_whole(self: Tensor, dim: int, index: Tensor, src: Tensor) -> bool:
    """Whether index, source and target agree in all axes but ``dim``, which is static; or of space, read at few places.

    Of as many places as a symbolic axis has, the 0/1 matrix would grow with the square of its length.
    """
    if self.dim() != index.dim() or not same_size(index.shape[dim], src.shape[dim]):
        return False
    if is_dynamic(self.shape[dim]) and (dim == 0 or is_dynamic(index.shape[dim])):
        return False
    others = [axis for axis in range(self.dim()) if axis != dim]
    return all(same_size(self.shape[axis], other.shape[axis]) for axis in others for other in (index, src))


def lower_scatter(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Any:
    """``self`` with ``src`` at distinct indices: max, min, median, top-k and sort go back so, into zeros."""
    dim %= self.dim()
    # As many distinct indices as there are places are a permutation: of a long axis it is inverted by sorting it.
    size = self.shape[dim]
    permutes = is_dynamic(size) and dim > 0 and same_size(index.shape[dim], size)
    if not permutes and not _indexes_whole(self, dim, index, src):
        return NotImplemented
    if permutes or (not is_dynamic(size) and index.shape[dim] == size and is_large(size, size)):
        return aten.gather.default(src, dim, aten.sort.default(index, dim)[1])
    products, hits = _one_hot_products(self, dim, index, src)
    return products if is_zeros(self) else self * (1 - hits) + products


def lower_scatter_add(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Any:
    """``self + Σ_j [index_j == i] src_j``: gather goes back so, into zeros."""
    dim %= self.dim()
    if not _indexes_whole(self, dim, index, src):
        return NotImplemented
    return _add(self, _one_hot_products(self, dim, index, src)[0])


LOWERINGS: dict[OpOverload, Callable[..., Any]] = {
    aten.slice_backward.default: lower_slice_backward,
    aten.select_backward.default: lower_select_backward,
    aten.slice_scatter.default: lower_slice_scatter,
    aten.diagonal_backward.default: lower_diagonal_backward,
    aten.diagonal_scatter.default: lower_diagonal_scatter,
    aten.unfold_backward.default: lower_unfold_backward,
    aten.im2col.default: lower_im2col,
    aten.col2im.default: lower_col2im,
    aten.index_add.default: lower_index_add,
    aten.index_put.default: lower_index_put,
    aten.scatter.src: lower_scatter,
    aten.scatter_add.default: lower_scatter_add,
}
