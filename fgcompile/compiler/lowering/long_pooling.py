"""Average pooling along an axis, and its backward: a matrix where the axis is short, else sums whose cost is linear.

Windows that slide are summed by a pooling of stride one over zeros and gradients in turn, unequal ones by a gather:

    sliding:   ``out[j] = Σ_{u = j + p − k + 1}^{j + p} G[u]``,   ``G[s·o] = g[o]`` and zero elsewhere
    adaptive:  ``y[o] = Σ_{⌊oL/O⌋ ≤ i < ⌈(o+1)L/O⌉} x[i] / n_o``, which few windows have in common
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fgcompile.compiler.ir.gathering import add_windows, is_large
from fgcompile.compiler.ir.torch_internals import without_modes
from fgcompile.compiler.lowering.axes import is_dynamic, multiply_axis, pad_axis, reshape
from fgcompile.compiler.lowering.bands import Band, average_band, gather_and_sum
from fgcompile.compiler.lowering.windows import (
    AdaptiveWindows,
    SlidingWindows,
    bound_adaptive_windows,
    divide_windows,
    make_average_matrix,
    make_sliding_average,
)

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


def sum_windows(x: Tensor, axis: int, kernel: int, stride: int) -> Tensor:
    """``y[o] = Σ_{t < k} x[s·o + t]`` along an axis, as an average pooling of images of which it is the height."""
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    images = reshape(x, [math.prod(before), 1, x.shape[axis], math.prod(after)])
    sums = aten.avg_pool2d.default(images, [kernel, 1], [stride, 1]) * kernel
    return reshape(sums, [*before, sums.shape[2], *after])


def average_windows(x: Tensor, axis: int, windows: SlidingWindows, count_include_pad: bool, missing: int) -> Tensor:
    """Average pooling along one axis, whose last window lacks ``missing`` positions."""
    if not is_large(windows.size, windows.count):
        return multiply_axis(x, axis, make_sliding_average(windows, count_include_pad, x).t())
    whole = pad_axis(x, axis, windows.padding, windows.padding + missing)
    return divide_windows(windows, count_include_pad, sum_windows(whole, axis, windows.kernel, windows.stride), axis)


def share_among_windows(g: Tensor, axis: int, windows: SlidingWindows) -> Tensor:
    """The transpose of summing windows, however many taps they have."""
    spread = pad_axis(aten.unsqueeze.default(g, axis + 1), axis + 1, 0, windows.stride - 1)
    spread = reshape(spread, [*g.shape[:axis], g.shape[axis] * windows.stride, *g.shape[axis + 1 :]])
    around = windows.kernel - 1
    sums = sum_windows(pad_axis(spread, axis, around, around), axis, windows.kernel, 1)
    return aten.slice.Tensor(sums, axis, windows.padding, windows.padding + windows.size)


def average_adaptively(x: Tensor, axis: int, count: int) -> Tensor:
    """Adaptive average pooling of one axis to ``count`` elements; sizes may be symbolic."""
    size = x.shape[axis]
    if not is_large(size, count):
        return multiply_axis(x, axis, _adaptive_matrix(size, count, x).t())
    if not is_dynamic(size) and not is_dynamic(count):
        return _adaptive_band(size, count).apply(x, axis)
    start, end = bound_adaptive_windows(torch.arange(count, device=x.device), size, count)
    taps = torch.arange((size + count - 1) // count + 1, device=x.device)
    length = (end - start).unsqueeze(1)
    weights = aten.lt.Tensor(taps, length).to(x.dtype) / length.to(x.dtype)
    return add_windows(x, axis, (start.unsqueeze(1) + taps).clamp(max=size - 1), weights)


def go_back_adaptively(g: Tensor, axis: int, size: int) -> Tensor:
    """Its transpose, to ``size`` elements."""
    count = g.shape[axis]
    if not is_large(size, count):
        return multiply_axis(g, axis, _adaptive_matrix(size, count, g))
    if not is_dynamic(size) and not is_dynamic(count):
        return _adaptive_band(size, count).transposed().apply(g, axis)
    place = torch.arange(size, device=g.device).unsqueeze(1)
    # The first window that ends behind an element is the one whose share of the axis it lies in.
    first = torch.div(place * count, size, rounding_mode="floor")
    window = first + torch.arange((count + size - 1) // size + 1, device=g.device)
    start, end = bound_adaptive_windows(window, size, count)
    reads = aten.logical_and.default(aten.le.Tensor(start, place), aten.lt.Scalar(window, count))
    weights = reads.to(g.dtype) / (end - start).to(g.dtype)
    return add_windows(g, axis, window.clamp(max=count - 1), weights)


def scatter_adaptively(taps: Sequence[Tensor], axis: int, windows: AdaptiveWindows) -> Tensor:
    """The transpose of reading unequal windows; of their repeated last elements only the first is given back."""
    if not is_large(windows.size, windows.count):
        return windows.scatter(taps, axis)
    return _add_back(aten.cat.default(list(taps), axis), axis, windows, (1, windows.count))


def add_back_adaptively(values: Tensor, axis: int, windows: AdaptiveWindows) -> Tensor:
    """The same of the windows one behind the other, each with its padding, ``O·T`` elements."""
    return _add_back(values, axis, windows, (windows.kernel, 1))


def _add_back(values: Tensor, axis: int, windows: AdaptiveWindows, steps: tuple[int, int]) -> Tensor:
    """Gathers what each element is given; ``steps`` lie between two windows and between two taps of ``values``."""
    with without_modes():
        place = torch.arange(windows.size).unsqueeze(1)
        most = -(-windows.count // windows.size) + 1
        window = place * windows.count // windows.size + torch.arange(most)
        start, end = bound_adaptive_windows(window, windows.size, windows.count)
        reads = (start <= place) & (place < end) & (window < windows.count)
        reading = reads.any(0)  # side by side, windows share no element
        index = torch.where(reads, window * steps[0] + (place - start) * steps[1], 0)[:, reading]
        weights = reads.double()[:, reading]
    return gather_and_sum(values, axis, index, weights)


def _adaptive_matrix(size: int, count: int, like: Tensor) -> Tensor:
    start, end = bound_adaptive_windows(torch.arange(count, device=like.device), size, count)
    return make_average_matrix(start, end, end - start, size, like)


def _adaptive_band(size: int, count: int) -> Band:
    with without_modes():
        start, end = bound_adaptive_windows(torch.arange(count), size, count)
        return average_band(start, end, end - start, size)
