"""Numbers of 8 bits: what a quantisation gives, held as levels that a gradient passes.

    q = clamp(round(x / s) + z, l, h)      level = q − z,  x ≈ s · level,  ∂level/∂x = 1/s within the range, else 0

An integer has no derivative, so the level is a floating-point number of the same value, and its rounding error a bias.
Rounding is to even, as ONNX has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgcompile.compiler.ir.own_backward import QUANTIZED
from fgcompile.errors import UnsupportedOpError

_BITS = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}
_BITS |= {"uint4": (0, 15), "int4": (-8, 7), "uint2": (0, 3), "int2": (-2, 1)}
"""The least and largest number of each dtype that is quantised to."""


Number = np.ndarray[Any, Any] | Tensor
"""A zero point: an array where it is constant, as it mostly is."""


@dataclass(frozen=True)
class Levels:
    """A quantised tensor ``s · level``.

    Attributes:
        level: ``q − z``, a floating-point tensor of whole numbers.
        scale: ``s``, which broadcasts to it.
        zero: ``z``, likewise.
        dtype: Of ``q``, by NumPy's name.
    """

    level: Tensor
    scale: Tensor
    zero: Number
    dtype: str

    @property
    def real(self) -> Tensor:
        """The numbers that are meant."""
        return self.level * self.scale

    def numbers(self) -> Tensor:
        """``q``, as integers; without a gradient."""
        wide = self.level.detach() + as_float(self.zero, self.level.dtype)
        return wide.to(_HELD.get(self.dtype, torch.int32))

    def like(self, level: Tensor) -> Levels:
        """Levels of another tensor with the same scale."""
        return Levels(level, self.scale, self.zero, self.dtype)

    def above(self, zero: Number | None) -> Tensor:
        """``q − z`` for another zero point than that which it was quantised with, should it be another."""
        if zero is None:
            return self.level + as_float(self.zero, self.level.dtype)
        constant = isinstance(zero, np.ndarray) and isinstance(self.zero, np.ndarray)
        if not constant or np.array_equal(zero.ravel(), np.ravel(self.zero)):
            return self.level
        return self.level + (as_float(self.zero, self.level.dtype) - as_float(zero, self.level.dtype))


_HELD = {"uint8": torch.uint8, "int8": torch.int8, "int16": torch.int16}


def quantized(x: Tensor, scale: Tensor, zero: Number, factor: Tensor | None = None) -> Levels:
    """A tensor rounded to levels.

    Args:
        x: The tensor; with ``factor`` one of which ``x · factor`` is rounded, as of sums of products of levels.
        scale: ``s``, which broadcasts to it.
        zero: ``z``, of the dtype to round to; broadcasts too.
        factor: What takes the place of ``1/s``.

    Raises:
        UnsupportedOpError: The dtype is none of whole numbers.
    """
    dtype = str(zero.dtype).removeprefix("torch.")
    if dtype not in _BITS:
        raise UnsupportedOpError(f"it quantises to {dtype}: only whole numbers of up to 16 bits are read")
    offset = as_float(zero, x.dtype)
    low, high = (bound - offset for bound in _BITS[dtype])
    fixed = x.detach()
    level = (fixed / scale if factor is None else fixed * factor).round()
    inside = ((level >= low) & (level <= high)).to(x.dtype)
    linear = x / scale if factor is None else x * factor
    rounded: Tensor = QUANTIZED(torch.minimum(torch.maximum(level, low), high), linear, inside)
    return Levels(rounded, scale, zero, dtype)


def as_float(value: Number, dtype: torch.dtype) -> Tensor:
    """Whole numbers as a floating-point tensor."""
    return (torch.from_numpy(value.astype(np.int32)) if isinstance(value, np.ndarray) else value).to(dtype)


def along(value: Any, rank: int, axis: int) -> Any:
    """A scale or zero point for each place along an axis, so that it broadcasts; one for all is of no axis."""
    if value is None or value.ndim != 1:
        return value
    if value.shape[0] == 1:
        return value.reshape(())
    sizes = [1] * rank
    sizes[axis] = value.shape[0]
    return value.reshape(sizes)
