"""Backward of max and average pooling, one axis after the other, without indices and without scatter.

**Max.** A window's maximum is the maximum over its rows of each row's maximum: ``h = max_W x`` and ``y = max_H h``. The
gradient goes back the same way, ``∂h`` from ``g`` along H and then ``∂x`` from ``∂h`` along W. Along one axis, tap
``t_i`` of every window is ``x`` at ``s·o + d·i − p``; with ``r = g`` at first,

    ``∂t_i = r · (t_i == y)``,  ``r ← r − ∂t_i``,  and the last tap takes what is left,

so that the first maximum wins: row-major through the window, which is PyTorch's choice. An offset ``d·i − p`` is
``s·σ + ρ``: the tap is the residue ``ρ`` of the axis shifted by ``σ``, and its gradient goes back by adding the
shifted gradients of each residue and interleaving the residues.

Faster in ONNX Runtime than extremes from MaxPool or all taps at once: ``docs/decisions/max-pooling.md``.

**Average.** A constant matrix along each axis, ``∂x = A_Hᵀ g A_W``. Windows that tile an axis repeat instead, by
nearest-neighbour upsampling, the fastest of four forms (``docs/decisions/average-pooling.md``). Along an axis of
symbolic size both take their plain form, by slices with a step and by matrices; of a long axis see ``long_pooling``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.annotations import chosen
from fgcompile.compiler.ir.gathering import is_large
from fgcompile.compiler.ir.sizes import per_axis, same_size
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.lowering.axes import is_dynamic, multiply_axis, pad_axis, reshape
from fgcompile.compiler.lowering.long_pooling import (
    go_back_adaptively,
    scatter_adaptively,
    share_among_windows,
)
from fgcompile.compiler.lowering.wide_windows import (
    differentiate_wide_maximum,
    is_wide,
    read_wide_windows,
)
from fgcompile.compiler.lowering.windows import (
    AdaptiveWindows,
    DynamicWindows,
    Windows,
    divide_windows,
    make_sliding_average,
)

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any
AnyWindows = Windows | DynamicWindows | AdaptiveWindows

MOST_TAPS = 64
"""Taps of a window above which its share goes to them by a pooling: each is an addition of its own before."""


def _select_first_maximum(g: Tensor, taps: Sequence[Tensor], maximum: Tensor) -> list[Tensor]:
    """Gives each window's gradient to its first tap that equals the maximum."""
    parts, rest = [], g
    for tap in taps[:-1]:
        part = rest * aten.eq.Tensor(tap, maximum).to(g.dtype)
        rest = rest - part
        parts.append(part)
    return [*parts, rest]


def _maximum(taps: Sequence[Tensor]) -> Tensor:
    result = taps[0]
    for tap in taps[1:]:
        result = aten.maximum.default(result, tap)
    return result


def _take_maximum(x: Tensor, axis: int, along: AnyWindows) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The windows' maxima along an axis, and how their gradient goes back."""
    if isinstance(along, AdaptiveWindows) and is_wide(along):
        wide = read_wide_windows(x, axis, along)
        largest = aten.amax.default(wide, [axis + 1])
        return largest, lambda g: differentiate_wide_maximum(g, wide, largest, axis, along)
    taps = along.gather(x, axis)
    maximum = _maximum(taps)

    def go_back(g: Tensor) -> Tensor:
        parts = _select_first_maximum(g, taps, maximum)
        if isinstance(along, AdaptiveWindows):
            return scatter_adaptively(parts, axis, along)
        return along.scatter(parts, axis)

    return maximum, go_back


def _differentiate_maximum(g: Tensor, x: Tensor, windows: Sequence[AnyWindows]) -> Tensor:
    """Max pooling's gradient; ``windows`` are those of the trailing axes, outermost first."""
    first = x.dim() - len(windows)
    steps: list[Callable[[Tensor], Tensor]] = []
    for axis in reversed(range(first, x.dim())):
        x, go_back = _take_maximum(x, axis, windows[axis - first])
        steps.append(go_back)
    for go_back in reversed(steps):
        g = go_back(g)
    return g


def _make_windows(
    x: Tensor,
    g: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    rank: int,
) -> list[Windows | DynamicWindows]:
    kernel, padding, dilation = (per_axis(value, rank) for value in (kernel, padding, dilation))
    stride = per_axis(stride, rank) if stride else kernel
    settings = zip(x.shape[-rank:], g.shape[-rank:], kernel, stride, padding, dilation, strict=True)
    return [(DynamicWindows if is_dynamic(setting[0]) else Windows)(*setting) for setting in settings]


_NO_SCATTER = "no indices and no scatter, which are slow or missing in runtimes"


def _lower_max(rank: int) -> Callable[..., Tensor]:
    def lower(
        grad_output: Tensor,
        self: Tensor,
        kernel_size: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        ceil_mode: bool,
        indices: Tensor,
    ) -> Tensor:
        """Lowers ``max_pool{2,3}d_with_indices_backward``; the indices stay unused and vanish with dead code."""
        windows = _make_windows(self, grad_output, kernel_size, stride, padding, dilation, rank)
        with chosen("max pooling, backward", "masks of the first maximum, one axis after the other", _NO_SCATTER):
            return _differentiate_maximum(grad_output, self, windows)

    return lower


