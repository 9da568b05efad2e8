"""Backward of activations, softmax and normalisations, and log-sum-exp, as elementwise operators and reductions.

An activation that is linear by pieces is a product with a mask, ``g · cast(x > t)``: the fastest of the forms that were
measured in ONNX Runtime, ``docs/decisions/masks.md``.

Where PyTorch's own decomposition is already made of portable operators, it is taken (``PORTABLE``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.export import default_decompositions

from fgcompile.compiler.ir.annotations import chosen
from fgcompile.compiler.ir.gated import GATES, GELU, Gated
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any
Scalar = int | float

PORTABLE: tuple[OpOverload, ...] = (
    aten.sigmoid_backward.default,
    aten.tanh_backward.default,
    aten._softmax_backward_data.default,
    aten._log_softmax_backward_data.default,
    aten.logsumexp.default,
    aten.native_group_norm_backward.default,
    aten.native_batch_norm_backward.default,
)
"""Operators whose decomposition in PyTorch needs no help."""


_PRODUCT = "product with a mask"
_NO_WHERE = "half the time of Where"


def _mask(condition: Tensor, like: Tensor) -> Tensor:
    return condition.to(like.dtype)


def lower_threshold_backward(grad_output: Tensor, self: Tensor, threshold: Scalar) -> Tensor:
    """``g · (x > t)``: ReLU (on its output) and threshold."""
    with chosen("activation, backward", _PRODUCT, _NO_WHERE):
        return grad_output * _mask(self > threshold, grad_output)


def lower_hardtanh_backward(grad_output: Tensor, self: Tensor, min_val: Scalar, max_val: Scalar) -> Tensor:
    """``g · (min < x < max)``: ReLU6, hardtanh."""
    with chosen("activation, backward", _PRODUCT, _NO_WHERE):
        return grad_output * _mask(aten.logical_and.default(self > min_val, self < max_val), grad_output)


_SIXTH = 0.1666666716337204
"""1/6 rounded to float32, as PyTorch's hard sigmoid has it in every dtype."""


def lower_hardsigmoid_backward(grad_output: Tensor, self: Tensor) -> Tensor:
    """``g · (−3 < x < 3) / 6``."""
    return lower_hardtanh_backward(grad_output, self, -3.0, 3.0) * _SIXTH


def lower_leaky_relu_backward(
    grad_output: Tensor, self: Tensor, negative_slope: Scalar, self_is_result: bool
) -> Tensor:
    """``g · (α + (1 − α)(x > 0))``."""
    return grad_output * (_mask(self > 0, grad_output) * (1.0 - negative_slope) + negative_slope)


def lower_prelu_kernel_backward(grad_output: Tensor, self: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """``g · (w + (1 − w)(x > 0))`` for the input; the weight's ``g · x · (x ≤ 0)`` vanishes when nobody asks."""
    positive = _mask(self > 0, grad_output)
    return grad_output * (weight + (1.0 - weight) * positive), grad_output * self * (1.0 - positive)


def lower_elu_backward(
    grad_output: Tensor, alpha: Scalar, scale: Scalar, input_scale: Scalar, is_result: bool, self_or_result: Tensor
) -> Tensor:
    """``g · s · [x > 0]`` and ``g · α s i · exp(i x)`` (from the result, ``g · i (y + α s)``): ELU, SELU, CELU."""
    positive = _mask(self_or_result > 0, grad_output)
    bounded = aten.clamp.default(self_or_result, None, 0.0)
    if is_result:
        negative = (bounded + alpha * scale) * input_scale
    else:
        negative = aten.exp.default(bounded * input_scale) * (alpha * scale * input_scale)
    return grad_output * (positive * scale + (1.0 - positive) * negative)


def lower_gelu_backward(grad_output: Tensor, self: Tensor, *, approximate: str = "none") -> Tensor:
    """``g · (s + x s′)``, by the parts that the implicit bias has too."""
    return grad_output * GELU[approximate].slope(self)


def _gated_backward(gated: Gated) -> Callable[[Tensor, Tensor], Tensor]:
    def lower(grad_output: Tensor, self: Tensor) -> Tensor:
        """``g · (s + x s′)``, by the parts that the implicit bias has too."""
        return grad_output * gated.slope(self)

    return lower


def lower_softplus_backward(grad_output: Tensor, self: Tensor, beta: Scalar, threshold: Scalar) -> Tensor:
    """``g · σ(β x)``, and ``g`` where ``β x > threshold``."""
    scaled = self * beta
    linear = _mask(scaled > threshold, grad_output)
    return grad_output * (linear + (1.0 - linear) * aten.sigmoid.default(scaled))


def lower_log_sigmoid_backward(grad_output: Tensor, self: Tensor, buffer: Tensor) -> Tensor:
    """``g · σ(−x)``."""
    return grad_output * aten.sigmoid.default(aten.neg.default(self))


def lower_sign(self: Tensor) -> Any:
    """``(x > 0) − (x < 0)``: the derivative of abs; of complex numbers it stays, for a check to name."""
    if self.is_complex():
        return NotImplemented
    return _mask(self > 0, self) - _mask(self < 0, self)


def lower_native_layer_norm_backward(
    grad_out: Tensor,
    input: Tensor,
    normalized_shape: Sequence[int],
    mean: Tensor,
    rstd: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    output_mask: Sequence[bool],
) -> Any:
    """``r (h − <h> − c <h c> r²)`` with ``h = γ g`` and ``c = x − m``: nine passes, PyTorch's eleven."""
    if list(output_mask) != [True, False, False]:
        return _OF_PYTORCH[aten.native_layer_norm_backward.default](
            grad_out, input, normalized_shape, mean, rstd, weight, bias, output_mask
        )
    axes = list(range(-len(normalized_shape), 0))
    centred = input.to(rstd.dtype) - mean
    scaled = grad_out.to(rstd.dtype) if weight is None else grad_out.to(rstd.dtype) * weight.to(rstd.dtype)
    along = aten.mean.dim(scaled * centred, axes, True) * (rstd * rstd)
    gradient = (scaled - centred * along - aten.mean.dim(scaled, axes, True)) * rstd
    return gradient.to(input.dtype), None, None


_OF_PYTORCH = default_decompositions()

LOWERINGS: dict[OpOverload, Callable[..., Any]] = {
    **{operator: _OF_PYTORCH[operator] for operator in PORTABLE},
    aten.threshold_backward.default: lower_threshold_backward,
    aten.hardtanh_backward.default: lower_hardtanh_backward,
    aten.hardsigmoid_backward.default: lower_hardsigmoid_backward,
    aten.leaky_relu_backward.default: lower_leaky_relu_backward,
    aten._prelu_kernel_backward.default: lower_prelu_kernel_backward,
    aten.elu_backward.default: lower_elu_backward,
    aten.gelu_backward.default: lower_gelu_backward,
    aten.silu_backward.default: _gated_backward(GATES[aten.silu.default]),
    aten.mish_backward.default: _gated_backward(GATES[aten.mish.default]),
    aten.hardswish_backward.default: _gated_backward(GATES[aten.hardswish.default]),
    aten.softplus_backward.default: lower_softplus_backward,
    aten.log_sigmoid_backward.default: lower_log_sigmoid_backward,
    aten.native_layer_norm_backward.default: lower_native_layer_norm_backward,
    aten.sign.default: lower_sign,
    aten.sgn.default: lower_sign,
}
