"""Where PyTorch's interpolation is exactly what Resize is defined to."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.resize_axis import SIMPLE, Axis, Filter, nearest, outputs_of
from fgcompile.compiler.capture.onnx.symbols import decided

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}

_LARGE = 4096
"""The sizes that a dynamic one is tried at."""


def interpolated(x: Tensor, resized: Sequence[Axis], filter: Filter, scaled: bool) -> Tensor | None:
    """``x`` with other sizes by PyTorch's operator; None if that is another one.

    ``scaled`` says that scales were given, by which coordinates are divided whatever the sizes are.
    """
    space = range(2, x.ndim)
    if not (1 <= len(space) <= 3 and x.is_floating_point()) or any(axis.axis < 2 for axis in resized):
        return None
    factors = {axis.axis: _factor(axis) if scaled else None for axis in resized}
    by_factor = all(factor is not None for factor in factors.values())
    if scaled and not by_factor:
        return None
    mode, align_corners = _mode(len(space), resized, filter, factors)
    if mode is None:
        return None
    if by_factor:
        scales = [factors.get(axis, 1.0) for axis in space]
        return functional.interpolate(x, scale_factor=scales, mode=mode, align_corners=align_corners)  # type: ignore[arg-type]
    outputs = {axis.axis: axis.outputs for axis in resized}
    sizes = [outputs.get(axis, x.shape[axis]) for axis in space]
    return functional.interpolate(x, sizes, mode=mode, align_corners=align_corners)


def _factor(axis: Axis) -> float | None:
    """The scale as PyTorch takes it: a double, of which it gives as many outputs as runtimes do.

    A file has it in single precision: 1.3 is less there, and ten elements would be twelve.
    """
    if not isinstance(axis.scale, int | float):
        return None
    near = Fraction(axis.scale).limit_denominator(1000)
    sizes = np.array([axis.size]) if isinstance(axis.size, int) else np.arange(1, _LARGE)
    written = float(near) if abs(float(near) - axis.scale) < 1e-7 * axis.scale else axis.scale
    for factor in (float(axis.scale), written, written * (1 + 1e-9)):
        if np.array_equal(np.floor(sizes * factor), outputs_of(sizes, axis.scale)):
            return factor
    return None


def _mode(
    space: int, resized: Sequence[Axis], filter: Filter, factors: dict[int, float | None]
) -> tuple[str | None, bool | None]:
    """PyTorch's mode and ``align_corners``."""
    if filter.mode == "nearest":
        return _nearest_mode(resized, filter, factors), None
    if filter.antialias and not all(axis.known and axis.scale >= 1 for axis in resized):
        return None, None
    # Without a weight outside, a linear one is the edge's as well; a cubic one is not.
    edges = filter.mode == "linear" or (filter.cubic_coeff_a == -0.75 and not filter.exclude_outside)
    # PyTorch copies an axis that keeps its size, whatever the scale is.
    copied = any(axis.known and axis.outputs == axis.size for axis in resized)
    edges = edges and not (filter.mode == "linear" and copied and any(map(bool, factors.values())))
    mode = (_LINEAR if filter.mode == "linear" else {2: "bicubic"}).get(space) if edges else None
    if filter.coordinates == "align_corners":
        return mode, True
    whole = all(axis.known and axis.outputs == axis.scale * axis.size for axis in resized)
    several = all(not isinstance(axis.outputs, int) or axis.outputs > 1 for axis in resized)
    centred = {"half_pixel": True, "pytorch_half_pixel": several, "half_pixel_symmetric": whole}
    return (mode, False) if centred.get(filter.coordinates) else (None, None)


def _nearest_mode(resized: Sequence[Axis], filter: Filter, factors: dict[int, float | None]) -> str | None:
    if not all(isinstance(axis.scale, int | float) for axis in resized):
        # Sizes that are dynamic on both sides: there is no scale to try.
        below = filter.rounding == "floor" or (filter.rounding == SIMPLE and all(map(_grows, resized)))
        return "nearest" if filter.coordinates == "asymmetric" and below else None
    tried = [axis if axis.known else _tried(axis) for axis in resized]
    for mode, shift in (("nearest", 0.0), ("nearest-exact", 0.5)):
        if all(np.array_equal(nearest(axis, filter), _of_torch(axis, factors[axis.axis], shift)) for axis in tried):
            return mode
    return None


def _grows(axis: Axis) -> bool:
    return decided(axis.outputs >= axis.size) is True


def _tried(axis: Axis) -> Axis:
    """The axis at a large size: an output's index is the same at all sizes that have it, but for the last."""
    return dataclasses.replace(axis, size=_LARGE, outputs=int(outputs_of(np.array(_LARGE), axis.scale)))


def _of_torch(axis: Axis, factor: float | None, shift: float) -> Any:
    places = np.arange(axis.outputs, dtype=np.float32) + np.float32(shift)
    step = np.float32(1 / factor) if factor is not None else np.float32(axis.size) / np.float32(axis.outputs)
    return np.minimum(np.floor(places * step), axis.size - 1).astype(np.int64)