def _differentiate_global_maximum(g: Tensor, x: Tensor, rank: int) -> Tensor:
    """The whole axes are one window of symbolic size: the first maximum is where their running count becomes 1."""
    flat = reshape(x, [*x.shape[:-rank], math.prod(x.shape[-rank:])])
    largest = aten.eq.Tensor(flat, aten.amax.default(flat, [-1], True)).to(x.dtype)
    first = largest * aten.eq.Scalar(aten.cumsum.default(largest, -1), 1).to(x.dtype)
    return g * reshape(first, x.shape)


def _lower_adaptive_max(rank: int) -> Callable[..., Any]:
    def lower(grad_output: Tensor, self: Tensor, indices: Tensor) -> Any:
        """Lowers ``adaptive_max_pool{2,3}d_backward``; windows that tile an axis are regular ones."""
        # Of symbolic sizes only a single window, the whole axis, has a form: others would have kernels of unknown
        # length. Windows that tile an axis are regular ones, whose taps are slices unless they are many; unequal ones
        # read by constant indices.
        if any(is_dynamic(size) for size in self.shape[-rank:]):
            whole = all(same_size(count, 1) for count in grad_output.shape[-rank:])
            return _differentiate_global_maximum(grad_output, self, rank) if whole else NotImplemented
        windows: list[AnyWindows] = []
        for size, count in zip(self.shape[-rank:], grad_output.shape[-rank:], strict=True):
            step, along = size // count, AdaptiveWindows(size, count)
            tiles = size % count == 0 and not is_wide(along)
            windows.append(Windows(size, count, step, step, 0, 1) if tiles else along)
        return _differentiate_maximum(grad_output, self, windows)

    return lower


def _repeat(g: Tensor, times: Sequence[int]) -> Tensor:
    """Repeats each element along the trailing axes, as a nearest-neighbour upsampling."""
    rank = len(times)
    if all(count == 1 for count in times):
        return g
    sizes = [size * count for size, count in zip(g.shape[-rank:], times, strict=True)]
    # One element is expanded, which costs nothing until it is read; several go through Resize, faster than Expand.
    if all(size == 1 for size in g.shape[-rank:]):
        return aten.expand.default(g, [*g.shape[:-rank], *sizes])
    batched = g if g.dim() == rank + 2 else aten.unsqueeze.default(g, 0)
    upsample = aten.upsample_nearest2d.default if rank == 2 else aten.upsample_nearest3d.default
    repeated: Tensor = upsample(batched, sizes)
    return repeated if g.dim() == rank + 2 else aten.squeeze.dim(repeated, 0)


def _lower_average(rank: int) -> Callable[..., Tensor]:
    def lower(
        grad_output: Tensor,
        self: Tensor,
        kernel_size: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        ceil_mode: bool,
        count_include_pad: bool,
        divisor_override: int | None,
    ) -> Tensor:
        """Lowers ``avg_pool{2,3}d_backward``: ``∂x = A_Hᵀ g A_W``."""
        # Axis by axis: windows that tile repeat, together for all such axes, and share one divisor; along the others
        # the matrix divides by each window's own count, unless a divisor of the user's has been taken in front.
        windows = _make_windows(self, grad_output, kernel_size, stride, padding, [1], rank)
        tiled = [isinstance(along, Windows) and along.tiles for along in windows]
        repeats = [along.kernel if tile else 1 for along, tile in zip(windows, tiled, strict=True)]
        scale = divisor_override if divisor_override is not None else math.prod(repeats)
        g = _repeat(grad_output / scale if scale != 1 else grad_output, repeats)
        for axis, along, tile in zip(range(self.dim() - rank, self.dim()), windows, tiled, strict=True):
            if tile:
                g = pad_axis(g, axis, 0, along.size - along.count * along.kernel)
                continue
            divided = divisor_override is None
            # A matrix of a long axis is too large: each window's share goes to its taps.
            if is_large(along.size, along.count):
                g = divide_windows(along, count_include_pad, g, axis) if divided else g
                few = along.kernel <= MOST_TAPS
                g = along.scatter([g] * along.kernel, axis) if few else share_among_windows(g, axis, along)
            else:
                g = multiply_axis(g, axis, make_sliding_average(along, count_include_pad, g, divided))
        return g

    return lower


def _lower_adaptive_average(rank: int) -> Callable[..., Tensor]:
    def lower(grad_output: Tensor, self: Tensor) -> Tensor:
        """Lowers ``_adaptive_avg_pool{2,3}d_backward``: ``∂x = A_Hᵀ g A_W``."""
        g = grad_output
        repeats = [
            1 if is_dynamic(size) or size % count else size // count
            for size, count in zip(self.shape[-rank:], g.shape[-rank:], strict=True)
        ]
        scale = math.prod(repeats)
        g = _repeat(g / scale if scale != 1 else g, repeats)
        for axis in range(self.dim() - rank, self.dim()):
            size, count = self.shape[axis], g.shape[axis]
            if not same_size(size, count):
                g = go_back_adaptively(g, axis, size)
        return g

    return lower


LOWERINGS: dict[OpOverload, Callable[..., Any]] = {
    aten.max_pool2d_with_indices_backward.default: _lower_max(2),
    aten.max_pool3d_with_indices_backward.default: _lower_max(3),
    aten.adaptive_max_pool2d_backward.default: _lower_adaptive_max(2),
    aten.adaptive_max_pool3d_backward.default: _lower_adaptive_max(3),
    aten.avg_pool2d_backward.default: _lower_average(2),
    aten.avg_pool3d_backward.default: _lower_average(3),
    aten._adaptive_avg_pool2d_backward.default: _lower_adaptive_average(2),
    aten._adaptive_avg_pool3d_backward.default: _lower_adaptive_average(3),
}
