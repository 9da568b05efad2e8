"""Resize: PyTorch's interpolation wherever it is exactly that, else matrices that are constants of the sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.interpolation import interpolated
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.resize_axis import Axis, Filter, nearest, outputs_of, outside, weights
from fgcompile.compiler.capture.onnx.symbols import decided, integer
from fgcompile.errors import UnsupportedOpError

_LARGEST = 2**26
"""Elements of a matrix that is written."""


def resize(
    x: Tensor,
    roi: Sequence[Any] | None = None,
    scales: Sequence[Any] | None = None,
    sizes: Sequence[Any] | None = None,
    *,
    antialias: int = 0,
    axes: Sequence[int] | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Tensor:
    """``x`` with other sizes, all of them or those of ``axes``.

    Raises:
        UnsupportedOpError: A dynamic size is resized in a way that PyTorch has no operator for.
    """
    named = [axis % x.ndim for axis in (range(x.ndim) if axes is None else axes)]
    resized = _axes(x, named, (roi, scales, sizes), keep_aspect_ratio_policy)
    # One scale for all axes, which PyTorch finds for each by its sizes.
    alike = not scales and keep_aspect_ratio_policy != "stretch"
    crop = coordinate_transformation_mode == "tf_crop_and_resize"
    resized = [axis for axis in resized if axis.changes or (crop and (axis.start, axis.end) != (0, 1))]
    if crop and any(axis.known and axis.outputs == axis.size for axis in resized):
        raise UnsupportedOpError("it crops and keeps a size, of which ONNX Runtime takes all: write a Slice instead")
    if antialias and alike and any(axis.outputs != axis.scale * axis.size for axis in resized):
        raise UnsupportedOpError(
            f"it resizes with antialias and keep_aspect_ratio_policy={keep_aspect_ratio_policy} to sizes that are "
            "rounded, which runtimes read differently: write these sizes"
        )
    filter = Filter(
        mode, coordinate_transformation_mode, nearest_mode, bool(antialias), bool(exclude_outside), cubic_coeff_a
    )
    # ONNX Runtime copies what keeps its shape, whatever the scales are.
    if not resized or (not crop and all(axis.known and axis.outputs == axis.size for axis in resized)):
        return x
    own = None if crop or alike else interpolated(x, resized, filter, bool(scales))
    if own is not None:
        return own
    if not all(axis.known for axis in resized):
        raise UnsupportedOpError(
            f"it resizes a dynamic size with mode={mode}, "
            f"coordinate_transformation_mode={coordinate_transformation_mode}: fix that size"
        )
    result = _by_axis(x, resized, filter)
    return _extrapolated(result, resized, extrapolation_value) if crop else result


def _axes(x: Tensor, named: Sequence[int], given: tuple[Any, Any, Any], policy: str) -> list[Axis]:
    roi, scales, sizes = given
    before = [x.shape[axis] for axis in named]
    if scales:
        after = [_outputs(size, scale) for size, scale in zip(before, scales, strict=True)]
    elif policy != "stretch":
        if not all(isinstance(size, int) for size in (*before, *sizes)):
            raise UnsupportedOpError("it keeps the shape of a picture of a dynamic size: fix that size")
        pick = min if policy == "not_larger" else max
        scale = pick(wanted / size for wanted, size in zip(sizes, before, strict=True))
        scales, after = [scale] * len(named), [math.floor(scale * size + 0.5) for size in before]
    else:
        after = list(sizes)
        # A batch of any size is as large as it was.
        same = [decided(wanted == size) is True for wanted, size in zip(after, before, strict=True)]
        scales = [1 if kept else wanted / size for kept, wanted, size in zip(same, after, before, strict=True)]
    starts, ends = (roi[: len(named)], roi[len(named) :]) if roi else ([0.0] * len(named), [1.0] * len(named))
    return [Axis(*each) for each in zip(named, before, after, scales, starts, ends, strict=True)]


def _outputs(size: Any, scale: Any) -> Any:
    if isinstance(size, int) and isinstance(scale, int | float):
        return int(outputs_of(np.array(size), scale))
    return size if isinstance(scale, int | float) and scale == 1 else integer(size * scale)


def _by_axis(x: Tensor, resized: Sequence[Axis], filter: Filter) -> Tensor:
    dtype = x.dtype
    if filter.mode == "nearest":
        for axis in resized:
            x = x.index_select(axis.axis, torch.from_numpy(nearest(axis, filter)))
        return x
    x = x if x.is_floating_point() else x.to(torch.float32)
    for axis in resized:
        if axis.size * axis.outputs > _LARGEST:
            raise UnsupportedOpError(
                f"it resizes an axis of {axis.size} elements to {axis.outputs}: these are too many"
            )
        matrix = torch.from_numpy(weights(axis, filter)).to(x.dtype)
        x = (x.transpose(axis.axis, -1) @ matrix.T).transpose(axis.axis, -1)
    if dtype.is_floating_point:
        return x
    limits = torch.iinfo(dtype)
    return x.round().clamp(limits.min, limits.max).to(dtype)


def _extrapolated(x: Tensor, resized: Sequence[Axis], value: float) -> Tensor:
    """A value of its own wherever a place lies outside of the axes."""
    beyond = np.zeros([1] * x.ndim, dtype=np.bool_)
    for axis in resized:
        shape = [-1 if each == axis.axis else 1 for each in range(x.ndim)]
        beyond = beyond | outside(axis, "tf_crop_and_resize").reshape(shape)
    if not beyond.any():
        return x
    return torch.where(torch.from_numpy(beyond), torch.full((), value, dtype=x.dtype), x)


RESIZE: dict[str, Operator] = {"Resize": Operator(resize, ("roi", "scales", "sizes"))}
