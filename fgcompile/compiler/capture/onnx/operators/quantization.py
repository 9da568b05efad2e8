"""Quantised operators: their sums are of whole numbers, as ONNX Runtime's are, and rounded as those are.

What is constant is dequantised when a graph is built. Ranges that are found at run time are each sample's own, as they
are for ONNX Runtime when it is given one sample at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.levels import Levels, Number, along, as_float, quantized
from fgcompile.compiler.capture.onnx.operators.convolution import conv
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.pooling import average_pool
from fgcompile.errors import UnsupportedOpError

Quantised = Levels | Tensor
"""Levels, or a tensor of whole numbers that is constant or an input."""

_KINDS = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16"}
"""ONNX's numbers of dtypes to quantise to."""


def quantize_linear(
    x: Tensor,
    y_scale: Tensor,
    y_zero_point: Number | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> Levels:
    """``x`` as levels of a scale, one for all or one for each place along an axis."""
    if block_size:
        raise UnsupportedOpError("it quantises block by block what is computed at run time")
    zero = along(y_zero_point, x.ndim, axis)
    if zero is None:
        zero = np.zeros((), dtype=_KINDS.get(output_dtype or 2, "float32"))
    return quantized(x, along(y_scale.to(x.dtype), x.ndim, axis), zero)


def dequantize_linear(
    x: Quantised,
    x_scale: Tensor,
    x_zero_point: Number | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Tensor:
    """``(q − z) s``."""
    scale, zero = x_scale, x_zero_point
    if block_size and isinstance(x, Tensor):
        scale = _by_block(scale, x, axis, block_size)
        zero = None if zero is None else _by_block(as_float(zero, scale.dtype), x, axis, block_size)
    scale = along(scale, _rank(x), axis)
    real: Tensor = levels(x, along(zero, _rank(x), axis), scale.dtype) * scale
    return real


def _by_block(value: Tensor, x: Tensor, axis: int, size: int) -> Tensor:
    """A scale or zero point of each block of an axis for each of its elements."""
    return value.repeat_interleave(size, axis).narrow(axis, 0, x.shape[axis])


def levels(x: Quantised, zero: Number | None, dtype: torch.dtype = torch.float32) -> Tensor:
    """``q − z``, with a gradient where it has one."""
    if isinstance(x, Levels):
        return x.above(zero)
    return x.to(dtype) if zero is None else x.to(dtype) - as_float(zero, dtype)


def dynamic_quantize_linear(x: Tensor) -> tuple[Levels, Tensor, Tensor]:
    """``x`` as unsigned levels of each sample's own range, its scale and its zero point."""
    fixed, others = x.detach(), tuple(range(1, x.ndim))
    low, high = fixed.amin(others, True).clamp(max=0), fixed.amax(others, True).clamp(min=0)
    scale = ((high - low) / 255).clamp(min=torch.finfo(torch.float32).tiny)
    zero = (-low / scale).round().clamp(0, 255)
    found = quantized(x, scale, zero.to(torch.uint8))
    return found, scale, zero.to(torch.uint8)


def conv_integer(
    x: Quantised, w: Tensor, x_zero_point: Number | None = None, w_zero_point: Number | None = None, **attributes: Any
) -> Tensor:
    """Sums of products of levels, whole numbers."""
    sums = conv(levels(x, x_zero_point), levels(w, along(w_zero_point, w.ndim, 0)), None, **attributes)
    return sums if isinstance(x, Levels) else sums.to(torch.int32)


def matmul_integer(
    a: Quantised, b: Quantised, a_zero_point: Number | None = None, b_zero_point: Number | None = None
) -> Tensor:
    """Sums of products of levels, whole numbers; zero points for each row of A, each column of B, or one for all."""
    left, right = levels(a, along(a_zero_point, _rank(a), -2)), levels(b, along(b_zero_point, _rank(b), -1))
    sums = torch.matmul(left, right)
    return sums if isinstance(a, Levels) or isinstance(b, Levels) else sums.to(torch.int32)


def _rank(x: Quantised) -> int:
    return x.level.ndim if isinstance(x, Levels) else x.ndim


def qlinear_conv(
    x: Quantised,
    x_scale: Tensor,
    x_zero_point: Number,
    w: Tensor,
    w_scale: Tensor,
    w_zero_point: Number,
    y_scale: Tensor,
    y_zero_point: Number,
    B: Tensor | None = None,
    **attributes: Any,
) -> Levels:
    """A convolution of levels, its sums rounded to those of another scale."""
    weight = levels(w, along(w_zero_point, w.ndim, 0))
    sums = conv(levels(x, x_zero_point), weight, None if B is None else B.to(weight.dtype), **attributes)
    factor = x_scale * along(w_scale, sums.ndim, 1) / y_scale
    return quantized(sums, y_scale.reshape(()), y_zero_point.reshape(()), factor)


def qlinear_matmul(
    a: Quantised,
    a_scale: Tensor,
    a_zero_point: Number,
    b: Quantised,
    b_scale: Tensor,
    b_zero_point: Number,
    y_scale: Tensor,
    y_zero_point: Number,
) -> Levels:
    """A product of levels, its sums rounded to those of another scale."""
    sums = matmul_integer(a, b, a_zero_point, b_zero_point)
    factor = a_scale * along(b_scale, sums.ndim, -1) / y_scale
    return quantized(sums, y_scale.reshape(()), y_zero_point.reshape(()), factor)


def _of_reals(function: Callable[..., Tensor], count: int) -> Callable[..., Levels]:
    """An operator of real numbers on as many levels, each with its scale and zero point, and the result's behind."""

    def compute(*values: Any, **attributes: Any) -> Levels:
        reals = [_real(*values[3 * at : 3 * at + 3]) for at in range(count)]
        scale, zero = values[3 * count], values[3 * count + 1]
        zero = np.zeros((), np.uint8) if zero is None else zero
        return quantized(function(*reals, **attributes), scale.reshape(()), zero.reshape(()))

    return compute


def _real(x: Quantised, scale: Tensor, zero: Number | None) -> Tensor:
    return dequantize_linear(x, scale.reshape(()), zero)


def qlinear_concat(y_scale: Tensor, y_zero_point: Number, *parts: Any, axis: int) -> Levels:
    """Levels behind each other, of a scale that all of them are rounded to."""
    reals = [_real(*parts[at : at + 3]) for at in range(0, len(parts), 3)]
    return quantized(torch.cat(reals, axis), y_scale.reshape(()), y_zero_point.reshape(()))


def _leaky_relu(x: Tensor, *, alpha: float = 0.01) -> Tensor:
    return functional.leaky_relu(x, alpha)


def _softmax(x: Tensor, *, axis: int = -1, opset: int = 13) -> Tensor:
    if opset >= 13:
        return torch.softmax(x, axis)
    return torch.softmax(x.flatten(axis % x.ndim), -1).reshape(x.shape)


def _average_pool(x: Tensor, *, channels_last: int = 0, **attributes: Any) -> Tensor:
    if channels_last:
        raise UnsupportedOpError("its channels are last")
    return average_pool(x, **attributes)


def _global_average_pool(x: Tensor, *, channels_last: int = 0) -> Tensor:
    return x.mean(tuple(range(1, x.ndim - 1) if channels_last else range(2, x.ndim)), keepdim=True)


def matmul_integer_to_float(
    a: Quantised,
    b: Quantised,
    a_scale: Tensor,
    b_scale: Tensor,
    a_zero_point: Number | None = None,
    b_zero_point: Number | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """A product of levels as real numbers."""
    scale: Tensor = a_scale * along(b_scale, _rank(b), -1)
    product = matmul_integer(a, b, a_zero_point, b_zero_point) * scale
    return product if bias is None else product + bias


def dynamic_quantize_matmul(
    a: Tensor, b: Quantised, b_scale: Tensor, b_zero_point: Number | None = None, bias: Tensor | None = None
) -> Tensor:
    """A product whose first factor is rounded to levels of each sample's own range."""
    found, scale, _ = dynamic_quantize_linear(a)
    return matmul_integer_to_float(found, b, scale, b_scale, None, b_zero_point, bias)


def qgemm(
    a: Quantised,
    a_scale: Tensor,
    a_zero_point: Number,
    b: Quantised,
    b_scale: Tensor,
    b_zero_point: Number,
    c: Tensor | None = None,
    y_scale: Tensor | None = None,
    y_zero_point: Number | None = None,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Levels | Tensor:
    """``α A B + C`` of levels, rounded to those of another scale if there is one."""
    left = levels(a, a_zero_point)
    right = levels(b, along(b_zero_point, 2, 0 if transB else 1))
    sums = torch.matmul(left.T if transA else left, right.T if transB else right)
    sums = sums if c is None else sums + c.to(sums.dtype)
    factor: Tensor = alpha * a_scale * along(b_scale, 2, 1)
    if y_scale is None or y_zero_point is None:
        return sums * factor
    return quantized(sums, y_scale.reshape(()), y_zero_point.reshape(()), factor / y_scale)


ZEROS = ("x_zero_point", "w_zero_point", "a_zero_point", "b_zero_point", "y_zero_point")

QUANTIZATION: dict[str, Operator] = {
    "QuantizeLinear": Operator(quantize_linear, either=ZEROS, levels=True),
    "DequantizeLinear": Operator(dequantize_linear, either=ZEROS, levels=True),
    "DynamicQuantizeLinear": Operator(dynamic_quantize_linear, note="the range is each sample's own"),
    "QLinearConv": Operator(qlinear_conv, either=ZEROS, levels=True),
    "QLinearMatMul": Operator(qlinear_matmul, either=ZEROS, levels=True),
    "ConvInteger": Operator(conv_integer, either=ZEROS, levels=True),
    "MatMulInteger": Operator(matmul_integer, either=ZEROS, levels=True),
}
"""Rows of ONNX's own domain."""

QUANTIZATION_OF_MICROSOFT: dict[str, Operator] = {
    "QuantizeLinear": Operator(quantize_linear, either=ZEROS, levels=True),
    "DequantizeLinear": Operator(dequantize_linear, either=ZEROS, levels=True),
    "QLinearAdd": Operator(_of_reals(torch.add, 2), levels=True),
    "QLinearMul": Operator(_of_reals(torch.mul, 2), levels=True),
    "QLinearSigmoid": Operator(_of_reals(torch.sigmoid, 1), levels=True),
    "QLinearLeakyRelu": Operator(_of_reals(_leaky_relu, 1), levels=True),
    "QLinearSoftmax": Operator(_of_reals(_softmax, 1), levels=True),
    "QLinearGlobalAveragePool": Operator(_of_reals(_global_average_pool, 1), levels=True),
    "QLinearAveragePool": Operator(_of_reals(_average_pool, 1), levels=True),
    "QLinearConcat": Operator(qlinear_concat, levels=True),
    "QGemm": Operator(qgemm, either=ZEROS, levels=True),
    "MatMulIntegerToFloat": Operator(matmul_integer_to_float, either=ZEROS, levels=True),
    "DynamicQuantizeMatMul": Operator(dynamic_quantize_matmul, either=ZEROS, levels=True),
}
"""Rows of the domain ``com.microsoft``."""

ROUNDING = {*QUANTIZATION, *QUANTIZATION_OF_MICROSOFT, "DynamicQuantizeLSTM", "MatMulNBits"}
ROUNDING -= {"DequantizeLinear", "MatMulIntegerToFloat"}
"""Operators whose results are levels or sums of them."""
