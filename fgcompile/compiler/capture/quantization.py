"""Simulated quantisation written out, with the straight-through gradient that PyTorch gives it.

    q = round(x / s) + z,   y = (min(max(q, l), h) − z) s,   J̃ = [l ≤ q ≤ h]

Its bias is what quantisation adds to the score: the rounding error within the range, the bound beyond it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.own_backward import QUANTIZED
from fgcompile.compiler.ir.torch_internals import fake_quantize_learned, fake_quantize_learned_channel

aten = torch.ops.aten


def quantize(self: Tensor, scale: Any, zero_point: Any, quant_min: int, quant_max: int) -> Tensor:
    """``y``; scale and zero point broadcast to ``x``."""
    if isinstance(scale, Tensor):
        scale, inverse = scale.to(self.dtype), scale.reciprocal().to(self.dtype)
    else:  # PyTorch's kernels hold both in single precision
        scale = _single(scale)
        inverse = _single(1 / scale)
    level = (self.detach() * inverse).round() + zero_point
    inside = (level >= quant_min).logical_and(level <= quant_max)
    value = (level.clamp(quant_min, quant_max) - zero_point) * scale
    result: Tensor = QUANTIZED(value, self * inside.to(self.dtype))
    return result


def _single(value: float) -> float:
    number: float = struct.unpack("f", struct.pack("f", value))[0]
    return number


def quantize_by_channel(
    self: Tensor, scale: Tensor, zero_point: Tensor, axis: int, quant_min: int, quant_max: int
) -> Tensor:
    """The same with a scale and a zero point for each place along an axis."""
    shape = [1] * self.dim()
    shape[axis] = -1
    return quantize(self, scale.reshape(shape), zero_point.to(self.dtype).reshape(shape), quant_min, quant_max)


def quantize_by_tensor(self: Tensor, scale: Any, zero_point: Any, quant_min: int, quant_max: int) -> Tensor:
    """The same with one scale and zero point, numbers or tensors."""
    offset = zero_point.to(self.dtype) if isinstance(zero_point, Tensor) else zero_point
    return quantize(self, scale, offset, quant_min, quant_max)


def quantize_by_learned(
    self: Tensor, scale: Tensor, zero_point: Tensor, quant_min: int, quant_max: int, grad_factor: float = 1.0
) -> Tensor:
    """The same with parameters that are trained: the zero point is rounded, and kept within the range."""
    return quantize(self, scale, (zero_point.float() + 0.5).clamp(quant_min, quant_max).trunc(), quant_min, quant_max)


def quantize_by_learned_channel(
    self: Tensor, scale: Tensor, zero_point: Tensor, axis: int, quant_min: int, quant_max: int, grad_factor: float = 1.0
) -> Tensor:
    """The same for each place along an axis."""
    rounded = zero_point.float().round().clamp(quant_min, quant_max)
    return quantize_by_channel(self, scale, rounded, axis, quant_min, quant_max)


WRITTEN_OUT: Mapping[Any, Callable[..., Tensor]] = {
    torch.fake_quantize_per_tensor_affine: quantize_by_tensor,
    torch.fake_quantize_per_channel_affine: quantize_by_channel,
    fake_quantize_learned: quantize_by_learned,
    fake_quantize_learned_channel: quantize_by_learned_channel,
    aten.fake_quantize_per_tensor_affine.default: quantize_by_tensor,
    aten.fake_quantize_per_tensor_affine.tensor_qparams: quantize_by_tensor,
    aten.fake_quantize_per_channel_affine.default: quantize_by_channel,
}
"""Functions that are replaced as they are called while exporting: PyTorch has none of them for fake tensors."""
