"""Poolings in one to three dimensions: PyTorch's own where it pads both ends alike, else of a padded input."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.padding import alike, by_axis, window_pads
from fgcompile.compiler.capture.onnx.symbols import larger, smaller
from fgcompile.errors import UnsupportedOpError

_MAXIMA = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
_MEANS = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)


@dataclass(frozen=True)
class Windows:
    """Where a pooling's windows lie over the axes of space.

    Attributes:
        kernel: Their sizes.
        stride: From one to the next.
        dilation: From one of its elements to the next.
        before: What is added before each axis.
        after: What is added behind each.
        ceil: Whether a last window counts that does not lie in it wholly.
    """

    kernel: list[int]
    stride: list[int]
    dilation: list[int]
    before: list[Any]
    after: list[Any]
    ceil: bool

    def of_torch(self, sizes: Sequence[Any]) -> tuple[list[int], bool] | None:
        """The padding, of both ends, and ``ceil_mode`` with which PyTorch has windows at the same places, if any."""
        if not all(
            isinstance(pad, int) and 2 * pad <= size for pad, size in zip(self.before, self.kernel, strict=True)
        ):
            return None
        if alike(self.before, self.after):
            return self.before, self.ceil
        if all(isinstance(size, int) for size in (*sizes, *self.after)):
            for ceil in (False, True):
                other = dataclasses.replace(self, after=self.before, ceil=ceil)
                if other.outputs(sizes) == self.outputs(sizes):
                    return self.before, ceil
        return None

    def outputs(self, sizes: Sequence[Any]) -> list[Any]:
        """How many there are along each axis. None begins behind the values and what is added before them."""
        counts = []
        for axis, size in enumerate(sizes):
            covered, stride = (self.kernel[axis] - 1) * self.dilation[axis] + 1, self.stride[axis]
            room = size + self.before[axis] + self.after[axis] - covered
            count = (-(-room // stride) if self.ceil else room // stride) + 1
            # Rounding up adds one, which may begin too late.
            counts.append(smaller(count, -(-(size + self.before[axis]) // stride)) if self.ceil else count)
        return counts

    def ends(self, sizes: Sequence[Any]) -> list[Any]:
        """What is added behind each axis for all windows to lie in it."""
        ends = []
        for axis, count in enumerate(self.outputs(sizes)):
            covered = (count - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1
            more = covered - sizes[axis] - self.before[axis]
            ends.append(larger(more, 0) if self.ceil else self.after[axis])
        return ends

    def of(self, x: Tensor) -> Tensor:
        """The windows of a padded tensor: ``(N, C, *outputs, *kernel)``."""
        for axis, (size, stride, step) in enumerate(zip(self.kernel, self.stride, self.dilation, strict=True)):
            x = x.unfold(2 + axis, (size - 1) * step + 1, stride)
            x = x[..., ::step] if step > 1 else x
        return x


def _leaves_out(size: Any, window: int, stride: int) -> bool:
    """Whether two values or more of an axis are in no window that is padded to cover it."""
    return isinstance(size, int) and window + 1 <= (size - 1) % stride


def windows(x: Tensor, kernel: Sequence[int], strides: Any, dilations: Any, padding: tuple[str, Any, int]) -> Windows:
    """The windows of a node: its attributes, ``padding`` its ``auto_pad``, ``pads`` and ``ceil_mode``.

    Raises:
        UnsupportedOpError: They have gaps, or leave values between them out, and are padded by ``auto_pad``.
    """
    axes, (auto_pad, pads, ceil) = len(kernel), padding
    stride, dilation = list(strides or [1] * axes), list(dilations or [1] * axes)
    if auto_pad.startswith("SAME") and any(step > 1 for step in dilation):
        raise UnsupportedOpError(
            f"it has dilations and auto_pad={auto_pad}, which runtimes read differently: write pads"
        )
    if auto_pad.startswith("SAME") and any(map(_leaves_out, x.shape[2:], kernel, stride)):
        raise UnsupportedOpError(
            f"it has strides that leave values out and auto_pad={auto_pad}, which runtimes read differently: write pads"
        )
    before, after = window_pads(x.shape[2:], kernel, stride, dilation, auto_pad, pads)
    return Windows(list(kernel), stride, dilation, before, after, bool(ceil))


def max_pool(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    storage_order: int = 0,
    strides: Sequence[int] | None = None,
    outputs: int = 1,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest of each window; its index in the whole tensor as the second output."""
    place = windows(x, kernel_shape, strides, dilations, (auto_pad, pads, ceil_mode))
    dtype = x.dtype
    # PyTorch pools no integers of 8 bits.
    values = x if x.is_floating_point() else x.to(torch.float32)
    own, none = place.of_torch(x.shape[2:]), [0] * len(kernel_shape)
    padded, (padding, ceil) = (_padded(values, place), (none, False)) if own is None else (values, own)
    pool = _MAXIMA[len(kernel_shape) - 1]
    if outputs == 1:
        return pool(padded, place.kernel, place.stride, padding, place.dilation, ceil).to(dtype)
    largest, indices = pool(padded, place.kernel, place.stride, padding, place.dilation, ceil, return_indices=True)
    before = place.before if own is None else none
    return largest.to(dtype), _whole_indices(indices, x, (padded.shape[2:], before), storage_order)


