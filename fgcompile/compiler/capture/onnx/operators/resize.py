"""Resize: PyTorch's interpolation wherever it is exactly that, else matrices that are constants of the sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.resize_axis import Axis, Filter, nearest, outside, weights
from fgcompile.compiler.capture.onnx.symbols import integer
from fgcompile.errors import UnsupportedOpError

_LARGEST = 2**26
"""Elements of a matrix that is written."""

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


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
    crop = coordinate_transformation_mode == "tf_crop_and_resize"
    resized = [axis for axis in resized if axis.changes or (crop and (axis.start, axis.end) != (0, 1))]
    filter = Filter(
        mode, coordinate_transformation_mode, nearest_mode, bool(antialias), bool(exclude_outside), cubic_coeff_a
    )
    if not resized:
        return x
    own = _interpolation(x, resized, filter)
    if own is not None:
        return _interpolated(x, resized, own, bool(scales))
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
        after = [_floor(size * scale) for size, scale in zip(before, scales, strict=True)]
    elif policy != "stretch":
        pick = min if policy == "not_larger" else max
        scale = pick(wanted / size for wanted, size in zip(sizes, before, strict=True))
        scales, after = [scale] * len(named), [math.floor(scale * size + 0.5) for size in before]
    else:
        after = list(sizes)
        scales = [wanted / size for wanted, size in zip(after, before, strict=True)]
    starts, ends = (roi[: len(named)], roi[len(named) :]) if roi else ([0.0] * len(named), [1.0] * len(named))
    return [Axis(*each) for each in zip(named, before, after, scales, starts, ends, strict=True)]


def _floor(number: Any) -> Any:
    return integer(number) if isinstance(number, torch.SymFloat) else math.floor(number)


def _interpolation(x: Tensor, resized: Sequence[Axis], filter: Filter) -> tuple[str, bool | None] | None:
    """The mode and ``align_corners`` of PyTorch's interpolation, if it does the same."""
    space = x.ndim - 2
    if not (1 <= space <= 3 and x.is_floating_point()) or any(axis.axis < 2 for axis in resized):
        return None
    if filter.mode == "nearest":
        return _nearest_interpolation(resized, filter)
    if filter.antialias and not all(axis.known and axis.scale >= 1 for axis in resized):
        return None
    modes = _LINEAR if filter.mode == "linear" else {2: "bicubic"}
    # Without a weight outside, a linear one is the edge's as well; a cubic one is not.
    edges = filter.mode == "linear" or (filter.cubic_coeff_a == -0.75 and not filter.exclude_outside)
    if space not in modes or not edges:
        return None
    if filter.coordinates == "align_corners":
        return modes[space], True
    whole = all(axis.known and axis.outputs == axis.scale * axis.size for axis in resized)
    several = all(not isinstance(axis.outputs, int) or axis.outputs > 1 for axis in resized)
    centred = filter.coordinates == "half_pixel" or (filter.coordinates == "pytorch_half_pixel" and several)
    return (modes[space], False) if centred or (filter.coordinates == "half_pixel_symmetric" and whole) else None


def _nearest_interpolation(resized: Sequence[Axis], filter: Filter) -> tuple[str, None] | None:
    if not all(axis.known for axis in resized):
        # PyTorch's rounds halves up, which does not matter at whole scales: there are none.
        return ("nearest", None) if (filter.coordinates, filter.rounding) == ("asymmetric", "floor") else None
    for mode, shift in (("nearest", 0.0), ("nearest-exact", 0.5)):
        if all(np.array_equal(nearest(axis, filter), _nearest_of_torch(axis, shift)) for axis in resized):
            return mode, None
    return None


def _nearest_of_torch(axis: Axis, shift: float) -> Any:
    places = np.arange(axis.outputs, dtype=np.float32) + np.float32(shift)
    return np.minimum(np.floor(places * np.float32(1 / axis.scale)), axis.size - 1).astype(np.int64)


def _interpolated(x: Tensor, resized: Sequence[Axis], own: tuple[str, bool | None], scaled: bool) -> Tensor:
    mode, align_corners = own
    by_axis = {axis.axis: axis for axis in resized}
    if scaled and all(isinstance(axis.scale, float) for axis in resized):
        scales = [float(by_axis[axis].scale) if axis in by_axis else 1.0 for axis in range(2, x.ndim)]
        return functional.interpolate(x, scale_factor=scales, mode=mode, align_corners=align_corners)
    sizes = [by_axis[axis].outputs if axis in by_axis else x.shape[axis] for axis in range(2, x.ndim)]
    return functional.interpolate(x, sizes, mode=mode, align_corners=align_corners)


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
