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

from fgcompile.lowering.axes import is_dynamic, multiply_axis, pad_axes, per_axis
from fgcompile.lowering.windows import make_average_matrix

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


def _leaves_out(size: int, kernel: int, stride: int, padding: int) -> bool:
    return _last_begin(size, kernel, stride, padding) >= size + padding


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
        if not ceil_mode or any(is_dynamic(size) for size in sizes):
            return NotImplemented
        kernel, padding, dilation = (per_axis(value, rank) for value in (kernel_size, padding, dilation))
        stride = per_axis(stride, rank) if stride else kernel
        spans = [step * (taps - 1) + 1 for step, taps in zip(dilation, kernel, strict=True)]
        settings = list(zip(sizes, spans, stride, padding, strict=True))
        if not any(_leaves_out(*setting) for setting in settings):
            return NotImplemented
        missing = [positions_cut_short(*setting) for setting in settings]
        if not any(missing):
            return pool(self, kernel, stride, padding, dilation, False)
        behind = [low + more for low, more in zip(padding, missing, strict=True)]
        values, places = pool(
            pad_axes(self, padding, behind, float("-inf")), kernel, stride, [0] * rank, dilation, False
        )
        extents = [size + low + high for size, low, high in zip(sizes, padding, behind, strict=True)]
        return values, _unpadded(places, sizes, extents, padding)

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


def lower_average(rank: int, average: Callable[..., Tensor]) -> Callable[..., Any]:
    def lower(
        self: Tensor,
        kernel_size: Sequence[int],
        stride: Sequence[int] = (),
        padding: Sequence[int] = (0,),
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        """Lowers ``avg_pool{2,3}d`` that leaves out a window, unless it has a divisor of its own."""
        sizes = self.shape[-rank:]
        if not ceil_mode or divisor_override is not None or any(is_dynamic(size) for size in sizes):
            return NotImplemented
        kernel, padding = per_axis(kernel_size, rank), per_axis(padding, rank)
        stride = per_axis(stride, rank) if stride else kernel
        settings = list(zip(sizes, kernel, stride, padding, strict=True))
        if not any(_leaves_out(*setting) for setting in settings):
            return NotImplemented
        missing = [positions_cut_short(*setting) for setting in settings]
        if not any(missing):
            return average(self, kernel, stride, padding, False, count_include_pad, None)
        y = self
        for axis, (setting, more) in enumerate(zip(settings, missing, strict=True), start=self.dim() - rank):
            y = multiply_axis(y, axis, _averages(*setting, more, count_include_pad, y).t())
        return y

    return lower


def _averages(
    size: int, kernel: int, stride: int, padding: int, missing: int, count_include_pad: bool, like: Tensor
) -> Tensor:
    """The matrix ``(O, L)`` of an average along one axis, whose last window lacks ``missing`` positions."""
    count = (size + 2 * padding + missing - kernel) // stride + 1
    begin = torch.arange(count, device=like.device) * stride - padding
    end = aten.clamp.default(begin + kernel, None, size + padding)
    start, stop = aten.clamp.default(begin, 0), aten.clamp.default(end, None, size)
    return make_average_matrix(start, stop, end - begin if count_include_pad else stop - start, size, like)


DECOMPOSITIONS: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.max_pool2d_with_indices.default: _lower_maximum(2, aten.max_pool2d_with_indices.default),
    aten.max_pool3d_with_indices.default: _lower_maximum(3, aten.max_pool3d_with_indices.default),
}
