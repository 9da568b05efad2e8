"""Normalisation by the input's own statistics is affine once its scale is a constant.

    γ (x − m)/√(v+ε) + β  →  γ (x − m) · detach(1/√(v+ε)) + β

The mean m stays a linear function of the input (LibraGrad, CVPR 2025; AttnLRP, ICML 2024, section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.rules.rewriting import Rewrite, where_active

aten = torch.ops.aten


def _normalized(x: Tensor, axes: list[int], eps: float) -> Tensor:
    """``(x − m) · detach(1/√(v+ε))`` with the mean m and variance v over ``axes``."""
    centred = x - x.mean(axes, keepdim=True)
    constant = centred.detach()
    variance = (constant * constant).mean(axes, keepdim=True)
    return centred * torch.rsqrt(variance + eps)


def _affine(value: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """``γ value + β`` for the parameters that there are."""
    if weight is not None:
        value = value * weight
    return value if bias is None else value + bias


def _per_channel(parameter: Tensor | None, rank: int) -> Tensor | None:
    """A parameter ``(C,)`` in a shape that broadcasts to ``(N, C, *spatial)``."""
    return None if parameter is None else parameter.reshape(-1, *[1] * (rank - 2))


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Over the trailing axes."""
    return _affine(_normalized(input, list(range(-len(normalized_shape), 0)), eps), weight, bias)


def group_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, group: int, eps: float, **_sizes: Any
) -> Tensor:
    """Groups are an axis of their own: ``(N, C, *spatial) → (N, groups, C/groups · spatial)`` and back."""
    grouped = input.clone(memory_format=torch.contiguous_format).reshape(input.shape[0], group, -1)
    value = _normalized(grouped, [2], eps).reshape(input.shape)
    return _affine(value, _per_channel(weight, input.ndim), _per_channel(bias, input.ndim))


def instance_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, **_training: Any) -> Tensor:
    """Over space, of samples that are folded into channels ``(1, N C, *spatial)``."""
    value = _normalized(input, [0, *range(2, input.ndim)], eps)
    return _affine(value, _per_channel(weight, input.ndim), _per_channel(bias, input.ndim))


NORMALIZATION: dict[torch._ops.OpOverload, Rewrite] = {
    aten.native_layer_norm.default: where_active(layer_norm, "input"),
    aten.native_group_norm.default: where_active(group_norm, "input"),
    aten._native_batch_norm_legit.no_stats: where_active(instance_norm, "input"),
}
