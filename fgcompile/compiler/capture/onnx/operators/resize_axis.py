"""Which elements of an axis a resized one is made of, with which weights: constants of the sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fgcompile.errors import UnsupportedOpError

Numbers = np.ndarray[Any, Any]

SIMPLE = "simple"
"""The ``nearest_mode`` of opset 10, which had none: down, or up where an axis shrinks."""


@dataclass(frozen=True)
class Axis:
    """One axis of a tensor that is resized.

    Attributes:
        axis: Which.
        size: Its size, an integer or a symbol.
        outputs: That of the result.
        scale: What the coordinates are divided by; about ``outputs / size``.
        start: Where the region of interest begins, and
        end: where it ends, as shares of the axis.
    """

    axis: int
    size: Any
    outputs: Any
    scale: Any
    start: float = 0.0
    end: float = 1.0

    @property
    def known(self) -> bool:
        """Whether no symbol is among its numbers."""
        return all(isinstance(each, int | float) for each in (self.size, self.outputs, self.scale))

    @property
    def changes(self) -> bool:
        """Whether it is another axis afterwards."""
        return not (isinstance(self.scale, int | float) and self.scale == 1)


@dataclass(frozen=True)
class Filter:
    """How values are made of those around a coordinate.

    Attributes:
        mode: ``nearest``, ``linear`` or ``cubic``.
        coordinates: ``coordinate_transformation_mode``.
        rounding: ``nearest_mode``, or ``SIMPLE``.
        antialias: Whether it is stretched where the result is smaller.
        exclude_outside: Whether what lies outside has no weight; else it is the edge.
        cubic_coeff_a: Of the cubic.
    """

    mode: str
    coordinates: str
    rounding: str
    antialias: bool
    exclude_outside: bool
    cubic_coeff_a: float


_COORDINATES: dict[str, Callable[[Axis, Numbers], Numbers]] = {
    "half_pixel": lambda axis, x: (x + 0.5) / _real(axis.scale, x) - _real(0.5, x),
    "pytorch_half_pixel": lambda axis, x: _COORDINATES["half_pixel"](axis, x) if axis.outputs > 1 else 0 * x,
    "half_pixel_symmetric": lambda axis, x: _offset(axis, x) + (x + 0.5) / _real(axis.scale, x) - _real(0.5, x),
    "tf_half_pixel_for_nn": lambda axis, x: (x + _real(0.5, x)) / _real(axis.scale, x),
    "asymmetric": lambda axis, x: x / _real(axis.scale, x),
    "align_corners": lambda axis, x: x * (axis.size - 1) / max(axis.outputs - 1, 1),
    "tf_crop_and_resize": lambda axis, x: (
        axis.start * (axis.size - 1) + x * (axis.end - axis.start) * (axis.size - 1) / (axis.outputs - 1)
        if axis.outputs > 1
        else 0 * x + (axis.start + axis.end) * (axis.size - 1) / 2
    ),
}
"""Where each output lies among the values, by mode: of whole output sizes, as ONNX Runtime and PyTorch take them."""


def outputs_of(sizes: Numbers, scale: float) -> Numbers:
    """How many outputs axes of these sizes have, in the precision of runtimes."""
    outputs: Numbers = np.floor(sizes.astype(np.float32) * np.float32(scale)).astype(np.int64)
    return outputs


def _offset(axis: Axis, like: Numbers) -> Any:
    """What keeps the middle of an axis in the middle, where the outputs are not as many as the scale says."""
    share = _real(axis.outputs, like) / (_real(axis.scale, like) * _real(axis.size, like))
    return _real(axis.size / 2, like) * (_real(1, like) - share)


def _real(number: float, like: Numbers) -> Any:
    return like.dtype.type(number)


def coordinates(axis: Axis, mode: str, dtype: Any = np.float64) -> Numbers:
    """Of all outputs of an axis."""
    return _COORDINATES[mode](axis, np.arange(axis.outputs, dtype=dtype)).astype(dtype)


def nearest(axis: Axis, filter: Filter) -> Numbers:
    """The index of each output, in the precision that runtimes round in.

    Raises:
        UnsupportedOpError: One lies half-way, and ONNX Runtime takes either neighbour.
    """
    places = coordinates(axis, filter.coordinates, np.float32)
    half = np.float32(0.5)
    apart = np.abs(places - np.floor(places) - half)
    if (filter.coordinates, filter.rounding) == _EITHER and ((apart > 0) & (apart < _HALF_WAY)).any():
        raise UnsupportedOpError(
            "it takes the nearest of places half-way between two, which ONNX Runtime rounds either way: "
            "write nearest_mode=round_prefer_floor or floor"
        )
    rounded = {
        "round_prefer_floor": lambda: np.ceil(places - half),
        "round_prefer_ceil": lambda: np.floor(places + half),
        "floor": lambda: np.floor(places),
        "ceil": lambda: np.ceil(places),
        SIMPLE: lambda: np.ceil(places) if axis.scale < 1 else np.floor(places),
    }[filter.rounding]()
    return np.clip(rounded, 0, axis.size - 1).astype(np.int64)


_EITHER = ("asymmetric", "round_prefer_ceil")

_HALF_WAY = 1e-4


def weights(axis: Axis, filter: Filter) -> Numbers:
    """The matrix ``(outputs, size)`` that resizes an axis."""
    places = coordinates(axis, filter.coordinates)
    stretch = min(axis.scale, 1.0) if filter.antialias else 1.0
    reach = 1 if filter.mode == "linear" else 2
    # As many around each as may have a weight.
    count = math.ceil(reach / stretch) + 1
    taps = np.floor(places)[:, None] + np.arange(-count, count + 1)
    distances = np.abs(taps - places[:, None]) * stretch
    shares = 1 - distances if filter.mode == "linear" else _cubic(distances, filter.cubic_coeff_a)
    shares = np.where(distances < reach, shares, 0)
    if filter.exclude_outside:
        shares = np.where((taps < 0) | (taps > axis.size - 1), 0, shares)
    totals = shares.sum(1, keepdims=True)
    matrix = np.zeros((axis.outputs, axis.size))
    rows = np.broadcast_to(np.arange(axis.outputs)[:, None], taps.shape)
    np.add.at(matrix, (rows, np.clip(taps, 0, axis.size - 1).astype(np.int64)), shares / np.where(totals, totals, 1))
    return matrix


def _cubic(distances: Numbers, a: float) -> Numbers:
    """Keys' kernel: of distances below 1, and of those below 2."""
    near = ((a + 2) * distances - (a + 3)) * distances**2 + 1
    far = ((a * distances - 5 * a) * distances + 8 * a) * distances - 4 * a
    return np.where(distances <= 1, near, far)


def outside(axis: Axis, mode: str) -> Numbers:
    """Which outputs lie outside of the axis."""
    places = coordinates(axis, mode)
    beyond: Numbers = (places < 0) | (places > axis.size - 1)
    return beyond
