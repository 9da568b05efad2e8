"""Forward operators that ONNX's exporter mistakes or lacks, as ones that it knows.

- ``avg_pool`` with a divisor of its own, which the exporter ignores: the plain average times ``Π k / divisor``; in
  ceil mode see ``ceiling``.
- ``_adaptive_avg_pool3d``: a pooling where the windows tile, else one averaging matrix per axis, or a gather of a long
  one; ``_adaptive_avg_pool2d`` too where it has a long axis.
- ``adaptive_max_pool``: maxima of the windows' taps.
- ``diagonal``: elements at constant places; the exporter fills a mask for it, which some runtimes cannot.
- ``atan2``: the exporter takes 0 beside a negative number for a negative one.
- ``bucketize``: the exporter's binary search reads the boundaries with GatherND, which some runtimes lack.
- a transposed convolution whose output padding is not below its stride: without it, then padded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.gathering import is_large
from fgcompile.compiler.ir.sizes import per_axis
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.lowering.axes import is_dynamic, pad_axes, reshape
from fgcompile.compiler.lowering.ceiling import average_in_ceil_mode, positions_cut_short
from fgcompile.compiler.lowering.long_pooling import average_adaptively
from fgcompile.compiler.lowering.wide_windows import is_wide, maximum_of_wide_windows
from fgcompile.compiler.lowering.windows import AdaptiveWindows
from fgcompile.errors import UnsupportedOpError

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


def _lower_average(rank: int, average: Callable[..., Tensor]) -> Callable[..., Any]:
    def lower(
        self: Tensor,
        kernel_size: Sequence[int],
        stride: Sequence[int] = (),
        padding: Sequence[int] = (0,),
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        """Lowers ``avg_pool{2,3}d`` with a divisor. Windows cut short in ceil mode are filled up with zeros."""
        if (divisor_override is None and not ceil_mode) or (ceil_mode and _is_dynamic(self, rank)):
            return NotImplemented
        kernel, padding = per_axis(kernel_size, rank), per_axis(padding, rank)
        stride = per_axis(stride, rank) if stride else kernel
        if divisor_override is None:
            return average_in_ceil_mode(self, kernel, stride, padding, count_include_pad, average)
        if ceil_mode:
            missing = map(positions_cut_short, self.shape[-rank:], kernel, stride, padding)
            self = pad_axes(self, padding, [low + more for low, more in zip(padding, missing, strict=True)])
            padding = [0] * rank
        plain = average(self, kernel, stride, padding, False, True, None)
        return plain * (math.prod(kernel) / divisor_override)

    return lower


def _lower_adaptive_average_3d(self: Tensor, output_size: Sequence[int]) -> Tensor:
    """Lowers ``_adaptive_avg_pool3d``."""
    axes = range(self.dim() - 3, self.dim())
    if not _is_dynamic(self, 3):
        factors = [self.shape[axis] // count for axis, count in zip(axes, output_size, strict=True)]
        if all(self.shape[axis] == count * f for axis, count, f in zip(axes, output_size, factors, strict=True)):
            return aten.avg_pool3d.default(self, factors, factors)
    return _average_adaptively(self, output_size)


def _lower_adaptive_average_2d(self: Tensor, output_size: Sequence[int]) -> Any:
    """Lowers ``_adaptive_avg_pool2d`` of symbolic sizes, and of long axes that its windows do not tile.

    Others ONNX's exporter knows; of unequal windows it makes a node for each of their taps.
    """
    if _is_dynamic(self, 2):
        return _average_adaptively(self, output_size)
    sizes = list(zip(self.shape[-2:], output_size, strict=True))
    if not any(size % count and is_large(size, count) for size, count in sizes):
        return NotImplemented
    y = self
    for axis, (size, count) in enumerate(sizes, start=self.dim() - 2):
        y = y if size == count else average_adaptively(y, axis, count)
    return y


def _is_dynamic(x: Tensor, rank: int) -> bool:
    return any(is_dynamic(size) for size in x.shape[-rank:])


def _average_adaptively(x: Tensor, output_size: Sequence[int]) -> Tensor:
    """``y = A x`` along each of the last axes."""
    y = x
    for axis, count in enumerate(output_size, start=x.dim() - len(output_size)):
        y = average_adaptively(y, axis, count)
    return y


def _lower_adaptive_maximum(rank: int) -> Callable[..., Any]:
    def lower(self: Tensor, output_size: Sequence[int]) -> Any:
        """Lowers ``adaptive_max_pool{2,3}d``: the largest tap of each window along each axis, and its place."""
        if _is_dynamic(self, rank):
            if rank == 2:
                return NotImplemented
            raise UnsupportedOpError(
                "'adaptive_max_pool3d' has no lowering for dynamic sizes: take amax over space, or leave out "
                "dynamic_sizes"
            )
        axes, sizes = range(self.dim() - rank, self.dim()), self.shape[-rank:]
        values = self
        place = torch.arange(math.prod(sizes), device=self.device).reshape([1] * (self.dim() - rank) + list(sizes))
        for axis, count in reversed(list(zip(axes, output_size, strict=True))):
            windows = AdaptiveWindows(self.shape[axis], count)
            if is_wide(windows):
                values, place = maximum_of_wide_windows(values, place, axis, windows)
                continue
            taps, places = windows.gather(values, axis), windows.gather(place, axis)
            values, place = taps[0], places[0]
            for tap, there in zip(taps[1:], places[1:], strict=True):
                larger = tap > values
                values, place = aten.maximum.default(values, tap), aten.where.self(larger, there, place)
        return values, place

    return lower


def _lower_output_padding(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Any:
    """Lowers a transposed convolution with an output padding of a stride or more, which ONNX Runtime refuses.

    The whole output, of which ``p`` positions are cropped before and ``p − output padding`` behind.
    """
    rank = input.dim() - 2
    before, stride, extra = (per_axis(value, rank) for value in (padding, stride, output_padding))
    if not transposed or all(more < step for more, step in zip(extra, stride, strict=True)):
        return NotImplemented
    none = [0] * rank
    whole = aten.convolution.default(input, weight, None, stride, none, dilation, True, none, groups)
    behind = [more - low for low, more in zip(before, extra, strict=True)]
    y = pad_axes(whole, [-low for low in before], behind)
    return y if bias is None else y + bias.reshape([-1] + [1] * rank)


def _lower_bucketize(self: Tensor, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of boundaries below ``x``, or of those not above it."""
    x = aten.unsqueeze.default(self, -1)
    passed = x >= boundaries if right else x > boundaries
    return aten.sum.dim_IntList(passed, [-1], dtype=torch.int32 if out_int32 else torch.int64)


