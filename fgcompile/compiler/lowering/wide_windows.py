"""Maxima of adaptive windows of many taps, and their gradient: windows ``(O, T)`` in one tensor, not a node a tap.

    ``y[o] = max_t W[o, t]``,   ``W[o, t] = x[min(⌊oL/O⌋ + t, e_o − 1)]``
    ``∂x[i] = Σ_o g[o] F[o, i − ⌊oL/O⌋]``,   ``F``: where the running count of maxima is 1

Memory is linear in the axis, and of equal maxima the first has the gradient, as in PyTorch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fgcompile.compiler.ir.torch_internals import without_modes
from fgcompile.compiler.lowering.axes import reshape
from fgcompile.compiler.lowering.long_pooling import add_back_adaptively
from fgcompile.compiler.lowering.windows import AdaptiveWindows

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

MOST_UNROLLED = 24
"""Taps of an adaptive window above which they are one axis. Before, each is a few nodes of its own.

In ONNX Runtime on one thread that is faster for windows of 7 and 14, as fast from 28 on in pictures, and slower in
signals; compiling takes longer with every node.
"""


def is_wide(windows: AdaptiveWindows) -> bool:
    """Whether the windows have too many taps for nodes of their own."""
    return windows.kernel > MOST_UNROLLED


def read_wide_windows(x: Tensor, axis: int, windows: AdaptiveWindows) -> Tensor:
    """The windows ``(…, O, T, …)`` of an axis, each padded by its last element."""
    with without_modes():
        positions = windows.positions(torch.empty(0)).t().contiguous()
        flat = positions.flatten()
        in_place = torch.equal(flat, torch.arange(windows.size))
    # Windows that tile the axis are read as they are.
    read = x if in_place else aten.index_select.default(x, axis, flat)
    return reshape(read, [*x.shape[:axis], *positions.shape, *x.shape[axis + 1 :]])


def maximum_of_wide_windows(x: Tensor, place: Tensor, axis: int, windows: AdaptiveWindows) -> tuple[Tensor, Tensor]:
    """The maxima along an axis, and what ``place`` holds where each is first met."""
    wide = read_wide_windows(x, axis, windows)
    largest = aten.amax.default(wide, [axis + 1])
    first = _select_first_maximum(wide, largest, axis).to(place.dtype)
    return largest, aten.sum.dim_IntList(first * read_wide_windows(place, axis, windows), [axis + 1])


def _select_first_maximum(windows: Tensor, maximum: Tensor, axis: int) -> Tensor:
    """Which tap of each window is its first maximum, as zeros and ones ``(…, O, T, …)``."""
    equal = aten.eq.Tensor(windows, aten.unsqueeze.default(maximum, axis + 1)).to(windows.dtype)
    return equal * aten.eq.Scalar(aten.cumsum.default(equal, axis + 1), 1).to(windows.dtype)


def differentiate_wide_maximum(
    g: Tensor, windows: Tensor, maximum: Tensor, axis: int, along: AdaptiveWindows
) -> Tensor:
    """The gradient of the maxima, back along the axis."""
    first = _select_first_maximum(windows, maximum, axis)
    taps = aten.unsqueeze.default(g, axis + 1) * first
    flat = reshape(taps, [*g.shape[:axis], taps.shape[axis] * taps.shape[axis + 1], *g.shape[axis + 1 :]])
    return add_back_adaptively(flat, axis, along)
