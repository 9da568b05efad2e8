"""Normalisation by the input's own statistics is affine once its scale is a constant.

    γ (x − m)/√(v+ε) + β  →  γ (x − m) · detach(1/√(v+ε)) + β

The mean m stays a linear function of the input (LibraGrad, CVPR 2025; AttnLRP, ICML 2024, section 3.3).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.rules.rewriting import Rewrite, Rewriting

aten = torch.ops.aten


def _normalized(rewriting: Rewriting, x: fx.Node, axes: list[int]) -> fx.Node:
    """``(x − m) · detach(1/√(v+ε))`` with the mean m and variance v over ``axes``."""
    mean = rewriting.call(aten.mean.dim, x, axes, True)
    centred = rewriting.call(aten.sub.Tensor, x, mean)
    constant = rewriting.call(aten.detach.default, centred)
    square = rewriting.call(aten.mul.Tensor, constant, constant)
    variance = rewriting.call(aten.mean.dim, square, axes, True)
    scale = rewriting.call(aten.rsqrt.default, rewriting.call(aten.add.Tensor, variance, rewriting.arguments["eps"]))
    return rewriting.call(aten.mul.Tensor, centred, scale)


def _affine(rewriting: Rewriting, value: fx.Node, parameter_shape: list[int] | None) -> fx.Node:
    """``γ value + β`` for the parameters that there are, in a shape that broadcasts to the value."""

    def parameter(name: str) -> Any:
        node = rewriting.arguments[name]
        if node is None or parameter_shape is None:
            return node
        return rewriting.call(aten.reshape.default, node, parameter_shape)

    weight, bias = parameter("weight"), parameter("bias")
    if weight is not None:
        value = rewriting.call(aten.mul.Tensor, value, weight)
    return value if bias is None else rewriting.call(aten.add.Tensor, value, bias)


def _layer(rewriting: Rewriting) -> fx.Node | None:
    if not rewriting.is_active("input"):
        return None
    axes = list(range(-len(rewriting.arguments["normalized_shape"]), 0))
    return _affine(rewriting, _normalized(rewriting, rewriting.arguments["input"], axes), None)


def _group(rewriting: Rewriting) -> fx.Node | None:
    """Groups are an axis of their own: ``(N, C, *spatial) → (N, groups, C/groups · spatial)`` and back."""
    if not rewriting.is_active("input"):
        return None
    x, groups = rewriting.arguments["input"], rewriting.arguments["group"]
    sizes = rewriting.sizes(x)
    dense = rewriting.call(aten.clone.default, x, memory_format=torch.contiguous_format)
    grouped = rewriting.call(aten.reshape.default, dense, [sizes[0], groups, -1])
    value = rewriting.call(aten.reshape.default, _normalized(rewriting, grouped, [2]), sizes)
    return _affine(rewriting, value, [-1, *[1] * (len(sizes) - 2)])


def _instance(rewriting: Rewriting) -> fx.Node | None:
    """Instance normalisation: over space, of samples that are folded into channels ``(1, N C, *spatial)``."""
    if not rewriting.is_active("input"):
        return None
    x = rewriting.arguments["input"]
    rank = x.meta["val"].ndim
    return _affine(rewriting, _normalized(rewriting, x, [0, *range(2, rank)]), [-1, *[1] * (rank - 2)])


NORMALIZATION: dict[OpOverload, Rewrite] = {
    aten.native_layer_norm.default: _layer,
    aten.native_group_norm.default: _group,
    aten._native_batch_norm_legit.no_stats: _instance,
}