def _lower_atan2(self: Tensor, other: Tensor) -> Tensor:
    """``atan(y / x)``, and half a turn more or less where x is negative; a quarter where it is 0."""
    on_axis = other == 0
    angle = aten.atan.default(self / aten.where.ScalarOther(aten.logical_not.default(on_axis), other, 1.0))
    turned = angle + ((self >= 0).to(angle.dtype) * (2 * math.pi) - math.pi)
    quarter = (self > 0).to(angle.dtype) * (math.pi / 2) - (self < 0).to(angle.dtype) * (math.pi / 2)
    return aten.where.self(on_axis, quarter, aten.where.self(other < 0, turned, angle))


def _lower_diagonal(self: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The elements ``x[i, i + offset]`` of the two axes, behind all others."""
    rows, columns = self.shape[dim1], self.shape[dim2]
    if is_dynamic(rows) or is_dynamic(columns):
        return NotImplemented
    count = min(rows + min(offset, 0), columns - max(offset, 0))
    first = offset if offset >= 0 else -offset * columns
    places = first + torch.arange(max(count, 0), device=self.device) * (columns + 1)
    axes = (dim1 % self.dim(), dim2 % self.dim())
    others = [axis for axis in range(self.dim()) if axis not in axes]
    pairs = aten.permute.default(self, [*others, *axes])
    return aten.index_select.default(reshape(pairs, [*pairs.shape[:-2], rows * columns]), self.dim() - 2, places)


LOWERINGS: dict[OpOverload, Callable[..., Any]] = {
    aten.avg_pool2d.default: _lower_average(2, aten.avg_pool2d.default),
    aten.avg_pool3d.default: _lower_average(3, aten.avg_pool3d.default),
    aten._adaptive_avg_pool2d.default: _lower_adaptive_average_2d,
    aten._adaptive_avg_pool3d.default: _lower_adaptive_average_3d,
    aten.adaptive_max_pool2d.default: _lower_adaptive_maximum(2),
    aten.adaptive_max_pool3d.default: _lower_adaptive_maximum(3),
    aten.convolution.default: _lower_output_padding,
    aten.atan2.default: _lower_atan2,
    aten.bucketize.Tensor: _lower_bucketize,
    aten.diagonal.default: _lower_diagonal,
}
