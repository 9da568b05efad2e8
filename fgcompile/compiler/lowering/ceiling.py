"""Pooling in ceil mode, where the last window would begin behind the axis: PyTorch leaves it out, ONNX keeps it.

    window ``o`` begins at ``s·o − p``;  the last one is left out if  ``s·o ≥ L + p``

Then no window of that axis is cut short, and floor mode is the same. Where another axis does have a window that is cut
short, it is padded for maxima, and averages are one matrix per axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.sizes import per_axis
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.lowering.axes import is_dynamic, pad_axes
from fgcompile.compiler.lowering.long_pooling import average_windows
from fgcompile.compiler.lowering.windows import SlidingWindows

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


def positions_cut_short(size: int, kernel: int, stride: int, padding: int) -> int:
    """How many positions the last window of ceil mode lacks along an axis; ``kernel`` spans its dilation."""
    last = _last_begin(size, kernel, stride, padding)
    if last >= size + padding:
        last -= stride
    return max(last + kernel - size - 2 * padding, 0)


def _last_begin(size: int, kernel: int, stride: int, padding: int) -> int:
    """Where the last window begins, in the padded axis, if none is left out."""
    return -(-(size + 2 * padding - kernel) // stride) * stride


def _cut_short_beside_left_out(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> list[int] | None:
    """What each axis's last window lacks; None where no axis leaves a window out, or a size is symbolic."""
    if any(is_dynamic(size) for size in sizes):
        return None
    axes = list(zip(sizes, kernel, stride, padding, strict=True))
    if all(_last_begin(*axis) < size + low for axis, size, low in zip(axes, sizes, padding, strict=True)):
        return None
    return [positions_cut_short(*axis) for axis in axes]


def _lower_maximum(rank: int, pool: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., Any]:
    def lower(
        self: Tensor,
        kernel_size: Sequence[int],
        stride: Sequence[int] = (),
        padding: Sequence[int] = (0,),
        dilation: Sequence[int] = (1,),
        ceil_mode: bool = False,
    ) -> Any:
        """Lowers ``max_pool{2,3}d_with_indices`` that leaves out a window."""
        sizes = self.shape[-rank:]
        kernel, padding, dilation = (per_axis(value, rank) for value in (kernel_size, padding, dilation))
        stride = per_axis(stride, rank) if stride else kernel
        spans = [step * (taps - 1) + 1 for step, taps in zip(dilation, kernel, strict=True)]
        missing = _cut_short_beside_left_out(sizes, spans, stride, padding) if ceil_mode else None
        if missing is None:
            return NotImplemented
        if not any(missing):
            return pool(self, kernel, stride, padding, dilation, False)
        behind = [low + more for low, more in zip(padding, missing, strict=True)]
        padded = pad_axes(self, padding, behind, float("-inf"))
        values, places = pool(padded, kernel, stride, [0] * rank, dilation, False)
        return values, _unpadded(places, sizes, padded.shape[-rank:], padding)

    return lower


def _unpadded(places: Tensor, sizes: Sequence[int], extents: Sequence[int], before: Sequence[int]) -> Tensor:
    """Flat positions in the padded axes as positions in the axes themselves."""
    result: Any = 0
    step = 1
    for size, extent, low in reversed(list(zip(sizes, extents, before, strict=True))):
        result = result + (aten.remainder.Scalar(places, extent) - low) * step
        places = aten.div.Tensor_mode(places, extent, rounding_mode="floor")
        step *= size
    return result


def average_in_ceil_mode(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    count_include_pad: bool,
    average: Callable[..., Tensor],
) -> Any:
    """``avg_pool{2,3}d`` where it leaves out a window; ``average`` is the operator."""
    sizes = x.shape[-len(kernel) :]
    missing = _cut_short_beside_left_out(sizes, kernel, stride, padding)
    if missing is None:
        return NotImplemented
    if not any(missing):
        return average(x, kernel, stride, padding, False, count_include_pad, None)
    y = x
    axes = zip(sizes, kernel, stride, padding, missing, strict=True)
    for axis, (size, k, s, p, more) in enumerate(axes, start=x.dim() - len(kernel)):
        windows = SlidingWindows(size, (size + 2 * p + more - k) // s + 1, k, s, p, 1)
        y = average_windows(y, axis, windows, count_include_pad, more)
    return y


LOWERINGS: dict[OpOverload, Callable[..., Any]] = {
    aten.max_pool2d_with_indices.default: _lower_maximum(2, aten.max_pool2d_with_indices.default),
    aten.max_pool3d_with_indices.default: _lower_maximum(3, aten.max_pool3d_with_indices.default),
}
