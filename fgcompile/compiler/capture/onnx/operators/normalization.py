"""Normalisations: PyTorch's own, whole, wherever it has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.errors import UnsupportedOpError


def batch_normalization(
    x: Any,
    scale: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    outputs: int = 1,
) -> Tensor | tuple[Tensor, ...]:
    """``(x − μ) / √(σ² + ε) · γ + β`` along axis 1, in training mode by the input's own μ and σ².

    Weights are standardised so, as those of networks without normalisation of features: there the input is constant.

    Raises:
        UnsupportedOpError: It normalises by the batch's own statistics.
    """
    if not training_mode:
        return functional.batch_norm(torch.as_tensor(x), mean, variance, scale, bias, False, 0.0, epsilon)
    if isinstance(x, Tensor):
        raise UnsupportedOpError("it is in training mode: export the model for inference")
    x = torch.as_tensor(x)
    others = [axis for axis in range(x.ndim) if axis != 1]
    now = (x.mean(others), x.var(others, correction=0))
    y = functional.batch_norm(x, None, None, scale, bias, True, 0.0, epsilon)
    running = [old * momentum + new * (1 - momentum) for old, new in zip((mean, variance), now, strict=True)]
    return (y, *running)[:outputs] if outputs > 1 else y


def instance_normalization(x: Tensor, scale: Tensor, bias: Tensor, *, epsilon: float = 1e-5) -> Tensor:
    return functional.instance_norm(x, None, None, scale, bias, True, 0.0, epsilon)


def layer_normalization(
    x: Tensor,
    scale: Tensor,
    bias: Tensor | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
    outputs: int = 1,
) -> Tensor | tuple[Tensor, ...]:
    """``(x − μ) / √(σ² + ε) · γ + β`` over ``axis`` and those behind it; then μ and ``1 / √(σ² + ε)``."""
    shape = list(x.shape[axis:] if axis else x.shape)
    if list(scale.shape) == shape and (bias is None or list(bias.shape) == shape):
        y = functional.layer_norm(x, shape, scale, bias, epsilon)
    else:
        y = functional.layer_norm(x, shape, None, None, epsilon) * scale
        y = y if bias is None else y + bias
    if outputs == 1:
        return y
    axes = tuple(range(-len(shape), 0))
    variance = x.var(axes, correction=0, keepdim=True)
    return y, x.mean(axes, keepdim=True), torch.rsqrt(variance + epsilon)


def rms_normalization(
    x: Tensor, scale: Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    """``x / √(mean(x²) + ε) · γ`` over ``axis`` and those behind it."""
    shape = list(x.shape[axis:] if axis else x.shape)
    if list(scale.shape) == shape:
        return functional.rms_norm(x, shape, scale, epsilon)
    return functional.rms_norm(x, shape, None, epsilon) * scale


def group_normalization(
    x: Tensor, scale: Tensor, bias: Tensor, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    return functional.group_norm(x, num_groups, scale, bias, epsilon)


def local_response_normalization(
    x: Tensor, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> Tensor:
    """``x / (bias + α / size · Σ x²)^β``, the sum over ``size`` channels around each: the odd one is behind it."""
    before = (size - 1) // 2
    around = [*[0] * (2 * (x.ndim - 2)), before, size - 1 - before]
    squares = functional.pad(x * x, around).unfold(1, size, 1)
    return x / (bias + alpha * squares.mean(-1)).pow(beta)


def lp_normalization(x: Tensor, *, axis: int = -1, p: int = 2) -> Tensor:
    """``x / ‖x‖`` along an axis; zero where the norm is."""
    return functional.normalize(x, p, axis)


def mean_variance_normalization(x: Tensor, *, axes: Sequence[int] = (0, 2, 3)) -> Tensor:
    """``(x − μ) / (σ + 1e-9)``, the statistics over ``axes``."""
    centred = x - x.mean(tuple(axes), keepdim=True)
    deviation = (centred * centred).mean(tuple(axes), keepdim=True).sqrt()
    return centred / (deviation + 1e-9)


NORMALIZATION: dict[str, Operator] = {
    "BatchNormalization": Operator(batch_normalization, either=("x",), note="for inference, and of constants"),
    "GroupNormalization": Operator(group_normalization),
    "InstanceNormalization": Operator(instance_normalization),
    "LRN": Operator(local_response_normalization),
    "LayerNormalization": Operator(layer_normalization),
    "LpNormalization": Operator(lp_normalization),
    "MeanVarianceNormalization": Operator(mean_variance_normalization),
    "RMSNormalization": Operator(rms_normalization),
}