def _padded(x: Tensor, place: Windows) -> Tensor:
    """What is added is never the only largest of a window.

    Windows without gaps that hold an element that was added hold the edge that it repeats. Others get a number that
    is finite, so that zero times it is zero, in whatever precision the graph will be.
    """
    pads = by_axis(place.before, place.ends(x.shape[2:]))
    if all(step == 1 for step in place.dilation):
        return functional.pad(x, pads, mode="replicate")
    least = torch.finfo(torch.float16 if x.dtype == torch.float16 else torch.float32).min
    return functional.pad(x, pads, value=least)


def _whole_indices(
    indices: Tensor, x: Tensor, plane: tuple[Sequence[Any], Sequence[Any]], storage_order: int
) -> Tensor:
    """Indices in the padded plane of a channel as those in the whole tensor; of planes by columns, if asked for."""
    (padded, before), sizes = plane, list(x.shape[2:])
    places: list[Tensor] = []
    for axis in reversed(range(len(sizes))):
        place = indices % padded[axis] - before[axis]
        indices = indices // padded[axis]
        places.insert(0, place.clamp(0, sizes[axis] - 1))
    order = list(reversed(range(len(sizes)))) if storage_order else list(range(len(sizes)))
    flat = torch.zeros_like(places[0])
    for axis in order:
        flat = flat * sizes[axis] + places[axis]
    planes = torch.arange(x.shape[0] * x.shape[1], device=x.device).reshape(x.shape[0], x.shape[1], *[1] * len(sizes))
    return flat + planes * math.prod(sizes)


def average_pool(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Tensor:
    """The mean of each window: of its values, or with ``count_include_pad`` of what was padded too."""
    place = windows(x, kernel_shape, strides, dilations, (auto_pad, pads, ceil_mode))
    pool, dense = _MEANS[len(kernel_shape) - 1], all(step == 1 for step in place.dilation)
    own = place.of_torch(x.shape[2:]) if dense else None
    if own is not None and (not count_include_pad or alike(place.before, place.after)):
        return pool(x, place.kernel, place.stride, own[0], own[1], bool(count_include_pad))

    def means(padded: Tensor) -> Tensor:
        return pool(padded, place.kernel, place.stride) if dense else place.of(padded).mean(axes)

    axes = tuple(range(-len(kernel_shape), 0))
    whole = means(functional.pad(x, by_axis(place.before, place.ends(x.shape[2:]))))
    return whole if count_include_pad and not place.ceil else whole / means(_counted(x, place, count_include_pad))


def _counted(x: Tensor, place: Windows, count_include_pad: int) -> Tensor:
    """One where an element is counted, zero where it is not: ``(1, 1, *padded)``."""
    sizes = x.shape[2:]
    ends, ones = place.ends(sizes), x.new_ones([1, 1, *sizes])
    if not count_include_pad:
        return functional.pad(ones, by_axis(place.before, ends))
    # What is added for the last window to be whole is not counted.
    ones = functional.pad(ones, by_axis(place.before, place.after), value=1.0)
    more = [end - after for end, after in zip(ends, place.after, strict=True)]
    return functional.pad(ones, by_axis([0] * len(more), more))


def lp_pool(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] | None = None,
    p: int = 2,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Tensor:
    """``(Σ |x|ᵖ)^(1 / p)`` of each window."""
    place = windows(x, kernel_shape, strides, dilations, (auto_pad, pads, ceil_mode))
    padded = functional.pad(x, by_axis(place.before, place.ends(x.shape[2:])))
    norm: Tensor = torch.linalg.vector_norm(place.of(padded), p, tuple(range(-len(kernel_shape), 0)))
    return norm


def global_average_pool(x: Tensor) -> Tensor:
    """Means over all axes of space, which are kept."""
    return x.mean(tuple(range(2, x.ndim)), keepdim=True)


def global_max_pool(x: Tensor) -> Tensor:
    """The largest over all axes of space, which are kept."""
    return x.amax(tuple(range(2, x.ndim)), keepdim=True)


def global_lp_pool(x: Tensor, *, p: int = 2) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(x, p, tuple(range(2, x.ndim)), keepdim=True)
    return norm


POOLING: dict[str, Operator] = {
    "AveragePool": Operator(average_pool),
    "GlobalAveragePool": Operator(global_average_pool),
    "GlobalLpPool": Operator(global_lp_pool),
    "GlobalMaxPool": Operator(global_max_pool),
    "LpPool": Operator(lp_pool),
    "MaxPool": Operator(max_pool),
}
